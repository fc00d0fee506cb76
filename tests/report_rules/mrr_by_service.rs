//! What the live subscriptions bring in a month.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

const COLUMNS: &str = "store_id service_name subscriptions seats mrr_usd arr_usd share";

#[test]
fn services_are_summed_per_store_and_shared_over_all() {
    // 100 + 33.35 = 133.35; all: 133.35 + 66.65 + 100 = 300. 133.35 ÷ 300 = 0.4445, 66.65 ÷ 300 = 0.22216… → 0.2222
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .subscription(2, json!({ "mrr_usd": "33.35", "paid_users": null }))
        .subscription(3, json!({ "service_name": "CRM", "mrr_usd": "66.65", "paid_users": 7 }))
        .subscription(1, json!({ "store_id": "eu", "paid_users": null }));
    assert_eq!(
        given.rows("mrr_by_service", AS_OF, COLUMNS),
        ["us One 2 5 133.35 1600.20 0.4445", "eu One 1 - 100.00 1200.00 0.3333", "us CRM 1 7 66.65 799.80 0.2222",]
    );
}

#[test]
fn only_live_ones_with_mrr_count() {
    let given = Given::new();
    given
        .subscription(1, json!({ "status": "inactive", "mrr_usd": null }))
        .subscription(2, json!({ "mrr_usd": "0" }))
        .subscription(3, json!({ "mrr_usd": null, "billing_frequency": "weekly" }))
        .subscription(4, json!({}))
        .subscription(5, json!({ "service_name": null, "mrr_usd": "1" }))
        .removed("subscription", 4, "2026-02-10");
    assert_eq!(given.rows("mrr_by_service", AS_OF, COLUMNS), ["us - 1 5 1.00 12.00 1.0000"]);
    assert_eq!(given.rows("mrr_by_service", "2026-02-09", "service_name mrr_usd"), ["One 100.00", "- 1.00"]);
}

#[test]
fn a_share_is_rounded_half_away_from_zero() {
    // 1 ÷ 32 = 0.03125 → 0.0313
    let given = Given::new();
    given.subscription(1, json!({ "mrr_usd": "31" })).subscription(2, json!({ "mrr_usd": "1", "service_name": "CRM" }));
    assert_eq!(given.rows("mrr_by_service", AS_OF, "share"), ["0.9688", "0.0313"]);
}
