//! Statements: a month of commissions frozen as it was known, printed the same ever after, and what changed since.
//!
//! A month is that of the commissions' days. It can be frozen once it is over; until then it can only be looked at. The
//! hash of a statement is that of its CSV, so that whoever has the file can prove which one it is. Where a customer was
//! forgotten since, the rows lack who it was, a second hash is of them as they are now, and the first one stays.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use chrono::{DateTime, Months, NaiveDate, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::db::{Db, FrozenStatement};
use crate::failure::Failure;
use crate::model::instant::{format_instant, parse_day};
use crate::model::{Kind, Value};
use crate::report::Source;
use crate::report::render::{Cell, Reader, Rows, write_csv};
use crate::report::table::{Column, ColumnKind, Table, cell_text};
use crate::screen;

/// The columns of a statement's CSV. They never change: the hash of every frozen month is made of them.
const FIELDS: &str = "
  store_id, commission_id, commission_day, type, commission_type, state, payout_id, entity, payout_currency,
  net_payout_micros / 1000000.0 as net_payout,
  balance_payout_micros / 1000000.0 as balance_payout,
  payout_amount_micros / 1000000.0 as payout_amount,
  net_usd_micros / 1000000.0 as net_usd,
  currency, exchange_rate,
  commission_micros / 1000000.0 as commission,
  eligible_amount_micros / 1000000.0 as eligible_amount, eligible_currency,
  rate_basis_points / 10000.0 as rate,
  subscription_id, transaction_id, customer_id, company_name, service_name, removed_at";
const ORDER: &str = "order by store_id, entity, payout_currency, commission_day, commission_id";

/// What tells a commission on a statement, and what is shown of it beside a change.
const SHOWN: [&str; 6] = ["store_id", "commission_id", "commission_day", "entity", "payout_currency", "company_name"];

/// A month, and what day it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Month {
    name: String,
    first_day: NaiveDate,
    today: NaiveDate,
}

impl Month {
    /// Reads `2026-02`.
    ///
    /// # Errors
    /// `config` when that is no month, or one that has not begun.
    pub fn new(text: &str, now: DateTime<Utc>) -> Result<Self> {
        let today = now.date_naive();
        let first_day = parse_day(&format!("{text}-01")).ok_or_else(|| {
            Failure::config(format!("{text:?} is not a month")).hint(format!("write it as {}", today.format("%Y-%m")))
        })?;
        if first_day > today {
            return Err(Failure::config(format!("{text} has not begun"))
                .hint("a statement is of a month that is over")
                .into());
        }
        Ok(Self { name: text.to_owned(), first_day, today })
    }

    /// # Errors
    /// `config` while days of the month are to come: what is frozen stays so, and would lack them.
    pub fn must_be_over(&self) -> Result<()> {
        let next = self.next();
        if next <= self.today {
            return Ok(());
        }
        Err(Failure::config(format!("{} is not over yet", self.name))
            .hint(format!("freeze it from {next} on; until then --partial shows it without freezing it"))
            .into())
    }

    /// The first day after it.
    fn next(&self) -> NaiveDate {
        self.first_day.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX)
    }

    /// Listings of commissions that ended before the month did.
    fn warnings(&self, db: &Db) -> Result<Vec<String>> {
        let end = format!("{}T00:00:00Z", self.next());
        let early = db.coverage()?.into_iter().filter_map(|row| {
            let store = &row.store_id;
            match row.last_complete_at {
                _ if row.kind != Kind::Commissions => None,
                None => Some(format!("{store} commissions were never completely listed")),
                Some(at) if at < end => {
                    Some(format!("{store} commissions were last completely listed {at}, before {} was over", self.name))
                }
                Some(_) => None,
            }
        });
        Ok(early.collect())
    }
}

/// A month's commissions, frozen or as far as they are known.
pub struct Statement {
    month: String,
    frozen: Option<FrozenStatement>,
    newly_frozen: bool,
    table: Table,
    totals: Table,
    warnings: Vec<String>,
}

impl Statement {
    /// The statement that was frozen, if one was.
    ///
    /// # Errors
    /// `config` when somebody changed its rows: they must be what their hash was made of.
    pub fn frozen(db: &Db, month: &Month) -> Result<Option<Self>> {
        let Some(frozen) = db.frozen_statement(&month.name)? else { return Ok(None) };
        let table = frozen_rows(db, &month.name)?;
        if sha256(&table)? != frozen.present_sha256() {
            return Err(Failure::config(format!("the statement of {} is not the one that was frozen", month.name))
                .hint("its rows were changed in the database: take them from a backup")
                .into());
        }
        let totals = totals(db, month, true)?;
        let month = month.name.clone();
        Ok(Some(Self { month, frozen: Some(frozen), newly_frozen: false, table, totals, warnings: Vec::new() }))
    }

    /// The hash of a frozen month's CSV as its rows are now.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn hash(db: &Db, month: &str) -> Result<String> {
        sha256(&frozen_rows(db, month)?)
    }

    /// Whether a month's rows are what its hash was made of; also where it is not frozen.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn is_as_frozen(db: &Db, month: &str) -> Result<bool> {
        let Some(frozen) = db.frozen_statement(month)? else { return Ok(true) };
        Ok(Self::hash(db, month)? == frozen.present_sha256())
    }

    /// The month as it would be frozen now.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn preview(db: &Db, month: &Month) -> Result<Self> {
        let sql = format!("select {FIELDS} from statement_rows_now where month = :month {ORDER}");
        Ok(Self {
            month: month.name.clone(),
            frozen: None,
            newly_frozen: false,
            table: rows(db, &sql, &month.name)?,
            totals: totals(db, month, false)?,
            warnings: month.warnings(db)?,
        })
    }

    /// Freezes the month.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn freeze(db: &Db, month: &Month, now: DateTime<Utc>) -> Result<Self> {
        db.freeze_statement(&month.name, &format_instant(now), || Self::hash(db, &month.name))?;
        let Some(frozen) = Self::frozen(db, month)? else { anyhow::bail!("{} was not frozen", month.name) };
        Ok(Self { newly_frozen: true, warnings: month.warnings(db)?, ..frozen })
    }

    /// Writes the CSV that the hash is of, or one JSON object.
    ///
    /// # Errors
    /// What `out` returns.
    pub fn write(&self, json: bool, out: &mut dyn Write) -> Result<()> {
        #[derive(Serialize)]
        struct Redacted<'a> {
            redacted_at: &'a str,
            rows: u64,
            sha256: &'a str,
        }
        #[derive(Serialize)]
        struct Answer<'a> {
            command: &'a str,
            exit: u8,
            month: &'a str,
            frozen_at: Option<&'a str>,
            sha256: Option<&'a str>,
            redaction: Option<Redacted<'a>>,
            newly_frozen: bool,
            records: usize,
            totals: Rows<'a>,
            columns: &'a [Column],
            rows: Rows<'a>,
            warnings: &'a [String],
            error: Option<()>,
        }
        if !json {
            return write_csv(&self.table, Reader::Program, out);
        }
        let answer =
            Answer {
                command: "statement",
                exit: 0,
                month: &self.month,
                frozen_at: self.frozen.as_ref().map(|frozen| frozen.frozen_at.as_str()),
                sha256: self.frozen.as_ref().map(|frozen| frozen.sha256.as_str()),
                redaction: self.frozen.as_ref().and_then(|frozen| frozen.redaction.as_ref()).map(|redaction| {
                    Redacted { redacted_at: &redaction.redacted_at, rows: redaction.rows, sha256: &redaction.sha256 }
                }),
                newly_frozen: self.newly_frozen,
                records: self.table.rows.len(),
                totals: Rows(&self.totals),
                columns: &self.table.columns,
                rows: Rows(&self.table),
                warnings: &self.warnings,
                error: None,
            };
        serde_json::to_writer(&mut *out, &answer)?;
        Ok(writeln!(out)?)
    }

    /// What to say beside it.
    pub fn summary(&self) -> Vec<String> {
        let records = screen::counted(self.table.rows.len() as u64, "commission", "commissions");
        let mut lines = vec![match &self.frozen {
            Some(frozen) => {
                format!("{} with {records}, frozen {}\nsha256 {}", self.month, frozen.frozen_at, frozen.sha256)
            }
            None => format!("{} with {records} so far; nothing is frozen", self.month),
        }];
        if let Some(redaction) = self.frozen.as_ref().and_then(|frozen| frozen.redaction.as_ref()) {
            lines.push(format!(
                "who {} of them were earned on was forgotten {}; amounts are as frozen, sha256 since then {}",
                redaction.rows, redaction.redacted_at, redaction.sha256
            ));
        }
        if !self.totals.rows.is_empty() {
            let columns = ["store_id", "entity", "payout_currency", "records", "net_payout", "balance_payout"];
            lines.push(self.totals.excerpt(&columns, usize::MAX));
        }
        lines.extend(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        lines
    }
}

/// What changed since a month was frozen.
pub struct Adjustments {
    month: String,
    frozen: FrozenStatement,
    changes: Vec<Change>,
    totals: Table,
}

struct Change {
    /// new, changed, removed or returned.
    change: &'static str,
    /// The values of [`SHOWN`]: as frozen, or of a new commission as they are now.
    shown: Vec<Value>,
    field: Column,
    frozen: Value,
    present: Value,
}

impl Adjustments {
    /// Compares a frozen month with what is known now: commissions that came to it, and every field of the frozen ones
    /// that is another, also where it is another month's by now.
    ///
    /// # Errors
    /// `config` when the month is not frozen.
    pub fn read(db: &Db, month: &Month, statement: Option<Statement>) -> Result<Self> {
        let Some(Statement { frozen: Some(frozen), table, .. }) = statement else {
            return Err(Failure::config(format!("{} is not frozen", month.name))
                .hint(format!("`storemirror statement {}` freezes it", month.name))
                .into());
        };
        let sql = format!(
            "select {FIELDS} from statement_rows_now n
             where n.month = :month or exists (
               select 1 from statement_rows r
               where r.month = :month and r.store_id = n.store_id and r.commission_id = n.commission_id)
             {ORDER}"
        );
        let changes = compare(&table, &rows(db, &sql, &month.name)?);
        let sql = "
            select
              store_id, entity, payout_currency,
              coalesce(sum(net_payout_micros) filter (where is_frozen), 0) / 1000000.0 as frozen_amount,
              coalesce(sum(net_payout_micros) filter (where not is_frozen), 0) / 1000000.0 as present_amount,
              coalesce(sum(case when is_frozen then -net_payout_micros else net_payout_micros end), 0) / 1000000.0
                as difference_amount
            from statement_totals
            where month = :month
            group by store_id, entity, payout_currency
            order by store_id, entity, payout_currency";
        Ok(Self { month: month.name.clone(), frozen, changes, totals: rows(db, sql, &month.name)? })
    }

    /// Writes one line per change as CSV, or one JSON object.
    ///
    /// # Errors
    /// What `out` returns.
    pub fn write(&self, json: bool, out: &mut dyn Write) -> Result<()> {
        #[derive(Serialize)]
        struct Answer<'a> {
            command: &'a str,
            exit: u8,
            month: &'a str,
            frozen_at: &'a str,
            sha256: &'a str,
            adjustments: Vec<BTreeMap<&'a str, Cell<'a>>>,
            totals: Rows<'a>,
            error: Option<()>,
        }
        if !json {
            return write_csv(&self.table(), Reader::Program, out);
        }
        let names: Vec<Value> =
            self.changes.iter().flat_map(|change| [text(change.change), text(&change.field.name)]).collect();
        let answer = Answer {
            command: "statement",
            exit: 0,
            month: &self.month,
            frozen_at: &self.frozen.frozen_at,
            sha256: &self.frozen.sha256,
            adjustments: self.changes.iter().zip(names.chunks(2)).map(|(change, names)| change.json(names)).collect(),
            totals: Rows(&self.totals),
            error: None,
        };
        serde_json::to_writer(&mut *out, &answer)?;
        Ok(writeln!(out)?)
    }

    fn table(&self) -> Table {
        let names = ["change"].into_iter().chain(SHOWN).chain(["field", "frozen_value", "present_value"]);
        let columns = names.map(|name| Column::named(name, Source::Bundled)).collect();
        let rows = self.changes.iter().map(|change| {
            let mut row = vec![text(change.change)];
            row.extend(change.shown.iter().cloned());
            row.push(text(&change.field.name));
            row.extend([&change.frozen, &change.present].map(|value| printed(&change.field, value)));
            row
        });
        Table { columns, rows: rows.collect() }
    }

    /// What to say beside it.
    pub fn summary(&self) -> Vec<String> {
        let mut lines = vec![match self.changes.len() {
            0 => format!("nothing changed since {} was frozen {}", self.month, self.frozen.frozen_at),
            count => {
                let changes = screen::counted(count as u64, "change", "changes");
                format!("{changes} since {} was frozen {}", self.month, self.frozen.frozen_at)
            }
        }];
        if !self.changes.is_empty() {
            let columns =
                ["store_id", "entity", "payout_currency", "frozen_amount", "present_amount", "difference_amount"];
            lines.push(self.totals.excerpt(&columns, usize::MAX));
        }
        lines
    }
}

impl Change {
    fn json<'a>(&'a self, names: &'a [Value]) -> BTreeMap<&'a str, Cell<'a>> {
        let id_kind = |name: &str| if name.ends_with("_id") { ColumnKind::Id } else { ColumnKind::Text };
        let shown = SHOWN.into_iter().zip(&self.shown).map(|(name, value)| (name, id_kind(name), value));
        let kind = self.field.kind;
        let own = [
            ("change", ColumnKind::Text, &names[0]),
            ("field", ColumnKind::Text, &names[1]),
            ("frozen", kind, &self.frozen),
            ("present", kind, &self.present),
        ];
        shown.chain(own).map(|(name, kind, value)| (name, Cell { kind, value })).collect()
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A value as a statement prints it.
fn printed(column: &Column, value: &Value) -> Value {
    if value.is_null() { Value::Null } else { text(&cell_text(column.kind, value)) }
}

/// The changes from one set of rows to the other, in the order of the rows, new ones last.
fn compare(frozen: &Table, present: &Table) -> Vec<Change> {
    let place = |name: &str| frozen.columns.iter().position(|column| column.name == name).unwrap_or(0);
    let (store, id) = (place("store_id"), place("commission_id"));
    let key = |row: &[Value]| (row[store].as_text().map(str::to_owned), row[id].as_integer());
    let mut others: BTreeMap<_, &Vec<Value>> = present.rows.iter().map(|row| (key(row), row)).collect();
    let shown = |row: &[Value]| SHOWN.iter().map(|name| row[place(name)].clone()).collect::<Vec<_>>();
    let net_payout = place("net_payout");
    let mut changes = Vec::new();
    for row in &frozen.rows {
        let Some(other) = others.remove(&key(row)) else {
            changes.push(Change {
                change: "removed",
                shown: shown(row),
                field: frozen.columns[net_payout].clone(),
                frozen: row[net_payout].clone(),
                present: Value::Null,
            });
            continue;
        };
        for ((column, before), now) in frozen.columns.iter().zip(row).zip(other) {
            if printed(column, before) == printed(column, now) {
                continue;
            }
            let change = match column.name.as_str() {
                "removed_at" if before.is_null() => "removed",
                "removed_at" if now.is_null() => "returned",
                _ => "changed",
            };
            let (before, now) = (before.clone(), now.clone());
            changes.push(Change { change, shown: shown(row), field: column.clone(), frozen: before, present: now });
        }
    }
    let new = present.rows.iter().filter(|row| others.contains_key(&key(row)));
    changes.extend(new.map(|row| Change {
        change: "new",
        shown: shown(row),
        field: frozen.columns[net_payout].clone(),
        frozen: Value::Null,
        present: row[net_payout].clone(),
    }));
    changes
}

fn frozen_rows(db: &Db, month: &str) -> Result<Table> {
    rows(db, &format!("select {FIELDS} from statement_rows where month = :month {ORDER}"), month)
}

fn totals(db: &Db, month: &Month, frozen: bool) -> Result<Table> {
    let sql = format!(
        "select
           store_id, entity, payout_currency, records,
           earned_micros / 1000000.0 as earned,
           reversed_micros / 1000000.0 as reversed,
           net_payout_micros / 1000000.0 as net_payout,
           balance_payout_micros / 1000000.0 as balance_payout,
           net_usd_micros / 1000000.0 as net_usd,
           records_without_usd
         from statement_totals
         where month = :month and is_frozen = {}
         order by store_id, entity, payout_currency",
        u8::from(frozen)
    );
    rows(db, &sql, &month.name)
}

fn rows(db: &Db, sql: &str, month: &str) -> Result<Table> {
    let mut query = db.prepare_query("statement", sql)?;
    let columns = query.columns().iter().map(|name| Column::named(name, Source::Bundled)).collect();
    let mut table = Table { columns, rows: Vec::new() };
    query.each(&[("month".to_owned(), text(month))], |row| {
        table.rows.push(row);
        Ok(())
    })?;
    Ok(table)
}

fn sha256(table: &Table) -> Result<String> {
    let mut csv = Vec::new();
    write_csv(table, Reader::Program, &mut csv)?;
    Ok(hex::encode(Sha256::digest(&csv)))
}
