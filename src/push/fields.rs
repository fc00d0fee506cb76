//! From a record to the fields of its CRM record, and how those differ from what was acknowledged. Pure.
//!
//! *Fields* are the text of a JSON object: API name → value in the declaration's order, without a null or empty value.
//! Text is kept instead of a tree because most records are unchanged, which is then one comparison of two texts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::value::RawValue;

use crate::config::{AccountMatch, CrmConfig};
use crate::db::{Cell, ParentRow, PushRow};
use crate::model::crm::FieldInfo;
use crate::model::json::{Members, Scalar, sha256_hex};
use crate::model::money;
use crate::model::tables::{Column, CrmField, CrmType, Drift, LookupTo, ValueType};
use crate::model::{Kind, Table};
use crate::push::tolerance::Tolerance;

/// The field whose value is the record's name; also what an upsert finds a record by.
const NAME_COLUMN: &str = "name";

/// The code that makes fields of values and compares them: with other code, every record is looked at once.
const CODE: [&str; 6] = [
    include_str!("fields.rs"),
    include_str!("plan.rs"),
    include_str!("tolerance.rs"),
    include_str!("../model/columns.rs"),
    include_str!("../model/json.rs"),
    include_str!("../model/money.rs"),
];

/// A field that the configuration asks for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) column: &'static Column,
    pub(super) field: CrmField,
    pub(super) api_name: String,
    /// Written when a record is made, and never again.
    pub(super) create_only: bool,
}

impl Wanted {
    /// Whether a text too long for the field would be refused or left out.
    pub(super) fn is_measured(&self) -> bool {
        let is_text =
            matches!(self.field.crm_type, CrmType::Text | CrmType::Email | CrmType::Picklist | CrmType::Textarea);
        is_text && !self.field.cuttable && self.column.name != NAME_COLUMN
    }
}

/// The fields of a kind in the order of its declaration.
pub(super) fn wanted(kind: Kind, crm: &CrmConfig) -> Vec<Wanted> {
    let overrides = crm.fields.get(&kind);
    let asked = |(column, field): (&'static Column, CrmField)| {
        let api_name = match overrides.and_then(|columns| columns.get(column.name)) {
            Some(None) if column.name != NAME_COLUMN => return None,
            Some(Some(api_name)) => api_name.clone(),
            _ => field.api_name(),
        };
        let no_account =
            field.crm_type == CrmType::Lookup(LookupTo::Accounts) && crm.rules.account_match == AccountMatch::None;
        let create_only = crm.rules.is_create_only(kind, column.name);
        (!no_account).then_some(Wanted { column, field, api_name, create_only })
    };
    kind.table().crm_columns().filter_map(asked).collect()
}

/// What goes into one CRM field.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    api_name: String,
    source: Source,
    crm_type: CrmType,
    value: ValueType,
    cuttable: bool,
    /// Characters the CRM field holds, as far as its metadata says.
    length: Option<usize>,
    create_only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Name,
    /// A place in [`PushRow::cells`].
    Cell(usize),
    /// A place in [`PushRow::parents`].
    Parent(usize),
    /// A place in [`PushRow::cells`] that holds the account's id.
    Account(usize),
}

/// The fields of one kind: configuration and metadata applied.
pub(super) struct Mapping {
    targets: Vec<Target>,
    /// The columns the targets are filled from.
    pub(super) columns: Vec<&'static Column>,
    /// Mapped fields that the module does not have.
    pub(super) missing: Vec<String>,
    pub(super) tolerance: Tolerance,
}

/// What to send for a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup<'a> {
    None,
    Linked(&'a str),
    /// The parent will be made first: its id is not known yet.
    Pending,
    /// The parent was refused, or waits itself.
    Waiting,
}

impl Mapping {
    /// `known` is the module's metadata; empty: nothing is known of it.
    pub(super) fn new(kind: Kind, crm: &CrmConfig, known: &[FieldInfo]) -> Self {
        let table = kind.table();
        let by_name: BTreeMap<&str, &FieldInfo> = known.iter().map(|field| (field.api_name.as_str(), field)).collect();
        let mut mapping =
            Self { targets: Vec::new(), columns: Vec::new(), missing: Vec::new(), tolerance: Tolerance::default() };
        mapping.tolerance.fraction = crm.rules.usd_tolerance;
        for Wanted { column, field, api_name, create_only } in wanted(kind, crm) {
            let is_name = column.name == NAME_COLUMN;
            let Some(source) = mapping.source(table, column, field.crm_type) else { continue };
            let info = by_name.get(api_name.as_str());
            if info.is_none() && !known.is_empty() && !is_name {
                mapping.missing.push(api_name);
                continue;
            }
            if let Source::Cell(_) | Source::Account(_) = source {
                mapping.columns.push(column);
            }
            mapping.tolerate(column, field.crm_type, &api_name);
            mapping.targets.push(Target {
                api_name,
                source,
                crm_type: field.crm_type,
                value: column.value,
                cuttable: field.cuttable,
                length: info.and_then(|info| usize::try_from(info.length?).ok()),
                create_only,
            });
        }
        mapping
    }

    fn source(&self, table: &Table, column: &Column, crm_type: CrmType) -> Option<Source> {
        match crm_type {
            CrmType::Lookup(LookupTo::Kind(kind)) => {
                table.parents().position(|parent| parent == kind).map(Source::Parent)
            }
            CrmType::Lookup(LookupTo::Accounts) => Some(Source::Account(self.columns.len())),
            _ if column.name == NAME_COLUMN => Some(Source::Name),
            _ => Some(Source::Cell(self.columns.len())),
        }
    }

    fn tolerate(&mut self, column: &Column, crm_type: CrmType, api_name: &str) {
        if crm_type == CrmType::Textarea {
            self.tolerance.payload = Some(api_name.to_owned());
        }
        if column.drift == Drift::Rate {
            self.tolerance.rate = Some(api_name.to_owned());
        }
        if column.drift != Drift::None {
            self.tolerance.fields.insert(api_name.to_owned(), column.drift);
        }
    }

    /// The API name of the record's name.
    pub(super) fn name_field(&self) -> &str {
        self.targets.iter().find(|target| target.source == Source::Name).map_or("Name", |target| &target.api_name)
    }

    /// Whether a record sends a lookup to the parent at this place of [`PushRow::parents`].
    pub(super) fn sends_parent(&self, place: usize) -> bool {
        self.targets.iter().any(|target| target.source == Source::Parent(place))
    }

    /// Everything besides a record's values that its fields and their comparison follow from, in one text: the targets,
    /// the code, and `more` of the push's. Two that differ may stand for the same; two that agree never differ.
    pub(super) fn basis(&self, more: &str) -> String {
        let made_by: String = CODE.iter().map(|source| sha256_hex(source.as_bytes())).collect();
        sha256_hex(format!("{made_by}{:?}{:?}{more}", self.targets, self.tolerance).as_bytes())
    }

    /// Whether two mappings make the same fields of every record.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.targets == other.targets
    }

    /// Writes a record's fields into `out`; returns whether a payload did not fit and was left out.
    pub(super) fn write(&self, row: &PushRow, name: &str, lookups: &[Lookup], out: &mut String) -> Result<bool> {
        out.clear();
        out.push('{');
        let mut payload_left_out = false;
        for target in self.targets.iter().filter(|target| !target.create_only || row.link.is_none()) {
            let value = match target.source {
                Source::Account(place) => match &row.cells[place] {
                    Cell::Text(crm_id) => Some(format!("{{\"id\":{}}}", quoted(crm_id)?)),
                    _ => None,
                },
                Source::Name => Some(quoted(name)?),
                Source::Cell(place) => match text_of(target, &row.cells[place]) {
                    Some(Plain::Number(number)) => Some(number),
                    Some(Plain::Text(text)) => {
                        let fitting = fitting(target, &text);
                        payload_left_out |= fitting.is_none();
                        fitting.map(quoted).transpose()?
                    }
                    None => None,
                },
                Source::Parent(place) => match lookups[place] {
                    Lookup::Linked(crm_id) => Some(format!("{{\"id\":{}}}", quoted(crm_id)?)),
                    _ => None,
                },
            };
            if let Some(value) = value {
                if out.len() > 1 {
                    out.push(',');
                }
                // an API name is letters, digits and underscores: it needs no escapes
                for part in ["\"", &target.api_name, "\":", &value] {
                    out.push_str(part);
                }
            }
        }
        out.push('}');
        Ok(payload_left_out)
    }

    /// The API names of the lookups whose parent is still to be made, with the parent's place.
    pub(super) fn pending<'a>(&'a self, lookups: &'a [Lookup]) -> impl Iterator<Item = (&'a str, usize)> {
        self.targets.iter().filter_map(|target| match target.source {
            Source::Parent(place) if lookups[place] == Lookup::Pending => Some((target.api_name.as_str(), place)),
            _ => None,
        })
    }
}

/// Whether no parent's fate is open: what a record sends now it sends until something of it changes.
pub(super) fn is_final(lookups: &[Lookup]) -> bool {
    lookups.iter().all(|lookup| matches!(lookup, Lookup::None | Lookup::Linked(_)))
}

/// What a parent's row means for the child (design, "Push is state, not a queue"). `pending` says whether an unlinked
/// parent is still going to be made by this push.
pub(super) fn lookup_of<'a>(parent: &ParentRow<'a>, pending: impl FnOnce(i64) -> bool) -> Lookup<'a> {
    let Some(id) = parent.id else {
        return Lookup::None;
    };
    match parent.crm_id {
        Some(_) if parent.gone => Lookup::None,
        Some(crm_id) => Lookup::Linked(crm_id),
        None if parent.removed || !parent.in_mirror => Lookup::None,
        None if pending(id) => Lookup::Pending,
        None => Lookup::Waiting,
    }
}

enum Plain<'a> {
    /// The text of a JSON number.
    Number(String),
    Text(Cow<'a, str>),
}

/// A cell as its CRM type travels; None when there is nothing to send.
fn text_of<'a>(target: &Target, cell: &'a Cell) -> Option<Plain<'a>> {
    let is_number = matches!(target.crm_type, CrmType::Currency | CrmType::Decimal);
    let plain = match (cell, target.value) {
        (Cell::Null, _) => return None,
        (Cell::Integer(micros), ValueType::Money) => Plain::Number(money::plain_decimal(*micros, 6)),
        (Cell::Integer(points), ValueType::Rate) => Plain::Number(money::plain_decimal(*points, 4)),
        (Cell::Integer(number), _) if is_number => Plain::Number(number.to_string()),
        (Cell::Integer(number), _) => Plain::Text(Cow::Owned(number.to_string())),
        (Cell::Text(text), _) if is_number => Plain::Number(money::parse_decimal(text)?.normalize().to_string()),
        (Cell::Text(text), _) if target.crm_type == CrmType::DateTime => Plain::Text(
            text.strip_suffix('Z').map_or(Cow::Borrowed(text.as_ref()), |text| format!("{text}+00:00").into()),
        ),
        (Cell::Text(text), _) => Plain::Text(Cow::Borrowed(text.as_ref())),
    };
    match &plain {
        Plain::Text(text) if text.trim().is_empty() => None,
        _ => Some(plain),
    }
}

/// The text as it goes into the field: cut where that is allowed, None for a payload that does not fit. Any other
/// text that is too long is sent as it is, so that the CRM's refusal is seen.
fn fitting<'a>(target: &Target, text: &'a str) -> Option<&'a str> {
    // no more bytes than characters allowed: no need to count
    let length = target.length.filter(|length| text.len() > *length);
    let Some((end, _)) = length.and_then(|length| text.char_indices().nth(length)) else {
        return Some(text);
    };
    if target.cuttable {
        return Some(&text[..end]);
    }
    (target.crm_type != CrmType::Textarea).then_some(text)
}

fn quoted(text: &str) -> Result<String> {
    Ok(serde_json::to_string(text)?)
}

/// The record's name in the CRM by its store's template.
pub(super) fn record_name(template: &str, store_id: &str, id: i64) -> String {
    template.replace("{store}", store_id).replace("{id}", &id.to_string())
}

/// Whether every outgoing value stands in what was acknowledged. `sent` may hold more.
pub(super) fn unchanged(sent: &str, outgoing: &str) -> bool {
    // what was acknowledged is kept in the order it is written in, with older fields behind: mostly the texts agree
    let inner = &outgoing[..outgoing.len() - 1];
    if sent == outgoing || sent.strip_prefix(inner).is_some_and(|rest| rest.starts_with(',')) {
        return true;
    }
    difference(sent, outgoing).is_ok_and(|fields| fields.is_empty())
}

/// A field whose outgoing value is not the acknowledged one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference<'a> {
    pub(super) field: String,
    pub(super) from: Option<&'a str>,
    pub(super) to: &'a str,
}

/// The fields that differ; `from` is the JSON text acknowledged, if there is one.
pub(super) fn difference<'a>(sent: &'a str, outgoing: &'a str) -> Result<Vec<Difference<'a>>> {
    let Members(sent) = serde_json::from_str(sent)?;
    let Members(outgoing) = serde_json::from_str(outgoing)?;
    Ok(outgoing
        .into_iter()
        .enumerate()
        .filter_map(|(place, (field, to))| {
            // both are mostly in the same order
            let from = sent.get(place).filter(|(name, _)| *name == field);
            let from = from.or_else(|| sent.iter().find(|(name, _)| *name == field)).map(|(_, value)| *value);
            match from {
                Some(from) if same_value(from, to) => None,
                _ => Some(Difference { field: field.into_owned(), from: from.map(RawValue::get), to: to.get() }),
            }
        })
        .collect())
}

/// What is acknowledged once `outgoing` is accepted: its fields, then those sent earlier and not now.
pub(super) fn merged(sent: Option<&str>, outgoing: &str) -> Result<String> {
    let Some(sent) = sent else {
        return Ok(outgoing.to_owned());
    };
    let Members(older) = serde_json::from_str(sent)?;
    let Members(newer) = serde_json::from_str(outgoing)?;
    let mut text = outgoing[..outgoing.len() - 1].to_owned();
    for (field, value) in older {
        if newer.iter().all(|(name, _)| *name != field) {
            for part in [",", &quoted(&field)?, ":", value.get()] {
                text.push_str(part);
            }
        }
    }
    text.push('}');
    Ok(text)
}

/// Numbers are the same by value, everything else by its content.
fn same_value(left: &RawValue, right: &RawValue) -> bool {
    if left.get() == right.get() {
        return true;
    }
    match (Scalar::of(left), Scalar::of(right)) {
        (Scalar::Number(left), Scalar::Number(right)) => {
            matches!((money::parse_decimal(left), money::parse_decimal(right)), (Some(left), Some(right)) if left == right)
        }
        (Scalar::Text(left), Scalar::Text(right)) => left == right,
        (Scalar::Object(left), Scalar::Object(right)) | (Scalar::Array(left), Scalar::Array(right)) => {
            let tree = |text| serde_json::from_str::<serde_json::Value>(text).ok();
            tree(left) == tree(right)
        }
        _ => false,
    }
}

/// The value of one field, as the text a person reads.
pub(super) fn value_of(fields: &str, field: &str) -> Option<String> {
    let Members(members) = serde_json::from_str(fields).ok()?;
    let (_, value) = members.iter().find(|(name, _)| name == field)?;
    Some(match Scalar::of(value) {
        Scalar::Text(text) => text.into_owned(),
        _ => value.get().to_owned(),
    })
}

#[cfg(test)]
mod tests;
