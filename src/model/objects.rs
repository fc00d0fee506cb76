//! What `data_dictionary` says: the kinds' objects from the one declaration of columns, and a line for every column of
//! the mirror's other objects. A test holds it against the real schema.

use crate::model::Kind;
use crate::model::columns::ADDON_COLUMNS;
use crate::model::json::sha256_hex;
use crate::model::report_views;
use crate::model::statements;
use crate::model::tables::{Column, Source, Table, ValueType};

/// One column of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub object: String,
    pub column: String,
    pub sql_type: &'static str,
    pub unit: Option<String>,
    /// The JSON pointer it is read from.
    pub api_field: Option<String>,
    pub crm_field: Option<String>,
    pub meaning: String,
}

impl Entry {
    /// A column of the mirror's own: read from no field of the store and sent to none of the CRM.
    pub(super) fn own(object: &str, column: &str, sql_type: &'static str, unit: Option<String>, meaning: &str) -> Self {
        Self {
            object: object.to_owned(),
            column: column.to_owned(),
            sql_type,
            unit,
            api_field: None,
            crm_field: None,
            meaning: meaning.to_owned(),
        }
    }
}

/// A column of an object that is not one of the four kinds: name, type, meaning.
type Plain = (&'static str, &'static str, &'static str);

const STORE_ID: Plain = ("store_id", "TEXT", "the store's name in the configuration");
const KIND: Plain = ("kind", "TEXT", "subscriptions, transactions, commissions or leads");
const RECORD_ID: Plain = ("record_id", "TEXT", "the record's id in its store");
const TARGET: Plain = ("target", "TEXT", "the CRM's API host and the module");
const NAMED_AT: Plain = ("named_at", "TEXT", "the instant of the evidence for the name");
const NAMED_BY: Plain = ("named_by", "TEXT", "the record that gave it");

const OTHERS: &[(&str, &[Plain])] = &[
    (
        "stores",
        &[
            STORE_ID,
            ("data_center", "TEXT", "the Zoho data centre"),
            ("api_url", "TEXT", "the address of the store's API"),
            ("record_name", "TEXT", "the template of its records' CRM names, decided at the first push"),
            (
                "first_complete_at",
                "TEXT",
                "the instant of its first complete subscription listing: its history starts here",
            ),
        ],
    ),
    (
        "payloads",
        &[
            ("payload_id", "INTEGER", "the version's own number in this file"),
            STORE_ID,
            KIND,
            RECORD_ID,
            ("version", "INTEGER", "1 for the first version of a record"),
            (
                "content_sha256",
                "TEXT",
                "sha256 of the canonical form: keys sorted, white space dropped, number text kept",
            ),
            ("seen_from", "TEXT", "when this version was first received"),
            ("seen_until", "TEXT", "when a newer one came or the record was removed; empty: current"),
            ("body", "TEXT", "the JSON exactly as received"),
        ],
    ),
    (
        "quarantine",
        &[
            STORE_ID,
            KIND,
            ("record_id", "TEXT", "the record's id; empty when it has no usable one"),
            ("pointer", "TEXT", "the field that could not be read"),
            ("reason", "TEXT", "why"),
            ("body", "TEXT", "the JSON exactly as received"),
            ("first_seen_at", "TEXT", "when it was first received like this"),
            ("last_seen_at", "TEXT", "when a listing last held it"),
            ("body_sha256", "TEXT", "sha256 of the canonical form"),
        ],
    ),
    (
        "findings",
        &[
            ("finding", "TEXT", "unknown_field, unknown_value or rounded_money"),
            STORE_ID,
            KIND,
            ("pointer", "TEXT", "the field"),
            ("value", "TEXT", "the unknown value; empty for an unknown field"),
            ("records", "INTEGER", "records whose newest version has it"),
            ("example_id", "TEXT", "one of them"),
            ("first_seen_at", "TEXT", "when it was first received"),
            ("last_seen_at", "TEXT", "when a version with it was last received"),
        ],
    ),
    (
        "unknown_values",
        &[
            STORE_ID,
            KIND,
            ("pointer", "TEXT", "the field"),
            ("value", "TEXT", "the unknown value; empty for an unknown field"),
            ("records", "INTEGER", "records whose newest version has it"),
            ("first_seen_at", "TEXT", "when it was first received"),
            ("last_seen_at", "TEXT", "when a version with it was last received"),
        ],
    ),
    (
        "customers",
        &[
            STORE_ID,
            ("customer_id", "TEXT", "org_id, else the lower-case email, else profile_id"),
            ("org_id", "TEXT", "the customer's organisation"),
            ("org_name", "TEXT", "the organisation's newest name"),
            ("company_name", "TEXT", "the company's newest name"),
            ("email", "TEXT", "the newest email"),
            ("country", "TEXT", "the newest country"),
            NAMED_AT,
            NAMED_BY,
        ],
    ),
    (
        "services",
        &[
            STORE_ID,
            ("service_id", "INTEGER", "the service's catalogue id"),
            ("service_name", "TEXT", "its newest name"),
            NAMED_AT,
            NAMED_BY,
        ],
    ),
    (
        "plans",
        &[
            STORE_ID,
            ("plan_id", "INTEGER", "the plan's id"),
            ("plan_name", "TEXT", "its newest name"),
            ("service_id", "INTEGER", "the service it belongs to"),
            NAMED_AT,
            NAMED_BY,
        ],
    ),
    (
        "sync_runs",
        &[
            ("sync_run_id", "INTEGER", "the listing's own number in this file"),
            STORE_ID,
            KIND,
            ("started_at", "TEXT", "when it began"),
            ("finished_at", "TEXT", "when it ended; empty: it was killed"),
            ("outcome", "TEXT", "complete, possibly_truncated, suspicious, interrupted, failed or skipped"),
            ("listings", "INTEGER", "how often the kind was walked"),
            ("resumed", "INTEGER", "1: it went on where a killed run had stopped"),
            ("requests", "INTEGER", "requests sent"),
            ("pages", "INTEGER", "pages that held records"),
            ("received", "INTEGER", "distinct records of the last walk"),
            ("new", "INTEGER", "records never seen before"),
            ("changed", "INTEGER", "records with a new version"),
            ("unchanged", "INTEGER", "records as they were"),
            ("returned", "INTEGER", "removed records that were listed again"),
            ("quarantined", "INTEGER", "records that could not be normalized or identified"),
            ("missing", "INTEGER", "current records that were not listed"),
            ("removed", "INTEGER", "records marked removed"),
            ("first_page_headers", "TEXT", "the first page's response headers as JSON, without secrets"),
            ("error", "TEXT", "what went wrong"),
        ],
    ),
    (
        "coverage",
        &[
            STORE_ID,
            KIND,
            ("state", "TEXT", "complete, possibly_truncated, suspicious or never"),
            ("last_complete_at", "TEXT", "the last complete listing"),
            ("last_listing_at", "TEXT", "the last listing that came to an end"),
            ("records", "INTEGER", "current records after it"),
        ],
    ),
    (
        "listing_pages",
        &[
            STORE_ID,
            KIND,
            ("sync_run_id", "INTEGER", "the listing under way"),
            ("listing", "INTEGER", "which walk of the run"),
            ("page", "INTEGER", "the page; below 0: a proof by a larger per_page"),
            ("per_page", "INTEGER", "records asked for"),
            ("saved_at", "TEXT", "when it was saved"),
            ("tally", "TEXT", "its records as JSON"),
        ],
    ),
    (
        "crm_links",
        &[
            TARGET,
            STORE_ID,
            KIND,
            RECORD_ID,
            ("crm_id", "TEXT", "the CRM record's id"),
            ("fields_sha256", "TEXT", "sha256 of fields_sent"),
            ("acknowledged_at", "TEXT", "when the CRM last accepted it"),
            ("state", "TEXT", "linked, or gone: deleted in the CRM"),
            ("fields_sent", "TEXT", "JSON of the last accepted value of every field"),
            ("fields_unanswered", "TEXT", "JSON of what was sent last while no answer to it is noted, else NULL"),
        ],
    ),
    (
        "crm_rejections",
        &[
            TARGET,
            STORE_ID,
            KIND,
            RECORD_ID,
            ("code", "TEXT", "the CRM's error code"),
            ("message", "TEXT", "the CRM's message"),
            ("field", "TEXT", "the API name of the field it names"),
            ("value", "TEXT", "what was sent in that field"),
            ("attempts", "INTEGER", "how often it was sent"),
            ("first_at", "TEXT", "the first refusal"),
            ("last_at", "TEXT", "the latest refusal"),
            ("next_at", "TEXT", "when it is sent again by itself"),
            ("fields_sha256", "TEXT", "sha256 of what was refused"),
        ],
    ),
    (
        "push_runs",
        &[
            ("push_run_id", "INTEGER", "the push's own number in this file"),
            ("target", "TEXT", "the CRM's API host"),
            ("started_at", "TEXT", "when it began"),
            ("finished_at", "TEXT", "when it ended; empty: it was killed"),
            ("outcome", "TEXT", "done, incomplete, failed or interrupted"),
            ("created", "INTEGER", "records created"),
            ("updated", "INTEGER", "records updated"),
            ("adopted", "INTEGER", "records found in the CRM under our name and taken over"),
            ("rejected", "INTEGER", "records refused"),
            ("left_over", "INTEGER", "records planned and not sent because it stopped"),
            ("requests", "INTEGER", "write requests sent"),
            ("credits_planned", "INTEGER", "API credits the plan would cost"),
            ("credits_used", "INTEGER", "API credits it cost"),
            ("stopped", "TEXT", "why it stopped early"),
            ("error", "TEXT", "what went wrong"),
        ],
    ),
    (
        "crm_credits",
        &[
            ("crm_credit_id", "INTEGER", "the request's own number in this file"),
            ("target", "TEXT", "the CRM's API host"),
            ("used_at", "TEXT", "when the request was sent"),
            ("credits", "INTEGER", "what it cost"),
        ],
    ),
    (
        "crm_fingerprints",
        &[
            TARGET,
            KIND,
            STORE_ID,
            ("record_number", "INTEGER", "the record's id in its store, as a number"),
            ("fingerprint", "BLOB", "of all that its fields are made of, when the CRM was known to hold them"),
        ],
    ),
    (
        "crm_fields",
        &[
            TARGET,
            ("api_name", "TEXT", "the field's API name"),
            ("field_label", "TEXT", "the field's label"),
            ("data_type", "TEXT", "the field's type"),
            ("length", "INTEGER", "characters or digits it holds"),
            ("decimal_place", "INTEGER", "digits after the point"),
            ("read_only", "INTEGER", "1: cannot be written"),
            ("system_mandatory", "INTEGER", "1: must be written"),
            ("lookup_module", "TEXT", "the module a lookup points to"),
            ("pick_list_values", "TEXT", "a picklist's values as JSON"),
            ("fetched_at", "TEXT", "when the CRM said so"),
        ],
    ),
    (
        "crm_accounts",
        &[
            ("target", "TEXT", "the CRM's API host"),
            ("match_field", "TEXT", "the field of the accounts that was compared"),
            ("value", "TEXT", "the customer's value: an organisation's id, or a company's name"),
            ("crm_id", "TEXT", "the account that has it; empty when none or several have"),
            ("matches", "INTEGER", "accounts that have it"),
            ("looked_up_at", "TEXT", "when the CRM said so"),
        ],
    ),
    (
        "forgotten",
        &[
            STORE_ID,
            KIND,
            RECORD_ID,
            ("customer", "TEXT", "the pseudonym in place of the customer's identifiers"),
            ("forgotten_at", "TEXT", "when its personal data was taken out"),
        ],
    ),
    (
        "forgotten_marks",
        &[
            ("mark", "TEXT", "salted sha256 of a forgotten customer's key or address"),
            ("forgotten_at", "TEXT", "when that customer was forgotten"),
        ],
    ),
    ("settings", &[("name", "TEXT", "a fact about this file"), ("value", "TEXT", "its value")]),
    (
        "data_dictionary",
        &[
            ("object", "TEXT", "table or view"),
            ("column", "TEXT", "column"),
            ("type", "TEXT", "SQLite type"),
            ("unit", "TEXT", "what a number counts"),
            ("api_field", "TEXT", "JSON pointer into the store's record"),
            ("crm_field", "TEXT", "default API name in the CRM"),
            ("meaning", "TEXT", "what it says"),
        ],
    ),
];

/// Every column of every object, objects and columns in the order a reader meets them.
pub fn dictionary() -> Vec<Entry> {
    let mut entries = Vec::new();
    for kind in Kind::ALL {
        let table = kind.table();
        entries.extend(table.columns().filter(|column| column.in_view()).map(|column| view_entry(table, column)));
        entries.extend(record_entries(table));
        entries.extend(version_entries(table));
    }
    entries.extend(addon_entries());
    for (object, columns) in OTHERS {
        entries.extend(columns.iter().map(|column| plain(object, *column)));
    }
    entries.extend(report_views::entries(&entries));
    entries.extend(statements::entries(&entries));
    entries
}

/// A change of the declaration is told by this.
pub fn fingerprint(entries: &[Entry]) -> String {
    sha256_hex(format!("{entries:?}").as_bytes())
}

fn plain(object: &str, (column, sql_type, meaning): Plain) -> Entry {
    Entry::own(object, column, sql_type, unit_of_name(column), meaning)
}

fn unit_of_name(column: &str) -> Option<String> {
    if column.ends_with("_at") || column == "seen_from" || column == "seen_until" {
        return Some("UTC instant".to_owned());
    }
    column.ends_with("_day").then(|| "day".to_owned())
}

fn api_field(column: &Column) -> Option<String> {
    match column.source {
        Source::Json(pointer) => Some(pointer.to_owned()),
        Source::Key(pointers) => Some(pointers.join(", ")),
        _ => None,
    }
}

fn view_entry(table: &Table, column: &Column) -> Entry {
    Entry {
        object: table.view.to_owned(),
        column: column.name.to_owned(),
        sql_type: view_type(column.value),
        unit: unit(column, false),
        api_field: api_field(column),
        crm_field: column.crm.map(|field| field.api_name()),
        meaning: column.meaning.to_owned(),
    }
}

fn view_type(value: ValueType) -> &'static str {
    match value {
        ValueType::Money | ValueType::Rate | ValueType::Decimal | ValueType::Real => "REAL",
        ValueType::Integer | ValueType::Boolean => "INTEGER",
        ValueType::Any => "ANY",
        _ => "TEXT",
    }
}

/// The SQLite type of a stored column.
pub fn stored_type(value: ValueType) -> &'static str {
    match value {
        ValueType::Money | ValueType::Rate => "INTEGER",
        ValueType::Decimal => "TEXT",
        other => view_type(other),
    }
}

fn unit(column: &Column, stored: bool) -> Option<String> {
    let of = if column.unit.is_empty() { String::new() } else { format!(" of {}", column.unit) };
    match column.value {
        ValueType::Money if stored => Some(format!("millionths{of}")),
        ValueType::Rate if stored => Some("ten-thousandths".to_owned()),
        ValueType::Day => Some("day".to_owned()),
        ValueType::Instant => Some("UTC instant".to_owned()),
        _ if column.unit.is_empty() => None,
        _ => Some(column.unit.to_owned()),
    }
}

fn stored_entry(object: &str, column: &Column, name: String) -> Entry {
    Entry {
        object: object.to_owned(),
        column: name,
        sql_type: stored_type(column.value),
        unit: unit(column, true),
        api_field: api_field(column),
        crm_field: None,
        meaning: column.meaning.to_owned(),
    }
}

fn record_entries(table: &'static Table) -> Vec<Entry> {
    let own: [Plain; 5] = [
        STORE_ID,
        ("payload_id", "INTEGER", "its newest payload version"),
        ("first_seen_at", "TEXT", "when the mirror first received the record"),
        ("changed_at", "TEXT", "when its newest version was first received"),
        ("removed_at", "TEXT", "when the store stopped listing it; empty while it is listed"),
    ];
    let own = own.into_iter().map(|column| plain(table.records, column));
    let stored = table.stored().filter_map(|column| Some(stored_entry(table.records, column, column.stored_name()?)));
    own.chain(stored).collect()
}

fn version_entries(table: &'static Table) -> Vec<Entry> {
    let Some(versions) = &table.versions else {
        return Vec::new();
    };
    let own: [Plain; 7] = [
        STORE_ID,
        ("version", "INTEGER", "the payload version it is made from"),
        ("seen_from", "TEXT", "when this version was first received"),
        ("seen_until", "TEXT", "when a newer one came or the record was removed; empty: current"),
        ("from_day", "TEXT", "the first UTC day at whose end it held; 0000-01-01 for the first version"),
        ("until_day", "TEXT", "the UTC day at whose end the next one held; 9999-12-31 for the newest"),
        ("removed_day", "TEXT", "the UTC day on which the store stopped listing it while this version held"),
    ];
    let own = own.into_iter().map(|column| plain(versions.table, column));
    let kept = table.stored().filter_map(|column| {
        let name = column.stored_name()?;
        let wanted = name == table.key || versions.columns.contains(&name.as_str());
        wanted.then(|| stored_entry(versions.table, column, name))
    });
    own.chain(kept).collect()
}

fn addon_entries() -> Vec<Entry> {
    let own: [Plain; 3] = [
        STORE_ID,
        ("subscription_id", "INTEGER", "the subscription it belongs to"),
        ("position", "INTEGER", "its place in the record's list, from 0"),
    ];
    let own = own.into_iter().map(|column| plain("subscription_addons", column));
    let fields = ADDON_COLUMNS.iter().map(|column| stored_entry("subscription_addons", column, column.name.to_owned()));
    own.chain(fields).collect()
}
