//! Which subscriptions began.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

#[test]
fn days_are_the_edges_of_the_period_and_the_newest_comes_first() {
    // 90 days before 1 March 2026 is 1 December 2025, not in it
    let given = Given::new();
    for (id, day) in [(1, "2025-12-01"), (2, "2025-12-02"), (3, "2026-03-01"), (4, "2026-03-02")] {
        given.subscription(id, json!({ "subscription_start_date": day }));
    }
    given.subscription(5, json!({ "subscription_start_date": null }));
    assert_eq!(
        given.rows("subscriptions_new", AS_OF, "subscription_start_date subscription_id"),
        ["2026-03-01 3", "2025-12-02 2"]
    );
    assert_eq!(given.rows("subscriptions_new days=1", AS_OF, "subscription_id"), ["3"]);
    // the day after a leap day
    given.subscription(6, json!({ "subscription_start_date": "2024-02-29" }));
    assert_eq!(given.rows("subscriptions_new days=2", "2024-03-01", "subscription_id"), ["6"]);
    assert!(given.rows("subscriptions_new days=1", "2024-03-01", "subscription_id").is_empty());
}

#[test]
fn what_became_of_it_is_shown_and_mrr_only_while_it_is_live() {
    let given = Given::new();
    for (store_id, id) in [("us", 1), ("us", 2), ("us", 3), ("eu", 1)] {
        given.subscription(id, json!({ "store_id": store_id, "subscription_start_date": "2026-02-01" }));
    }
    given
        .then("subscription", 2, "2026-02-10", json!({ "status": "inactive", "plan_name": "Free", "mrr_usd": null }))
        .removed("subscription", 3, "2026-02-10");
    let columns = "store_id subscription_id plan_name billing_frequency pricing_type status mrr_usd";
    assert_eq!(
        given.rows("subscriptions_new", AS_OF, columns),
        [
            "eu 1 Enterprise yearly list_price active 100.00",
            "us 1 Enterprise yearly list_price active 100.00",
            "us 2 Free yearly list_price inactive -",
            "us 3 Enterprise yearly list_price active -",
        ]
    );
    assert_eq!(
        given.rows("subscriptions_new", "2026-02-09", "subscription_id status mrr_usd"),
        ["1 active 100.00", "1 active 100.00", "2 active 100.00", "3 active 100.00"]
    );
}
