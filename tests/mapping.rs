//! Payload → row, over a fixture of every kind and variant of the store contract (§4–§7).

use std::collections::BTreeMap;

use storemirror::model::{Column, Kind, Mapped, Value, map_record, record_id};

/// Fixtures by kind; together they fill every column.
pub const FIXTURES: [(Kind, &str); 6] = [
    (Kind::Subscriptions, include_str!("fixtures/subscription_a.json")),
    (Kind::Subscriptions, include_str!("fixtures/subscription_b.json")),
    (Kind::Transactions, include_str!("fixtures/transaction.json")),
    (Kind::Commissions, include_str!("fixtures/commission_g1.json")),
    (Kind::Commissions, include_str!("fixtures/commission_g2_reversal.json")),
    (Kind::Leads, include_str!("fixtures/lead.json")),
];

fn map(kind: Kind, body: &str) -> Mapped {
    let id = record_id(kind.table(), body).expect("a usable id");
    map_record(kind.table(), &id, body)
}

/// The row by stored column name, as texts; NULL is left out.
fn row(kind: Kind, body: &str) -> BTreeMap<String, String> {
    let mapped = map(kind, body);
    let values = mapped.row.unwrap_or_else(|error| panic!("{error}"));
    kind.table()
        .stored()
        .zip(values)
        .filter_map(|(column, value)| {
            let text = match value {
                Value::Null => return None,
                Value::Integer(number) => number.to_string(),
                Value::Real(number) => number.to_string(),
                Value::Text(text) => text,
            };
            Some((column.stored_name()?, text))
        })
        .collect()
}

fn fixture(position: usize) -> BTreeMap<String, String> {
    row(FIXTURES[position].0, FIXTURES[position].1.trim())
}

#[track_caller]
fn expect(row: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    for (column, value) in expected {
        let found = row.get(*column).map_or("", String::as_str);
        assert_eq!(found, *value, "{column}");
    }
}

#[test]
fn fixtures_fill_every_column_and_hold_nothing_unknown() {
    for kind in Kind::ALL {
        let mut filled: Vec<String> = Vec::new();
        for (_, body) in FIXTURES.iter().filter(|(of, _)| *of == kind) {
            let mapped = map(kind, body.trim());
            assert_eq!(mapped.findings, [], "{kind}");
            filled.extend(row(kind, body.trim()).into_keys());
        }
        let empty: Vec<String> =
            kind.table().stored().filter_map(Column::stored_name).filter(|name| !filled.contains(name)).collect();
        assert_eq!(empty, Vec::<String>::new(), "{kind}: no fixture fills these");
    }
}

#[test]
fn a_subscription_of_variant_a() {
    expect(
        &fixture(0),
        &[
            ("email", "Ada@Example.test"),
            ("org_name", "Fern & Co"),
            ("company_name", "Fern &amp; Sons"),
            ("address", "1 Invented Way\nUnit 2"),
            ("next_recurring_amount_micros", "7203000000"),
            ("next_recurring_amount_usd_micros", "7203050000"),
            ("total_revenue_micros", "40006400000"),
            ("customer_id", "70000000001"),
            ("subscription_end_date", "2026-02-28"),
            ("mrr_usd_micros", "600250000"),
        ],
    );
    let mapped = map(Kind::Subscriptions, FIXTURES[0].1.trim());
    assert_eq!(mapped.addons[0], [Value::Integer(360_201), Value::Text("Employee(s)".into()), Value::Real(5.0)]);
    assert_eq!(mapped.addons.len(), 2);
}

#[test]
fn a_subscription_of_variant_b_with_placeholders() {
    expect(
        &fixture(1),
        &[
            ("customer_id", "bo@example.test"),
            ("org_id", "-1"),
            ("city", ""),
            ("address", ""),
            ("state", ""),
            ("service_id", "1000000000900"),
            ("plan_id", "0"),
            ("plan_name", ""),
            ("paid_users", "0"),
            ("next_recurring_date", ""),
            ("subscription_end_date", ""),
            ("mrr_usd_micros", ""),
        ],
    );
}

#[test]
fn a_transaction() {
    expect(
        &fixture(2),
        &[
            ("transaction_at", "2026-03-01T01:08:00Z"),
            ("transaction_day", "2026-02-28"),
            ("transaction_date", "2026-02-28 17:08:00"),
            ("next_recurring_date", "2026-03-28"),
            ("invoice_id", "9007199254740993001"),
            ("amount_micros", "65000000"),
        ],
    );
}

#[test]
fn a_commission_of_the_first_generation() {
    expect(
        &fixture(3),
        &[
            ("state", "paid"),
            ("sign", "1"),
            ("exchange_rate", "0.6771"),
            ("net_payout_micros", "53320000"),
            ("net_usd_micros", "53320000"),
            ("balance_payout_micros", "0"),
            ("payout_amount_micros", "53320000"),
            ("eligible_currency", "USD"),
            ("rate_basis_points", "2500"),
            ("currency_symbol", "A$"),
            ("own_customer_id", "ada@example.test"),
        ],
    );
}

#[test]
fn a_reversal_of_the_second_generation() {
    expect(
        &fixture(4),
        &[
            ("state", "active"),
            ("sign", "-1"),
            ("net_payout_micros", "-20700000"),
            ("net_usd_micros", "-20700000"),
            ("balance_payout_micros", "-10350000"),
            ("payout_amount_micros", "-10350000"),
            ("eligible_currency", "EUR"),
            ("eligible_amount_micros", "-100000000"),
            ("rate_basis_points", "1800"),
        ],
    );
}

#[test]
fn a_lead() {
    expect(&fixture(5), &[("lead_id", "3000000000001"), ("zuid", "60000000009"), ("customer_id", "70000000009")]);
}

#[test]
fn closed_without_a_payout_is_offset_and_other_states_stay() {
    for (status, payout, state) in [
        ("open", "-1", "active"),
        ("requested", "-1", "requested"),
        ("closed", "-1", "offset"),
        ("closed", "0", "offset"),
        ("closed", "5", "paid"),
        ("closed", "null", "offset"),
        ("on_hold", "-1", "on_hold"),
    ] {
        let body = format!(r#"{{"commission_id":1,"status":"{status}","payout_id":{payout}}}"#);
        expect(&row(Kind::Commissions, &body), &[("state", state)]);
    }
}

#[test]
fn net_usd_comes_from_the_payout_only_when_that_is_in_usd() {
    let body =
        |currency: &str| format!(r#"{{"commission_id":1,"base_commission":"10.005","payout_currency":"{currency}"}}"#);
    expect(&row(Kind::Commissions, &body("USD")), &[("net_usd_micros", "10010000"), ("net_payout_micros", "10010000")]);
    expect(&row(Kind::Commissions, &body("EUR")), &[("net_usd_micros", ""), ("net_payout_micros", "10010000")]);
}

#[test]
fn rates_follow_the_generation() {
    for (body, rate) in [
        (
            r#""usd_commission":"-18.0","eligible_txn_usd_amount":"-100.0","commission":"1.0","eligible_txn_amount":"9.0""#,
            "1800",
        ),
        (r#""eligible_txn_usd_amount":"100.0","commission":"18.0","eligible_txn_amount":"90.0""#, "2000"),
        (
            r#""usd_commission":"18.0","base_commission":"25.0","commission":"7.0","eligible_txn_amount":"100.0""#,
            "2500",
        ),
        (r#""usd_commission":"18.0","eligible_txn_usd_amount":"0.0""#, ""),
        (r#""base_commission":"1.0","eligible_txn_amount":"3.0""#, "3333"),
        (r#""base_commission":"1.0""#, ""),
    ] {
        expect(&row(Kind::Commissions, &format!(r#"{{"commission_id":1,{body}}}"#)), &[("rate_basis_points", rate)]);
    }
}

#[test]
fn mrr_follows_the_frequency_and_only_live_subscriptions_have_one() {
    for (frequency, status, mrr) in [
        ("monthly", "active", "100000000"),
        ("quarterly", "active", "33330000"),
        ("half_yearly", "active", "16670000"),
        ("yearly", "active", "8330000"),
        ("weekly", "active", ""),
        ("monthly", "inactive", ""),
    ] {
        let body = format!(
            r#"{{"id":1,"next_recurring_amount_usd":"100.0","billing_frequency":"{frequency}","status":"{status}"}}"#
        );
        expect(&row(Kind::Subscriptions, &body), &[("mrr_usd_micros", mrr)]);
    }
}

#[test]
fn numbers_as_texts_and_texts_as_numbers_are_both_read() {
    expect(&row(Kind::Subscriptions, r#"{"id":1,"zuid":"-1"}"#), &[("zuid", "")]);
    let body = r#"{"subscription_id":"12","org_id":34,"service_id":"2","paid_users":"7","plan_id":3.0,"next_recurring_amount":5}"#;
    expect(
        &row(Kind::Subscriptions, body),
        &[
            ("subscription_id", "12"),
            ("org_id", "34"),
            ("paid_users", "7"),
            ("plan_id", "3"),
            ("next_recurring_amount_micros", "5000000"),
        ],
    );
}

#[test]
fn usable_ids_are_positive_whole_numbers() {
    let table = Kind::Commissions.table();
    for (id, usable) in [
        ("1", Some("1")),
        ("\"0012\"", Some("12")),
        ("9223372036854775807", Some("9223372036854775807")),
        ("9223372036854775808", None),
        ("0", None),
        ("-5", None),
        ("1.5", None),
        ("\"\"", None),
        ("\"-\"", None),
        ("\"abc\"", None),
        ("null", None),
        ("true", None),
        ("[1]", None),
    ] {
        assert_eq!(record_id(table, &format!(r#"{{"commission_id":{id}}}"#)).as_deref(), usable, "{id}");
    }
    assert_eq!(record_id(table, "[]"), None);
    assert_eq!(record_id(table, r#"{"id":1}"#), None);
    assert_eq!(record_id(Kind::Leads.table(), r#"{"profile_id":"RPT1"}"#).as_deref(), Some("RPT1"));
    assert_eq!(
        record_id(Kind::Leads.table(), r#"{"subscription_id":0,"id":7,"profile_id":"RPT1"}"#).as_deref(),
        Some("7")
    );
}

#[test]
fn a_field_of_another_type_names_itself() {
    for (kind, body, pointer, reason) in [
        (Kind::Subscriptions, r#"{"id":1,"org_name":{"a":1}}"#, "/org_name", "a text is expected, an object came"),
        (Kind::Subscriptions, r#"{"id":1,"org_name":true}"#, "/org_name", "a text is expected, a boolean came"),
        (
            Kind::Subscriptions,
            r#"{"id":1,"next_recurring_amount":"ten"}"#,
            "/next_recurring_amount",
            "\"ten\" is not an amount",
        ),
        (
            Kind::Subscriptions,
            r#"{"id":1,"next_recurring_amount":"99999999999999"}"#,
            "/next_recurring_amount",
            "too large",
        ),
        (Kind::Subscriptions, r#"{"id":1,"next_recurring_date":"2026-02-30"}"#, "/next_recurring_date", "a day"),
        (
            Kind::Subscriptions,
            r#"{"id":1,"customer_address":[]}"#,
            "/customer_address",
            "an object is expected, an array came",
        ),
        (Kind::Subscriptions, r#"{"id":1,"customer_address":{"zip":[]}}"#, "/customer_address/zip", "an array came"),
        (Kind::Subscriptions, r#"{"id":1,"addons":[{"addon_id":"x"}]}"#, "/addons/*/addon_id", "a whole number"),
        (Kind::Transactions, r#"{"id":1,"date":"yesterday"}"#, "/date", "epoch milliseconds"),
        (Kind::Commissions, r#"{"commission_id":1,"exchange_rate":"1,5"}"#, "/exchange_rate", "a decimal number"),
    ] {
        let error = map(kind, body).row.expect_err(body);
        assert_eq!(error.pointer, pointer);
        assert!(error.reason.contains(reason), "{}", error.reason);
    }
}

#[test]
fn what_is_unknown_is_noted_and_kept() {
    let body = r#"{"id":1,"status":"live","new_field":[1],"customer_address":{"planet":"Mars"},"addons":[{"colour":"red"}],"next_recurring_amount":"1.0000001"}"#;
    let mapped = map(Kind::Subscriptions, body);
    let found: Vec<(&str, &str, Option<&str>)> = mapped
        .findings
        .iter()
        .map(|finding| (finding.finding, finding.pointer.as_str(), finding.value.as_deref()))
        .collect();
    assert_eq!(
        found,
        [
            ("rounded_money", "/next_recurring_amount", None),
            ("unknown_field", "/addons/*/colour", None),
            ("unknown_field", "/customer_address/planet", None),
            ("unknown_field", "/new_field", None),
            ("unknown_value", "/status", Some("live")),
        ]
    );
    assert!(mapped.row.is_ok());
}
