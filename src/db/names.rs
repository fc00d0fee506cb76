//! `customers`, `services` and `plans`: the newest name per id. The newest is the one with the latest evidence, ever:
//! a subscription or lead speaks of the instant its version was first seen, a transaction or commission of its own day.
//! A maximum does not depend on the order in which records arrive, so an interrupted run ends with the same names.

use std::collections::HashMap;

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, ToSql, params_from_iter};

use crate::db::derive::Version;
use crate::model::{Mapped, Table, Value};

/// Names remembered per run, so that one seen a thousand times costs one look-up; forgotten when they grow past this
/// many ids (a partner has some thousand customers).
const REMEMBERED: usize = 50_000;

/// Which columns of which table are named, from which stored columns of a record.
struct Names {
    table: &'static str,
    key: &'static str,
    /// The stored columns that are kept of the evidence; the name itself is the first.
    columns: &'static [&'static str],
    /// Whether evidence without a name is none.
    needs_first: bool,
}

const TABLES: [Names; 3] = [
    Names {
        table: "customers",
        key: "customer_id",
        columns: &["org_id", "org_name", "company_name", "email", "country"],
        needs_first: false,
    },
    Names { table: "services", key: "service_id", columns: &["service_name"], needs_first: true },
    Names { table: "plans", key: "plan_id", columns: &["plan_name", "service_id"], needs_first: true },
];

/// One name: its table, its store, and its id as text.
type Key = (&'static str, String, String);

/// When a name was claimed and by which record: of two claims the greater one counts.
type Claim = (String, String);

/// A claim that the file does not hold yet.
struct Unsaved {
    names: &'static Names,
    id: Value,
    values: Vec<Value>,
}

/// The newest claim of each name. New ones reach the file once per transaction, not once per record: the 200 records
/// of a page name a few dozen customers and services, most of them again and again.
#[derive(Default)]
pub struct NameCache {
    newest: HashMap<Key, Claim>,
    unsaved: HashMap<Key, Unsaved>,
}

impl NameCache {
    pub(super) fn clear(&mut self) {
        self.newest.clear();
        self.unsaved.clear();
    }

    /// Takes note of what a mapped record claims, unless something newer is known.
    pub(super) fn learn(
        &mut self,
        connection: &Connection,
        table: &'static Table,
        version: &Version,
        mapped: &Mapped,
    ) -> Result<()> {
        let named_at = own_instant(table, mapped).unwrap_or_else(|| version.seen_from.to_owned());
        // ids sort by length, then by text, like the numbers they are
        let named_by = format!("{:02}{} {}", version.record_id.len(), version.record_id, table.view);
        let claim = (named_at, named_by);
        for names in &TABLES {
            let id = match mapped.value(table, names.key) {
                Value::Integer(0) => continue,
                Value::Integer(number) => number.to_string(),
                Value::Text(text) => text.clone(),
                _ => continue,
            };
            if names.needs_first && mapped.value(table, names.columns[0]).is_null() {
                continue;
            }
            let key = (names.table, version.store_id.to_owned(), id);
            if !self.newest.contains_key(&key)
                && let Some(known) = stored(connection, names, version.store_id, mapped.value(table, names.key))?
            {
                self.newest.insert(key.clone(), known);
            }
            // the same evidence twice is a newer version of the very record: what it says now counts
            if self.newest.get(&key).is_none_or(|known| *known <= claim) {
                let id = mapped.value(table, names.key).clone();
                let values = names.columns.iter().map(|column| mapped.value(table, column).clone()).collect();
                self.unsaved.insert(key.clone(), Unsaved { names, id, values });
                self.newest.insert(key, claim.clone());
            }
        }
        Ok(())
    }

    /// Writes what was learnt since the last time.
    pub(super) fn save(&mut self, connection: &Connection) -> Result<()> {
        for (key, unsaved) in self.unsaved.drain() {
            store(connection, &key.1, &unsaved, &self.newest[&key])?;
        }
        if self.newest.len() >= REMEMBERED {
            self.newest.clear();
        }
        Ok(())
    }
}

/// The instant a record speaks of by itself: events have one, states have not.
fn own_instant(table: &'static Table, mapped: &Mapped) -> Option<String> {
    let text = |column| mapped.value(table, column).as_text();
    text("transaction_at")
        .map(str::to_owned)
        .or_else(|| text("transaction_day").or_else(|| text("commission_day")).map(|day| format!("{day}T00:00:00Z")))
}

fn stored(connection: &Connection, names: &Names, store_id: &str, id: &Value) -> Result<Option<Claim>> {
    let Names { table, key, .. } = names;
    let sql = format!("select named_at, named_by from {table} where store_id = ?1 and {key} = ?2");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([&store_id as &dyn ToSql, id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

fn store(connection: &Connection, store_id: &str, unsaved: &Unsaved, (named_at, named_by): &Claim) -> Result<()> {
    let Names { table, key, columns, .. } = unsaved.names;
    let all: Vec<&str> = ["store_id", key, "named_at", "named_by"].into_iter().chain(columns.iter().copied()).collect();
    let marks: Vec<String> = (1..=all.len()).map(|number| format!("?{number}")).collect();
    let sql = format!("insert or replace into {table} ({}) values ({})", all.join(", "), marks.join(", "));
    let own: [&dyn ToSql; 4] = [&store_id, &unsaved.id, named_at, named_by];
    let values = own.into_iter().chain(unsaved.values.iter().map(|value| value as &dyn ToSql));
    connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    Ok(())
}
