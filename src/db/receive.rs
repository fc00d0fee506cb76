//! One page of records beside what the mirror holds of them: looked up in the file, then read (ids, contents, rows)
//! without it, so that the records of one store are read while those of another are written.

use std::collections::HashSet;

use anyhow::Result;
use rayon::prelude::*;
use rusqlite::{Connection, OptionalExtension, params};

use crate::db::{Class, Db};
use crate::model::{Content, Kind, Table, read_content, record_id};

/// Records read side by side on all cores before they are written: a usual page. A whole store on one page must not
/// stand in memory as rows.
const READ_AT_ONCE: usize = 200;

/// The records of one page, each with what the mirror holds of it. Read by [`Received::read`] on any thread, then
/// saved or compared; what is not read until then is read there.
pub struct Received {
    pub(super) store_id: String,
    pub(super) table: &'static Table,
    pub(super) records: Vec<Record>,
}

/// One record of a page beside what the mirror knows of it.
pub(super) struct Record {
    pub body: String,
    pub record_id: Option<String>,
    /// Whether the page held the same id before.
    pub is_repeated: bool,
    pub known: Option<Known>,
    /// None while it is not read; never read while its bytes are those of the mirror, or when it has no usable id.
    pub content: Option<Content>,
}

/// The newest version of a record as it stands in the file.
pub(super) struct Known {
    pub payload_id: i64,
    pub version: i64,
    pub content_sha256: String,
    pub removed: bool,
    pub same_bytes: bool,
}

impl Db {
    /// Looks up the records of one page. With `now`, records of a forgotten customer are noted as forgotten then.
    pub fn receive(&self, store_id: &str, kind: Kind, bodies: Vec<String>, now: Option<&str>) -> Result<Received> {
        let table = kind.table();
        let bodies = self.without_forgotten(store_id, table, bodies, now)?;
        let mut seen = HashSet::new();
        let mut records = Vec::with_capacity(bodies.len());
        // one look at the file for all of them: each statement by itself would lock it anew
        let look = self.connection.unchecked_transaction()?;
        for body in bodies {
            let record_id = record_id(table, &body);
            let known = match &record_id {
                Some(id) => find_known(&self.connection, table, store_id, id, &body)?,
                None => None,
            };
            let is_repeated = record_id.as_ref().is_some_and(|id| !seen.insert(id.clone()));
            records.push(Record { body, record_id, is_repeated, known, content: None });
        }
        look.finish()?;
        Ok(Received { store_id: store_id.to_owned(), table, records })
    }
}

impl Received {
    /// Whether [`Received::read`] has nothing to do: the mirror holds the page byte for byte.
    pub fn is_read(&self) -> bool {
        self.records.iter().all(Record::is_read)
    }

    /// Reads what must be read of the first records (of all of a usual page), on all cores.
    pub fn read(&mut self) {
        let first = self.records.len().min(READ_AT_ONCE);
        read(self.table, &mut self.records[..first]);
    }

    /// The records in small lots, each read.
    pub(super) fn lots(table: &'static Table, records: Vec<Record>) -> impl Iterator<Item = Vec<Record>> {
        let mut records = records.into_iter();
        std::iter::from_fn(move || {
            let mut lot: Vec<Record> = records.by_ref().take(READ_AT_ONCE).collect();
            read(table, &mut lot);
            (!lot.is_empty()).then_some(lot)
        })
    }
}

impl Record {
    fn is_read(&self) -> bool {
        let is_same = !self.is_repeated && self.known.as_ref().is_some_and(|known| known.is_current(None));
        is_same || self.content.is_some() || self.record_id.is_none()
    }

    /// What a record with an id is against the mirror, as far as its content goes.
    pub(super) fn class(&self) -> Class {
        match &self.known {
            None => Class::New,
            Some(known) if known.is_current(self.content.as_ref()) => Class::Unchanged,
            Some(known) if known.removed => Class::Returned,
            Some(_) => Class::Changed,
        }
    }
}

impl Known {
    /// Whether the record stands in the mirror as it was received, byte for byte or at least in content.
    fn is_current(&self, received: Option<&Content>) -> bool {
        !self.removed && (self.same_bytes || received.is_some_and(|content| content.sha256 == self.content_sha256))
    }
}

fn read(table: &'static Table, records: &mut [Record]) {
    let mut unread: Vec<&mut Record> = records.iter_mut().filter(|record| !record.is_read()).collect();
    unread.par_iter_mut().for_each(|record| {
        record.content = record.record_id.as_ref().map(|id| read_content(table, id, &record.body));
    });
}

pub(super) fn find_known(
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
