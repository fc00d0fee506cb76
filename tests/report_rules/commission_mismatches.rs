//! Commissions that do not look right, one finding at a time.

use serde_json::{Value, json};

use super::AS_OF;
use crate::given::Given;

/// Two stores with subscription 1 and transaction 1, so that a commission of theirs is without fault.
fn sound() -> Given {
    let given = Given::new();
    given.subscription(1, json!({})).subscription(1, json!({ "store_id": "eu" }));
    given.transaction(1, json!({})).transaction(1, json!({ "store_id": "eu" }));
    given
}

/// A commission of transaction 1, on all of its 100 dollars.
fn on_one(facts: Value) -> Value {
    let mut all = json!({ "transaction_id": 1, "currency": "USD", "eligible_currency": "USD",
                          "transaction_amount": "100", "transaction_currency": "USD" });
    all.as_object_mut().unwrap().extend(facts.as_object().unwrap().clone());
    all
}

fn reasons(given: &Given, report: &str) -> Vec<String> {
    given.rows(report, AS_OF, "reason commission_id")
}

#[test]
fn a_sound_commission_is_no_finding() {
    let given = sound();
    given.commission(1, on_one(json!({}))).commission(1, on_one(json!({ "store_id": "eu" })));
    assert!(reasons(&given, "commission_mismatches").is_empty());
}

#[test]
fn the_second_base_commission_of_a_transaction_is_a_duplicate() {
    // by day, then by id: 4 is the first, then 2, 3; one of another type is none; the other store counts by itself
    let given = sound();
    given
        .commission(3, on_one(json!({ "commission_day": "2026-02-03" })))
        .commission(2, on_one(json!({ "commission_day": "2026-02-03" })))
        .commission(4, on_one(json!({ "commission_day": "2026-02-02" })))
        .commission(5, on_one(json!({ "commission_day": "2026-02-04", "commission_type": "Bonus" })))
        .commission(6, on_one(json!({ "commission_day": "2026-02-04", "rate": "0", "store_id": "eu" })))
        .commission(7, on_one(json!({ "commission_day": "2026-02-04", "store_id": "eu" })));
    assert_eq!(reasons(&given, "commission_mismatches tolerance=1"), ["duplicate 2", "duplicate 3"]);
}

#[test]
fn each_reversal_allows_one_more() {
    // paid, taken back, paid again: three base commissions, one reversal; the third is one too many
    let given = sound();
    given
        .commission(1, on_one(json!({ "commission_day": "2026-01-01" })))
        .commission(
            2,
            on_one(json!({ "commission_day": "2026-01-10", "type": "commission_reversal", "sign": -1,
                               "eligible_amount": "-100" })),
        )
        .commission(3, on_one(json!({ "commission_day": "2026-01-20" })))
        .commission(4, on_one(json!({ "commission_day": "2026-02-20" })));
    assert_eq!(reasons(&given, "commission_mismatches"), ["duplicate 4"]);
    // on 5 January nothing was taken back and nothing paid again
    assert!(given.rows("commission_mismatches", "2026-01-05", "reason").is_empty());
    // a removed duplicate happened all the same
    given.removed("commission", 4, "2026-02-25");
    assert_eq!(reasons(&given, "commission_mismatches"), ["duplicate 4"]);
}

#[test]
fn a_rate_is_held_against_the_base_commission_before_it() {
    // 0.18 → 0.20 differs by exactly the tolerance of 0.02; → 0.2201 by more than that; → 0 is told, and then 0.22 is
    // held against 0.2201, the newest base one
    let given = sound();
    for (id, day, rate) in [
        (1, "2026-01-01", "0.18"),
        (2, "2026-01-02", "0.2"),
        (3, "2026-01-03", "0.2201"),
        (4, "2026-01-04", "0"),
        (5, "2026-01-05", "0.22"),
        (6, "2026-01-05", "0.1"),
    ] {
        given.commission(id, json!({ "commission_day": day, "rate": rate, "transaction_id": id }));
        given.transaction(id + 10, json!({}));
        given.sql(&format!("update commission_records set transaction_id = {} where commission_id = {id}", id + 10));
    }
    assert_eq!(
        given.rows("commission_mismatches", AS_OF, "reason commission_id rate previous_rate"),
        ["rate_changed 6 0.1000 0.2200", "rate_changed 4 0.0000 0.2201", "rate_changed 3 0.2201 0.2000"]
    );
    assert_eq!(reasons(&given, "commission_mismatches tolerance=0.15"), ["rate_changed 4"]);
}

#[test]
fn a_reversal_changes_no_rate_and_another_type_is_held_against_the_base() {
    let given = sound();
    given
        .commission(1, on_one(json!({ "commission_day": "2026-01-01" })))
        .commission(2, on_one(json!({ "type": "commission_reversal", "sign": -1, "rate": "0.5" })))
        .commission(3, on_one(json!({ "commission_type": "Bonus", "rate": "0.05" })))
        .commission(4, on_one(json!({ "commission_type": "Bonus", "rate": null })))
        .commission(1, on_one(json!({ "store_id": "eu", "rate": "0.9" })));
    assert_eq!(reasons(&given, "commission_mismatches"), ["rate_changed 3"]);
}

#[test]
fn a_part_of_the_sale_is_less_than_98_percent_of_it() {
    // of 100: 98 is not less, 97.99 is; a rounding up to 100.01 is whole; a reversal is held against nothing
    let given = sound();
    for (id, eligible) in [(1, "98"), (2, "97.99"), (3, "100.01"), (4, "51.85")] {
        given.transaction(id + 10, json!({}));
        given.commission(id, on_one(json!({ "transaction_id": id + 10, "eligible_amount": eligible })));
    }
    given.commission(
        5,
        on_one(json!({ "type": "commission_reversal", "sign": -1, "eligible_amount": "-50", "usd_commission": "-9" })),
    );
    given.commission(6, on_one(json!({ "eligible_amount": null })));
    assert_eq!(
        given.rows(
            "commission_mismatches",
            AS_OF,
            "reason commission_id eligible_amount eligible_currency transaction_amount transaction_currency"
        ),
        ["partial_base 2 97.99 USD 100.00 USD", "partial_base 4 51.85 USD 100.00 USD"]
    );
}

#[test]
fn the_first_generation_counts_in_the_payout_currency() {
    // G1: 315 AUD × 0.6771 = 213.2865 USD; 98 % of it are 209.02077: 209.02 is a part, 213.29 the whole
    let given = sound();
    for (id, eligible) in [(1, "213.29"), (2, "209.02"), (3, "209.03")] {
        given.transaction(id + 10, json!({}));
        given.commission(
            id,
            json!({ "transaction_id": id + 10, "currency": "AUD", "exchange_rate": "0.6771", "eligible_amount": eligible,
                    "eligible_usd_amount": null, "usd_commission": null, "eligible_currency": "USD",
                    "transaction_amount": "315", "transaction_currency": "AUD" }),
        );
    }
    assert_eq!(reasons(&given, "commission_mismatches"), ["partial_base 2"]);
    // without an exchange rate nothing can be said
    given.sql("update commission_records set exchange_rate = null");
    assert!(reasons(&given, "commission_mismatches").is_empty());
}

#[test]
fn a_sale_that_is_not_in_the_mirror_is_told_by_each_of_its_parts() {
    // the other store's transaction 1 and subscription 1 do not help; a removed one is still in the mirror
    let given = Given::new();
    given
        .subscription(1, json!({ "store_id": "eu" }))
        .transaction(1, json!({ "store_id": "eu" }))
        .removed("subscription", 1, "2026-02-01")
        .commission(1, on_one(json!({})))
        .commission(2, on_one(json!({ "store_id": "eu" })))
        .commission(3, on_one(json!({ "store_id": "eu", "transaction_id": null, "subscription_id": null })));
    assert_eq!(
        given.rows("commission_mismatches", AS_OF, "reason store_id commission_id"),
        ["no_subscription us 1", "no_transaction us 1", "no_subscription eu 3", "no_transaction eu 3"]
    );
}

#[test]
fn the_period_ends_with_as_of_and_looks_back_beyond_itself() {
    // two days up to 1 March: 28 February and 1 March; what a rate is held against may be older
    let given = sound();
    for (id, day, rate) in [
        (1, "2025-02-01", "0.18"),
        (2, "2026-02-27", "0.3"),
        (3, "2026-02-28", "0.4"),
        (4, "2026-03-01", "0.5"),
        (5, "2026-03-02", "0.6"),
    ] {
        given.transaction(id + 10, json!({}));
        given.commission(id, on_one(json!({ "transaction_id": id + 10, "commission_day": day, "rate": rate })));
    }
    assert_eq!(reasons(&given, "commission_mismatches days=2"), ["rate_changed 4", "rate_changed 3"]);
    assert_eq!(reasons(&given, "commission_mismatches").len(), 3);
}
