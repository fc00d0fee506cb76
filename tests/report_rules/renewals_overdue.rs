//! What should have renewed and has not.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

#[test]
fn a_past_date_is_overdue_and_today_is_not() {
    // 1 March − 28 February = 1 day; − 29 January = 31 days; − 29 February 2024 (a leap day) = 731 days
    let given = Given::new();
    for (id, day) in [(1, "2026-03-01"), (2, "2026-02-28"), (3, "2026-01-29"), (4, "2024-02-29"), (5, "2026-03-02")] {
        given.subscription(id, json!({ "next_recurring_date": day }));
    }
    assert_eq!(given.rows("renewals_overdue", AS_OF, "subscription_id days_overdue"), ["4 731", "3 31", "2 1"]);
}

#[test]
fn only_what_renews_can_be_overdue() {
    let given = Given::new();
    let due = "2026-02-01";
    given
        .subscription(1, json!({ "next_recurring_date": due, "status": "inactive" }))
        .subscription(2, json!({ "next_recurring_date": due, "next_recurring_amount": "0" }))
        .subscription(3, json!({ "next_recurring_date": due, "next_recurring_amount": null }))
        .subscription(4, json!({ "next_recurring_date": null }))
        .subscription(5, json!({ "next_recurring_date": due }))
        .removed("subscription", 5, "2026-02-20");
    assert!(given.rows("renewals_overdue", AS_OF, "subscription_id").is_empty());
    // it was listed until then
    assert_eq!(given.rows("renewals_overdue", "2026-02-19", "subscription_id"), ["5"]);
}

#[test]
fn it_shows_the_newest_transaction_whatever_it_is() {
    // of the newest day up to 1 March the higher id; the one of 2 March does not exist yet, a removed one happened;
    // that of the other store's subscription 1 is not this one's
    let given = Given::new();
    given
        .subscription(
            1,
            json!({ "next_recurring_date": "2026-02-20", "currency": "EUR", "next_recurring_amount": "1100" }),
        )
        .transaction(
            12,
            json!({ "transaction_day": "2026-02-21", "transaction_type": "recurring_failure", "amount": "0" }),
        )
        .transaction(11, json!({ "transaction_day": "2026-02-21", "transaction_type": "card_change", "amount": "0" }))
        .transaction(20, json!({ "transaction_day": "2026-02-01" }))
        .transaction(13, json!({ "transaction_day": "2026-03-02", "transaction_type": "cancel" }))
        .transaction(14, json!({ "store_id": "eu", "transaction_day": "2026-02-28" }))
        .removed("transaction", 12, "2026-02-25");
    let columns = "store_id subscription_id days_overdue currency next_recurring_amount next_recurring_amount_usd \
                   last_transaction_day last_transaction_type";
    assert_eq!(
        given.rows("renewals_overdue", AS_OF, columns),
        ["us 1 9 EUR 1100.00 1200.00 2026-02-21 recurring_failure"]
    );
}

#[test]
fn without_transactions_and_with_equal_ids_each_store_has_its_row() {
    let given = Given::new();
    given
        .subscription(1, json!({ "next_recurring_date": "2026-02-20" }))
        .subscription(1, json!({ "store_id": "eu", "next_recurring_date": "2026-02-20" }));
    assert_eq!(
        given.rows("renewals_overdue", AS_OF, "store_id subscription_id last_transaction_day last_transaction_type"),
        ["eu 1 - -", "us 1 - -"]
    );
}

#[test]
fn a_past_day_sees_the_date_of_that_day() {
    // due on 20 January, moved to 20 February by a payment that the mirror saw on 25 January
    let given = Given::new();
    given.subscription(1, json!({ "next_recurring_date": "2026-01-20" })).then(
        "subscription",
        1,
        "2026-01-25",
        json!({ "next_recurring_date": "2026-02-20" }),
    );
    let columns = "next_recurring_date days_overdue";
    assert_eq!(given.rows("renewals_overdue", "2026-01-24", columns), ["2026-01-20 4"]);
    assert!(given.rows("renewals_overdue", "2026-01-25", columns).is_empty());
    assert_eq!(given.rows("renewals_overdue", AS_OF, columns), ["2026-02-20 9"]);
}
