//! Saving one page: payloads, rows and the listing's bookkeeping in one transaction, so that a kill leaves either all
//! of the page or none of it.

use std::collections::HashSet;

use anyhow::Result;
use rayon::prelude::*;
use rusqlite::{Connection, OptionalExtension, params};

use crate::db::derive::{Version, discount_findings, quarantine};
use crate::db::{Db, PageMark};
use crate::model::json::content_sha256;
use crate::model::{Content, Kind, Table, read_content, record_id};

/// Records read side by side on all cores before they are written: a usual page. A whole store on one page must not
/// stand in memory as rows.
const READ_AT_ONCE: usize = 200;

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

/// The newest version of a record as it stands in the file.
struct Known {
    payload_id: i64,
    version: i64,
    content_sha256: String,
    removed: bool,
    same_bytes: bool,
}

impl Db {
    /// Saves the records of one page as received, and how far the listing is.
    pub fn save_page(
        &self,
        store_id: &str,
        kind: Kind,
        bodies: &[&str],
        mark: Option<&PageMark>,
        now: &str,
    ) -> Result<Vec<SavedRecord>> {
        let table = kind.table();
        self.write(|connection| {
            let quarantined = quarantined_ids(connection, store_id, table)?;
            let bodies = self.without_forgotten(connection, store_id, table, bodies, Some(now))?;
            let bodies: Vec<&str> = bodies.iter().map(AsRef::as_ref).collect();
            let mut saved = Vec::with_capacity(bodies.len());
            for bodies in bodies.chunks(READ_AT_ONCE) {
                for received in receive(connection, table, store_id, bodies)? {
                    saved.push(self.save_record(connection, table, store_id, received, &quarantined, now)?);
                }
            }
            if let Some(mark) = mark {
                mark.save(connection, store_id, kind, &saved)?;
            }
            Ok(saved)
        })
    }

    /// What the records of one page are against the mirror; nothing is written.
    pub fn compare_page(&self, store_id: &str, kind: Kind, bodies: &[&str]) -> Result<Vec<SavedRecord>> {
        let table = kind.table();
        let connection = &self.connection;
        self.without_forgotten(connection, store_id, table, bodies, None)?
            .iter()
            .map(|body| {
                let Some(id) = record_id(table, body) else {
                    let hash = content_sha256(body);
                    let class = if is_kept_apart(connection, table, store_id, &hash)? {
                        Class::Unchanged
                    } else {
                        Class::Quarantined
                    };
                    return Ok(SavedRecord { record_id: None, content_sha256: Some(hash), class });
                };
                let class = match find_known(connection, table, store_id, &id, body)? {
                    None => Class::New,
                    Some(known) if known.is_current(|| Some(content_sha256(body))) => Class::Unchanged,
                    Some(known) if known.removed => Class::Returned,
                    Some(_) => Class::Changed,
                };
                Ok(SavedRecord { record_id: Some(id), content_sha256: None, class })
            })
            .collect()
    }

    fn save_record(
        &self,
        connection: &Connection,
        table: &'static Table,
        store_id: &str,
        received: Received,
        quarantined: &HashSet<String>,
        now: &str,
    ) -> Result<SavedRecord> {
        let Received { body, record_id, is_repeated, mut known, content } = received;
        let Some(id) = record_id else {
            let pointers = table.key_pointers();
            let reason = format!("no usable id in {}", pointers.join(", "));
            quarantine(connection, table, store_id, None, pointers[0], &reason, body, now)?;
            return Ok(SavedRecord {
                record_id: None,
                content_sha256: Some(content_sha256(body)),
                class: Class::Quarantined,
            });
        };
        if is_repeated {
            // it meets what its namesake on the page has left
            known = find_known(connection, table, store_id, &id, body)?;
        }
        let class = match (known, content) {
            (Some(known), content) if known.is_current(|| content.as_ref().map(|content| content.sha256.clone())) => {
                if quarantined.contains(&id) {
                    touch_quarantine(connection, table, store_id, &id, now)?;
                    Class::QuarantinedKnown
                } else {
                    Class::Unchanged
                }
            }
            (known, content) => {
                let content = content.unwrap_or_else(|| read_content(table, &id, body));
                let (version, class) = match &known {
                    None => (1, Class::New),
                    Some(known) if known.removed => (known.version + 1, Class::Returned),
                    Some(known) => (known.version + 1, Class::Changed),
                };
                if let Some(known) = &known {
                    supersede(connection, table, store_id, &id, known, now)?;
                }
                self.add_version(connection, table, store_id, &id, version, body, &content, now, class)?
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

/// One record of a page beside what the mirror knows of it.
struct Received<'a> {
    body: &'a str,
    record_id: Option<String>,
    /// Whether the page held the same id before.
    is_repeated: bool,
    known: Option<Known>,
    /// None while its bytes are those of the mirror, or when it has no usable id.
    content: Option<Content>,
}

impl Known {
    /// Whether the record stands in the mirror as it was received, byte for byte or at least in content.
    /// `sha256` is asked for only when the bytes differ.
    fn is_current(&self, sha256: impl FnOnce() -> Option<String>) -> bool {
        !self.removed && (self.same_bytes || sha256().is_some_and(|sha256| sha256 == self.content_sha256))
    }
}

/// Reads what must be read of some records, on all cores: the ids of all, the content of those that the mirror does
/// not hold byte for byte.
fn receive<'a>(
    connection: &Connection,
    table: &'static Table,
    store_id: &str,
    bodies: &[&'a str],
) -> Result<Vec<Received<'a>>> {
    let ids: Vec<Option<String>> = bodies.par_iter().map(|body| record_id(table, body)).collect();
    let mut seen = HashSet::new();
    let mut received = Vec::with_capacity(bodies.len());
    for (body, record_id) in bodies.iter().zip(ids) {
        let known = match &record_id {
            Some(id) => find_known(connection, table, store_id, id, body)?,
            None => None,
        };
        let is_repeated = record_id.as_ref().is_some_and(|id| !seen.insert(id.clone()));
        received.push(Received { body, record_id, is_repeated, known, content: None });
    }
    received.par_iter_mut().for_each(|received| {
        let is_same = !received.is_repeated && received.known.as_ref().is_some_and(|known| known.is_current(|| None));
        received.content =
            received.record_id.as_ref().filter(|_| !is_same).map(|id| read_content(table, id, received.body));
    });
    Ok(received)
}

fn find_known(
    connection: &Connection,
    table: &Table,
    store_id: &str,
    record_id: &str,
    body: &str,
) -> Result<Option<Known>> {
    Ok(connection
        .prepare_cached(
            "select payload_id, version, content_sha256, seen_until is not null, body = ?4
             from payloads where store_id = ?1 and kind = ?2 and record_id = ?3 order by version desc limit 1",
        )?
        .query_row(params![store_id, table.view, record_id, body], |row| {
            Ok(Known {
                payload_id: row.get(0)?,
                version: row.get(1)?,
                content_sha256: row.get(2)?,
                removed: row.get(3)?,
                same_bytes: row.get(4)?,
            })
        })
        .optional()?)
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
