//! What is owed per entity and state, on any day.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

const COLUMNS: &str = "store_id entity payout_currency state records net_payout balance_payout net_usd \
                       records_without_usd oldest_day";

#[test]
fn entities_currencies_and_states_stand_apart() {
    // active in USD: 18 + 18 − 10 = 26, of which 18 + 18 − 5 = 31 are still open; one EUR commission without USD
    let given = Given::new();
    given
        .commission(1, json!({}))
        .commission(2, json!({ "commission_day": "2025-12-31" }))
        .commission(
            3,
            json!({ "type": "commission_reversal", "sign": -1, "net_payout": "-10", "net_usd": "-10",
                               "balance_payout": "-5" }),
        )
        .commission(4, json!({ "state": "paid", "balance_payout": "0" }))
        .commission(5, json!({ "entity": "Zoho Netherlands", "payout_currency": "EUR", "net_usd": null }));
    assert_eq!(
        given.rows("commissions_by_state", AS_OF, COLUMNS).map_spaces(),
        [
            "us Zoho_Netherlands EUR active 1 18.00 18.00 - 1 2026-02-01",
            "us Zoho_US USD active 3 26.00 31.00 26.00 0 2025-12-31",
            "us Zoho_US USD paid 1 18.00 0.00 18.00 0 2026-02-01",
        ]
    );
}

#[test]
fn what_the_store_lists_no_more_is_never_owed() {
    // the removed active one owes nothing; the removed paid one was paid all the same
    let given = Given::new();
    given
        .commission(1, json!({}))
        .commission(2, json!({ "state": "paid", "balance_payout": "0" }))
        .removed("commission", 1, "2026-02-15")
        .removed("commission", 2, "2026-02-15");
    let columns = "state records net_payout balance_payout";
    assert_eq!(given.rows("commissions_by_state", AS_OF, columns), ["paid 1 18.00 0.00", "removed 1 18.00 -"]);
    // on the day before it was still listed
    assert_eq!(
        given.rows("commissions_by_state", "2026-02-14", columns),
        ["active 1 18.00 18.00", "paid 1 18.00 0.00"]
    );
}

#[test]
fn a_past_day_sees_the_state_of_that_day() {
    // open, requested on 10 February, paid on 20 February; dated 1 February, so it does not exist on 31 January
    let given = Given::new();
    given.commission(1, json!({})).then("commission", 1, "2026-02-10", json!({ "state": "requested" })).then(
        "commission",
        1,
        "2026-02-20",
        json!({ "state": "paid", "balance_payout": "0" }),
    );
    let on = |day| given.rows("commissions_by_state", day, "state balance_payout");
    assert!(on("2026-01-31").is_empty());
    assert_eq!(on("2026-02-09"), ["active 18.00"]);
    assert_eq!(on("2026-02-10"), ["requested 18.00"]);
    assert_eq!(on("2026-02-20"), ["paid 0.00"]);
}

#[test]
fn an_unknown_state_and_a_missing_day_are_kept() {
    let given = Given::new();
    given.commission(1, json!({ "state": "on_hold", "commission_day": null, "entity": null }));
    assert_eq!(given.rows("commissions_by_state", AS_OF, COLUMNS), ["us - USD on_hold 1 18.00 18.00 18.00 0 -"]);
}

/// Names with a space, written so that a row stays readable.
trait MapSpaces {
    fn map_spaces(self) -> Vec<String>;
}

impl MapSpaces for Vec<String> {
    fn map_spaces(self) -> Vec<String> {
        self.into_iter().map(|row| row.replace("Zoho ", "Zoho_")).collect()
    }
}
