//! What was earned and reversed in a month.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

#[test]
fn a_month_earns_and_reverses() {
    // 18 + 18 − 10 = 26
    let given = Given::new();
    given
        .commission(1, json!({}))
        .commission(2, json!({ "commission_day": "2026-02-28" }))
        .commission(3, json!({ "type": "commission_reversal", "sign": -1, "net_payout": "-10", "net_usd": null }));
    assert_eq!(
        given.rows(
            "commissions_by_month",
            AS_OF,
            "month records earned reversed net_payout net_usd records_without_usd"
        ),
        ["2026-02 3 36.00 -10.00 26.00 36.00 1"]
    );
}

#[test]
fn the_period_is_the_months_up_to_as_of() {
    // two months on 1 March: February and March; 2 March does not exist yet, and a month ends at its last day
    let given = Given::new();
    for (id, day) in [(1, "2026-01-31"), (2, "2026-02-01"), (3, "2026-03-01"), (4, "2026-03-02")] {
        given.commission(id, json!({ "commission_day": day }));
    }
    assert_eq!(given.rows("commissions_by_month months=2", AS_OF, "month records"), ["2026-02 1", "2026-03 1"]);
    // 24 months on 31 March 2026 begin with April 2024
    given.commission(5, json!({ "commission_day": "2024-04-01" }));
    given.commission(6, json!({ "commission_day": "2024-03-31" }));
    assert_eq!(given.rows("commissions_by_month", "2026-03-31", "month")[0], "2024-04");
}

#[test]
fn currencies_are_not_added_and_removed_ones_happened() {
    let given = Given::new();
    given.commission(1, json!({})).commission(2, json!({ "payout_currency": "EUR", "net_usd": null })).removed(
        "commission",
        1,
        "2026-02-15",
    );
    assert_eq!(
        given.rows("commissions_by_month", AS_OF, "payout_currency net_payout net_usd records_without_usd"),
        ["EUR 18.00 - 1", "USD 18.00 18.00 0"]
    );
}

#[test]
fn a_month_of_reversals_alone_earned_nothing() {
    let given = Given::new();
    given.commission(1, json!({ "type": "commission_reversal", "sign": -1, "net_payout": "-18" }));
    assert_eq!(given.rows("commissions_by_month", AS_OF, "earned reversed"), ["0.00 -18.00"]);
}
