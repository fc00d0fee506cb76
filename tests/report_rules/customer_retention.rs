//! How many of the customers who began in a month are still there.

use serde_json::json;

use crate::given::Given;

const COLUMNS: &str = "cohort age customers kept retention";

/// Subscription `id` of a customer: since when, and when it was cancelled.
fn had(given: &Given, id: i64, customer: &str, start: &str, cancelled: Option<&str>) {
    let status = if cancelled.is_some() { "inactive" } else { "active" };
    given.subscription(id, json!({ "customer_id": customer, "subscription_start_date": start, "status": status }));
    if let Some(day) = cancelled {
        given.transaction(
            id,
            json!({ "subscription_id": id, "transaction_day": day, "transaction_type": "cancel", "amount": "0" }),
        );
    }
}

#[test]
fn a_cohort_shrinks_month_by_month() {
    // three customers of November: b was lost on 31 December, c on 1 February. d began in January and was lost in it
    let given = Given::new();
    had(&given, 1, "a", "2025-11-01", None);
    had(&given, 2, "b", "2025-11-30", Some("2025-12-31"));
    had(&given, 3, "c", "2025-11-15", Some("2026-02-01"));
    had(&given, 4, "d", "2026-01-01", Some("2026-01-31"));
    assert_eq!(
        given.rows("customer_retention", "2026-02-28", COLUMNS),
        [
            "2025-11 0 3 3 1.0000",
            "2025-11 1 3 2 0.6667",
            "2025-11 2 3 2 0.6667",
            "2025-11 3 3 1 0.3333",
            "2026-01 0 1 0 0.0000",
            "2026-01 1 1 0 0.0000",
        ]
    );
}

#[test]
fn as_of_ends_the_running_month() {
    // on 30 December b still is a customer (its cancel does not exist yet, but the mirror knows it as inactive: it was
    // never seen live, so nobody knows a day); on 31 December it is lost
    let given = Given::new();
    had(&given, 2, "b", "2025-11-30", Some("2025-12-31"));
    assert_eq!(
        given.rows("customer_retention", "2025-12-30", COLUMNS),
        ["2025-11 0 1 1 1.0000", "2025-11 1 1 1 1.0000"]
    );
    assert_eq!(given.rows("customer_retention", "2025-12-31", "age kept"), ["0 1", "1 0"]);
    assert!(given.rows("customer_retention", "2025-11-29", COLUMNS).is_empty());
}

#[test]
fn one_subscription_is_enough_and_a_later_one_brings_the_customer_back() {
    // lost in November, back with another one in January, and with a third one that overlaps it until March
    let given = Given::new();
    had(&given, 1, "a", "2025-10-31", Some("2025-11-10"));
    had(&given, 2, "a", "2026-01-31", Some("2026-02-10"));
    had(&given, 3, "a", "2026-01-15", Some("2026-03-01"));
    assert_eq!(
        given.rows("customer_retention", "2026-03-31", "cohort age kept"),
        ["2025-10 0 1", "2025-10 1 0", "2025-10 2 0", "2025-10 3 1", "2025-10 4 1", "2025-10 5 0"]
    );
}

#[test]
fn a_subscription_that_was_reactivated_was_never_lost() {
    let given = Given::new();
    had(&given, 1, "a", "2025-12-01", None);
    given
        .transaction(2, json!({ "transaction_day": "2026-01-05", "transaction_type": "cancel", "amount": "0" }))
        .transaction(3, json!({ "transaction_day": "2026-02-05", "transaction_type": "reactivate" }));
    assert_eq!(given.rows("customer_retention", "2026-02-28", "age kept"), ["0 1", "1 1", "2 1"]);
}

#[test]
fn removal_and_inactivity_lose_a_customer_too() {
    let given = Given::new();
    had(&given, 1, "a", "2025-12-01", None);
    had(&given, 2, "b", "2025-12-01", None);
    given.removed("subscription", 1, "2026-01-15").then(
        "subscription",
        2,
        "2026-02-10",
        json!({ "status": "inactive" }),
    );
    assert_eq!(given.rows("customer_retention", "2026-02-28", "age kept"), ["0 2", "1 1", "2 0"]);
    // as of January b was still there
    assert_eq!(given.rows("customer_retention", "2026-01-31", "age kept"), ["0 2", "1 1"]);
}

#[test]
fn customers_are_told_apart_per_store_and_nobodys_subscriptions_stand_alone() {
    // acme of both stores, and two subscriptions without a customer; one without a start belongs to no cohort
    let given = Given::new();
    let start = "2026-02-01";
    had(&given, 1, "acme", start, None);
    given
        .subscription(1, json!({ "store_id": "eu", "customer_id": "acme", "subscription_start_date": start }))
        .subscription(2, json!({ "customer_id": null, "subscription_start_date": start }))
        .subscription(3, json!({ "customer_id": null, "subscription_start_date": start }))
        .subscription(4, json!({ "subscription_start_date": null }));
    assert_eq!(given.rows("customer_retention", "2026-02-28", COLUMNS), ["2026-02 0 4 4 1.0000"]);
}
