//! Links outside a push: finding records that have none, linking them to what the CRM holds already, and reading them
//! back to compare.

use std::collections::HashMap;

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, params};

use crate::db::Db;
use crate::db::push_rows::GONE;
use crate::model::Kind;
use crate::model::json::sha256_hex;

/// The acknowledged values of a link that was found by its name: nothing was ever acknowledged.
pub const NOTHING_SENT: &str = "{}";

/// A record of ours and the CRM record that bears its name.
pub struct FoundLink {
    pub store_id: String,
    pub record_id: String,
    pub crm_id: String,
}

/// A link as it is compared with the CRM.
#[derive(Clone, Debug)]
pub struct KnownLink {
    pub store_id: String,
    pub record_id: String,
    pub crm_id: String,
    pub gone: bool,
    pub fields_sent: String,
    /// The store no longer lists the record.
    pub removed: bool,
}

/// What a link becomes after it was compared.
pub enum Repair<'a> {
    /// The CRM holds these values now.
    Holds { link: &'a KnownLink, fields: String },
    /// The CRM has no such record: the link goes, so that the record can be made again.
    Forget(&'a KnownLink),
}

/// The record that already has a CRM id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub store_id: String,
    pub record_id: String,
}

impl Db {
    /// Whether anything was ever linked to a module.
    pub fn has_links(&self, target: &str) -> Result<bool> {
        let sql = "select exists (select 1 from crm_links where target = ?1)";
        Ok(self.connection().prepare_cached(sql)?.query_row([target], |row| row.get(0))?)
    }

    /// Shows every record that stands in no living link.
    pub fn unlinked(&self, kind: Kind, target: &str, mut visit: impl FnMut(&str, i64)) -> Result<()> {
        let table = kind.table();
        let sql = format!(
            "select r.store_id, r.{key} from {records} r
             left join crm_links l on l.target = ?1 and l.store_id = r.store_id and l.kind = ?2
               and l.record_id = cast(r.{key} as text)
             where l.crm_id is null or l.state = ?3 order by 1, 2",
            key = table.key,
            records = table.records
        );
        let mut statement = self.connection().prepare(&sql)?;
        let mut rows = statement.query([target, kind.name(), GONE])?;
        while let Some(row) = rows.next()? {
            visit(row.get_ref(0)?.as_str()?, row.get(1)?);
        }
        Ok(())
    }

    /// The record that a CRM record is linked to, if it is.
    pub fn owner_of(&self, target: &str, crm_id: &str) -> Result<Option<Owner>> {
        owner(self.connection(), target, crm_id)
    }

    /// Links records to what bears their name. A link that was gone is one again.
    pub fn save_links(&self, target: &str, kind: Kind, links: &[FoundLink], now: &str) -> Result<()> {
        if links.is_empty() {
            return Ok(());
        }
        self.write(|connection| {
            let mut insert = connection.prepare_cached(
                "insert into crm_links (target, store_id, kind, record_id, crm_id, fields_sha256, acknowledged_at, state, fields_sent)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'linked', ?8)
                 on conflict (target, store_id, kind, record_id) do update set
                   crm_id = excluded.crm_id, fields_sha256 = excluded.fields_sha256,
                   acknowledged_at = excluded.acknowledged_at, state = 'linked', fields_sent = excluded.fields_sent",
            )?;
            let hash = sha256_hex(NOTHING_SENT.as_bytes());
            for link in links {
                let FoundLink { store_id, record_id, crm_id } = link;
                insert.execute(params![target, store_id, kind.name(), record_id, crm_id, hash, now, NOTHING_SENT])?;
                forget_rejection(connection, target, kind, store_id, record_id)?;
            }
            Ok(())
        })
    }

    /// Every link of a module by its CRM id.
    pub fn links_of(&self, kind: Kind, target: &str) -> Result<HashMap<String, KnownLink>> {
        let table = kind.table();
        let sql = format!(
            "select l.store_id, l.record_id, l.crm_id, l.state, l.fields_sent, r.removed_at is not null
             from crm_links l
             join {} r on r.store_id = l.store_id and r.{} = cast(l.record_id as integer)
             where l.target = ?1 and l.kind = ?2",
            table.records, table.key
        );
        let mut statement = self.connection().prepare(&sql)?;
        let rows = statement.query_map([target, kind.name()], |row| {
            let state: String = row.get(3)?;
            Ok(KnownLink {
                store_id: row.get(0)?,
                record_id: row.get(1)?,
                crm_id: row.get(2)?,
                gone: state == GONE,
                fields_sent: row.get(4)?,
                removed: row.get(5)?,
            })
        })?;
        rows.map(|row| row.map(|link| (link.crm_id.clone(), link)).map_err(Into::into)).collect()
    }

    /// Lets the links say what the CRM really holds, so that a push finds what differs.
    pub fn repair_links(&self, target: &str, kind: Kind, repairs: &[Repair]) -> Result<()> {
        self.write(|connection| {
            for repair in repairs {
                let (Repair::Holds { link, .. } | Repair::Forget(link)) = repair;
                let key = params![target, link.store_id, kind.name(), link.record_id];
                forget_rejection(connection, target, kind, &link.store_id, &link.record_id)?;
                match repair {
                    Repair::Forget(_) => {
                        let sql = "delete from crm_links where target = ?1 and store_id = ?2 and kind = ?3 and record_id = ?4";
                        connection.prepare_cached(sql)?.execute(key)?;
                    }
                    Repair::Holds { fields, .. } => {
                        set_fields(connection, (target, kind, &link.store_id, &link.record_id), fields)?;
                    }
                }
            }
            Ok(())
        })
    }
}

/// The key of a link: target, kind, store, record.
pub(super) type LinkKey<'a> = (&'a str, Kind, &'a str, &'a str);

/// Writes what the CRM holds of a linked record.
pub(super) fn set_fields(connection: &Connection, key: LinkKey, fields: &str) -> Result<()> {
    let (target, kind, store_id, record_id) = key;
    connection
        .prepare_cached(
            "update crm_links set fields_sent = ?5, fields_sha256 = ?6, state = 'linked'
             where target = ?1 and store_id = ?2 and kind = ?3 and record_id = ?4",
        )?
        .execute(params![target, store_id, kind.name(), record_id, fields, sha256_hex(fields.as_bytes())])?;
    Ok(())
}

pub(super) fn owner(connection: &Connection, target: &str, crm_id: &str) -> Result<Option<Owner>> {
    Ok(connection
        .prepare_cached("select store_id, record_id from crm_links where crm_id = ?2 and target = ?1")?
        .query_row([target, crm_id], |row| Ok(Owner { store_id: row.get(0)?, record_id: row.get(1)? }))
        .optional()?)
}

fn forget_rejection(connection: &Connection, target: &str, kind: Kind, store_id: &str, record_id: &str) -> Result<()> {
    super::links::clear_rejection(connection, target, kind, store_id, record_id)
}
