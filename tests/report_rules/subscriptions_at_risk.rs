//! Who may leave, and why.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

/// Live subscriptions 1 to `count`, and transactions of theirs: id, subscription, day, type.
fn given(count: i64, events: &[(i64, i64, &str, &str)]) -> Given {
    let given = Given::new();
    for id in 1..=count {
        given.subscription(id, json!({}));
    }
    for (id, subscription, day, kind) in events {
        let facts = json!({ "subscription_id": subscription, "transaction_day": day, "transaction_type": kind,
                            "amount": "0" });
        given.transaction(*id, facts);
    }
    given
}

fn risks(given: &Given, as_of: &str) -> Vec<String> {
    given.rows("subscriptions_at_risk", as_of, "subscription_id reason since")
}

#[test]
fn a_scheduled_cancellation_counts_until_it_is_taken_back() {
    // 1 is years old and stands; 2 to 4 were taken back; 5 was taken back before it was scheduled again; a card change
    // or a signup takes nothing back (6, 7)
    let given = given(
        7,
        &[
            (1, 1, "2023-02-01", "scheduled_cancel"),
            (2, 2, "2026-02-01", "scheduled_cancel"),
            (3, 2, "2026-02-02", "subscription_resumed"),
            (4, 3, "2026-02-01", "scheduled_cancel"),
            (5, 3, "2026-02-01", "reactivate"),
            (6, 4, "2026-02-01", "scheduled_cancel"),
            (7, 4, "2026-02-28", "recurring"),
            (8, 5, "2026-01-01", "scheduled_cancel"),
            (9, 5, "2026-01-02", "subscription_resumed"),
            (10, 5, "2026-02-01", "scheduled_cancel"),
            (11, 5, "2026-02-03", "scheduled_cancel"),
            (12, 6, "2026-02-01", "scheduled_cancel"),
            (13, 6, "2026-02-02", "card_change"),
            (14, 7, "2026-02-01", "scheduled_cancel"),
            (15, 7, "2026-02-02", "signup"),
        ],
    );
    assert_eq!(
        risks(&given, AS_OF),
        [
            "1 cancel_scheduled 2023-02-01",
            "5 cancel_scheduled 2026-02-01",
            "6 cancel_scheduled 2026-02-01",
            "7 cancel_scheduled 2026-02-01",
        ]
    );
    // before it was taken back it stood
    assert_eq!(risks(&given, "2026-02-01").len(), 6);
}

#[test]
fn a_payment_fails_until_one_succeeds() {
    // 60 days before 1 March is 31 December, not in it: 1 January is the first day. A resumed subscription (4) has not
    // paid. since is the first failure that counts
    let given = given(
        5,
        &[
            (1, 1, "2025-12-31", "recurring_failure"),
            (2, 2, "2026-01-01", "past_due"),
            (3, 2, "2026-01-04", "recurring_failure"),
            (4, 3, "2026-02-01", "recurring_failure"),
            (5, 3, "2026-02-04", "recurring"),
            (6, 4, "2026-02-01", "recurring_failure"),
            (7, 4, "2026-02-02", "subscription_resumed"),
            (8, 5, "2026-02-01", "past_due"),
            (9, 5, "2026-02-01", "reactivate"),
        ],
    );
    assert_eq!(risks(&given, AS_OF), ["2 payment_failing 2026-01-01", "4 payment_failing 2026-02-01"]);
    assert_eq!(
        given.rows("subscriptions_at_risk days=57", AS_OF, "subscription_id since"),
        ["2 2026-01-04", "4 2026-02-01"]
    );
}

#[test]
fn a_failure_on_the_day_of_a_payment_is_told_by_the_id() {
    let given = given(2, &[(1, 1, "2026-02-01", "recurring_failure"), (2, 1, "2026-02-01", "recurring")]);
    given
        .transaction(3, json!({ "subscription_id": 2 }))
        .transaction(4, json!({ "subscription_id": 2, "transaction_type": "recurring_failure" }));
    assert_eq!(risks(&given, AS_OF), ["2 payment_failing 2026-02-01"]);
}

#[test]
fn a_downgrade_counts_for_its_days_whatever_follows() {
    let given = given(
        2,
        &[(1, 1, "2026-01-01", "downgrade"), (2, 1, "2026-02-01", "recurring"), (3, 2, "2025-12-31", "downgrade")],
    );
    assert_eq!(risks(&given, AS_OF), ["1 downgraded 2026-01-01"]);
}

#[test]
fn an_overdue_renewal_is_a_risk_since_its_date() {
    let given = Given::new();
    given
        .subscription(1, json!({ "next_recurring_date": "2026-02-28" }))
        .subscription(2, json!({ "next_recurring_date": "2026-03-01" }))
        .subscription(3, json!({ "next_recurring_date": "2026-02-28", "next_recurring_amount": "0" }));
    assert_eq!(risks(&given, AS_OF), ["1 overdue 2026-02-28"]);
}

#[test]
fn one_subscription_may_have_several_reasons_and_the_dearest_comes_first() {
    // 0.18 × 1200 = 216; without MRR last; the EU store's subscription 1 before the US store's
    let given = Given::new();
    given
        .commission(1, json!({}))
        .subscription(1, json!({ "next_recurring_date": "2026-02-20" }))
        .subscription(1, json!({ "store_id": "eu", "next_recurring_date": "2026-02-20" }))
        .subscription(
            2,
            json!({ "next_recurring_date": "2026-02-20", "mrr_usd": null, "pricing_type": "partner_price" }),
        )
        .subscription(3, json!({ "next_recurring_date": "2026-02-20", "mrr_usd": "250.50" }))
        .transaction(1, json!({ "transaction_type": "scheduled_cancel", "amount": "0" }));
    assert_eq!(
        given.rows("subscriptions_at_risk", AS_OF, "reason store_id subscription_id mrr_usd expected_commission_usd"),
        [
            "overdue us 3 250.50 216.00",
            "overdue eu 1 100.00 -",
            "cancel_scheduled us 1 100.00 216.00",
            "overdue us 1 100.00 216.00",
            "overdue us 2 - 0.00",
        ]
    );
}

#[test]
fn what_is_not_live_is_lost_and_not_at_risk() {
    let given = given(2, &[(1, 1, "2026-02-01", "scheduled_cancel"), (2, 2, "2026-02-01", "recurring_failure")]);
    given.then("subscription", 1, "2026-02-10", json!({ "status": "inactive" })).removed(
        "subscription",
        2,
        "2026-02-10",
    );
    assert!(risks(&given, AS_OF).is_empty());
    assert_eq!(risks(&given, "2026-02-09").len(), 2);
    // and before it happened there was no risk
    assert!(risks(&given, "2026-01-31").is_empty());
}
