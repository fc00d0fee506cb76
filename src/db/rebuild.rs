//! Making everything derived again from the payloads, offline: the same rows an undisturbed ingest would have left.
//! It heals quarantined records once the mapping can read them, and says what changed.

use std::collections::BTreeMap;

use anyhow::Result;
use rusqlite::{Connection, params};

use crate::db::Db;
use crate::db::derive::{Version, discount_findings};
use crate::db::removal::{close_version, mark_removed};
use crate::model::{Kind, Table, map_record};

/// Rows per derived table that differ after the rebuild from before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RebuildSummary {
    pub records: u64,
    pub quarantined: u64,
    /// Table → (rows only before, rows only after).
    pub changed: BTreeMap<&'static str, (u64, u64)>,
}

/// Derived tables without the four kinds' own.
const SHARED: [&str; 4] = ["subscription_addons", "customers", "services", "plans"];

/// When a quarantined record was last listed is known nowhere else: a listing that finds it unchanged makes no version.
const FORGET_QUARANTINE: &str = "create temp table before_quarantine as select * from main.quarantine;
    delete from main.quarantine where record_id is not null;";
const RECALL_LAST_SEEN: &str = "update main.quarantine set last_seen_at = b.last_seen_at from before_quarantine b
    where main.quarantine.record_id = b.record_id and main.quarantine.store_id = b.store_id
      and main.quarantine.kind = b.kind and b.last_seen_at > main.quarantine.last_seen_at;
    drop table before_quarantine;";

impl Db {
    /// How many versions of records there are to derive from.
    pub fn count_payloads(&self) -> Result<u64> {
        count(&self.connection, "select 1 from payloads")
    }

    /// Derives everything again in one transaction; `derived` hears how many more payloads are done.
    pub fn rebuild(&self, derived: &dyn Fn(u64)) -> Result<RebuildSummary> {
        self.write(|connection| {
            let tables = derived_tables();
            for table in &tables {
                connection.execute_batch(&format!("create temp table before_{table} as select * from main.{table}"))?;
            }
            let mut summary = self.rebuild_within(connection, derived)?;
            for table in tables {
                let before =
                    count(connection, &format!("select * from before_{table} except select * from main.{table}"))?;
                let after =
                    count(connection, &format!("select * from main.{table} except select * from before_{table}"))?;
                if before + after > 0 {
                    summary.changed.insert(table, (before, after));
                }
                connection.execute_batch(&format!("drop table before_{table}"))?;
            }
            Ok(summary)
        })
    }

    /// The same within a transaction that is open already, without telling what changed.
    pub(super) fn rebuild_within(&self, connection: &Connection, derived: &dyn Fn(u64)) -> Result<RebuildSummary> {
        self.names.borrow_mut().clear();
        for table in derived_tables() {
            connection.execute_batch(&format!("delete from main.{table}"))?;
        }
        connection.execute("delete from findings", [])?;
        connection.execute_batch(FORGET_QUARANTINE)?;
        let mut summary = RebuildSummary::default();
        for kind in Kind::ALL {
            self.rebuild_kind(connection, kind.table(), &mut summary, derived)?;
        }
        self.names.borrow_mut().save(connection)?;
        connection.execute_batch(RECALL_LAST_SEEN)?;
        Ok(summary)
    }

    fn rebuild_kind(
        &self,
        connection: &Connection,
        table: &'static Table,
        summary: &mut RebuildSummary,
        derived: &dyn Fn(u64),
    ) -> Result<()> {
        let mut statement = connection.prepare(
            "select payload_id, store_id, record_id, version, seen_from, seen_until, body
             from payloads where kind = ?1 order by store_id, record_id, version",
        )?;
        let mut rows = statement.query([table.view])?;
        let mut last: Option<(String, String, i64, Option<String>, String)> = None;
        while let Some(row) = rows.next()? {
            let (store_id, record_id): (String, String) = (row.get(1)?, row.get(2)?);
            let (number, seen_from): (i64, String) = (row.get(3)?, row.get(4)?);
            let (seen_until, body): (Option<String>, String) = (row.get(5)?, row.get(6)?);
            match last.take() {
                Some((old_store, old_record, old_version, old_until, old_body))
                    if old_store == store_id && old_record == record_id =>
                {
                    discount_findings(connection, table, &store_id, &record_id, &old_body)?;
                    replay_end(
                        connection,
                        table,
                        &store_id,
                        &record_id,
                        old_version,
                        old_until.as_deref(),
                        Some(&seen_from),
                    )?;
                }
                Some((old_store, old_record, old_version, old_until, _)) => {
                    replay_end(connection, table, &old_store, &old_record, old_version, old_until.as_deref(), None)?;
                }
                None => {}
            }
            let version = Version {
                payload_id: row.get(0)?,
                store_id: &store_id,
                record_id: &record_id,
                version: number,
                seen_from: &seen_from,
                seen_until: None,
                body: &body,
            };
            summary.records += u64::from(number == 1);
            self.derive(connection, table, &version, &map_record(table, &record_id, &body))?;
            derived(1);
            last = Some((store_id, record_id, number, seen_until, body));
        }
        if let Some((store_id, record_id, version, seen_until, _)) = last {
            replay_end(connection, table, &store_id, &record_id, version, seen_until.as_deref(), None)?;
        }
        summary.quarantined += count(
            connection,
            &format!("select 1 from quarantine where kind = '{}' and record_id is not null", table.view),
        )?;
        Ok(())
    }
}

/// How a version ended: replaced at once, or removed (and perhaps returned later).
fn replay_end(
    connection: &Connection,
    table: &Table,
    store_id: &str,
    record_id: &str,
    version: i64,
    until: Option<&str>,
    next_from: Option<&str>,
) -> Result<()> {
    match (until, next_from) {
        (None, _) => Ok(()),
        (Some(until), Some(next)) if until == next => {
            close_version(connection, table, store_id, record_id, version, until)
        }
        (Some(until), _) => mark_removed(connection, table, store_id, record_id, version, until),
    }
}

fn derived_tables() -> Vec<&'static str> {
    let own = Kind::ALL.into_iter().flat_map(|kind| {
        let table = kind.table();
        [Some(table.records), table.versions.as_ref().map(|versions| versions.table)].into_iter().flatten()
    });
    // add-ons first: they reference their subscription row
    SHARED.into_iter().chain(own).collect()
}

fn count(connection: &Connection, select: &str) -> Result<u64> {
    let rows: i64 = connection.query_row(&format!("select count(*) from ({select})"), params![], |row| row.get(0))?;
    Ok(u64::try_from(rows)?)
}
