//! From one payload version to everything that is derived from it: the row, its add-ons, the typed history, the newest
//! names, findings and quarantine. Saving a page and rebuilding the whole file go through this one door, so that both
//! end with the same rows.

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, ToSql, params};

use crate::db::Db;
use crate::model::{Column, Finding, Kind, Mapped, Table, Value, map_record};

/// Days before which and after which nothing is known: the open ends of the typed history.
pub(super) const FIRST_DAY: &str = "0000-01-01";
pub(super) const LAST_DAY: &str = "9999-12-31";

/// Different findings kept per store and kind. The store's records have some forty fields: a store that brings a
/// thousand new names or values makes them up, and must not fill the file. The payloads have them all.
const MAX_FINDINGS: u32 = 1_000;

/// One row of `payloads` about to be derived.
pub(super) struct Version<'a> {
    pub payload_id: i64,
    pub store_id: &'a str,
    pub record_id: &'a str,
    pub version: i64,
    pub seen_from: &'a str,
    pub seen_until: Option<&'a str>,
    pub body: &'a str,
}

impl Db {
    /// Derives everything from a version that is the newest of its record. Returns whether it could be normalized.
    pub(super) fn derive(
        &self,
        connection: &Connection,
        table: &'static Table,
        version: &Version,
        mapped: &Mapped,
    ) -> Result<bool> {
        for finding in &mapped.findings {
            count_finding(connection, table.kind, version, finding)?;
        }
        match &mapped.row {
            Ok(row) => {
                self.save_row(connection, table, version, row)?;
                save_addons(connection, table, version, mapped)?;
                self.save_version(connection, table, version, mapped)?;
                self.names.borrow_mut().learn(connection, table, version, mapped)?;
                // a record's first version finds nothing there
                if version.version > 1 {
                    connection
                        .prepare_cached("delete from quarantine where store_id = ?1 and kind = ?2 and record_id = ?3")?
                        .execute(params![version.store_id, table.view, version.record_id])?;
                }
                Ok(true)
            }
            Err(error) => {
                Self::keep_row(connection, table, version)?;
                quarantine(
                    connection,
                    table,
                    version.store_id,
                    Some(version.record_id),
                    &error.pointer,
                    &error.reason,
                    version.body,
                    version.seen_from,
                )?;
                Ok(false)
            }
        }
    }

    fn save_row(&self, connection: &Connection, table: &'static Table, version: &Version, row: &[Value]) -> Result<()> {
        let first_seen_at = first_seen_at(connection, table, version)?;
        let removed_at: Option<&str> = None;
        let mut parameters: Vec<&dyn ToSql> =
            vec![&version.store_id, &version.payload_id, &first_seen_at, &version.seen_from, &removed_at];
        parameters.extend(row.iter().map(|value| value as &dyn ToSql));
        let mut statements = self.sql.borrow_mut();
        let sql = statements.entry(table.records).or_insert_with(|| upsert_sql(table));
        connection.prepare_cached(sql)?.execute(&*parameters)?;
        Ok(())
    }

    /// A version that cannot be normalized leaves the last good values in place: only what the mirror itself knows
    /// moves on.
    fn keep_row(connection: &Connection, table: &Table, version: &Version) -> Result<()> {
        let sql = format!(
            "update {} set payload_id = ?3, removed_at = null where store_id = ?1 and {} = ?2",
            table.records, table.key
        );
        connection.prepare_cached(&sql)?.execute(params![
            version.store_id,
            key_value(version.record_id),
            version.payload_id
        ])?;
        Ok(())
    }

    fn save_version(&self, connection: &Connection, table: &Table, version: &Version, mapped: &Mapped) -> Result<()> {
        let Some(versions) = &table.versions else {
            return Ok(());
        };
        let key = key_value(version.record_id);
        let day = &version.seen_from[..10];
        let first = if version.version == 1 {
            true
        } else {
            let sql = format!(
                "update {0} set until_day = ?3 where store_id = ?1 and {1} = ?2
                   and version = (select max(version) from {0} where store_id = ?1 and {1} = ?2 and version < ?4)",
                versions.table, table.key
            );
            connection.prepare_cached(&sql)?.execute(params![version.store_id, key, day, version.version])? == 0
        };
        let from_day = if first { FIRST_DAY } else { day };
        let mut parameters: Vec<&dyn ToSql> = vec![
            &version.store_id,
            &key,
            &version.version,
            &version.seen_from,
            &version.seen_until,
            &from_day,
            &LAST_DAY,
        ];
        parameters.extend(versions.columns.iter().map(|column| mapped.value(table, column) as &dyn ToSql));
        let mut statements = self.sql.borrow_mut();
        let sql = statements.entry(versions.table).or_insert_with(|| {
            let columns = versions.columns.join(", ");
            let marks = marks(7 + versions.columns.len());
            format!(
                "insert into {} (store_id, {}, version, seen_from, seen_until, from_day, until_day, {columns}) values ({marks})",
                versions.table, table.key
            )
        });
        connection.prepare_cached(sql)?.execute(&*parameters)?;
        Ok(())
    }
}

/// A record's key as it is stored: a number where it is one.
pub(super) fn key_value(record_id: &str) -> Value {
    record_id.parse().map_or_else(|_| Value::Text(record_id.to_owned()), Value::Integer)
}

fn marks(count: usize) -> String {
    (1..=count).map(|number| format!("?{number}")).collect::<Vec<_>>().join(", ")
}

fn upsert_sql(table: &'static Table) -> String {
    let own = ["store_id", "payload_id", "first_seen_at", "changed_at", "removed_at"].map(str::to_owned);
    let columns: Vec<String> = own.into_iter().chain(table.stored().filter_map(Column::stored_name)).collect();
    let updates: Vec<String> = columns
        .iter()
        .filter(|column| *column != "store_id" && *column != table.key && *column != "first_seen_at")
        .map(|column| format!("{column} = excluded.{column}"))
        .collect();
    format!(
        "insert into {} ({}) values ({}) on conflict (store_id, {}) do update set {}",
        table.records,
        columns.join(", "),
        marks(columns.len()),
        table.key,
        updates.join(", ")
    )
}

/// The instant of the record's very first version, which may not have been the first that could be normalized.
fn first_seen_at(connection: &Connection, table: &Table, version: &Version) -> Result<String> {
    if version.version == 1 {
        return Ok(version.seen_from.to_owned());
    }
    let first: Option<String> = connection
        .prepare_cached(
            "select seen_from from payloads where store_id = ?1 and kind = ?2 and record_id = ?3 and version = 1",
        )?
        .query_row(params![version.store_id, table.view, version.record_id], |row| row.get(0))
        .optional()?;
    Ok(first.unwrap_or_else(|| version.seen_from.to_owned()))
}

fn save_addons(connection: &Connection, table: &Table, version: &Version, mapped: &Mapped) -> Result<()> {
    if table.addons.is_none() {
        return Ok(());
    }
    let key = key_value(version.record_id);
    if version.version > 1 {
        connection
            .prepare_cached("delete from subscription_addons where store_id = ?1 and subscription_id = ?2")?
            .execute(params![version.store_id, key])?;
    }
    for (position, addon) in mapped.addons.iter().enumerate() {
        let position = i64::try_from(position)?;
        let mut parameters: Vec<&dyn ToSql> = vec![&version.store_id, &key, &position];
        parameters.extend(addon.iter().map(|value| value as &dyn ToSql));
        connection
            .prepare_cached(
                "insert into subscription_addons (store_id, subscription_id, position, addon_id, addon_name, value)
                 values (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(&*parameters)?;
    }
    Ok(())
}

fn count_finding(connection: &Connection, kind: Kind, version: &Version, finding: &Finding) -> Result<()> {
    let known = connection
        .prepare_cached(
            "update findings set
               records = records + 1,
               example_id = max(example_id, ?6),
               first_seen_at = min(first_seen_at, ?7),
               last_seen_at = max(last_seen_at, ?7)
             where store_id = ?1 and kind = ?2 and finding = ?3 and pointer = ?4 and coalesce(value, '') = coalesce(?5, '')",
        )?
        .execute(params![
            version.store_id, kind.name(), finding.finding, finding.pointer, finding.value, version.record_id, version.seen_from
        ])?;
    if known == 0 {
        connection
            .prepare_cached(
                "insert into findings (finding, store_id, kind, pointer, value, records, example_id, first_seen_at, last_seen_at)
                 select ?3, ?1, ?2, ?4, ?5, 1, ?6, ?7, ?7
                 where (select count(*) from (select 1 from findings where store_id = ?1 and kind = ?2 limit ?8)) < ?8",
            )?
            .execute(params![
                version.store_id, kind.name(), finding.finding, finding.pointer, finding.value, version.record_id,
                version.seen_from, MAX_FINDINGS
            ])?;
    }
    Ok(())
}

/// Takes back what an older version of a record was counted for: findings count the newest version of each record.
pub(super) fn discount_findings(
    connection: &Connection,
    table: &'static Table,
    store_id: &str,
    record_id: &str,
    body: &str,
) -> Result<()> {
    for finding in map_record(table, record_id, body).findings {
        connection
            .prepare_cached(
                "update findings set records = records - 1
                 where store_id = ?1 and kind = ?2 and finding = ?3 and pointer = ?4 and value is ?5",
            )?
            .execute(params![store_id, table.view, finding.finding, finding.pointer, finding.value])?;
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "one argument per column of quarantine")]
pub(super) fn quarantine(
    connection: &Connection,
    table: &Table,
    store_id: &str,
    record_id: Option<&str>,
    pointer: &str,
    reason: &str,
    body: &str,
    seen_at: &str,
) -> Result<()> {
    let body_sha256 = crate::model::json::content_sha256(body);
    connection
        .prepare_cached(
            "insert into quarantine (store_id, kind, record_id, pointer, reason, body, first_seen_at, last_seen_at, body_sha256)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8)
             on conflict (store_id, kind, coalesce(record_id, ''), case when record_id is null then body_sha256 else '' end) do update set
               pointer = excluded.pointer, reason = excluded.reason, body = excluded.body,
               body_sha256 = excluded.body_sha256, last_seen_at = excluded.last_seen_at",
        )?
        .execute(params![store_id, table.view, record_id, pointer, reason, body, seen_at, body_sha256])?;
    Ok(())
}
