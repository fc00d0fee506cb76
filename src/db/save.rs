//! Saving one page: payloads, rows and the listing's bookkeeping in one transaction, so that a kill leaves either all
//! of the page or none of it.

use std::collections::HashSet;

use anyhow::Result;
use rusqlite::{Connection, params};

use crate::db::derive::{Version, discount_findings, quarantine};
use crate::db::receive::{Known, Received, Record, find_known};
use crate::db::{Db, PageMark};
use crate::model::json::content_sha256;
use crate::model::{Content, Table, read_content};

/// What a record turned out to be against the mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    New,
    Changed,
    Unchanged,
    Returned,
    /// It cannot be normalized or identified, and was not current before.
    Quarantined,
    /// It cannot be normalized (any more), and was current before.
    QuarantinedKnown,
}

/// One record of a saved page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedRecord {
    /// None: the record has no usable id; `content_sha256` tells it apart.
    pub record_id: Option<String>,
    pub content_sha256: Option<String>,
    pub class: Class,
}

impl Db {
    /// Saves the records of one page as received, and how far the listing is.
    pub fn save(&self, page: Received, mark: Option<&PageMark>, now: &str) -> Result<Vec<SavedRecord>> {
        let Received { store_id, table, records } = page;
        self.write(|connection| {
            let quarantined = quarantined_ids(connection, &store_id, table)?;
            let mut saved = Vec::with_capacity(records.len());
            for record in Received::lots(table, records).flatten() {
                saved.push(self.save_record(connection, table, &store_id, record, &quarantined, now)?);
            }
            if let Some(mark) = mark {
                mark.save(connection, &store_id, table.kind, &saved)?;
            }
            Ok(saved)
        })
    }

    /// What the records of one page are against the mirror; nothing is written.
    pub fn compare(&self, page: Received) -> Result<Vec<SavedRecord>> {
        let Received { store_id, table, records } = page;
        Received::lots(table, records)
            .flatten()
            .map(|record| {
                let (content_sha256, class) = if record.record_id.is_some() {
                    (None, record.class())
                } else {
                    let hash = content_sha256(&record.body);
                    let is_known = is_kept_apart(&self.connection, table, &store_id, &hash)?;
                    (Some(hash), if is_known { Class::Unchanged } else { Class::Quarantined })
                };
                Ok(SavedRecord { record_id: record.record_id, content_sha256, class })
            })
            .collect()
    }

    fn save_record(
        &self,
        connection: &Connection,
        table: &'static Table,
        store_id: &str,
        mut record: Record,
        quarantined: &HashSet<String>,
        now: &str,
    ) -> Result<SavedRecord> {
        let Some(id) = record.record_id.take() else {
            let body = &record.body;
            let pointers = table.key_pointers();
            let reason = format!("no usable id in {}", pointers.join(", "));
            quarantine(connection, table, store_id, None, pointers[0], &reason, body, now)?;
            return Ok(SavedRecord {
                record_id: None,
                content_sha256: Some(content_sha256(body)),
                class: Class::Quarantined,
            });
        };
        if record.is_repeated {
            // it meets what its namesake on the page has left
            record.known = find_known(connection, table, store_id, &id, &record.body)?;
        }
        let class = match record.class() {
            Class::Unchanged if quarantined.contains(&id) => {
                touch_quarantine(connection, table, store_id, &id, now)?;
                Class::QuarantinedKnown
            }
            Class::Unchanged => Class::Unchanged,
            class => {
                let Record { body, known, content, .. } = record;
                let content = content.unwrap_or_else(|| read_content(table, &id, &body));
                let version = known.as_ref().map_or(1, |known| known.version + 1);
                if let Some(known) = &known {
                    supersede(connection, table, store_id, &id, known, now)?;
                }
                self.add_version(connection, table, store_id, &id, version, &body, &content, now, class)?
            }
        };
        Ok(SavedRecord { record_id: Some(id), content_sha256: None, class })
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of one payload version")]
    fn add_version(
        &self,
        connection: &Connection,
        table: &'static Table,
        store_id: &str,
        record_id: &str,
        version: i64,
        body: &str,
        content: &Content,
        now: &str,
        class: Class,
    ) -> Result<Class> {
        connection
            .prepare_cached(
                "insert into payloads (store_id, kind, record_id, version, content_sha256, seen_from, body)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![store_id, table.view, record_id, version, content.sha256, now, body])?;
        let payload_id = connection.last_insert_rowid();
        let derived = Version { payload_id, store_id, record_id, version, seen_from: now, seen_until: None, body };
        let normalized = self.derive(connection, table, &derived, &content.mapped)?;
        Ok(match class {
            _ if normalized => class,
            Class::Changed => Class::QuarantinedKnown,
            _ => Class::Quarantined,
        })
    }
}

/// Closes the version that a newer one replaces. A removed one stays closed at the instant of its removal.
fn supersede(
    connection: &Connection,
    table: &'static Table,
    store_id: &str,
    record_id: &str,
    known: &Known,
    now: &str,
) -> Result<()> {
    let old_body: String = connection
        .prepare_cached("select body from payloads where payload_id = ?1")?
        .query_row([known.payload_id], |row| row.get(0))?;
    discount_findings(connection, table, store_id, record_id, &old_body)?;
    if known.removed {
        return super::removal::forget_empty_gap(connection, table, store_id, record_id, known.version, now);
    }
    connection
        .prepare_cached("update payloads set seen_until = ?2 where payload_id = ?1")?
        .execute(params![known.payload_id, now])?;
    super::removal::close_version(connection, table, store_id, record_id, known.version, now)
}

fn quarantined_ids(connection: &Connection, store_id: &str, table: &Table) -> Result<HashSet<String>> {
    let mut statement = connection.prepare_cached(
        "select record_id from quarantine where store_id = ?1 and kind = ?2 and record_id is not null",
    )?;
    let rows = statement.query_map([store_id, table.view], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether a record without a usable id is in quarantine with this content.
fn is_kept_apart(connection: &Connection, table: &Table, store_id: &str, body_sha256: &str) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "select 1 from quarantine where store_id = ?1 and kind = ?2 and record_id is null and body_sha256 = ?3",
        )?
        .exists([store_id, table.view, body_sha256])?)
}

fn touch_quarantine(connection: &Connection, table: &Table, store_id: &str, record_id: &str, now: &str) -> Result<()> {
    connection
        .prepare_cached("update quarantine set last_seen_at = ?4 where store_id = ?1 and kind = ?2 and record_id = ?3")?
        .execute([store_id, table.view, record_id, now])?;
    Ok(())
}
