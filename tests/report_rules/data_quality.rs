//! What in the mirror is incomplete or was not understood.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

const COLUMNS: &str = "finding store_id kind pointer value records example_id";

#[test]
fn a_sound_mirror_has_no_findings() {
    let given = Given::new();
    given.subscription(1, json!({})).transaction(1, json!({})).commission(1, json!({ "transaction_id": 1 }));
    assert!(given.rows("data_quality", AS_OF, COLUMNS).is_empty());
}

#[test]
fn orphans_are_counted_per_store_and_kind() {
    // transactions 2 and 3 name subscriptions nobody knows, 4 none; a removed parent is still there
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .removed("subscription", 1, "2026-02-01")
        .transaction(1, json!({}))
        .transaction(2, json!({ "subscription_id": 8 }))
        .transaction(3, json!({ "subscription_id": 7 }))
        .transaction(4, json!({ "subscription_id": null }))
        .transaction(5, json!({ "store_id": "eu" }))
        .commission(1, json!({ "transaction_id": 1 }))
        .commission(2, json!({ "transaction_id": 99 }))
        .commission(3, json!({ "transaction_id": 1, "subscription_id": 9 }));
    assert_eq!(
        given.rows("data_quality", AS_OF, COLUMNS),
        [
            "orphan_subscription eu transactions /subscription_id - 1 5",
            "orphan_subscription us commissions /subscription/subscription_id - 1 3",
            "orphan_subscription us transactions /subscription_id - 3 2",
            "orphan_transaction us commissions /transaction/transaction_id - 1 2",
        ]
    );
}

#[test]
fn amounts_are_missing_where_reports_add_them_up() {
    // an inactive or removed subscription needs no next amount, and a paid or removed commission no balance
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .subscription(2, json!({ "next_recurring_amount": null, "next_recurring_amount_usd": null }))
        .subscription(3, json!({ "next_recurring_amount": null, "status": "inactive" }))
        .subscription(4, json!({ "next_recurring_amount_usd": null }))
        .removed("subscription", 4, "2026-02-01")
        .transaction(1, json!({ "amount": null }))
        .transaction(2, json!({ "usd_amount": null }))
        .transaction(3, json!({ "usd_amount": null }))
        .commission(1, json!({ "transaction_id": 1, "net_payout": null, "balance_payout": null }))
        .commission(2, json!({ "transaction_id": 1, "state": "paid", "balance_payout": null }))
        .commission(3, json!({ "transaction_id": 1, "balance_payout": null }))
        .removed("commission", 3, "2026-02-01");
    assert_eq!(
        given.rows("data_quality", AS_OF, "finding kind pointer records example_id"),
        [
            "missing_amount commissions /balance_commission 1 1",
            "missing_amount commissions /base_commission 1 1",
            "missing_amount subscriptions /next_recurring_amount 1 2",
            "missing_amount subscriptions /next_recurring_amount_usd 1 2",
            "missing_amount transactions /amount 1 1",
            "missing_amount transactions /usd_amount 2 2",
        ]
    );
}

#[test]
fn a_frequency_without_months_is_told_where_there_is_an_amount() {
    let given = Given::new();
    given
        .subscription(1, json!({ "billing_frequency": "biweekly" }))
        .subscription(2, json!({ "billing_frequency": "biweekly" }))
        .subscription(3, json!({ "billing_frequency": null }))
        .subscription(4, json!({ "billing_frequency": null, "next_recurring_amount": "0" }))
        .subscription(5, json!({ "billing_frequency": "biweekly", "status": "inactive" }))
        .subscription(6, json!({ "billing_frequency": "half_yearly" }));
    assert_eq!(
        given.rows("data_quality", AS_OF, "finding pointer value records example_id"),
        ["unknown_frequency /billing_frequency - 1 3", "unknown_frequency /billing_frequency biweekly 2 1"]
    );
}

#[test]
fn what_the_mapping_noted_and_the_listings_lack_is_told_as_it_is_kept() {
    // a finding that no newest version has any more is none; of two quarantined without an id one is listed
    let given = Given::new();
    given.sql(
        "insert into findings values
           ('unknown_value', 'us', 'transactions', '/transaction_type', 'gift', 3, '12', '', ''),
           ('unknown_value', 'us', 'transactions', '/transaction_type', 'loan', 0, '13', '', ''),
           ('unknown_field', 'eu', 'commissions', '/bonus', null, 1, '14', '', ''),
           ('rounded_money', 'us', 'transactions', '/amount', '1.0000001', 1, '15', '', '');
         insert into quarantine values
           ('us', 'leads', null, '/id', 'no_id', '{}', '2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z', 'a'),
           ('us', 'commissions', null, '/id', 'no_id', '{}', '2026-02-01T00:00:00Z', '2026-02-01T00:00:00Z', 'b');
         update coverage set state = 'possibly_truncated', records = 200 where store_id = 'eu' and kind = 'commissions';
         update coverage set state = 'suspicious', records = 7 where store_id = 'us' and kind = 'transactions';",
    );
    assert_eq!(
        given.rows("data_quality", AS_OF, COLUMNS),
        [
            "quarantined us leads /id no_id 1 -",
            "rounded_money us transactions /amount 1.0000001 1 15",
            "truncated_listing eu commissions - possibly_truncated 200 -",
            "truncated_listing us transactions - suspicious 7 -",
            "unknown_field eu commissions /bonus - 1 14",
            "unknown_value us transactions /transaction_type gift 3 12",
        ]
    );
}
