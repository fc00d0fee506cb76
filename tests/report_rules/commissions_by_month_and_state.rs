//! What became of a month's commissions.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

const COLUMNS: &str = "month state records net_payout balance_payout net_usd records_without_usd";

#[test]
fn months_and_states_stand_apart() {
    // February: 18 − 10 active of which 18 − 5 are open, 18 paid; January: 18 in EUR without USD
    let given = Given::new();
    given
        .commission(1, json!({}))
        .commission(
            2,
            json!({ "type": "commission_reversal", "sign": -1, "net_payout": "-10", "net_usd": "-10",
                                "balance_payout": "-5" }),
        )
        .commission(3, json!({ "state": "paid", "balance_payout": "0" }))
        .commission(4, json!({ "commission_day": "2026-01-31", "payout_currency": "EUR", "net_usd": null }));
    assert_eq!(
        given.rows("commissions_by_month_and_state", AS_OF, COLUMNS),
        ["2026-01 active 1 18.00 18.00 - 1", "2026-02 active 2 8.00 13.00 8.00 0", "2026-02 paid 1 18.00 0.00 18.00 0",]
    );
}

#[test]
fn the_period_is_the_months_up_to_as_of() {
    let given = Given::new();
    for (id, day) in [(1, "2026-01-31"), (2, "2026-02-01"), (3, "2026-03-01"), (4, "2026-03-02")] {
        given.commission(id, json!({ "commission_day": day }));
    }
    let months = |report| given.rows(report, AS_OF, "month records");
    assert_eq!(months("commissions_by_month_and_state months=2"), ["2026-02 1", "2026-03 1"]);
    // 24 months on 31 March 2026 begin with April 2024
    given.commission(5, json!({ "commission_day": "2024-04-01" }));
    given.commission(6, json!({ "commission_day": "2024-03-31" }));
    assert_eq!(given.rows("commissions_by_month_and_state", "2026-03-31", "month")[0], "2024-04");
}

#[test]
fn a_past_day_sees_the_states_of_that_day_and_what_is_gone_is_not_owed() {
    let given = Given::new();
    given
        .commission(1, json!({}))
        .then("commission", 1, "2026-02-10", json!({ "state": "requested" }))
        .commission(2, json!({}))
        .removed("commission", 2, "2026-02-15");
    let on = |day| given.rows("commissions_by_month_and_state", day, "state records balance_payout");
    assert_eq!(on("2026-02-09"), ["active 2 36.00"]);
    assert_eq!(on("2026-02-10"), ["active 1 18.00", "requested 1 18.00"]);
    assert_eq!(on("2026-02-15"), ["removed 1 -", "requested 1 18.00"]);
}
