//! Records the store no longer lists: which they are, and marking them removed with their values kept. Deciding whether
//! a listing may remove at all is ingest's business (design, rule 4).

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, params};

use crate::db::Db;
use crate::db::derive::key_value;
use crate::model::{Kind, Table};

/// A current record that a listing lacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub payload_id: i64,
    pub record_id: String,
    pub version: i64,
}

impl Db {
    /// The current records of a kind for which `listed` says no.
    pub fn missing(&self, store_id: &str, kind: Kind, mut listed: impl FnMut(&str) -> bool) -> Result<Vec<Missing>> {
        let mut statement = self.connection.prepare_cached(
            "select record_id, payload_id from payloads indexed by payloads_current
             where store_id = ?1 and kind = ?2 and seen_until is null",
        )?;
        let mut rows = statement.query([store_id, kind.name()])?;
        let mut lacking = Vec::new();
        while let Some(row) = rows.next()? {
            let record_id = row.get_ref(0)?.as_str()?;
            if !listed(record_id) {
                lacking.push((record_id.to_owned(), row.get::<_, i64>(1)?));
            }
        }
        lacking
            .into_iter()
            .map(|(record_id, payload_id)| {
                let version = self
                    .connection
                    .prepare_cached("select version from payloads where payload_id = ?1")?
                    .query_row([payload_id], |row| row.get(0))?;
                Ok(Missing { payload_id, record_id, version })
            })
            .collect()
    }
}

/// Marks records removed: payload, typed history and row are closed, the values stay.
pub(super) fn remove(
    connection: &Connection,
    store_id: &str,
    kind: Kind,
    records: &[Missing],
    now: &str,
) -> Result<()> {
    for record in records {
        connection
            .prepare_cached("update payloads set seen_until = ?2 where payload_id = ?1 and seen_until is null")?
            .execute(params![record.payload_id, now])?;
        mark_removed(connection, kind.table(), store_id, &record.record_id, record.version, now)?;
    }
    Ok(())
}

/// The derived side of a removal; a rebuild calls it too.
pub(super) fn mark_removed(
    connection: &Connection,
    table: &Table,
    store_id: &str,
    record_id: &str,
    version: i64,
    removed_at: &str,
) -> Result<()> {
    close_version(connection, table, store_id, record_id, version, removed_at)?;
    let key = key_value(record_id);
    if let Some(versions) = &table.versions {
        let sql = format!(
            "update {0} set removed_day = ?3 where store_id = ?1 and {1} = ?2
               and version = (select max(version) from {0} where store_id = ?1 and {1} = ?2)",
            versions.table, table.key
        );
        connection.prepare_cached(&sql)?.execute(params![store_id, key, &removed_at[..10]])?;
    }
    let sql = format!("update {} set removed_at = ?3 where store_id = ?1 and {} = ?2", table.records, table.key);
    connection.prepare_cached(&sql)?.execute(params![store_id, key, removed_at])?;
    Ok(())
}

/// A record that returns at the very instant of its removal was gone for no time, which in `payloads` looks like a
/// replacement: the typed history keeps only the removals that lasted, as a rebuild would find them.
pub(super) fn forget_empty_gap(
    connection: &Connection,
    table: &Table,
    store_id: &str,
    record_id: &str,
    version: i64,
    returned_at: &str,
) -> Result<()> {
    if let Some(versions) = &table.versions {
        let sql = format!(
            "update {0} set removed_day = (
               select substr(max(p.seen_until), 1, 10) from payloads p
               join payloads n on n.store_id = p.store_id and n.kind = p.kind and n.record_id = p.record_id
                 and n.version = p.version + 1
               where p.store_id = ?1 and p.kind = ?3 and p.record_id = ?4 and p.version >= {0}.version
                 and p.seen_until < n.seen_from)
             where store_id = ?1 and {1} = ?2 and version = (select max(version) from {0} where store_id = ?1 and {1} = ?2)
               and exists (select 1 from payloads where store_id = ?1 and kind = ?3 and record_id = ?4 and version = ?5
                           and seen_until = ?6)",
            versions.table, table.key
        );
        connection.prepare_cached(&sql)?.execute(params![
            store_id,
            key_value(record_id),
            table.view,
            record_id,
            version,
            returned_at
        ])?;
    }
    Ok(())
}

/// Carries a payload's end over to its typed version, if it has one.
pub(super) fn close_version(
    connection: &Connection,
    table: &Table,
    store_id: &str,
    record_id: &str,
    version: i64,
    now: &str,
) -> Result<()> {
    if let Some(versions) = &table.versions {
        let sql = format!(
            "update {} set seen_until = ?4 where store_id = ?1 and {} = ?2 and version = ?3",
            versions.table, table.key
        );
        connection.prepare_cached(&sql)?.execute(params![store_id, key_value(record_id), version, now])?;
    }
    Ok(())
}

impl Db {
    /// How many current records a kind has.
    pub fn count_current(&self, store_id: &str, kind: Kind) -> Result<u64> {
        let count: Option<i64> = self
            .connection
            .prepare_cached(
                "select count(*) from payloads indexed by payloads_current
                 where store_id = ?1 and kind = ?2 and seen_until is null",
            )?
            .query_row([store_id, kind.name()], |row| row.get(0))
            .optional()?;
        Ok(u64::try_from(count.unwrap_or(0))?)
    }
}
