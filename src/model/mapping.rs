//! From a payload to a row. A record's fields are walked once, each is put into the column the declaration names, and
//! the derived columns are computed last (design, "Definitions"). What cannot be read is an error that names the
//! field; what is merely unknown is a finding. Nothing here decides what happens to either.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use chrono::DateTime;
use rust_decimal::prelude::ToPrimitive;
use serde_json::value::RawValue;

use crate::model::columns::ADDON_COLUMNS;
use crate::model::instant::{format_day, format_instant, parse_day};
use crate::model::json::{self, Members, Scalar};
use crate::model::money;
use crate::model::tables::{Column, Source, Table, ValueType};
use crate::model::{Kind, Value};

/// At most this many unknown fields of one record are reported: a payload with a million of them must not fill the
/// file with their names; the payload itself is kept whole.
const MAX_UNKNOWN_FIELDS: usize = 100;
/// Characters kept of an unknown value: enough to recognise it.
const MAX_VALUE_CHARACTERS: usize = 120;
/// Characters kept of an unknown field's pointer: the store's own names are a fifth of it.
const MAX_POINTER_CHARACTERS: usize = 200;

/// A field that could not be read: where it stands and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {reason}")]
pub struct FieldError {
    pub pointer: String,
    pub reason: String,
}

/// Something the mapping noticed and survived.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Finding {
    /// `unknown_field`, `unknown_value` or `rounded_money`.
    pub finding: &'static str,
    pub pointer: String,
    pub value: Option<String>,
}

/// A record as the mapping leaves it.
pub struct Mapped {
    /// One value per stored column of the table, in its order; the error is the first field that could not be read.
    pub row: Result<Vec<Value>, FieldError>,
    /// One row per add-on: id, name, value.
    pub addons: Vec<Vec<Value>>,
    pub findings: Vec<Finding>,
}

impl Mapped {
    /// A value of the row by its stored name.
    pub fn value(&self, table: &Table, stored_name: &str) -> &Value {
        match (&self.row, layout(table.kind).positions.get(stored_name)) {
            (Ok(row), Some(position)) => &row[*position],
            _ => &Value::Null,
        }
    }
}

/// A row being filled, addressed by stored column name.
pub struct Draft<'a> {
    layout: &'a Layout,
    row: Vec<Value>,
}

impl Draft<'_> {
    fn get(&self, name: &str) -> &Value {
        &self.row[self.layout.positions[name]]
    }

    fn set(&mut self, name: &str, value: Value) {
        let position = self.layout.positions[name];
        self.row[position] = value;
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.get(name).as_text()
    }

    fn integer(&self, name: &str) -> Option<i64> {
        self.get(name).as_integer()
    }
}

/// The tree of the fields a kind knows, made once from its declaration.
pub(super) struct Layout {
    pub(super) root: Node,
    positions: HashMap<String, usize>,
    pub(super) addon: Node,
}

#[derive(Default)]
pub(super) struct Node {
    pub(super) column: Option<(usize, &'static Column)>,
    /// Known, but kept in the payload alone.
    pub(super) payload_only: bool,
    pub(super) children: HashMap<&'static str, Node>,
}

impl Node {
    fn at(&mut self, pointer: &'static str) -> &mut Self {
        pointer.split('/').skip(1).fold(self, |node, part| node.children.entry(part).or_default())
    }
}

pub(super) fn layout(kind: Kind) -> &'static Layout {
    static LAYOUTS: LazyLock<HashMap<Kind, Layout>> =
        LazyLock::new(|| Kind::ALL.into_iter().map(|kind| (kind, build_layout(kind.table()))).collect());
    &LAYOUTS[&kind]
}

fn build_layout(table: &'static Table) -> Layout {
    let mut root = Node::default();
    let mut positions = HashMap::new();
    for (position, column) in table.stored().enumerate() {
        if let Source::Json(pointer) = column.source {
            root.at(pointer).column = Some((position, column));
        }
        positions.insert(column.stored_name().unwrap_or_default(), position);
    }
    for pointer in table.payload_only.iter().chain(table.addons.as_ref()) {
        root.at(pointer).payload_only = true;
    }
    let mut addon = Node::default();
    for (position, column) in ADDON_COLUMNS.iter().enumerate() {
        addon.children.entry(column.name).or_default().column = Some((position, column));
    }
    Layout { root, positions, addon }
}

/// The record's id as text, from the first of the kind's key fields that holds a usable one: a positive whole number
/// of at most 18 digits or 2^63−1, as a number or a text; for leads any other text that is no placeholder too.
pub fn record_id(table: &Table, body: &str) -> Option<String> {
    let mut names = [""; 3];
    let pointers = table.key_pointers();
    for (name, pointer) in names.iter_mut().zip(pointers) {
        *name = &pointer[1..];
    }
    let picked = json::pick(body, &names[..pointers.len()])?;
    picked.into_iter().flatten().find_map(|raw| usable_id(table, raw))
}

fn usable_id(table: &Table, raw: &RawValue) -> Option<String> {
    match Scalar::of(raw) {
        Scalar::Number(text) => parse_integer(text).filter(|id| *id > 0).map(|id| id.to_string()),
        Scalar::Text(text) => match parse_integer(text.trim()) {
            Some(id) => (id > 0).then(|| id.to_string()),
            None if table.text_key && !is_placeholder(&text) => Some(text.into_owned()),
            None => None,
        },
        _ => None,
    }
}

/// What a payload says: what it is compared by, and the row it makes.
pub struct Content {
    /// See [`json::content_sha256`].
    pub sha256: String,
    pub mapped: Mapped,
}

/// Maps one record whose id is known and tells its content from others', reading its JSON once for both.
pub fn read_content(table: &'static Table, id: &str, body: &str) -> Content {
    let members = serde_json::from_str::<Members>(body);
    Content { sha256: json::sha256_of(body, members.as_ref().ok()), mapped: map_members(table, id, &members) }
}

/// Maps one record whose id is known.
pub fn map_record(table: &'static Table, id: &str, body: &str) -> Mapped {
    map_members(table, id, &serde_json::from_str(body))
}

fn map_members(table: &'static Table, id: &str, members: &serde_json::Result<Members>) -> Mapped {
    let layout = layout(table.kind);
    let mut walk = Walk { findings: Vec::new(), error: None };
    let mut draft = Draft { layout, row: vec![Value::Null; layout.positions.len()] };
    let mut addons = Vec::new();
    match members {
        Ok(Members(members)) => {
            walk.object(&layout.root, members, "", &mut draft.row);
            if let Some(pointer) = table.addons {
                addons = walk.addons(layout, members, pointer);
            }
        }
        Err(error) => walk.fail("", format!("not an object ({error})")),
    }
    draft.set(table.key, id.parse().map_or_else(|_| Value::Text(id.to_owned()), Value::Integer));
    let derived = (table.derive)(&mut draft);
    walk.findings.sort();
    walk.findings.dedup();
    let row = match (walk.error, derived) {
        (Some(error), _) | (None, Err(error)) => Err(error),
        (None, Ok(())) => Ok(draft.row),
    };
    Mapped { row, addons, findings: walk.findings }
}

struct Walk {
    findings: Vec<Finding>,
    error: Option<FieldError>,
}

impl Walk {
    fn fail(&mut self, pointer: &str, reason: String) {
        if self.error.is_none() {
            self.error = Some(FieldError { pointer: pointer.to_owned(), reason });
        }
    }

    fn note(&mut self, finding: &'static str, pointer: &str, value: Option<&str>) {
        if self.findings.len() < MAX_UNKNOWN_FIELDS {
            let cut = |text: &str, most| text.chars().take(most).collect::<String>();
            let value = value.map(|value| cut(value, MAX_VALUE_CHARACTERS));
            self.findings.push(Finding { finding, pointer: cut(pointer, MAX_POINTER_CHARACTERS), value });
        }
    }

    fn object(&mut self, node: &Node, members: &[(Cow<'_, str>, &RawValue)], prefix: &str, row: &mut [Value]) {
        for (key, raw) in members {
            let Some(child) = node.children.get(key.as_ref()) else {
                self.note("unknown_field", &format!("{prefix}/{key}"), None);
                continue;
            };
            if let Some((position, column)) = child.column {
                self.cell(column, raw, &mut row[position]);
            } else if !child.children.is_empty() {
                self.nested(child, raw, &format!("{prefix}/{key}"), row);
            }
        }
    }

    fn nested(&mut self, node: &Node, raw: &RawValue, prefix: &str, row: &mut [Value]) {
        match Scalar::of(raw) {
            Scalar::Object(text) => match serde_json::from_str::<Members>(text) {
                Ok(Members(members)) => self.object(node, &members, prefix, row),
                Err(error) => self.fail(prefix, format!("not an object ({error})")),
            },
            Scalar::Null => {}
            Scalar::Text(text) if is_placeholder(&text) => {}
            other => self.fail(prefix, format!("an object is expected, {} came", other.type_name())),
        }
    }

    fn addons(&mut self, layout: &Layout, members: &[(Cow<'_, str>, &RawValue)], pointer: &str) -> Vec<Vec<Value>> {
        let Some((_, raw)) = members.iter().rev().find(|(key, _)| *key == pointer[1..]) else {
            return Vec::new();
        };
        let items: Vec<&RawValue> = match Scalar::of(raw) {
            Scalar::Array(text) => serde_json::from_str(text).unwrap_or_default(),
            Scalar::Null => Vec::new(),
            Scalar::Text(text) if is_placeholder(&text) => Vec::new(),
            other => {
                self.fail(pointer, format!("an array is expected, {} came", other.type_name()));
                Vec::new()
            }
        };
        items
            .into_iter()
            .map(|item| {
                let mut row = vec![Value::Null; ADDON_COLUMNS.len()];
                self.nested(&layout.addon, item, "/addons/*", &mut row);
                row
            })
            .collect()
    }

    fn cell(&mut self, column: &'static Column, raw: &RawValue, cell: &mut Value) {
        let Source::Json(pointer) = column.source else {
            return;
        };
        match read(column, raw) {
            Ok(Reading { value, rounded }) => {
                if rounded {
                    self.note("rounded_money", pointer, None);
                }
                if let Some(text) = value.as_text()
                    && !column.known.is_empty()
                    && !column.known.contains(&text)
                {
                    self.note("unknown_value", pointer, Some(text));
                }
                *cell = value;
            }
            Err(reason) => self.fail(pointer, reason),
        }
    }
}

struct Reading {
    value: Value,
    rounded: bool,
}

/// Texts that stand for "nothing" in a column that is not a key (design, "Placeholders").
pub(super) fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    matches!(text, "" | "-" | "-0" | "--" | "--Select State--")
        || text == "0000-00-00"
        || text.starts_with("0000-00-00 ")
}

fn read(column: &Column, raw: &RawValue) -> Result<Reading, String> {
    let exact = |value| Ok(Reading { value, rounded: false });
    let scalar = Scalar::of(raw);
    let text: Cow<'_, str> = match (&scalar, column.value) {
        (Scalar::Null, _) => return exact(Value::Null),
        (_, ValueType::Json) => return exact(Value::Text(raw.get().to_owned())),
        (Scalar::Text(text), _) if is_placeholder(text) => return exact(Value::Null),
        (Scalar::Text(text), _) => Cow::Borrowed(text.as_ref()),
        (Scalar::Number(text), _) => Cow::Borrowed(*text),
        (other, _) => {
            return Err(format!("{} is expected, {} came", expected(column.value), other.type_name()));
        }
    };
    match column.value {
        ValueType::Text => exact(Value::Text(htmlize::unescape(text).into_owned())),
        ValueType::IdText => exact(if text.trim() == "-1" { Value::Null } else { Value::Text(text.into_owned()) }),
        ValueType::Money => money::parse_amount(text.trim())
            .map(|amount| Reading { value: Value::Integer(amount.micros), rounded: amount.rounded }),
        other => typed(other, text.trim()).map(|value| Reading { value, rounded: false }).ok_or_else(|| {
            let short: String = text.chars().take(40).collect();
            format!("{} is expected, {short:?} came", expected(other))
        }),
    }
}

fn typed(value: ValueType, text: &str) -> Option<Value> {
    match value {
        ValueType::Integer => parse_integer(text).map(Value::Integer),
        ValueType::Real => money::parse_decimal(text)?.to_f64().map(Value::Real),
        ValueType::Decimal => Some(Value::Text(money::parse_decimal(text)?.to_string())),
        ValueType::Day => day_part(text).map(|day| Value::Text(day.to_owned())),
        ValueType::LocalTime => day_part(text).map(|_| Value::Text(text.to_owned())),
        ValueType::Instant => Some(Value::Text(format_instant(
            DateTime::from_timestamp_millis(parse_integer(text)?).filter(in_four_digit_years)?,
        ))),
        _ => None,
    }
}

/// Instants are compared as texts, which holds for years of four digits.
fn in_four_digit_years<Z: chrono::TimeZone>(instant: &DateTime<Z>) -> bool {
    (0..=9999).contains(&chrono::Datelike::year(instant))
}

/// `YYYY-MM-DD`, alone or followed by a time of day.
fn day_part(text: &str) -> Option<&str> {
    let day = text.get(..10)?;
    let rest = &text[10..];
    let time = rest.is_empty() || (rest.len() > 1 && matches!(rest.as_bytes()[0], b' ' | b'T'));
    (time && parse_day(day).is_some()).then_some(day)
}

/// A whole number in 64 bits; `5.0` is one too, `5.5` and `1e30` are not.
fn parse_integer(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| {
        let decimal = money::parse_decimal(text)?;
        decimal.fract().is_zero().then(|| decimal.to_i64()).flatten()
    })
}

fn expected(value: ValueType) -> &'static str {
    match value {
        ValueType::Text | ValueType::IdText => "a text",
        ValueType::Integer => "a whole number",
        ValueType::Real | ValueType::Decimal => "a decimal number",
        ValueType::Money => "an amount",
        ValueType::Day => "a day (YYYY-MM-DD)",
        ValueType::Instant => "epoch milliseconds",
        ValueType::LocalTime => "a date and time (YYYY-MM-DD HH:MM:SS)",
        ValueType::Json | ValueType::Any | ValueType::Rate | ValueType::Boolean => "a value",
    }
}

/// **customer_id**: org_id when not empty, `0` or `-1`; else lower-case email; else profile_id.
pub(super) fn customer_id(org_id: Option<&str>, email: Option<&str>, profile_id: Option<&str>) -> Option<String> {
    org_id
        .filter(|org_id| !matches!(*org_id, "0" | "-1"))
        .map(str::to_owned)
        .or_else(|| email.map(str::to_lowercase))
        .or_else(|| profile_id.map(str::to_owned))
}

/// Months in one period of a billing frequency; None when it is unknown.
pub fn months_of(frequency: &str) -> Option<i64> {
    [("monthly", 1), ("quarterly", 3), ("half_yearly", 6), ("yearly", 12)]
        .into_iter()
        .find_map(|(name, months)| (name == frequency).then_some(months))
}

pub fn derive_lead(draft: &mut Draft) -> Result<(), FieldError> {
    let customer = customer_id(draft.text("org_id"), draft.text("email"), draft.text("profile_id"));
    draft.set("customer_id", customer.into());
    Ok(())
}

pub fn derive_subscription(draft: &mut Draft) -> Result<(), FieldError> {
    derive_lead(draft)?;
    let end = draft.text("next_recurring_date").and_then(parse_day).and_then(|day| day.pred_opt()).map(format_day);
    draft.set("subscription_end_date", end.into());
    let months = draft.text("billing_frequency").and_then(months_of).filter(|_| draft.text("status") == Some("active"));
    let mrr = draft
        .integer("next_recurring_amount_usd_micros")
        .zip(months)
        .map(|(amount, months)| money::cents(amount, months));
    draft.set("mrr_usd_micros", mrr.into());
    Ok(())
}

pub fn derive_transaction(draft: &mut Draft) -> Result<(), FieldError> {
    let day = draft.text("transaction_date").map(|date| date[..10].to_owned());
    draft.set("transaction_day", day.into());
    Ok(())
}

pub fn derive_commission(draft: &mut Draft) -> Result<(), FieldError> {
    let own_customer = customer_id(None, draft.text("email"), draft.text("profile_id"));
    draft.set("own_customer_id", own_customer.into());
    let sign = if draft.text("type") == Some("commission_reversal") { -1 } else { 1 };
    draft.set("sign", Value::Integer(sign));
    let state = commission_state(draft.text("status"), draft.integer("payout_id")).map(str::to_owned);
    draft.set("state", state.into());
    derive_commission_money(draft, sign)?;
    let newer = draft.integer("eligible_usd_amount_micros").is_some();
    let eligible_currency = if newer { draft.get("currency") } else { draft.get("payout_currency") }.clone();
    draft.set("eligible_currency", eligible_currency);
    let rate = commission_rate(draft);
    draft.set("rate_basis_points", rate.into());
    Ok(())
}

/// **state** (design, "Definitions"): closed is not paid; it is paid only with a payout.
fn commission_state(status: Option<&str>, payout_id: Option<i64>) -> Option<&str> {
    status.map(|status| match status {
        "open" => "active",
        "closed" if payout_id.is_some_and(|payout| payout > 0) => "paid",
        "closed" => "offset",
        other => other,
    })
}

fn derive_commission_money(draft: &mut Draft, sign: i64) -> Result<(), FieldError> {
    let net_payout = draft.integer("base_commission_micros").map(|base| sign * money::cents(magnitude(base), 1));
    let net_usd = match draft.integer("usd_commission_micros") {
        Some(usd) => Some(sign * money::cents(magnitude(usd), 1)),
        None => net_payout.filter(|_| draft.text("payout_currency") == Some("USD")),
    };
    draft.set("net_payout_micros", net_payout.into());
    draft.set("net_usd_micros", net_usd.into());
    for (from, to) in
        [("balance_commission_micros", "balance_payout_micros"), ("payout_commission_micros", "payout_amount_micros")]
    {
        let rate = draft.text("exchange_rate").and_then(money::parse_decimal);
        let converted = match draft.integer(from).zip(rate) {
            None => None,
            Some((amount, rate)) => Some(
                sign * money::converted_cents(amount, rate).ok_or_else(|| FieldError {
                    pointer: "/exchange_rate".to_owned(),
                    reason: format!("{} × exchange_rate is too large for an amount", from.trim_end_matches("_micros")),
                })?,
            ),
        };
        draft.set(to, converted.into());
    }
    Ok(())
}

fn magnitude(micros: i64) -> i64 {
    micros.checked_abs().unwrap_or(i64::MAX)
}

/// **rate** in basis points: G2 by the USD amounts when both exist, else by the transaction's currency; G1 by the
/// payout currency, in which its eligible amount stands.
fn commission_rate(draft: &Draft) -> Option<i64> {
    let eligible_usd = draft.integer("eligible_usd_amount_micros");
    let (part, base) = match (draft.integer("usd_commission_micros"), eligible_usd) {
        (Some(part), Some(base)) => (Some(part), Some(base)),
        (_, Some(_)) => (draft.integer("commission_micros"), draft.integer("eligible_amount_micros")),
        (_, None) => (draft.integer("base_commission_micros"), draft.integer("eligible_amount_micros")),
    };
    money::rate_basis_points(part?, base?)
}
