//! What the dictionary says of the views that the reports share. A column means there what it means in the table it
//! comes from, so only what a view adds or leaves out is said here.

use crate::model::objects::Entry;

/// A view over tables: its name, the table it has every column of, and the columns it takes from another table.
struct View {
    name: &'static str,
    whole: &'static str,
    beside: Option<(&'static str, &'static [&'static str])>,
}

const VIEWS: &[View] = &[
    View {
        name: "subscription_history",
        whole: "subscription_versions",
        beside: Some((
            "subscription_records",
            &["customer_id", "company_name", "email", "country", "business_category", "subscription_start_date"],
        )),
    },
    View {
        name: "commission_history",
        whole: "commission_versions",
        beside: Some((
            "commission_records",
            &[
                "type",
                "sign",
                "entity",
                "payout_currency",
                "commission_day",
                "subscription_id",
                "transaction_id",
                "company_name",
                "service_name",
            ],
        )),
    },
    View { name: "money_transactions", whole: "transaction_records", beside: None },
    View { name: "base_commissions", whole: "commission_records", beside: None },
];

/// Views of sums and rates: (view, column, type, unit, meaning).
const SUMS: &[(&str, &str, &str, Option<&str>, &str)] = &[
    ("service_commission_days", "store_id", "TEXT", None, "the store's name in the configuration"),
    ("service_commission_days", "service_id", "INTEGER", None, "the service"),
    ("service_commission_days", "commission_day", "TEXT", Some("day"), "the day of its base commissions"),
    (
        "service_commission_days",
        "usd_commission_micros",
        "INTEGER",
        Some("millionths of a US dollar"),
        "what the day's base commissions add up to",
    ),
    (
        "service_commission_days",
        "eligible_usd_amount_micros",
        "INTEGER",
        Some("millionths of a US dollar"),
        "what they were earned on",
    ),
    ("service_rates", "store_id", "TEXT", None, "the store's name in the configuration"),
    ("service_rates", "service_id", "INTEGER", None, "the service"),
    ("service_rates", "day", "TEXT", Some("day"), "a day on which the rate is known"),
    (
        "service_rates",
        "rate_basis_points",
        "INTEGER",
        Some("1/10000"),
        "weighted rate of the service's base commissions in the 365 days up to the day",
    ),
    ("store_rates", "store_id", "TEXT", None, "the store's name in the configuration"),
    ("store_rates", "day", "TEXT", Some("day"), "a day on which the rate is known"),
    (
        "store_rates",
        "rate_basis_points",
        "INTEGER",
        Some("1/10000"),
        "weighted rate of the store's base commissions in the 365 days up to the day, without extensions",
    ),
];

/// The views' entries, their meanings taken from the entries of the tables.
pub(super) fn entries(known: &[Entry]) -> Vec<Entry> {
    let of_views = VIEWS.iter().flat_map(|view| {
        known
            .iter()
            .filter(|entry| belongs(view, entry))
            .map(|entry| Entry { object: view.name.to_owned(), ..entry.clone() })
    });
    let of_sums = SUMS.iter().map(|&(object, column, sql_type, unit, meaning)| Entry {
        object: object.to_owned(),
        column: column.to_owned(),
        sql_type,
        unit: unit.map(str::to_owned),
        api_field: None,
        crm_field: None,
        meaning: meaning.to_owned(),
    });
    of_views.chain(of_sums).collect()
}

fn belongs(view: &View, entry: &Entry) -> bool {
    entry.object == view.whole
        || view.beside.is_some_and(|(table, columns)| entry.object == table && columns.contains(&entry.column.as_str()))
}
