//! How monthly recurring revenue moved. In these cases both stores' histories begin on 1 January 2026, and a subscription
//! brings 100 dollars a month unless it says otherwise.

use serde_json::{Value, json};

use super::AS_OF;
use crate::given::Given;

const PARTS: &str = "month opening baseline new expansion contraction churn reactivation fx closing";

/// A subscription that the mirror saw for the first time on a day.
fn seen_on(given: &Given, day: &str, id: i64, facts: Value) {
    given.subscription(id, facts);
    given.sql(&format!("update subscription_versions set seen_from = '{day}T01:00:00Z' where subscription_id = {id}"));
}

#[test]
fn every_movement_has_its_name() {
    // January: 1 to 5 are the baseline, 500. February: 6 is new (+100), 1 grows (+20), 2 shrinks (−30), 3 leaves (−100).
    // March, up to the 1st: 3 returns with 80, the exchange rate takes 2 from 4.
    let given = Given::new();
    for id in 1..=5 {
        given.subscription(id, json!({}));
    }
    seen_on(&given, "2026-02-10", 6, json!({}));
    given
        .then("subscription", 1, "2026-02-10", json!({ "mrr_usd": "120", "next_recurring_amount": "1440" }))
        .then("subscription", 2, "2026-02-11", json!({ "mrr_usd": "70", "next_recurring_amount": "840" }))
        .then("subscription", 3, "2026-02-28", json!({ "mrr_usd": null, "status": "inactive" }))
        .then("subscription", 3, "2026-03-01", json!({ "mrr_usd": "80", "status": "active" }))
        .then("subscription", 4, "2026-03-01", json!({ "mrr_usd": "98", "next_recurring_amount_usd": "1176" }));
    assert_eq!(
        given.rows("mrr_movements", AS_OF, PARTS),
        [
            "2026-01 0.00 500.00 0.00 0.00 0.00 0.00 0.00 0.00 500.00",
            "2026-02 500.00 0.00 100.00 20.00 -30.00 -100.00 0.00 0.00 490.00",
            "2026-03 490.00 0.00 0.00 0.00 0.00 0.00 80.00 -2.00 568.00",
        ]
    );
    // February: 1 of 5 customers left; (500 − 30 − 100) ÷ 500; (370 + 20) ÷ 500. March: 80 more on 490 (1.16326…)
    assert_eq!(
        given.rows("mrr_movements", AS_OF, "month customer_churn_rate grr nrr"),
        ["2026-01 - - -", "2026-02 0.2000 0.7400 0.7800", "2026-03 0.0000 1.0000 1.1633"]
    );
}

#[test]
fn only_an_unchanged_price_makes_an_exchange_rate() {
    // USD fell from 100 to 90. Only where amount, currency and frequency stayed as they were is that fx
    for (facts, expected) in [
        (json!({}), "0.00 0.00 -10.00"),
        (json!({ "next_recurring_amount": "1100" }), "0.00 -10.00 0.00"),
        (json!({ "currency": "EUR" }), "0.00 -10.00 0.00"),
        (json!({ "billing_frequency": "monthly" }), "0.00 -10.00 0.00"),
        (json!({ "plan_name": "Ultimate" }), "0.00 0.00 -10.00"),
    ] {
        let given = Given::new();
        let mut changed = facts.clone();
        changed["mrr_usd"] = json!("90");
        given.subscription(1, json!({})).then("subscription", 1, "2026-02-10", changed);
        assert_eq!(
            given.rows("mrr_movements months=1", "2026-02-28", "expansion contraction fx"),
            [expected],
            "{facts}"
        );
    }
}

#[test]
fn a_customers_subscriptions_move_as_one() {
    // in February the customer cancels one of two (−100): contraction. In March it takes another one back (+100) while
    // the rate of the first adds 5: expansion 100, fx 5
    let given = Given::new();
    let ours = json!({ "customer_id": "acme" });
    given
        .subscription(1, ours.clone())
        .subscription(2, ours)
        .then("subscription", 2, "2026-02-10", json!({ "mrr_usd": null, "status": "inactive" }))
        .then("subscription", 2, "2026-03-01", json!({ "mrr_usd": "100", "status": "active" }))
        .then("subscription", 1, "2026-03-01", json!({ "mrr_usd": "105" }));
    assert_eq!(
        given.rows("mrr_movements months=2", AS_OF, PARTS),
        [
            "2026-02 200.00 0.00 0.00 0.00 -100.00 0.00 0.00 0.00 100.00",
            "2026-03 100.00 0.00 0.00 100.00 0.00 0.00 0.00 5.00 205.00",
        ]
    );
    // what one gains and another loses is neither
    let given = Given::new();
    given.subscription(1, json!({ "customer_id": "acme" }));
    seen_on(&given, "2026-02-10", 2, json!({ "customer_id": "acme" }));
    given.then("subscription", 1, "2026-02-10", json!({ "mrr_usd": null, "status": "inactive" }));
    assert_eq!(
        given.rows("mrr_movements months=1", "2026-02-28", PARTS),
        ["2026-02 100.00 0.00 0.00 0.00 0.00 0.00 0.00 0.00 100.00"]
    );
}

#[test]
fn the_same_customer_id_in_two_stores_is_two_customers() {
    // the US one grows, the EU one leaves
    let given = Given::new();
    given
        .subscription(1, json!({ "customer_id": "acme" }))
        .subscription(2, json!({ "store_id": "eu", "customer_id": "acme" }));
    given.then("subscription", 1, "2026-02-10", json!({ "mrr_usd": "150", "next_recurring_amount": "1800" })).removed(
        "subscription",
        2,
        "2026-02-10",
    );
    assert_eq!(
        given.rows("mrr_movements months=1", "2026-02-28", "opening expansion churn closing customer_churn_rate"),
        ["200.00 50.00 -100.00 150.00 0.5000"]
    );
}

#[test]
fn what_was_never_seen_live_is_new_and_what_was_is_back() {
    // 1 was known as inactive; 2 came and went within January, after the beginning; 3 was removed and is listed again
    let given = Given::new();
    given.subscription(1, json!({ "mrr_usd": null, "status": "inactive" }));
    seen_on(&given, "2026-01-10", 2, json!({}));
    given
        .then("subscription", 2, "2026-01-20", json!({ "mrr_usd": null, "status": "inactive" }))
        .subscription(3, json!({}))
        .removed("subscription", 3, "2026-01-15")
        .then("subscription", 1, "2026-02-10", json!({ "mrr_usd": "100", "status": "active" }))
        .then("subscription", 2, "2026-02-10", json!({ "mrr_usd": "40", "status": "active" }))
        .then("subscription", 3, "2026-02-10", json!({}));
    assert_eq!(
        given.rows("mrr_movements", "2026-02-28", PARTS),
        [
            "2026-01 0.00 100.00 0.00 0.00 0.00 -100.00 0.00 0.00 0.00",
            "2026-02 0.00 0.00 100.00 0.00 0.00 0.00 140.00 0.00 240.00",
        ]
    );
}

#[test]
fn only_the_ends_of_the_months_are_compared() {
    // up and down again within February, gone and back within February: nothing moved
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .subscription(2, json!({}))
        .then("subscription", 1, "2026-02-10", json!({ "mrr_usd": "300", "next_recurring_amount": "3600" }))
        .then("subscription", 1, "2026-02-20", json!({ "mrr_usd": "100", "next_recurring_amount": "1200" }))
        .removed("subscription", 2, "2026-02-10")
        .then("subscription", 2, "2026-02-28", json!({}));
    assert_eq!(
        given.rows("mrr_movements months=1", "2026-02-28", PARTS),
        ["2026-02 200.00 0.00 0.00 0.00 0.00 0.00 0.00 0.00 200.00"]
    );
    // as_of is the end of the running month
    assert_eq!(
        given.rows("mrr_movements months=1", "2026-02-15", PARTS),
        ["2026-02 200.00 0.00 0.00 200.00 0.00 -100.00 0.00 0.00 300.00"]
    );
}

#[test]
fn a_store_counts_from_its_own_beginning() {
    // the EU store's first complete listing is of 10 February: its 100 are February's baseline, what it lost before is
    // never seen, what it lost after is churn, of no customer of the opening
    let given = Given::new();
    given.sql("update stores set first_complete_at = '2026-02-10T06:00:00Z' where store_id = 'eu'");
    given
        .subscription(1, json!({}))
        .subscription(2, json!({ "store_id": "eu" }))
        .subscription(3, json!({ "store_id": "eu" }))
        .subscription(4, json!({ "store_id": "eu", "mrr_usd": "7" }))
        .then("subscription", 3, "2026-02-05", json!({ "mrr_usd": null, "status": "inactive" }))
        .then("subscription", 4, "2026-02-11", json!({ "mrr_usd": null, "status": "inactive" }));
    assert_eq!(
        given.rows("mrr_movements", "2026-02-28", PARTS),
        [
            "2026-01 0.00 100.00 0.00 0.00 0.00 0.00 0.00 0.00 100.00",
            "2026-02 100.00 107.00 0.00 0.00 0.00 -7.00 0.00 0.00 200.00",
        ]
    );
    assert_eq!(given.rows("mrr_movements months=1", "2026-02-28", "customer_churn_rate"), ["0.0000"]);
    // a day before it begins, it is not there
    assert_eq!(given.rows("mrr_movements months=1", "2026-02-09", "baseline closing"), ["0.00 100.00"]);
}

#[test]
fn the_day_of_the_beginning_counts_as_it_ended() {
    // listed on 1 January in the morning, changed in the evening: the baseline is the evening's
    let given = Given::new();
    given.subscription(1, json!({})).then("subscription", 1, "2026-01-01", json!({ "mrr_usd": "60" }));
    assert_eq!(
        given.rows("mrr_movements", "2026-01-31", PARTS),
        ["2026-01 0.00 60.00 0.00 0.00 0.00 0.00 0.00 0.00 60.00"]
    );
}

#[test]
fn months_are_shown_from_the_beginning_on_even_when_nothing_happened() {
    let given = Given::new();
    given.sql("update stores set first_complete_at = '2025-11-30T06:00:00Z'");
    given.subscription(1, json!({}));
    given.sql("update subscription_versions set seen_from = '2025-11-30T06:00:00Z'");
    let rows = |report| given.rows(report, "2026-01-31", "month opening baseline closing");
    assert_eq!(
        rows("mrr_movements"),
        ["2025-11 0.00 100.00 100.00", "2025-12 100.00 0.00 100.00", "2026-01 100.00 0.00 100.00"]
    );
    assert_eq!(rows("mrr_movements months=2").len(), 2);
    assert_eq!(rows("mrr_movements months=1"), ["2026-01 100.00 0.00 100.00"]);
    assert!(given.rows("mrr_movements", "2025-11-29", "month").is_empty());
    // a mirror that never listed completely has no history
    given.sql("update stores set first_complete_at = null");
    assert!(rows("mrr_movements").is_empty());
}

#[test]
fn a_month_is_observed_when_a_complete_listing_fell_into_it() {
    let given = Given::new();
    given.subscription(1, json!({}));
    for (kind, outcome, finished_at) in [
        ("subscriptions", "complete", "2026-01-31T23:59:00Z"),
        ("transactions", "complete", "2026-02-10T06:00:00Z"),
        ("subscriptions", "possibly_truncated", "2026-02-11T06:00:00Z"),
        ("subscriptions", "complete", "2026-03-02T06:00:00Z"),
    ] {
        given.sql(&format!(
            "insert into sync_runs (store_id, kind, outcome, started_at, finished_at)
             values ('us', '{kind}', '{outcome}', '{finished_at}', '{finished_at}')"
        ));
    }
    assert_eq!(given.rows("mrr_movements", AS_OF, "month observed"), ["2026-01 1", "2026-02 0", "2026-03 0"]);
    assert_eq!(given.rows("mrr_movements months=1", "2026-03-02", "observed"), ["1"]);
}
