//! The day a commission changed its state.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

const COLUMNS: &str = "seen_at store_id commission_id from_state to_state payout_id";

#[test]
fn each_change_of_state_is_a_row_and_nothing_else() {
    // open, requested on the 10th, another balance on the 12th (no change of state), paid on the 20th
    let given = Given::new();
    given
        .commission(1, json!({ "company_name": "Fjord", "payout_currency": "EUR", "net_payout": "17.5" }))
        .then("commission", 1, "2026-02-10", json!({ "state": "requested" }))
        .then("commission", 1, "2026-02-12", json!({ "balance_payout": "9" }))
        .then("commission", 1, "2026-02-20", json!({ "state": "paid", "payout_id": 7, "balance_payout": "0" }))
        .commission(2, json!({}));
    assert_eq!(
        given.rows("commission_state_changes", AS_OF, COLUMNS),
        ["2026-02-10T01:00:00Z us 1 active requested -1", "2026-02-20T01:00:00Z us 1 requested paid 7"]
    );
    assert_eq!(
        given.rows("commission_state_changes", AS_OF, "company_name service_name payout_currency net_payout")[1],
        "Fjord One EUR 17.50"
    );
}

#[test]
fn a_removal_of_what_was_owed_is_a_change_and_so_is_its_return() {
    // removed on the 10th, back and paid on the 20th; the removal of a paid one changes nothing
    let given = Given::new();
    given
        .commission(1, json!({}))
        .removed("commission", 1, "2026-02-10")
        .then("commission", 1, "2026-02-20", json!({ "state": "paid" }))
        .commission(2, json!({ "state": "paid" }))
        .removed("commission", 2, "2026-02-11")
        .then("commission", 2, "2026-02-21", json!({}));
    assert_eq!(
        given.rows("commission_state_changes", AS_OF, "seen_at commission_id from_state to_state"),
        ["2026-02-10T01:00:00Z 1 active removed", "2026-02-20T01:00:00Z 1 removed paid"]
    );
}

#[test]
fn returning_as_it_was_leads_back_from_removed() {
    let given = Given::new();
    given.commission(1, json!({})).removed("commission", 1, "2026-02-10").then(
        "commission",
        1,
        "2026-02-20",
        json!({}),
    );
    assert_eq!(
        given.rows("commission_state_changes", AS_OF, "from_state to_state"),
        ["active removed", "removed active"]
    );
}

#[test]
fn a_lost_or_unknown_state_is_a_change_too() {
    let given = Given::new();
    given.commission(1, json!({})).then("commission", 1, "2026-02-10", json!({ "state": null })).then(
        "commission",
        1,
        "2026-02-20",
        json!({ "state": "on_hold" }),
    );
    assert_eq!(given.rows("commission_state_changes", AS_OF, "from_state to_state"), ["active -", "- on_hold"]);
}

#[test]
fn the_period_is_days_of_the_mirror_and_future_commissions_do_not_exist() {
    // two days up to 1 March: 28 February and 1 March
    let given = Given::new();
    for (id, day) in [(1, "2026-02-27"), (2, "2026-02-28"), (3, "2026-03-01"), (4, "2026-03-02")] {
        given.commission(id, json!({})).then("commission", id, day, json!({ "state": "requested" }));
    }
    given.commission(5, json!({ "commission_day": "2026-03-02" })).then(
        "commission",
        5,
        "2026-03-01",
        json!({ "state": "requested" }),
    );
    assert_eq!(given.rows("commission_state_changes days=2", AS_OF, "commission_id"), ["2", "3"]);
    given.removed("commission", 1, "2026-03-01");
    assert_eq!(
        given.rows("commission_state_changes days=1", AS_OF, "commission_id to_state"),
        ["1 removed", "3 requested"]
    );
}

#[test]
fn equal_ids_in_two_stores_are_two_commissions() {
    let given = Given::new();
    given.commission(1, json!({})).then("commission", 1, "2026-02-10", json!({ "state": "requested" }));
    given.commission(1, json!({ "store_id": "eu" }));
    assert_eq!(given.rows("commission_state_changes", AS_OF, "store_id"), ["us"]);
}
