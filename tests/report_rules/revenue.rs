//! What customers, services and countries brought in: three cuts of the same events.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

const SUMS: &str = "transactions refunds revenue_usd commission_usd records_without_usd";

#[test]
fn money_comes_in_refunds_go_out_and_commissions_are_earned() {
    // 100 + 50.255 − 30 = 120.255, printed 120.26; 18 − 10 = 8; a card change and a payment of 0 are no money
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .transaction(1, json!({}))
        .transaction(2, json!({ "transaction_type": "upgrade", "usd_amount": "50.255" }))
        .transaction(3, json!({ "transaction_type": "refund", "amount": "30", "usd_amount": "30" }))
        .transaction(4, json!({ "transaction_type": "card_change", "amount": "0", "usd_amount": "0" }))
        .transaction(5, json!({ "amount": "0", "usd_amount": "0" }))
        .transaction(6, json!({ "transaction_type": "downgrade" }))
        .commission(1, json!({}))
        .commission(2, json!({ "type": "commission_reversal", "sign": -1, "net_payout": "-10", "net_usd": "-10" }));
    let expected = "2 1 120.26 8.00 0";
    assert_eq!(given.rows("revenue_by_customer", AS_OF, SUMS), [expected]);
    assert_eq!(given.rows("revenue_by_service", AS_OF, SUMS), [expected]);
    assert_eq!(given.rows("revenue_by_country", AS_OF, SUMS), [expected]);
}

#[test]
fn days_are_the_edges_of_the_period() {
    // 365 days before 1 March 2026 is 1 March 2025, not in it; the commission has its own day
    let given = Given::new();
    given.subscription(1, json!({}));
    for (id, day) in [(1, "2025-03-01"), (2, "2025-03-02"), (3, "2026-03-01"), (4, "2026-03-02")] {
        given.transaction(id, json!({ "transaction_day": day })).commission(id, json!({ "commission_day": day }));
    }
    for report in ["revenue_by_customer", "revenue_by_service", "revenue_by_country"] {
        assert_eq!(given.rows(report, AS_OF, SUMS), ["2 0 200.00 36.00 0"], "{report}");
        assert_eq!(given.rows(&format!("{report} days=1"), AS_OF, SUMS), ["1 0 100.00 18.00 0"], "{report}");
    }
}

#[test]
fn what_is_unknown_in_usd_is_counted_and_removed_ones_happened() {
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .transaction(1, json!({ "usd_amount": null }))
        .transaction(2, json!({ "transaction_type": "refund", "usd_amount": null }))
        .transaction(3, json!({}))
        .commission(1, json!({ "net_usd": null, "payout_currency": "EUR" }))
        .commission(2, json!({}))
        .removed("transaction", 3, "2026-02-10")
        .removed("commission", 2, "2026-02-10");
    for report in ["revenue_by_customer", "revenue_by_service", "revenue_by_country"] {
        assert_eq!(given.rows(report, AS_OF, SUMS), ["2 1 100.00 18.00 3"], "{report}");
    }
}

#[test]
fn a_customer_is_one_per_store_whatever_it_buys() {
    // acme has two US subscriptions, one of them live, and one EU subscription; its newest name is in customers. The
    // customer that only lives (no events) is listed, the one that did neither is not
    let given = Given::new();
    given
        .subscription(1, json!({ "customer_id": "acme" }))
        .subscription(2, json!({ "customer_id": "acme", "status": "inactive", "mrr_usd": null }))
        .subscription(3, json!({ "customer_id": "acme", "store_id": "eu", "mrr_usd": "12.5" }))
        .subscription(4, json!({ "customer_id": "quiet" }))
        .subscription(5, json!({ "customer_id": "gone", "status": "inactive", "mrr_usd": null }))
        .transaction(1, json!({}))
        .transaction(2, json!({ "subscription_id": 2 }))
        .transaction(1, json!({ "store_id": "eu", "subscription_id": 3, "usd_amount": "40" }))
        .sql(
            "insert into customers (store_id, customer_id, company_name, named_at, named_by)
             values ('us', 'acme', 'Acme', '', '')",
        );
    assert_eq!(
        given.rows(
            "revenue_by_customer",
            AS_OF,
            "store_id customer_id company_name transactions revenue_usd live_subscriptions mrr_usd"
        ),
        ["us acme Acme 2 200.00 1 100.00", "eu acme - 1 40.00 1 12.50", "us quiet - 0 0.00 1 100.00"]
    );
}

#[test]
fn what_is_live_is_that_of_as_of() {
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .then("subscription", 1, "2026-02-10", json!({ "mrr_usd": "70" }))
        .removed("subscription", 1, "2026-02-20")
        .transaction(1, json!({}));
    let columns = "live_subscriptions mrr_usd";
    assert_eq!(given.rows("revenue_by_customer", "2026-02-09", columns), ["1 100.00"]);
    assert_eq!(given.rows("revenue_by_customer", "2026-02-19", columns), ["1 70.00"]);
    assert_eq!(given.rows("revenue_by_customer", AS_OF, columns), ["0 0.00"]);
}

#[test]
fn what_has_no_subscription_is_kept_apart() {
    // a commission names its customer and country by itself, a transaction cannot
    let given = Given::new();
    given
        .transaction(1, json!({ "subscription_id": 9 }))
        .transaction(2, json!({ "subscription_id": null, "usd_amount": "5" }))
        .commission(1, json!({ "subscription_id": 9, "own_customer_id": "a@example.test", "country": "Norway" }));
    assert_eq!(
        given.rows("revenue_by_customer", AS_OF, "customer_id revenue_usd commission_usd"),
        ["- 105.00 0.00", "a@example.test 0.00 18.00"]
    );
    assert_eq!(
        given.rows("revenue_by_country", AS_OF, "country revenue_usd commission_usd share"),
        ["- 105.00 0.00 1.0000", "Norway 0.00 18.00 0.0000"]
    );
}

#[test]
fn the_service_is_that_of_the_record_and_the_country_that_of_the_subscription() {
    // 200 of CRM and 100 of One, of 450 in all: 0.4444 and 0.2222; the EU store's 150 are 0.3333
    let given = Given::new();
    given
        .subscription(1, json!({ "country": "Chile" }))
        .transaction(1, json!({ "usd_amount": "200", "service_name": "CRM" }))
        .transaction(2, json!({}))
        .transaction(1, json!({ "store_id": "eu", "usd_amount": "150" }))
        .commission(1, json!({ "service_name": "CRM", "country": "Peru" }));
    assert_eq!(
        given.rows("revenue_by_service", AS_OF, "store_id service_name revenue_usd commission_usd share"),
        ["eu One 150.00 0.00 0.3333", "us CRM 200.00 18.00 0.4444", "us One 100.00 0.00 0.2222"]
    );
    assert_eq!(
        given.rows("revenue_by_country", AS_OF, "store_id country revenue_usd commission_usd share"),
        ["eu - 150.00 0.00 0.3333", "us Chile 300.00 18.00 0.6667"]
    );
}

#[test]
fn a_service_that_gave_more_back_has_a_negative_share_and_without_revenue_there_is_none() {
    // 200 − 100 = 100 in all: 2 and −1
    let given = Given::new();
    given
        .transaction(1, json!({ "usd_amount": "200" }))
        .transaction(2, json!({ "transaction_type": "refund", "service_name": "CRM" }));
    let columns = "service_name transactions refunds revenue_usd share";
    assert_eq!(given.rows("revenue_by_service", AS_OF, columns), ["CRM 0 1 -100.00 -1.0000", "One 1 0 200.00 2.0000"]);
    let given = Given::new();
    given.transaction(2, json!({ "transaction_type": "refund" }));
    assert_eq!(given.rows("revenue_by_service", AS_OF, columns), ["One 0 1 -100.00 -"]);
}
