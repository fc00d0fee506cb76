//! Whose purchases, and which services, earn the commissions.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

#[test]
fn a_customer_has_the_commissions_of_all_its_subscriptions() {
    // c1: 18 + 12 − 6 = 24 of 30, a share of 0.8; c3: 6 of 30; the newest name is that of `customers`
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .subscription(2, json!({ "customer_id": "c1" }))
        .subscription(3, json!({}))
        .commission(1, json!({}))
        .commission(2, json!({ "subscription_id": 2, "net_usd": "12" }))
        .commission(3, json!({ "type": "commission_reversal", "sign": -1, "net_usd": "-6" }))
        .commission(4, json!({ "subscription_id": 3, "net_usd": "6", "company_name": "Old" }))
        .commission(5, json!({ "subscription_id": 3, "net_usd": null }));
    given.sql("insert into customers values ('us', 'c3', null, null, 'New', null, null, '', '')");
    assert_eq!(
        given.rows(
            "commissions_by_customer",
            AS_OF,
            "store_id customer_id company_name records net_usd records_without_usd share"
        ),
        ["us c1 Company 1 3 24.00 0 0.8000", "us c3 New 2 6.00 1 0.2000"]
    );
}

#[test]
fn without_its_subscription_a_commission_has_its_own_customer_or_none() {
    // the newest of them, 3, gives the name; nobody's commissions have none
    let given = Given::new();
    given
        .commission(2, json!({ "own_customer_id": "a@b", "company_name": "First" }))
        .commission(3, json!({ "own_customer_id": "a@b", "company_name": "Second" }))
        .commission(4, json!({ "own_customer_id": null }))
        .commission(5, json!({ "own_customer_id": "a@b", "store_id": "eu" }));
    assert_eq!(
        given.rows("commissions_by_customer", AS_OF, "store_id customer_id company_name records"),
        ["eu a@b Company 1 1", "us - - 1", "us a@b Second 2"]
    );
}

#[test]
fn services_are_told_by_the_name_on_the_commission() {
    // 18 of 24 is 0.75; the two stores stand apart and share one whole
    let given = Given::new();
    given
        .commission(1, json!({}))
        .commission(2, json!({ "service_name": "CRM", "net_usd": "2" }))
        .commission(3, json!({ "store_id": "eu", "net_usd": "4" }))
        .commission(4, json!({ "service_name": null, "net_usd": null }));
    assert_eq!(
        given.rows("commissions_by_service", AS_OF, "store_id service_name records net_usd records_without_usd share"),
        ["eu One 1 4.00 0 0.1667", "us - 1 - 1 -", "us CRM 1 2.00 0 0.0833", "us One 1 18.00 0 0.7500"]
    );
}

#[test]
fn the_period_is_the_days_up_to_as_of_and_removed_ones_happened() {
    // 365 days up to 1 March 2026 begin with 2 March 2025
    for report in ["commissions_by_customer", "commissions_by_service"] {
        let given = Given::new();
        for (id, day) in [(1, "2025-03-01"), (2, "2025-03-02"), (3, "2026-03-01"), (4, "2026-03-02")] {
            given.commission(id, json!({ "commission_day": day }));
        }
        given.removed("commission", 3, "2026-03-01").commission(5, json!({ "commission_day": null }));
        assert_eq!(given.rows(report, AS_OF, "records net_usd"), ["2 36.00"], "{report}");
        assert_eq!(given.rows(&format!("{report} days=1"), AS_OF, "records"), ["1"], "{report}");
    }
}

#[test]
fn nothing_has_no_shares() {
    let given = Given::new();
    given
        .commission(1, json!({}))
        .commission(2, json!({ "service_name": "CRM", "type": "commission_reversal", "sign": -1, "net_usd": "-18" }));
    assert_eq!(given.rows("commissions_by_service", AS_OF, "net_usd share"), ["-18.00 -", "18.00 -"]);
}
