//! A report's rows, and how its columns are to be written: which numbers are money, which are rates, which are ids.
//! This is the one place that decides it, by name; what no rule names is printed as `SQLite` gave it.

use std::borrow::Cow;

use serde::Serialize;

use crate::model::Value;
use crate::report::Source;
use crate::report::render::shown;

/// Two decimals. Only a REAL is money: a whole number in such a column is a count and is printed as it came.
const MONEY: &[&str] = &["amount", "commission", "earned", "reversed", "net_payout", "balance_payout"];
const MONEY_SUFFIXES: &[&str] = &["_amount", "_usd"];
const MONEY_EXCEPT: &[&str] = &["records_without_usd"];
/// Money in the bundle, but words that a user's own report may well use for a count or a rate.
const BUNDLED_MONEY: &[&str] = &[
    "opening",
    "baseline",
    "new",
    "expansion",
    "contraction",
    "churn",
    "reactivation",
    "fx",
    "closing",
    "from_subscription_rate",
    "from_service_rate",
    "from_store_rate",
];
/// Fractions with four decimals.
const RATES: &[&str] = &["rate", "share", "retention", "grr", "nrr"];
const RATE_SUFFIXES: &[&str] = &["_rate"];
const RATE_EXCEPT: &[&str] = &["exchange_rate", "without_rate"];
/// One decimal.
const HOURS: &[&str] = &["hours_since"];
/// Whole numbers of the bundle, named so that an empty report has the same types as a full one.
const INTEGERS: &[&str] = &[
    "age",
    "attempts",
    "customers",
    "days_between",
    "days_left",
    "days_overdue",
    "days_since",
    "failed",
    "kept",
    "live_subscriptions",
    "lost",
    "months_kept",
    "observed",
    "quarantined",
    "records",
    "records_without_usd",
    "refunds",
    "removed",
    "renewals",
    "renewed",
    "seats",
    "subscriptions",
    "transactions",
    "without_rate",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// An id: digits, but nothing to reckon with; JSON gets it as a string.
    #[serde(rename = "text")]
    Id,
    Money,
    Rate,
    #[serde(rename = "number")]
    Hours,
    Integer,
    Number,
    Text,
}

impl ColumnKind {
    pub fn is_number(self) -> bool {
        !matches!(self, Self::Id | Self::Text)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ColumnKind,
    /// Whether a rule names it; if not, the values decide.
    #[serde(skip)]
    declared: bool,
}

impl Column {
    pub(super) fn named(name: &str, source: Source) -> Self {
        let kind = declared_kind(name, source);
        Self { name: name.to_owned(), kind: kind.unwrap_or(ColumnKind::Text), declared: kind.is_some() }
    }
}

fn declared_kind(name: &str, source: Source) -> Option<ColumnKind> {
    let is = |names: &[&str], suffixes: &[&str], except: &[&str]| {
        (names.contains(&name) || suffixes.iter().any(|suffix| name.ends_with(suffix))) && !except.contains(&name)
    };
    let bundled = source == Source::Bundled;
    if name.ends_with("_id") {
        Some(ColumnKind::Id)
    } else if is(MONEY, MONEY_SUFFIXES, MONEY_EXCEPT) || bundled && BUNDLED_MONEY.contains(&name) {
        Some(ColumnKind::Money)
    } else if is(RATES, RATE_SUFFIXES, RATE_EXCEPT) {
        Some(ColumnKind::Rate)
    } else if HOURS.contains(&name) {
        Some(ColumnKind::Hours)
    } else if bundled && INTEGERS.contains(&name) {
        Some(ColumnKind::Integer)
    } else if bundled {
        Some(ColumnKind::Text)
    } else {
        None
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    /// The first rows with some of the columns, as a plain table; says how many more there are.
    pub fn excerpt(&self, wanted: &[&str], most: usize) -> String {
        let places: Vec<usize> =
            wanted.iter().filter_map(|name| self.columns.iter().position(|column| column.name == *name)).collect();
        let texts = places.iter().take_while(|place| !self.columns[**place].kind.is_number()).count();
        let rows = self
            .rows
            .iter()
            .take(most)
            .map(|row| places.iter().map(|place| shown(self.columns[*place].kind, &row[*place])).collect());
        let mut text = crate::screen::table(wanted, rows, texts);
        if self.rows.len() > most {
            text.push_str(&format!("\n… and {} more", crate::screen::thousands((self.rows.len() - most) as u64)));
        }
        text
    }

    /// Gives the columns that no rule names the type of their first value.
    pub(super) fn settle_kinds(&mut self) {
        for (index, column) in self.columns.iter_mut().enumerate().filter(|(_, column)| !column.declared) {
            column.kind = match self.rows.iter().map(|row| &row[index]).find(|value| !value.is_null()) {
                Some(Value::Integer(_)) => ColumnKind::Integer,
                Some(Value::Real(_)) => ColumnKind::Number,
                _ => ColumnKind::Text,
            };
        }
    }
}

/// A cell as CSV and JSON write it; NULL is empty.
pub(crate) fn cell_text(kind: ColumnKind, value: &Value) -> Cow<'_, str> {
    match (value, kind) {
        (Value::Null, _) => Cow::Borrowed(""),
        (Value::Text(text), _) => Cow::Borrowed(text),
        (Value::Integer(number), _) => Cow::Owned(number.to_string()),
        (Value::Real(number), ColumnKind::Money) => Cow::Owned(fixed(*number, 2)),
        (Value::Real(number), ColumnKind::Rate) => Cow::Owned(fixed(*number, 4)),
        (Value::Real(number), ColumnKind::Hours) => Cow::Owned(fixed(*number, 1)),
        // `{:?}` keeps the point of 3.0, as SQLite prints it
        (Value::Real(number), _) => Cow::Owned(format!("{number:?}")),
    }
}

/// A number with fixed decimals, and no minus before zero.
fn fixed(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|digit| matches!(digit, '0' | '.')) => digits.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide_how_a_number_is_written() {
        for (name, number, expected) in [
            ("usd_amount", 1234.5, "1234.50"),
            ("net_usd", -0.0, "0.00"),
            ("arr_usd", -0.005, "-0.01"),
            ("previous_rate", 0.18, "0.1800"),
            ("retention", 1.0, "1.0000"),
            ("churn", -12.0, "-12.00"),
            ("from_store_rate", 3.0, "3.00"),
            ("hours_since", 6.0, "6.0"),
        ] {
            let column = Column::named(name, Source::Bundled);
            assert_eq!(cell_text(column.kind, &Value::Real(number)), expected, "{name}");
        }
    }

    #[test]
    fn counts_are_not_money_and_a_users_words_are_theirs() {
        assert_eq!(Column::named("records_without_usd", Source::Bundled).kind, ColumnKind::Integer);
        assert_eq!(Column::named("without_rate", Source::Bundled).kind, ColumnKind::Integer);
        let mut table = Table {
            columns: vec![Column::named("churn", Source::User), Column::named("exchange_rate", Source::User)],
            rows: vec![vec![Value::Null, Value::Real(1.152_25)], vec![Value::Real(0.0523), Value::Null]],
        };
        table.settle_kinds();
        assert_eq!(table.columns[0].kind, ColumnKind::Number);
        assert_eq!(cell_text(ColumnKind::Number, &table.rows[0][1]), "1.15225");
    }
}
