//! What renews, and the usual rate by which its commission is expected.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

#[test]
fn first_and_last_day_belong_to_the_period() {
    // as_of 1 March, 90 days: 1 March to 30 May (30 days of March, 30 of April, 30 of May)
    let given = Given::new();
    for (id, day) in [(1, "2026-02-28"), (2, "2026-03-01"), (3, "2026-05-30"), (4, "2026-05-31")] {
        given.subscription(id, json!({ "next_recurring_date": day }));
    }
    assert_eq!(given.rows("renewals_due", AS_OF, "subscription_id days_left"), ["2 0", "3 90"]);
    assert_eq!(given.rows("renewals_due within=0", AS_OF, "subscription_id"), ["2"]);
}

#[test]
fn only_live_ones_with_an_amount_and_a_date_renew() {
    let given = Given::new();
    given
        .subscription(1, json!({ "status": "inactive" }))
        .subscription(2, json!({ "next_recurring_amount": "0" }))
        .subscription(3, json!({ "next_recurring_date": null }))
        .subscription(4, json!({}))
        .subscription(5, json!({ "status": "frozen" }))
        .subscription(6, json!({ "next_recurring_amount": null }))
        .removed("subscription", 4, "2026-02-01");
    assert!(given.rows("renewals_due", AS_OF, "subscription_id").is_empty());
}

#[test]
fn its_own_rate_is_that_of_its_newest_base_commission() {
    // on or before 1 March the newest day is 10 February, and of that day the higher id: 0.25 × 1200 = 300
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .commission(11, json!({ "commission_day": "2026-02-10", "rate": "0.20" }))
        .commission(12, json!({ "commission_day": "2026-02-10", "rate": "0.25" }))
        .commission(20, json!({ "commission_day": "2026-01-10", "rate": "0.30" }))
        .commission(13, json!({ "commission_day": "2026-03-02", "rate": "0.10" }))
        .commission(14, json!({ "commission_day": "2026-02-20", "rate": "0.11", "commission_type": "Bonus" }))
        .commission(15, json!({ "commission_day": "2026-02-21", "rate": "0.12", "type": "commission_reversal" }))
        .commission(16, json!({ "commission_day": "2026-02-22", "rate": "0" }))
        .commission(17, json!({ "commission_day": "2026-02-23", "rate": null }));
    assert_eq!(
        given.rows("renewals_due", AS_OF, "rate rate_source expected_commission_usd"),
        ["0.2500 subscription 300.00"]
    );
}

#[test]
fn a_removed_base_commission_still_shows_the_rate() {
    let given = Given::new();
    given.subscription(1, json!({})).commission(11, json!({})).removed("commission", 11, "2026-02-15");
    assert_eq!(given.rows("renewals_due", AS_OF, "rate rate_source"), ["0.1800 subscription"]);
}

#[test]
fn the_services_rate_is_weighted_over_the_365_days_up_to_the_day() {
    // 2025-03-02 is the first of the 365 days up to 2026-03-01: (10 + 50) ÷ (100 + 200) = 0.2; the 90 of the day
    // before and the G1 commission without USD amounts stay out
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .commission(
            11,
            json!({ "subscription_id": 2, "commission_day": "2025-03-02",
                                "usd_commission": "10", "eligible_usd_amount": "100" }),
        )
        .commission(
            12,
            json!({ "subscription_id": 2, "commission_day": "2026-03-01",
                                "usd_commission": "50", "eligible_usd_amount": "200" }),
        )
        .commission(
            13,
            json!({ "subscription_id": 2, "commission_day": "2025-03-01",
                                "usd_commission": "90", "eligible_usd_amount": "100" }),
        )
        .commission(
            14,
            json!({ "subscription_id": 2, "usd_commission": null, "eligible_usd_amount": null,
                                "rate": "0.9" }),
        );
    assert_eq!(
        given.rows("renewals_due", AS_OF, "rate rate_source expected_commission_usd"),
        ["0.2000 service 240.00"]
    );
}

#[test]
fn a_weighted_rate_is_rounded_half_away_from_zero() {
    // 0.25 ÷ 8 = 0.03125 → 0.0313; × 1200 = 37.56
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .commission(11, json!({ "subscription_id": 2, "usd_commission": "0.25", "eligible_usd_amount": "8" }));
    assert_eq!(given.rows("renewals_due", AS_OF, "rate expected_commission_usd"), ["0.0313 37.56"]);
}

#[test]
fn the_stores_rate_leaves_extensions_out() {
    // service 30 is an extension (100 %); what is left of the store is 25 ÷ 100
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .subscription(3, json!({ "service_id": 30, "business_category": "extensions", "status": "inactive" }))
        .commission(11, json!({ "subscription_id": 2, "service_id": 20, "usd_commission": "25" }))
        .commission(12, json!({ "subscription_id": 3, "service_id": 30, "usd_commission": "100", "rate": "1" }));
    assert_eq!(given.rows("renewals_due", AS_OF, "rate rate_source"), ["0.2500 store"]);
}

#[test]
fn without_evidence_the_commission_is_not_known() {
    let given = Given::new();
    given.subscription(1, json!({})).commission(11, json!({ "store_id": "eu", "subscription_id": 2 }));
    assert_eq!(given.rows("renewals_due", AS_OF, "rate rate_source expected_commission_usd"), ["- none -"]);
}

#[test]
fn partner_price_earns_nothing_whatever_the_rate() {
    let given = Given::new();
    given
        .subscription(1, json!({ "pricing_type": "partner_price" }))
        .subscription(2, json!({ "pricing_type": "partner_price", "store_id": "eu" }))
        .commission(11, json!({}));
    assert_eq!(
        given.rows("renewals_due", AS_OF, "store_id rate expected_commission_usd"),
        ["us 0.1800 0.00", "eu - 0.00"]
    );
}

#[test]
fn half_a_cent_is_rounded_up() {
    // 65.25 × 0.18 = 11.745 → 11.75
    let given = Given::new();
    given.subscription(1, json!({ "next_recurring_amount_usd": "65.25" })).commission(11, json!({}));
    assert_eq!(given.rows("renewals_due", AS_OF, "expected_commission_usd"), ["11.75"]);
}

#[test]
fn a_past_day_sees_the_versions_of_that_day() {
    // known first: 1,200; from 10 February 2,400 in another plan; cancelled on 20 February
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .then("subscription", 1, "2026-02-10", json!({ "next_recurring_amount": "2400", "plan_name": "Ultimate" }))
        .then("subscription", 1, "2026-02-20", json!({ "status": "inactive" }));
    let columns = "plan_name next_recurring_amount";
    assert_eq!(given.rows("renewals_due", "2026-02-09", columns), ["Enterprise 1200.00"]);
    assert_eq!(given.rows("renewals_due", "2026-02-10", columns), ["Ultimate 2400.00"]);
    assert_eq!(given.rows("renewals_due", "2026-02-19", columns), ["Ultimate 2400.00"]);
    assert!(given.rows("renewals_due", "2026-02-20", columns).is_empty());
    // before its first version the first one is used
    assert_eq!(given.rows("renewals_due within=200", "2025-12-01", columns), ["Enterprise 1200.00"]);
}

#[test]
fn a_removed_subscription_is_live_until_that_day_and_again_when_it_returns() {
    let given = Given::new();
    given.subscription(1, json!({})).removed("subscription", 1, "2026-02-10").then(
        "subscription",
        1,
        "2026-02-20",
        json!({}),
    );
    for (day, rows) in [("2026-02-09", 1), ("2026-02-10", 0), ("2026-02-19", 0), ("2026-02-20", 1)] {
        assert_eq!(given.rows("renewals_due", day, "subscription_id").len(), rows, "{day}");
    }
}

#[test]
fn equal_ids_in_two_stores_are_two_subscriptions() {
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .subscription(1, json!({ "store_id": "eu", "currency": "EUR", "next_recurring_amount": "1100" }))
        .commission(11, json!({ "rate": "0.18" }))
        .commission(11, json!({ "store_id": "eu", "rate": "0.25" }));
    assert_eq!(
        given.rows("renewals_due", AS_OF, "subscription_id store_id currency next_recurring_amount rate"),
        ["1 eu EUR 1100.00 0.2500", "1 us USD 1200.00 0.1800"]
    );
}
