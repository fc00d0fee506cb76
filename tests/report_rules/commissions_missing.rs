//! Money without a commission: what counts as money, what explains the gap, what to expect, and how certain it is.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

#[test]
fn a_payment_without_a_commission_is_shown_with_its_evidence() {
    // 100 × 0.25 = 25; 1 February to 1 March are 28 days
    let given = Given::new();
    given
        .subscription(1, json!({ "company_name": "Fjord" }))
        .transaction(7, json!({ "invoice_number": "501", "amount": "90", "currency": "EUR" }))
        .commission(11, json!({ "commission_day": "2026-01-01", "rate": "0.25" }));
    assert_eq!(
        given.rows(
            "commissions_missing",
            AS_OF,
            "store_id transaction_id transaction_day transaction_type subscription_id customer_id company_name \
             service_name plan_name invoice_number currency amount usd_amount rate rate_source expected_usd days_since \
             certainty"
        ),
        [
            "us 7 2026-02-01 recurring 1 c1 Fjord One Enterprise 501 EUR 90.00 100.00 0.2500 subscription 25.00 28 missing"
        ]
    );
}

#[test]
fn any_commission_of_the_transaction_explains_it_and_a_reversal_does_not() {
    // 1 has one, 2 a removed one, 3 one of a type other than Base; 4 only a reversal, 5 one in the other store
    let given = Given::new();
    for id in 1..=5 {
        given.transaction(id, json!({}));
    }
    given
        .commission(1, json!({ "transaction_id": 1 }))
        .commission(2, json!({ "transaction_id": 2 }))
        .commission(3, json!({ "transaction_id": 3, "commission_type": "Bonus" }))
        .commission(4, json!({ "transaction_id": 4, "type": "commission_reversal", "sign": -1 }))
        .commission(5, json!({ "transaction_id": 5, "store_id": "eu" }))
        .removed("commission", 2, "2026-02-15");
    assert_eq!(given.rows("commissions_missing", AS_OF, "transaction_id"), ["4", "5"]);
}

#[test]
fn a_commission_after_as_of_does_not_exist_yet() {
    let given = Given::new();
    given.transaction(1, json!({})).commission(1, json!({ "transaction_id": 1, "commission_day": "2026-02-20" }));
    assert_eq!(given.rows("commissions_missing", "2026-02-19", "transaction_id certainty"), ["1 missing"]);
    assert!(given.rows("commissions_missing", "2026-02-20", "transaction_id").is_empty());
}

#[test]
fn grace_and_days_are_the_edges_of_the_period() {
    // on 1 March with 2 days of grace the last day is 27 February; 365 days before is 1 March 2025, not in it
    let given = Given::new();
    for (id, day) in [(1, "2025-03-01"), (2, "2025-03-02"), (3, "2026-02-27"), (4, "2026-02-28")] {
        given.transaction(id, json!({ "transaction_day": day }));
    }
    assert_eq!(given.rows("commissions_missing", AS_OF, "transaction_id"), ["2", "3"]);
    assert_eq!(given.rows("commissions_missing grace=0 days=2", AS_OF, "transaction_id"), ["4"]);
}

#[test]
fn only_money_at_list_price_earns_a_commission() {
    let given = Given::new();
    for (id, facts) in [
        (1, json!({ "pricing_type": "partner_price" })),
        (2, json!({ "amount": "0" })),
        (3, json!({ "transaction_type": "refund", "amount": "7" })),
        (4, json!({ "transaction_type": "downgrade" })),
        (5, json!({ "pricing_type": null })),
        (6, json!({ "transaction_type": "one_time_charge" })),
        (7, json!({ "transaction_type": "subscription_resumed" })),
    ] {
        given.transaction(id, facts);
    }
    assert_eq!(given.rows("commissions_missing", AS_OF, "transaction_id"), ["6", "7"]);
}

#[test]
fn a_removed_transaction_is_missed_only_before_its_removal() {
    let given = Given::new();
    given.transaction(1, json!({})).removed("transaction", 1, "2026-02-20");
    assert!(given.rows("commissions_missing", "2026-02-20", "transaction_id").is_empty());
    assert_eq!(given.rows("commissions_missing", "2026-02-19", "transaction_id"), ["1"]);
}

#[test]
fn a_full_refund_within_60_days_explains_it() {
    // paid on 1 December: the 60th day after is 30 January
    for (facts, listed) in [
        (json!({ "transaction_day": "2025-12-01" }), false),
        (json!({ "transaction_day": "2026-01-30" }), false),
        (json!({ "transaction_day": "2026-01-31" }), true),
        (json!({ "transaction_day": "2025-11-30" }), true),
        (json!({ "transaction_day": "2025-12-05", "amount": "99.99" }), true),
        (json!({ "transaction_day": "2025-12-05", "subscription_id": 2 }), true),
        (json!({ "transaction_day": "2025-12-05", "store_id": "eu" }), true),
    ] {
        let given = Given::new();
        let mut refund = facts.clone();
        refund["transaction_type"] = json!("refund");
        given.transaction(1, json!({ "transaction_day": "2025-12-01" })).transaction(2, refund);
        assert_eq!(!given.rows("commissions_missing", AS_OF, "transaction_id").is_empty(), listed, "{facts}");
    }
}

#[test]
fn a_refund_after_as_of_does_not_exist_yet() {
    let given = Given::new();
    given
        .transaction(1, json!({}))
        .transaction(2, json!({ "transaction_type": "refund", "transaction_day": "2026-02-10" }));
    assert_eq!(given.rows("commissions_missing", "2026-02-09", "transaction_id"), ["1"]);
    assert!(given.rows("commissions_missing", "2026-02-10", "transaction_id").is_empty());
}

#[test]
fn the_usual_rate_is_that_of_the_transactions_own_day() {
    // on 1 February: subscription 1 has its 0.18 of 1 January, not the 0.25 of 2 February; subscription 2 takes its
    // service's (18 + 30) ÷ 200 = 0.24; subscription 3 of another service its store's, the same; the other store has none
    let given = Given::new();
    given
        .commission(11, json!({ "commission_day": "2026-01-01" }))
        .commission(12, json!({ "commission_day": "2026-02-02", "usd_commission": "25", "rate": "0.25" }))
        .commission(13, json!({ "subscription_id": 9, "usd_commission": "30", "rate": "0.3" }))
        .transaction(1, json!({}))
        .transaction(2, json!({ "subscription_id": 2 }))
        .transaction(3, json!({ "subscription_id": 3, "service_id": 20 }))
        .transaction(4, json!({ "store_id": "eu" }));
    assert_eq!(
        given.rows("commissions_missing", AS_OF, "transaction_id rate rate_source expected_usd"),
        ["2 0.2400 service 24.00", "3 0.2400 store 24.00", "1 0.1800 subscription 18.00", "4 - none -"]
    );
}

#[test]
fn a_service_rate_outlives_its_newest_commission_by_a_year() {
    // the only evidence is of 1 February 2025: it still counts on 31 January 2026 (364 days later), not on 1 February
    let given = Given::new();
    given
        .commission(11, json!({ "commission_day": "2025-02-01", "subscription_id": 9 }))
        .transaction(1, json!({ "transaction_day": "2026-01-31" }))
        .transaction(2, json!({ "transaction_day": "2026-02-01" }));
    assert_eq!(given.rows("commissions_missing", AS_OF, "transaction_id rate_source"), ["1 service", "2 none"]);
}

#[test]
fn without_a_usd_amount_nothing_is_expected() {
    let given = Given::new();
    given.transaction(1, json!({ "usd_amount": null })).commission(11, json!({ "commission_day": "2026-01-01" }));
    assert_eq!(given.rows("commissions_missing", AS_OF, "usd_amount rate expected_usd"), ["- 0.1800 -"]);
}

#[test]
fn what_came_before_the_first_commission_may_have_been_mapped_late() {
    // the first commission is of 2 February; a reversal before it is no first commission
    let given = Given::new();
    given
        .commission(10, json!({ "commission_day": "2026-01-05", "type": "commission_reversal", "sign": -1 }))
        .commission(11, json!({ "commission_day": "2026-02-02" }))
        .transaction(1, json!({}))
        .transaction(2, json!({ "transaction_day": "2026-02-02" }));
    assert_eq!(given.rows("commissions_missing", AS_OF, "transaction_id certainty"), ["2 missing", "1 before_first"]);
    // on 1 February nobody could know of the first commission
    assert_eq!(given.rows("commissions_missing grace=0", "2026-02-01", "transaction_id certainty"), ["1 missing"]);
}

#[test]
fn nothing_is_certain_without_complete_listings_of_that_store() {
    for (trouble, certainty) in [
        ("update coverage set state = 'possibly_truncated' where store_id = 'us' and kind = 'commissions'", "unknown"),
        ("update coverage set state = 'suspicious' where store_id = 'us' and kind = 'transactions'", "unknown"),
        ("update coverage set state = 'never', last_complete_at = null where kind = 'commissions'", "unknown"),
        ("delete from coverage where kind = 'transactions'", "unknown"),
        ("update coverage set state = 'suspicious' where store_id = 'us' and kind = 'subscriptions'", "missing"),
        ("update coverage set state = 'suspicious' where store_id = 'eu'", "missing"),
    ] {
        let given = Given::new();
        given.transaction(1, json!({})).sql(trouble);
        assert_eq!(given.rows("commissions_missing", AS_OF, "certainty"), [certainty], "{trouble}");
    }
}
