//! What a declared column and a declared kind are made of. The declarations themselves stand in `columns.rs`.

use crate::model::Kind;
use crate::model::mapping::{Draft, FieldError};

/// How a JSON value becomes a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    Text,
    /// An id whose placeholder is `-1` as well.
    IdText,
    Integer,
    /// A decimal as a float: counts of add-ons, never money.
    Real,
    /// Decimal text to whole millionths; its stored column carries `_micros`.
    Money,
    /// A decimal kept as its text.
    Decimal,
    /// A fraction to four decimals; its stored column carries `_basis_points`.
    Rate,
    Day,
    /// Epoch milliseconds to an instant.
    Instant,
    /// `YYYY-MM-DD HH:MM:SS` in the store's own calendar, kept as text.
    LocalTime,
    Json,
    /// A number where it is one, else text: a lead's key.
    Any,
    Boolean,
}

/// Where a column's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The record's key: the first of these pointers that holds a usable id.
    Key(&'static [&'static str]),
    /// A JSON pointer into the payload.
    Json(&'static str),
    /// Computed from the other columns of the same record when it is mapped.
    Derived,
    /// Kept by the mirror itself: seen, changed, removed, payload.
    Mirror,
    /// In the view only: from another record.
    Joined,
    /// In the CRM only: its name and lookups.
    Crm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrmType {
    Text,
    Email,
    Picklist,
    Date,
    DateTime,
    Currency,
    Decimal,
    Textarea,
    /// The API name of the module it points to; empty: the module configured for this kind's parent.
    Lookup(LookupTo),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupTo {
    Accounts,
    Kind(Kind),
}

#[derive(Clone, Copy, Debug)]
pub struct CrmField {
    pub label: &'static str,
    pub crm_type: CrmType,
    /// Text that is cut to the field's length instead of being refused.
    pub cuttable: bool,
    /// The SQL value, where it is not simply the stored column: `r` is the record's row, `s` the row of the
    /// subscription it belongs to, `{untagged}` the status of a subscription that is no longer listed.
    pub sql: Option<&'static str>,
}

impl CrmField {
    /// The default API name: the label with underscores (design, "CRM names and fields").
    pub fn api_name(&self) -> String {
        self.label.replace(' ', "_")
    }
}

/// What `forget` makes of a value that tells who a customer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personal {
    No,
    /// Taken away: the field becomes null.
    Removed,
    /// Replaced by the customer's pseudonym, so that records of one customer still belong together.
    Pseudonym,
}

/// How a value moves by itself, without anything having happened to the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    None,
    /// An amount converted to US dollars.
    Equivalent,
    /// An exchange rate.
    Rate,
    /// An amount multiplied by the exchange rate.
    Scaled,
}

#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub source: Source,
    pub value: ValueType,
    /// The currency or measure of the number, if it has one.
    pub unit: &'static str,
    /// The values known so far; others are kept and counted in `unknown_values`. Empty: free text.
    pub known: &'static [&'static str],
    pub crm: Option<CrmField>,
    pub drift: Drift,
    pub personal: Personal,
    pub meaning: &'static str,
}

impl Column {
    /// The column's name in `*_records`; None when it stands in the view or the CRM alone.
    pub fn stored_name(&self) -> Option<String> {
        match self.source {
            Source::Mirror | Source::Joined | Source::Crm => None,
            _ => Some(match self.value {
                ValueType::Money => format!("{}_micros", self.name),
                ValueType::Rate => format!("{}_basis_points", self.name),
                _ => self.name.to_owned(),
            }),
        }
    }

    pub fn in_view(&self) -> bool {
        self.source != Source::Crm
    }

    pub(super) const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    pub(super) const fn known(mut self, known: &'static [&'static str]) -> Self {
        self.known = known;
        self
    }

    pub(super) const fn crm(mut self, crm_type: CrmType, label: &'static str) -> Self {
        self.crm = Some(CrmField { label, crm_type, cuttable: false, sql: None });
        self
    }

    pub(super) const fn drifts(mut self, drift: Drift) -> Self {
        self.drift = drift;
        self
    }

    pub(super) const fn personal(mut self) -> Self {
        self.personal = Personal::Removed;
        self
    }

    pub(super) const fn pseudonym(mut self) -> Self {
        self.personal = Personal::Pseudonym;
        self
    }

    pub(super) const fn cuttable(mut self) -> Self {
        if let Some(mut crm) = self.crm {
            crm.cuttable = true;
            self.crm = Some(crm);
        }
        self
    }

    pub(super) const fn sql(mut self, sql: &'static str) -> Self {
        if let Some(mut crm) = self.crm {
            crm.sql = Some(sql);
            self.crm = Some(crm);
        }
        self
    }
}

pub(super) const fn column(name: &'static str, source: Source, value: ValueType, meaning: &'static str) -> Column {
    let (drift, personal) = (Drift::None, Personal::No);
    Column { name, source, value, unit: "", known: &[], crm: None, drift, personal, meaning }
}

pub(super) const fn json(name: &'static str, pointer: &'static str, value: ValueType, meaning: &'static str) -> Column {
    column(name, Source::Json(pointer), value, meaning)
}

pub(super) const fn derived(name: &'static str, value: ValueType, meaning: &'static str) -> Column {
    column(name, Source::Derived, value, meaning)
}

pub(super) const fn joined(name: &'static str, value: ValueType, meaning: &'static str) -> Column {
    column(name, Source::Joined, value, meaning)
}

pub(super) const fn push(name: &'static str, crm_type: CrmType, label: &'static str, meaning: &'static str) -> Column {
    column(name, Source::Crm, ValueType::Text, meaning).crm(crm_type, label)
}

/// One kind: its names, where its key stands, and its columns.
pub struct Table {
    pub kind: Kind,
    /// The view, which is also the kind's name.
    pub view: &'static str,
    pub records: &'static str,
    pub key: &'static str,
    /// A text without digits alone may be a key too (leads).
    pub text_key: bool,
    pub columns: &'static [&'static [Column]],
    /// Fields of the contract that stay in the payload: formatted twins of numbers, never parsed.
    pub payload_only: &'static [&'static str],
    pub versions: Option<Versions>,
    /// Fills the derived columns.
    pub derive: fn(&mut Draft) -> Result<(), FieldError>,
    /// The pointer of the array that becomes `subscription_addons`.
    pub addons: Option<&'static str>,
    /// The label of the CRM module this kind is pushed to.
    pub module_label: Option<&'static str>,
    /// What stands in the CRM is still updated after the store removed the record: a field says that it is gone.
    pub pushes_removed: bool,
}

/// The typed history of a kind: which stored columns a version keeps.
pub struct Versions {
    pub table: &'static str,
    pub columns: &'static [&'static str],
}

impl Table {
    pub fn columns(&self) -> impl Iterator<Item = &'static Column> + use<> {
        self.columns.iter().flat_map(|part| part.iter())
    }

    /// The columns of `*_records` after the mirror's own, in one fixed order: that of [`super::mapping::Mapped::row`].
    pub fn stored(&self) -> impl Iterator<Item = &'static Column> + use<> {
        self.columns().filter(|column| column.stored_name().is_some())
    }

    pub fn key_pointers(&self) -> &'static [&'static str] {
        self.columns()
            .find_map(|column| match column.source {
                Source::Key(pointers) => Some(pointers),
                _ => None,
            })
            .unwrap_or(&[])
    }

    /// The kinds this kind's CRM records point to. A record names its parent by a column called as the parent's key.
    pub fn parents(&self) -> impl Iterator<Item = Kind> + use<> {
        self.crm_columns().filter_map(|(_, field)| match field.crm_type {
            CrmType::Lookup(LookupTo::Kind(kind)) => Some(kind),
            _ => None,
        })
    }

    /// The columns that have a CRM field.
    pub fn crm_columns(&self) -> impl Iterator<Item = (&'static Column, CrmField)> + use<> {
        self.columns().filter_map(|column| column.crm.map(|field| (column, field)))
    }
}
