//! What changed about subscriptions.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

const COLUMNS: &str = "seen_at store_id subscription_id field from_value to_value";

#[test]
fn every_changed_field_is_a_row_with_both_values() {
    let given = Given::new();
    given.subscription(1, json!({ "company_name": "Fjord" })).then(
        "subscription",
        1,
        "2026-02-10",
        json!({ "status": "inactive", "plan_id": 2, "plan_name": null, "paid_users": 6, "billing_frequency": "monthly",
                "pricing_type": "partner_price", "subscription_type": "offline", "service_id": 20, "service_name": "CRM",
                "currency": "EUR", "next_recurring_amount": "90.5", "next_recurring_amount_usd": null,
                "next_recurring_date": "2026-04-20", "mrr_usd": null }),
    );
    assert_eq!(
        given.rows("subscription_changes", AS_OF, "customer_id company_name field from_value to_value"),
        [
            "c1 Fjord billing_frequency yearly monthly",
            "c1 Fjord currency USD EUR",
            "c1 Fjord mrr_usd 100.00 -",
            "c1 Fjord next_recurring_amount 1200.00 90.50",
            "c1 Fjord next_recurring_amount_usd 1200.00 -",
            "c1 Fjord next_recurring_date 2026-03-20 2026-04-20",
            "c1 Fjord paid_users 5 6",
            "c1 Fjord plan_id 1 2",
            "c1 Fjord plan_name Enterprise -",
            "c1 Fjord pricing_type list_price partner_price",
            "c1 Fjord service_id 10 20",
            "c1 Fjord service_name One CRM",
            "c1 Fjord status active inactive",
            "c1 Fjord subscription_type online offline",
        ]
    );
}

#[test]
fn each_version_is_compared_with_the_one_before() {
    // 5 → 6 → 5; the version of 15 February changed nothing the mirror has a column for. Both stores have their row
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .then("subscription", 1, "2026-02-10", json!({ "paid_users": 6 }))
        .then("subscription", 1, "2026-02-15", json!({}))
        .then("subscription", 1, "2026-02-20", json!({ "paid_users": 5 }));
    assert_eq!(
        given.rows("subscription_changes", AS_OF, COLUMNS),
        ["2026-02-10T01:00:00Z us 1 paid_users 5 6", "2026-02-20T01:00:00Z us 1 paid_users 6 5"]
    );
}

#[test]
fn equal_ids_in_two_stores_are_two_subscriptions() {
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .then("subscription", 1, "2026-02-10", json!({ "paid_users": 6 }))
        .subscription(1, json!({ "store_id": "eu", "paid_users": 9 }));
    assert_eq!(given.rows("subscription_changes", AS_OF, COLUMNS), ["2026-02-10T01:00:00Z us 1 paid_users 5 6"]);
}

#[test]
fn days_are_the_edges_of_the_period() {
    // 90 days before 1 March 2026 is 1 December 2025, not in it
    let given = Given::new();
    given.subscription(1, json!({}));
    for (day, users) in [("2025-12-01", 6), ("2025-12-02", 7), ("2026-03-01", 8), ("2026-03-02", 9)] {
        given.then("subscription", 1, day, json!({ "paid_users": users }));
    }
    assert_eq!(given.rows("subscription_changes", AS_OF, "from_value to_value"), ["6 7", "7 8"]);
    assert_eq!(given.rows("subscription_changes days=1", AS_OF, "from_value to_value"), ["7 8"]);
}

#[test]
fn appearing_disappearing_and_returning_change_no_field() {
    let given = Given::new();
    given.subscription(1, json!({})).removed("subscription", 1, "2026-02-10");
    assert!(given.rows("subscription_changes", AS_OF, COLUMNS).is_empty());
    given.then("subscription", 1, "2026-02-20", json!({}));
    assert!(given.rows("subscription_changes", AS_OF, COLUMNS).is_empty());
    // what changed while it was away shows when it returns
    given.removed("subscription", 1, "2026-02-21").then("subscription", 1, "2026-02-22", json!({ "paid_users": 6 }));
    assert_eq!(given.rows("subscription_changes", AS_OF, COLUMNS), ["2026-02-22T01:00:00Z us 1 paid_users 5 6"]);
}

#[test]
fn a_version_that_could_not_be_read_is_passed_over() {
    // version 2 never became a typed one: version 3 is compared with version 1
    let given = Given::new();
    given.subscription(1, json!({})).then("subscription", 1, "2026-02-10", json!({ "paid_users": 6 }));
    given.sql("update subscription_versions set version = 3 where version = 2");
    assert_eq!(given.rows("subscription_changes", AS_OF, "field from_value to_value"), ["paid_users 5 6"]);
}
