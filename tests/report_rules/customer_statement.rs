//! Everything that happened with a customer.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

/// Two customers, `acme` (Acme Ltd) in both stores and `c9`.
fn given() -> Given {
    let given = Given::new();
    given
        .subscription(1, json!({ "customer_id": "acme", "subscription_start_date": "2024-02-29" }))
        .subscription(
            1,
            json!({ "store_id": "eu", "customer_id": "acme", "subscription_start_date": "2025-01-01",
                             "company_name": "Acme Oslo", "plan_name": null }),
        )
        .subscription(9, json!({ "subscription_start_date": null }))
        .sql(
            "insert into customers (store_id, customer_id, company_name, org_name, email, named_at, named_by)
             values ('us', 'acme', 'Acme Ltd', 'Fjord Group', 'Boss@Acme.test', '', '')",
        );
    given
}

fn statement(given: &Given, customer: &str) -> Vec<String> {
    given.rows(&format!("customer_statement customer={customer}"), AS_OF, "day event store_id record_id")
}

#[test]
fn events_come_in_order_with_their_amounts() {
    // the refund of EUR 9.99 takes 11 dollars back; the commission is paid out in EUR and worth 19.50 dollars
    let given = given();
    given
        .transaction(2, json!({ "description": "Recurring payment", "amount": "90", "currency": "EUR" }))
        .transaction(
            3,
            json!({ "transaction_type": "refund", "amount": "9.99", "usd_amount": "11", "currency": "EUR" }),
        )
        .transaction(4, json!({ "transaction_type": "cancel", "amount": "0", "usd_amount": "0", "service_name": null }))
        .commission(5, json!({ "payout_currency": "EUR", "net_usd": "19.5" }))
        .transaction(9, json!({ "subscription_id": 9 }));
    assert_eq!(
        given.rows(
            "customer_statement customer=acme",
            AS_OF,
            "customer_id day event store_id record_id service_name detail currency amount amount_usd"
        ),
        [
            "acme 2024-02-29 subscription us 1 One Enterprise, yearly - - -",
            "acme 2025-01-01 subscription eu 1 One yearly - - -",
            "acme 2026-02-01 commission us 5 One commission: Zoho US EUR 18.00 19.50",
            "acme 2026-02-01 transaction us 2 One recurring: Recurring payment EUR 90.00 100.00",
            "acme 2026-02-01 transaction us 3 One refund EUR -9.99 -11.00",
            "acme 2026-02-01 transaction us 4 - cancel USD 0.00 0.00",
        ]
    );
}

#[test]
fn a_customer_is_found_by_a_part_of_id_name_or_email() {
    // the US acme by its newest names, too; the EU one only by its own
    let given = given();
    let (us, eu) = ("2024-02-29 subscription us 1", "2025-01-01 subscription eu 1");
    for (part, expected) in [
        ("acm", vec![us, eu]),
        ("ACME", vec![us, eu]),
        ("ltd", vec![us]),
        ("fjord", vec![us]),
        ("boss@", vec![us]),
        ("OSLO", vec![eu]),
        ("c1@example", vec![us, eu]),
        ("%", vec![]),
        ("nobody", vec![]),
    ] {
        assert_eq!(statement(&given, part), expected, "{part}");
    }
    assert_eq!(
        given.rows("customer_statement customer=acme", AS_OF, "store_id company_name"),
        ["us Acme Ltd", "eu Acme Oslo"]
    );
}

#[test]
fn all_of_a_customers_subscriptions_belong_to_it() {
    // only one of the two is called so
    let given = Given::new();
    given
        .subscription(1, json!({ "customer_id": "acme", "company_name": "Fjord" }))
        .subscription(2, json!({ "customer_id": "acme", "company_name": "Hill" }))
        .transaction(7, json!({ "subscription_id": 2 }));
    assert_eq!(
        statement(&given, "fjord"),
        ["2024-03-20 subscription us 1", "2024-03-20 subscription us 2", "2026-02-01 transaction us 7"]
    );
}

#[test]
fn without_a_customer_everything_is_listed_even_what_is_nobodys() {
    // a transaction whose subscription is not there is nobody's; such a commission is that of the customer it names
    let given = given();
    given
        .transaction(1, json!({ "subscription_id": 77 }))
        .transaction(2, json!({ "subscription_id": 9 }))
        .commission(3, json!({ "subscription_id": 77, "own_customer_id": "x@hill.test", "company_name": "Hill" }))
        .commission(4, json!({ "subscription_id": null, "commission_day": null }));
    assert_eq!(
        given.rows("customer_statement", AS_OF, "customer_id company_name day event record_id"),
        [
            "- Company 1 - commission 4",
            "- - 2026-02-01 transaction 1",
            "acme Acme Ltd 2024-02-29 subscription 1",
            "acme Acme Oslo 2025-01-01 subscription 1",
            "c9 Company 9 2026-02-01 transaction 2",
            "x@hill.test Hill 2026-02-01 commission 3",
        ]
    );
    assert_eq!(statement(&given, "hill"), ["2026-02-01 commission us 3"]);
}

#[test]
fn what_comes_after_as_of_does_not_exist_yet_and_removed_ones_happened() {
    let given = Given::new();
    given
        .subscription(1, json!({ "subscription_start_date": "2026-03-01" }))
        .subscription(2, json!({ "customer_id": "c1", "subscription_start_date": "2026-03-02" }))
        .transaction(1, json!({ "transaction_day": "2026-03-01" }))
        .transaction(2, json!({ "transaction_day": "2026-03-02" }))
        .commission(1, json!({ "commission_day": "2026-03-01" }))
        .commission(2, json!({ "commission_day": "2026-03-02" }))
        .removed("transaction", 1, "2026-03-01")
        .removed("commission", 1, "2026-03-01");
    assert_eq!(
        statement(&given, "c1"),
        ["2026-03-01 commission us 1", "2026-03-01 subscription us 1", "2026-03-01 transaction us 1"]
    );
}
