//! Everything the mirror knows of one record, for `explain`: versions, relatives, its place in the CRM.

use anyhow::Result;
use rusqlite::params;

use crate::db::derive::key_value;
use crate::db::{Db, read_rows};
use crate::model::Kind;

/// Relatives named per kind; more are only counted.
const RELATIVES_SHOWN: usize = 20;

pub struct PayloadVersion {
    pub version: i64,
    pub seen_from: String,
    pub seen_until: Option<String>,
    pub body: String,
}

/// Records of one kind that belong to the record, or that it belongs to.
pub struct Relatives {
    pub kind: Kind,
    pub is_parent: bool,
    /// (id, whether the mirror holds it); at most a screenful.
    pub ids: Vec<(String, bool)>,
    pub count: u64,
}

pub struct CrmPlace {
    pub target: String,
    pub crm_id: String,
    pub state: String,
    pub acknowledged_at: String,
}

pub struct CrmRefusal {
    pub target: String,
    pub code: String,
    pub message: Option<String>,
    pub field: Option<String>,
    pub value: Option<String>,
    pub attempts: i64,
    pub first_at: String,
    pub last_at: String,
    pub next_at: String,
}

impl Db {
    /// The stores that hold a record of this id.
    pub fn stores_holding(&self, kind: Kind, record_id: &str) -> Result<Vec<String>> {
        read_rows(
            &self.connection,
            "select distinct store_id from payloads where kind = ?1 and record_id = ?2 and store_id in (select store_id from stores) order by 1",
            [kind.name(), record_id],
            |row| row.get(0),
        )
    }

    pub fn versions_of(&self, store_id: &str, kind: Kind, record_id: &str) -> Result<Vec<PayloadVersion>> {
        read_rows(
            &self.connection,
            "select version, seen_from, seen_until, body from payloads
             where store_id = ?1 and kind = ?2 and record_id = ?3 order by version",
            [store_id, kind.name(), record_id],
            |row| {
                Ok(PayloadVersion {
                    version: row.get(0)?,
                    seen_from: row.get(1)?,
                    seen_until: row.get(2)?,
                    body: row.get(3)?,
                })
            },
        )
    }

    /// Why the newest version could not be normalized, if it could not.
    pub fn quarantine_of(&self, store_id: &str, kind: Kind, record_id: &str) -> Result<Option<(String, String)>> {
        Ok(read_rows(
            &self.connection,
            "select pointer, reason from quarantine where store_id = ?1 and kind = ?2 and record_id = ?3",
            [store_id, kind.name(), record_id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
        .pop())
    }

    /// Parents by the record's own references, children by theirs: a kind refers to another by the name of its key.
    pub fn relatives_of(&self, store_id: &str, kind: Kind, record_id: &str) -> Result<Vec<Relatives>> {
        let own = kind.table();
        let mut relatives = Vec::new();
        for other in Kind::pushed().filter(|other| *other != kind) {
            let table = other.table();
            if refers(kind, other) {
                let sql = format!(
                    "select r.{0}, p.{0} is not null from {1} r left join {2} p on p.store_id = r.store_id and p.{0} = r.{0}
                     where r.store_id = ?1 and r.{3} = ?2 and r.{0} is not null",
                    table.key, own.records, table.records, own.key
                );
                relatives.push(self.related(&sql, store_id, record_id, other, true)?);
            } else if refers(other, kind) {
                let sql = format!(
                    "select r.{0}, 1 from {1} r where r.store_id = ?1 and r.{2} = ?2 order by 1",
                    table.key, table.records, own.key
                );
                relatives.push(self.related(&sql, store_id, record_id, other, false)?);
            }
        }
        relatives.retain(|relatives| relatives.count > 0);
        Ok(relatives)
    }

    fn related(&self, sql: &str, store_id: &str, record_id: &str, kind: Kind, is_parent: bool) -> Result<Relatives> {
        let mut ids: Vec<(String, bool)> =
            read_rows(&self.connection, sql, params![store_id, key_value(record_id)], |row| {
                Ok((row.get::<_, i64>(0)?.to_string(), row.get(1)?))
            })?;
        let count = ids.len() as u64;
        ids.truncate(RELATIVES_SHOWN);
        Ok(Relatives { kind, is_parent, ids, count })
    }

    pub fn crm_places_of(&self, store_id: &str, kind: Kind, record_id: &str) -> Result<Vec<CrmPlace>> {
        read_rows(
            &self.connection,
            "select target, crm_id, state, acknowledged_at from crm_links
             where store_id = ?1 and kind = ?2 and record_id = ?3 order by target",
            [store_id, kind.name(), record_id],
            |row| {
                Ok(CrmPlace {
                    target: row.get(0)?,
                    crm_id: row.get(1)?,
                    state: row.get(2)?,
                    acknowledged_at: row.get(3)?,
                })
            },
        )
    }

    pub fn crm_refusals_of(&self, store_id: &str, kind: Kind, record_id: &str) -> Result<Vec<CrmRefusal>> {
        read_rows(
            &self.connection,
            "select target, code, message, field, value, attempts, first_at, last_at, next_at from crm_rejections
             where store_id = ?1 and kind = ?2 and record_id = ?3 order by target",
            [store_id, kind.name(), record_id],
            |row| {
                Ok(CrmRefusal {
                    target: row.get(0)?,
                    code: row.get(1)?,
                    message: row.get(2)?,
                    field: row.get(3)?,
                    value: row.get(4)?,
                    attempts: row.get(5)?,
                    first_at: row.get(6)?,
                    last_at: row.get(7)?,
                    next_at: row.get(8)?,
                })
            },
        )
    }
}

/// Whether records of one kind hold the key of the other.
fn refers(from: Kind, to: Kind) -> bool {
    from.table().stored().any(|column| column.name == to.table().key)
}
