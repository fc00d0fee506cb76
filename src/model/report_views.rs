//! What the dictionary says of the views that the reports share. A column means there what it means in the table it
//! comes from, so only what a view adds or leaves out is said here.

use crate::model::objects::Entry;

/// A view over tables: its name, the table it has every column of, and the columns it takes from another table.
struct View {
    name: &'static str,
    whole: &'static str,
    beside: Option<(&'static str, &'static [&'static str])>,
}

const SUBSCRIPTION_FACTS: Option<(&str, &[&str])> = Some((
    "subscription_records",
    &["customer_id", "company_name", "email", "country", "business_category", "subscription_start_date"],
));

const VIEWS: &[View] = &[
    View { name: "subscription_history", whole: "subscription_versions", beside: SUBSCRIPTION_FACTS },
    View { name: "live_subscriptions", whole: "subscription_versions", beside: SUBSCRIPTION_FACTS },
    View { name: "rated_subscriptions", whole: "subscription_versions", beside: SUBSCRIPTION_FACTS },
    View { name: "expected_commissions", whole: "subscription_versions", beside: SUBSCRIPTION_FACTS },
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

/// Views of some columns of a table: (views, table, columns).
const PARTS: &[(&[&str], &str, &[&str])] = &[
    (
        &["ended_subscriptions", "lost_subscriptions"],
        "subscription_records",
        &[
            "store_id",
            "subscription_id",
            "customer_id",
            "company_name",
            "email",
            "country",
            "subscription_start_date",
            "service_id",
            "service_name",
            "plan_id",
            "plan_name",
        ],
    ),
    (&["revenue_events"], "transaction_records", &["store_id", "subscription_id", "service_name"]),
];

const ASKED: &[&str] = &[
    "asked_days",
    "live_subscriptions",
    "rated_subscriptions",
    "expected_commissions",
    "ended_subscriptions",
    "lost_subscriptions",
];
const DAYS: &str = "the days asked for, as a JSON array; without `days = json_array(…)` the view is empty";
const AS_OF: &str = "the day asked for, at whose end the row was true";
const RENEWING: &str = "1: it has an amount above 0 and a next date";
const OWN_RATE: &str = "rate of the subscription's newest base commission up to the day";
const SERVICE_RATE: &str = "weighted rate of its service's base commissions in the 365 days up to the day";
const STORE_RATE: &str =
    "weighted rate of its store's base commissions in the 365 days up to the day, without extensions";

/// A column that no table has, of several views: (views, column, type, unit, meaning).
type Added = (&'static [&'static str], &'static str, &'static str, Option<&'static str>, &'static str);

/// What the views on renewals, losses and revenue add.
const ADDED: &[Added] = &[
    (ASKED, "days", "TEXT", None, DAYS),
    (ASKED, "as_of", "TEXT", Some("day"), AS_OF),
    (&["live_subscriptions", "rated_subscriptions", "expected_commissions"], "is_renewing", "INTEGER", None, RENEWING),
    (&["rated_subscriptions", "expected_commissions"], "own_rate_basis_points", "INTEGER", Some("1/10000"), OWN_RATE),
    (
        &["rated_subscriptions", "expected_commissions"],
        "service_rate_basis_points",
        "INTEGER",
        Some("1/10000"),
        SERVICE_RATE,
    ),
    (
        &["rated_subscriptions", "expected_commissions"],
        "store_rate_basis_points",
        "INTEGER",
        Some("1/10000"),
        STORE_RATE,
    ),
    (
        &["expected_commissions"],
        "usual_rate_basis_points",
        "INTEGER",
        Some("1/10000"),
        "the first of these rates that is known",
    ),
    (&["expected_commissions"], "rate_source", "TEXT", None, "whose rate it is: subscription, service, store or none"),
    (
        &["expected_commissions"],
        "expected_commission_usd_micros",
        "INTEGER",
        Some("millionths of a US dollar"),
        "next_recurring_amount_usd × usual rate in whole cents; 0 at partner_price",
    ),
    (
        &["ended_subscriptions"],
        "cancelled_day",
        "TEXT",
        Some("day"),
        "the day of its newest cancel that no later signup, reactivate, recurring or subscription_resumed took back",
    ),
    (&["ended_subscriptions"], "live_version", "INTEGER", None, "the last version that the mirror saw live"),
    (
        &["lost_subscriptions"],
        "lost_day",
        "TEXT",
        Some("day"),
        "the day it was cancelled, else the first day the mirror saw it not live after having seen it live",
    ),
    (&["lost_subscriptions"], "reason", "TEXT", None, "cancelled, removed or inactive"),
    (&["revenue_events"], "day", "TEXT", Some("day"), "the transaction's or commission's day"),
    (&["revenue_events"], "own_customer_id", "TEXT", None, "the customer that a commission names by itself"),
    (&["revenue_events"], "own_country", "TEXT", None, "the country that a commission names by itself"),
    (&["revenue_events"], "is_transaction", "INTEGER", None, "1: a money transaction"),
    (&["revenue_events"], "is_refund", "INTEGER", None, "1: a refund"),
    (
        &["revenue_events"],
        "revenue_usd_micros",
        "INTEGER",
        Some("millionths of a US dollar"),
        "what a money transaction brought, or a refund took (negative)",
    ),
    (
        &["revenue_events"],
        "net_usd_micros",
        "INTEGER",
        Some("millionths of a US dollar"),
        "what a commission brought, or a reversal took (negative)",
    ),
    (&["revenue_events"], "is_without_usd", "INTEGER", None, "1: its value in USD is not known"),
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
    let of_parts = PARTS.iter().flat_map(|(views, table, columns)| {
        views.iter().flat_map(|view| {
            known
                .iter()
                .filter(|entry| entry.object == *table && columns.contains(&entry.column.as_str()))
                .map(|entry| Entry { object: (*view).to_owned(), ..entry.clone() })
        })
    });
    let of_added = ADDED.iter().flat_map(|&(views, column, sql_type, unit, meaning)| {
        views.iter().map(move |view| Entry::own(view, column, sql_type, unit.map(str::to_owned), meaning))
    });
    let of_sums = SUMS.iter().map(|&(object, column, sql_type, unit, meaning)| {
        Entry::own(object, column, sql_type, unit.map(str::to_owned), meaning)
    });
    of_views.chain(of_parts).chain(of_added).chain(of_sums).collect()
}

fn belongs(view: &View, entry: &Entry) -> bool {
    entry.object == view.whole
        || view.beside.is_some_and(|(table, columns)| entry.object == table && columns.contains(&entry.column.as_str()))
}
