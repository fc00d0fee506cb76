//! `customers`, `services` and `plans`: the newest name per id. The newest is the one with the latest evidence, ever:
//! a subscription or lead speaks of the instant its version was first seen, a transaction or commission of its own day.
//! A maximum does not depend on the order in which records arrive, so an interrupted run ends with the same names.

use std::collections::HashMap;

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, ToSql, params_from_iter};

use crate::db::derive::Version;
use crate::model::{Mapped, Table, Value};

/// Evidence remembered per run, so that a name seen a thousand times costs one look-up; forgotten when it grows past
/// this many ids (a partner has some thousand customers).
const REMEMBERED: usize = 50_000;

/// One claim: at that instant, this id was called so.
pub(super) struct Evidence {
    names: &'static Names,
    store_id: String,
    id: Value,
    named_at: String,
    named_by: String,
    values: Vec<Value>,
}

/// Which columns of which table are named, from which stored columns of a record.
struct Names {
    table: &'static str,
    key: &'static str,
    /// The stored column that holds the id; the name itself is the first of `columns` and must not be empty.
    columns: &'static [&'static str],
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

/// The claims a mapped record makes.
pub(super) fn evidence(table: &'static Table, version: &Version, mapped: &Mapped) -> Vec<Evidence> {
    let named_at = own_instant(table, mapped).unwrap_or_else(|| version.seen_from.to_owned());
    TABLES
        .iter()
        .filter_map(|names| {
            let id = mapped.value(table, names.key).clone();
            let values: Vec<Value> = names.columns.iter().map(|column| mapped.value(table, column).clone()).collect();
            let unnamed = names.needs_first && values[0].is_null();
            if id.is_null() || id == Value::Integer(0) || unnamed {
                return None;
            }
            Some(Evidence {
                names,
                store_id: version.store_id.to_owned(),
                id,
                named_at: named_at.clone(),
                // ids sort by length, then by text, like the numbers they are
                named_by: format!("{:02}{} {}", version.record_id.len(), version.record_id, table.view),
                values,
            })
        })
        .collect()
}

/// The instant a record speaks of by itself: events have one, states have not.
fn own_instant(table: &'static Table, mapped: &Mapped) -> Option<String> {
    let text = |column| mapped.value(table, column).as_text();
    text("transaction_at")
        .map(str::to_owned)
        .or_else(|| text("transaction_day").or_else(|| text("commission_day")).map(|day| format!("{day}T00:00:00Z")))
}

#[derive(Default)]
pub struct NameCache {
    newest: HashMap<(&'static str, String, String), (String, String)>,
}

impl NameCache {
    pub(super) fn clear(&mut self) {
        self.newest.clear();
    }

    /// Writes the claim unless something newer is known.
    pub(super) fn learn(&mut self, connection: &Connection, claim: &Evidence) -> Result<()> {
        if self.newest.len() >= REMEMBERED {
            self.clear();
        }
        let id = match &claim.id {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text.clone(),
            _ => return Ok(()),
        };
        let key = (claim.names.table, claim.store_id.clone(), id);
        let known = match self.newest.get(&key) {
            Some(known) => Some(known.clone()),
            None => stored(connection, claim)?,
        };
        let claimed = (claim.named_at.clone(), claim.named_by.clone());
        if known.as_ref().is_some_and(|known| *known > claimed) {
            self.newest.insert(key, known.unwrap_or_default());
            return Ok(());
        }
        // the same evidence twice is a newer version of the very record: what it says now counts
        store(connection, claim)?;
        self.newest.insert(key, claimed);
        Ok(())
    }
}

fn stored(connection: &Connection, claim: &Evidence) -> Result<Option<(String, String)>> {
    let Names { table, key, .. } = claim.names;
    let sql = format!("select named_at, named_by from {table} where store_id = ?1 and {key} = ?2");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([&claim.store_id as &dyn ToSql, &claim.id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

fn store(connection: &Connection, claim: &Evidence) -> Result<()> {
    let Names { table, key, columns, .. } = claim.names;
    let all: Vec<&str> = ["store_id", key, "named_at", "named_by"].into_iter().chain(columns.iter().copied()).collect();
    let marks: Vec<String> = (1..=all.len()).map(|number| format!("?{number}")).collect();
    let sql = format!("insert or replace into {table} ({}) values ({})", all.join(", "), marks.join(", "));
    let own: [&dyn ToSql; 4] = [&claim.store_id, &claim.id, &claim.named_at, &claim.named_by];
    let values = own.into_iter().chain(claim.values.iter().map(|value| value as &dyn ToSql));
    connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    Ok(())
}
