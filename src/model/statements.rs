//! What the dictionary says of frozen statements. A row of a statement has the columns of a commission; they mean there
//! what they mean in the commission's own table and view.

use crate::model::objects::Entry;

const ROW_COLUMNS: &[&str] = &[
    "store_id",
    "commission_id",
    "commission_day",
    "type",
    "commission_type",
    "state",
    "payout_id",
    "entity",
    "payout_currency",
    "net_payout_micros",
    "balance_payout_micros",
    "payout_amount_micros",
    "net_usd_micros",
    "currency",
    "exchange_rate",
    "commission_micros",
    "eligible_amount_micros",
    "eligible_currency",
    "rate_basis_points",
    "subscription_id",
    "transaction_id",
    "customer_id",
    "company_name",
    "service_name",
    "removed_at",
];

/// (object, column, type, unit, meaning)
type Own = (&'static str, &'static str, &'static str, Option<&'static str>, &'static str);

const MONTH: &str = "YYYY-MM of the commission's day";
const PAYOUT: Option<&str> = Some("millionths of payout_currency");
const OWN: &[Own] = &[
    ("statements", "month", "TEXT", None, "YYYY-MM: the commissions of these days"),
    ("statements", "frozen_at", "TEXT", Some("UTC instant"), "when it was frozen; it has not changed since"),
    ("statements", "records", "INTEGER", None, "its rows"),
    ("statements", "sha256", "TEXT", None, "sha256 of its CSV as `storemirror statement MONTH` writes it"),
    ("statement_redactions", "statement_redaction_id", "INTEGER", None, "the redaction's own number in this file"),
    ("statement_redactions", "month", "TEXT", None, MONTH),
    ("statement_redactions", "redacted_at", "TEXT", Some("UTC instant"), "when a customer was forgotten"),
    ("statement_redactions", "rows", "INTEGER", None, "rows that lost company_name and customer_id, and nothing else"),
    ("statement_redactions", "sha256", "TEXT", None, "sha256 of the CSV as it is since then"),
    ("statement_rows", "month", "TEXT", None, MONTH),
    ("statement_rows_now", "month", "TEXT", None, MONTH),
    ("statement_totals", "month", "TEXT", None, MONTH),
    ("statement_totals", "is_frozen", "INTEGER", None, "1: as frozen, 0: as known now"),
    ("statement_totals", "store_id", "TEXT", None, "the store's name in the configuration"),
    ("statement_totals", "entity", "TEXT", None, "the Zoho entity that pays"),
    ("statement_totals", "payout_currency", "TEXT", None, "the currency it pays in"),
    ("statement_totals", "records", "INTEGER", None, "commissions and reversals"),
    ("statement_totals", "earned_micros", "INTEGER", PAYOUT, "net_payout of the commissions"),
    ("statement_totals", "reversed_micros", "INTEGER", PAYOUT, "net_payout of the reversals, negative"),
    ("statement_totals", "net_payout_micros", "INTEGER", PAYOUT, "both together"),
    ("statement_totals", "balance_payout_micros", "INTEGER", PAYOUT, "what of them was still owed"),
    ("statement_totals", "net_usd_micros", "INTEGER", Some("millionths of USD"), "net_usd where it is known"),
    ("statement_totals", "records_without_usd", "INTEGER", None, "commissions that net_usd lacks"),
    ("quarantined_records", "store_id", "TEXT", None, "the store's name in the configuration"),
    ("quarantined_records", "kind", "TEXT", None, "subscriptions, transactions, commissions or leads"),
    ("quarantined_records", "record_id", "TEXT", None, "the record's id; empty when it has no usable one"),
    ("quarantined_records", "pointer", "TEXT", None, "the field that could not be read"),
    ("quarantined_records", "reason", "TEXT", None, "why"),
    ("quarantined_records", "first_seen_at", "TEXT", Some("UTC instant"), "when it was first received like this"),
    ("quarantined_records", "last_seen_at", "TEXT", Some("UTC instant"), "when a listing last held it"),
];

/// The entries of the statements' objects; those of the commissions are among `known`.
pub(super) fn entries(known: &[Entry]) -> Vec<Entry> {
    let own = OWN.iter().map(|&(object, column, sql_type, unit, meaning)| {
        Entry::own(object, column, sql_type, unit.map(str::to_owned), meaning)
    });
    let of_commissions = ["statement_rows", "statement_rows_now"].into_iter().flat_map(|object| {
        ROW_COLUMNS.iter().filter_map(move |column| {
            let entry = ["commission_records", "commissions"]
                .into_iter()
                .find_map(|table| known.iter().find(|entry| entry.object == table && entry.column == *column))?;
            Some(Entry { object: object.to_owned(), crm_field: None, ..entry.clone() })
        })
    });
    let mut entries: Vec<Entry> = own.chain(of_commissions).collect();
    // a stable sort keeps each object's columns in their order, and brings an object's columns together
    entries.sort_by(|left, right| left.object.cmp(&right.object));
    entries
}
