//! How long what is owed has been waiting.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

#[test]
fn the_buckets_begin_at_31_61_and_91_days() {
    // before 1 March 2026: 30 January is 30 days, 29 January 31, 30 December 61, 30 November 91
    let given = Given::new();
    for (id, day) in [
        (1, "2026-03-01"),
        (2, "2026-01-30"),
        (3, "2026-01-29"),
        (4, "2025-12-31"),
        (5, "2025-12-30"),
        (6, "2025-12-01"),
        (7, "2025-11-30"),
        (8, "2020-02-29"),
    ] {
        given.commission(id, json!({ "commission_day": day, "balance_payout": id.to_string() }));
    }
    assert_eq!(
        given.rows("commission_ageing", AS_OF, "bucket records balance_payout"),
        ["0-30 2 3.00", "31-60 2 7.00", "61-90 2 11.00", "91+ 2 15.00"]
    );
}

#[test]
fn only_what_is_active_or_requested_and_listed_waits() {
    // 18 active + 7 requested − 5 of a reversal = 20; paid, offset and unknown states owe nothing, removed ones never
    let given = Given::new();
    given
        .commission(1, json!({}))
        .commission(2, json!({ "state": "requested", "balance_payout": "7" }))
        .commission(3, json!({ "type": "commission_reversal", "sign": -1, "balance_payout": "-5" }))
        .commission(4, json!({ "state": "paid", "balance_payout": "0" }))
        .commission(5, json!({ "state": "offset", "balance_payout": "0" }))
        .commission(6, json!({ "state": "on_hold" }))
        .commission(7, json!({}))
        .removed("commission", 7, "2026-02-15");
    let columns = "bucket records balance_payout";
    assert_eq!(given.rows("commission_ageing", AS_OF, columns), ["0-30 3 20.00"]);
    // on the day before, the removed one was still listed
    assert_eq!(given.rows("commission_ageing", "2026-02-14", columns), ["0-30 4 38.00"]);
}

#[test]
fn a_past_day_sees_the_state_and_the_age_of_that_day() {
    // of 1 December, requested on 10 February, paid on 20 February; on 1 December it is 0 days old, on 30 November unborn
    let given = Given::new();
    given
        .commission(1, json!({ "commission_day": "2025-12-01" }))
        .then("commission", 1, "2026-02-10", json!({ "state": "requested", "balance_payout": "9" }))
        .then("commission", 1, "2026-02-20", json!({ "state": "paid", "balance_payout": "0" }));
    let on = |day| given.rows("commission_ageing", day, "bucket balance_payout");
    assert!(on("2025-11-30").is_empty());
    assert_eq!(on("2025-12-01"), ["0-30 18.00"]);
    assert_eq!(on("2026-02-09"), ["61-90 18.00"]);
    assert_eq!(on("2026-02-10"), ["61-90 9.00"]);
    assert!(on("2026-02-20").is_empty());
}

#[test]
fn a_returned_commission_waits_again() {
    let given = Given::new();
    given.commission(1, json!({})).removed("commission", 1, "2026-02-10").then(
        "commission",
        1,
        "2026-02-20",
        json!({}),
    );
    for (day, rows) in [("2026-02-09", 1), ("2026-02-10", 0), ("2026-02-19", 0), ("2026-02-20", 1)] {
        assert_eq!(given.rows("commission_ageing", day, "bucket").len(), rows, "{day}");
    }
}

#[test]
fn stores_entities_and_currencies_stand_apart_and_a_commission_without_a_day_has_no_age() {
    let given = Given::new();
    given
        .commission(1, json!({ "entity": "Zoho_US" }))
        .commission(1, json!({ "entity": "Zoho_US", "store_id": "eu" }))
        .commission(2, json!({ "entity": "Zoho_NL", "payout_currency": "EUR" }))
        .commission(3, json!({ "entity": "Zoho_US", "commission_day": null }));
    assert_eq!(
        given.rows("commission_ageing", AS_OF, "store_id entity payout_currency bucket records"),
        ["eu Zoho_US USD 0-30 1", "us Zoho_NL EUR 0-30 1", "us Zoho_US USD 0-30 1", "us Zoho_US USD - 1"]
    );
}
