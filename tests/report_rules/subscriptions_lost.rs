//! Which subscriptions were lost, when, and why.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

/// Subscription 1, inactive since the mirror knows it, and transactions of it: id, day, type.
fn inactive(events: &[(i64, &str, &str)]) -> Given {
    let given = Given::new();
    given.subscription(1, json!({ "status": "inactive", "mrr_usd": null }));
    for (id, day, kind) in events {
        given.transaction(*id, json!({ "transaction_day": day, "transaction_type": kind }));
    }
    given
}

fn lost(given: &Given, as_of: &str) -> Vec<String> {
    given.rows("subscriptions_lost", as_of, "lost_on reason")
}

#[test]
fn the_newest_cancellation_counts_unless_something_followed() {
    for (events, expected) in [
        (&[(1, "2026-01-10", "cancel")][..], Some("2026-01-10")),
        (&[(1, "2025-06-01", "cancel"), (2, "2026-01-10", "cancel")], Some("2026-01-10")),
        (
            &[(1, "2025-06-01", "cancel"), (2, "2025-07-01", "reactivate"), (3, "2026-01-10", "cancel")],
            Some("2026-01-10"),
        ),
        (&[(1, "2026-01-10", "cancel"), (2, "2026-01-11", "signup")], None),
        (&[(1, "2026-01-10", "cancel"), (2, "2026-01-11", "reactivate")], None),
        (&[(1, "2026-01-10", "cancel"), (2, "2026-01-11", "recurring")], None),
        (&[(1, "2026-01-10", "cancel"), (2, "2026-01-11", "subscription_resumed")], None),
        (&[(1, "2026-01-10", "cancel"), (2, "2026-01-11", "upgrade")], Some("2026-01-10")),
        // on the same day the id decides
        (&[(2, "2026-01-10", "cancel"), (1, "2026-01-10", "recurring")], Some("2026-01-10")),
        (&[(1, "2026-01-10", "cancel"), (2, "2026-01-10", "recurring")], None),
    ] {
        let expected: Vec<String> = expected.map(|day| format!("{day} cancelled")).into_iter().collect();
        assert_eq!(lost(&inactive(events), AS_OF), expected, "{events:?}");
    }
}

#[test]
fn without_a_cancellation_it_was_lost_when_the_mirror_first_saw_it_not_live() {
    // 1 turned inactive on 10 February, 2 was removed on 12 February; 3 turned inactive, came back and was removed
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .subscription(2, json!({}))
        .subscription(3, json!({}))
        .then("subscription", 1, "2026-02-10", json!({ "status": "inactive" }))
        .removed("subscription", 2, "2026-02-12")
        .then("subscription", 3, "2026-01-10", json!({ "status": "inactive" }))
        .then("subscription", 3, "2026-01-20", json!({ "status": "active" }))
        .removed("subscription", 3, "2026-02-01");
    assert_eq!(
        given.rows("subscriptions_lost", AS_OF, "subscription_id lost_on reason"),
        ["2 2026-02-12 removed", "1 2026-02-10 inactive", "3 2026-02-01 removed"]
    );
    assert_eq!(
        given.rows("subscriptions_lost", "2026-01-15", "subscription_id lost_on reason"),
        ["3 2026-01-10 inactive"]
    );
    assert!(lost(&given, "2026-01-25").is_empty());
}

#[test]
fn removed_and_listed_again_as_inactive_it_was_lost_at_the_removal() {
    let given = Given::new();
    given.subscription(1, json!({})).removed("subscription", 1, "2026-01-10").then(
        "subscription",
        1,
        "2026-02-01",
        json!({ "status": "inactive" }),
    );
    assert_eq!(lost(&given, AS_OF), ["2026-01-10 removed"]);
    // a removed one that returns is no loss
    let given = Given::new();
    given.subscription(1, json!({})).removed("subscription", 1, "2026-01-10").then(
        "subscription",
        1,
        "2026-02-01",
        json!({}),
    );
    assert!(lost(&given, AS_OF).is_empty());
    assert_eq!(lost(&given, "2026-01-31"), ["2026-01-10 removed"]);
}

#[test]
fn never_seen_live_and_never_cancelled_it_is_not_listed() {
    assert!(lost(&inactive(&[]), AS_OF).is_empty());
    let given = inactive(&[]);
    given.removed("subscription", 1, "2026-02-10");
    assert!(lost(&given, AS_OF).is_empty());
}

#[test]
fn a_live_one_is_not_lost_whatever_its_transactions_say() {
    let given = Given::new();
    given.subscription(1, json!({})).transaction(1, json!({ "transaction_type": "cancel" }));
    assert!(lost(&given, AS_OF).is_empty());
}

#[test]
fn a_cancellation_after_as_of_does_not_exist_yet() {
    // on 1 February it was seen inactive; the cancel is dated 5 February
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .then("subscription", 1, "2026-02-01", json!({ "status": "inactive" }))
        .transaction(1, json!({ "transaction_day": "2026-02-05", "transaction_type": "cancel" }));
    assert_eq!(lost(&given, "2026-02-04"), ["2026-02-01 inactive"]);
    assert_eq!(lost(&given, "2026-02-05"), ["2026-02-05 cancelled"]);
}

#[test]
fn days_are_the_edges_of_the_period() {
    let days = |day| inactive(&[(1, day, "cancel")]);
    assert!(lost(&days("2025-03-01"), AS_OF).is_empty());
    assert_eq!(lost(&days("2025-03-02"), AS_OF).len(), 1);
    assert_eq!(lost(&days("2026-03-01"), AS_OF).len(), 1);
    assert!(days("2026-02-27").rows("subscriptions_lost days=2", AS_OF, "lost_on").is_empty());
}

#[test]
fn months_kept_are_whole_months_clamped_to_the_months_end() {
    for (start, lost_on, months) in [
        ("2025-01-15", "2026-01-14", "11"),
        ("2025-01-15", "2026-01-15", "12"),
        ("2025-10-31", "2026-02-27", "3"),
        // the fourth month after 31 October ends on 28 February
        ("2025-10-31", "2026-02-28", "4"),
        ("2024-02-29", "2026-02-27", "23"),
        ("2024-02-29", "2026-02-28", "24"),
        ("2025-12-31", "2026-01-01", "0"),
        ("2026-02-10", "2026-02-10", "0"),
    ] {
        let given = Given::new();
        given
            .subscription(1, json!({ "status": "inactive", "subscription_start_date": start }))
            .transaction(1, json!({ "transaction_day": lost_on, "transaction_type": "cancel" }));
        assert_eq!(given.rows("subscriptions_lost", AS_OF, "months_kept"), [months], "{start} {lost_on}");
    }
    let given = Given::new();
    given
        .subscription(1, json!({ "status": "inactive", "subscription_start_date": null }))
        .transaction(1, json!({ "transaction_type": "cancel" }));
    assert_eq!(given.rows("subscriptions_lost", AS_OF, "subscription_start_date months_kept"), ["- -"]);
}

#[test]
fn it_shows_the_newest_money_and_the_plan_it_had() {
    // of the newest day the higher id; a refund, an amount of 0 and what comes after as_of are no money. The store
    // forgot the plan with the cancellation; where it names one, that is shown
    let given = Given::new();
    given
        .subscription(1, json!({ "plan_name": "Ultimate" }))
        .subscription(2, json!({ "plan_name": "Ultimate" }))
        .then("subscription", 1, "2026-02-10", json!({ "status": "inactive", "plan_name": null }))
        .then("subscription", 2, "2026-02-10", json!({ "status": "inactive", "plan_name": "Free Plan" }))
        .transaction(1, json!({ "transaction_day": "2026-01-01", "usd_amount": "50" }))
        .transaction(3, json!({ "transaction_day": "2026-01-01", "usd_amount": "70.55" }))
        .transaction(2, json!({ "transaction_day": "2026-01-01", "usd_amount": "60" }))
        .transaction(4, json!({ "transaction_day": "2026-02-01", "transaction_type": "refund" }))
        .transaction(5, json!({ "transaction_day": "2026-02-01", "amount": "0" }))
        .transaction(6, json!({ "transaction_day": "2026-03-02" }));
    assert_eq!(
        given.rows(
            "subscriptions_lost",
            AS_OF,
            "store_id subscription_id customer_id service_name plan_name last_amount_usd"
        ),
        ["us 1 c1 One Ultimate 70.55", "us 2 c2 One Free Plan -"]
    );
}

#[test]
fn equal_ids_in_two_stores_are_two_losses() {
    let given = inactive(&[(1, "2026-01-10", "cancel")]);
    given
        .subscription(1, json!({ "store_id": "eu", "status": "inactive" }))
        .transaction(1, json!({ "store_id": "eu", "transaction_type": "cancel" }));
    assert_eq!(given.rows("subscriptions_lost", AS_OF, "lost_on store_id"), ["2026-02-01 eu", "2026-01-10 us"]);
}
