//! What was taken back, and which commission it took back.

use serde_json::{Value, json};

use super::AS_OF;
use crate::given::Given;

/// A reversal of 18 dollars on 10 February for subscription 1.
fn reversal(facts: Value) -> Value {
    let mut all = json!({ "type": "commission_reversal", "sign": -1, "commission_day": "2026-02-10",
                          "net_payout": "-18", "net_usd": "-18", "transaction_id": 70 });
    all.as_object_mut().unwrap().extend(facts.as_object().unwrap().clone());
    all
}

fn originals(given: &Given) -> Vec<String> {
    given.rows("commission_reversals", AS_OF, "original_commission_id matched_by")
}

#[test]
fn a_reversal_is_shown_with_its_original() {
    // from 1 February to 10 February are 9 days
    let given = Given::new();
    given.commission(1, json!({ "transaction_id": 70 })).commission(9, reversal(json!({ "company_name": "Fjord" })));
    assert_eq!(
        given.rows(
            "commission_reversals",
            AS_OF,
            "store_id commission_id commission_day subscription_id company_name payout_currency net_payout net_usd \
             original_commission_id original_day days_between matched_by"
        ),
        ["us 9 2026-02-10 1 Fjord USD -18.00 -18.00 1 2026-02-01 9 transaction"]
    );
}

#[test]
fn the_same_transaction_wins_and_of_it_the_newest() {
    // 3 has the amount and is newer, but of another transaction; of 70 the newest on or before the reversal is 2, not 4
    let given = Given::new();
    given
        .commission(1, json!({ "transaction_id": 70, "net_payout": "5" }))
        .commission(2, json!({ "transaction_id": 70, "net_payout": "6" }))
        .commission(3, json!({ "commission_day": "2026-02-09" }))
        .commission(4, json!({ "transaction_id": 70, "commission_day": "2026-02-20" }))
        .commission(5, json!({ "transaction_id": 70, "store_id": "eu", "commission_day": "2026-02-09" }))
        .commission(9, reversal(json!({})));
    assert_eq!(originals(&given), ["2 transaction"]);
}

#[test]
fn a_commission_after_the_reversal_is_its_original_only_when_there_is_no_other() {
    let given = Given::new();
    given
        .commission(4, json!({ "transaction_id": 70, "commission_day": "2026-02-20" }))
        .commission(9, reversal(json!({})));
    assert_eq!(given.rows("commission_reversals", AS_OF, "original_commission_id days_between"), ["4 -10"]);
    // and on 19 February it did not exist
    assert_eq!(given.rows("commission_reversals", "2026-02-19", "original_commission_id matched_by"), ["- -"]);
}

#[test]
fn else_the_newest_of_the_same_amount_counts() {
    // on or before 10 February with 18 in USD: 2 of the same day; not 3 (later), 4 (EUR), 5 (another subscription),
    // 6 (the other store), 7 (a reversal)
    let given = Given::new();
    given
        .commission(1, json!({}))
        .commission(2, json!({ "commission_day": "2026-02-10" }))
        .commission(3, json!({ "commission_day": "2026-02-11" }))
        .commission(4, json!({ "commission_day": "2026-02-10", "payout_currency": "EUR" }))
        .commission(5, json!({ "commission_day": "2026-02-10", "subscription_id": 2 }))
        .commission(6, json!({ "commission_day": "2026-02-10", "store_id": "eu" }))
        .commission(7, reversal(json!({ "commission_day": "2026-02-09", "transaction_id": 71 })))
        .commission(9, reversal(json!({})));
    assert_eq!(
        given.rows("commission_reversals", AS_OF, "commission_id original_commission_id matched_by"),
        ["7 1 amount", "9 2 amount"]
    );
}

#[test]
fn else_the_newest_of_an_earlier_day_else_none() {
    // 10 of 18 were taken back: no amount fits; 2 of the same day is not earlier, of 1 and 3 the higher id is the newer
    let given = Given::new();
    given
        .commission(1, json!({}))
        .commission(2, json!({ "commission_day": "2026-02-10" }))
        .commission(3, json!({}))
        .commission(9, reversal(json!({ "net_payout": "-10" })));
    assert_eq!(originals(&given), ["3 subscription"]);
    let alone = Given::new();
    alone.commission(9, reversal(json!({ "net_usd": null })));
    assert_eq!(
        alone.rows(
            "commission_reversals",
            AS_OF,
            "net_payout net_usd original_commission_id original_day days_between matched_by"
        ),
        ["-18.00 - - - - -"]
    );
}

#[test]
fn removed_ones_count_on_both_sides() {
    let given = Given::new();
    given
        .commission(1, json!({ "transaction_id": 70 }))
        .commission(9, reversal(json!({})))
        .removed("commission", 1, "2026-02-11")
        .removed("commission", 9, "2026-02-11");
    assert_eq!(originals(&given), ["1 transaction"]);
}

#[test]
fn the_period_is_the_days_up_to_as_of() {
    // across the leap day: two days up to 1 March 2024 are 29 February and 1 March
    let given = Given::new();
    for (id, day) in [(1, "2024-02-28"), (2, "2024-02-29"), (3, "2024-03-01"), (4, "2024-03-02")] {
        given.commission(id, reversal(json!({ "commission_day": day })));
    }
    assert_eq!(given.rows("commission_reversals days=2", "2024-03-01", "commission_id"), ["2", "3"]);
}
