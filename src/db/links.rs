//! What a push leaves behind: links with the acknowledged values, rejections, what it cost, one `push_runs` row, and
//! the names and field metadata it goes by. A batch is saved in one transaction.

use std::collections::HashSet;

use anyhow::Result;
use chrono::{DateTime, Duration, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use crate::db::crm_links::{Owner, owner, set_fields};
use crate::db::fingerprints::{self, Fingerprint};
use crate::db::push_rows::GONE;
use crate::db::{Db, read_rows};
use crate::model::Kind;
use crate::model::crm::FieldInfo;
use crate::model::instant::format_instant;
use crate::model::json::sha256_hex;

/// A record the CRM has accepted.
pub struct Acknowledgement {
    pub store_id: String,
    pub record_id: String,
    pub crm_id: String,
    /// JSON of the last accepted value of every field.
    pub fields_sent: String,
    /// Of what the accepted values were made of; None when they will be others.
    pub fingerprint: Option<Fingerprint>,
}

/// A record the CRM has refused.
#[derive(Clone, Debug)]
pub struct Rejection {
    pub store_id: String,
    pub record_id: String,
    pub code: String,
    pub message: String,
    pub field: Option<String>,
    pub value: Option<String>,
    pub fields_sha256: String,
    /// The CRM no longer knows the record the link names.
    pub gone: bool,
}

/// What came of one write.
pub struct Batch<'a> {
    pub target: &'a str,
    /// The CRM's API host, which counts the credits.
    pub host: &'a str,
    pub kind: Kind,
    pub now: &'a str,
    pub credits: u64,
    pub acknowledged: &'a [Acknowledgement],
    pub rejected: &'a [Rejection],
}

/// One row of `push_runs`.
#[derive(Clone, Debug, Default)]
pub struct PushRun {
    pub target: String,
    pub started_at: String,
    pub finished_at: String,
    pub outcome: &'static str,
    pub created: u64,
    pub updated: u64,
    pub adopted: u64,
    pub rejected: u64,
    pub left_over: u64,
    pub requests: u64,
    pub credits_planned: u64,
    pub credits_used: u64,
    pub stopped: Option<&'static str>,
    pub error: Option<String>,
}

impl Db {
    /// Saves what came of one write. `retry_at` says when a record refused so many times is sent again. Returns the
    /// acknowledgements, by their place, that name a CRM record which is another record's already: those are not saved.
    pub fn save_push(&self, batch: &Batch, retry_at: impl Fn(u32) -> String) -> Result<Vec<(usize, Owner)>> {
        self.write(|connection| {
            let mut taken = Vec::new();
            for (place, acknowledgement) in batch.acknowledged.iter().enumerate() {
                if let Some(owner) = other_owner(connection, batch, acknowledgement)? {
                    taken.push((place, owner));
                    continue;
                }
                save_link(connection, batch, acknowledgement)?;
                clear_rejection(
                    connection,
                    batch.target,
                    batch.kind,
                    &acknowledgement.store_id,
                    &acknowledgement.record_id,
                )?;
            }
            for rejection in batch.rejected {
                save_rejection(connection, batch, rejection, &retry_at)?;
            }
            if batch.credits > 0 {
                connection
                    .prepare_cached("insert into crm_credits (target, used_at, credits) values (?1, ?2, ?3)")?
                    .execute(params![batch.host, batch.now, batch.credits])?;
            }
            Ok(taken)
        })
    }

    /// Notes what linked records (store, id, fields) are about to be sent: cleared with their answers.
    pub fn save_unanswered(&self, target: &str, kind: Kind, records: &[(&str, i64, &str)]) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        self.write(|connection| {
            let mut statement = connection.prepare_cached(
                "update crm_links set fields_unanswered = ?5
                 where target = ?1 and store_id = ?2 and kind = ?3 and record_id = ?4",
            )?;
            for (store_id, id, fields) in records {
                statement.execute(params![target, store_id, kind.name(), id.to_string(), fields])?;
            }
            Ok(())
        })
    }

    /// Notes that another record's values were written over a linked record's.
    pub fn save_overwritten(&self, target: &str, kind: Kind, owner: &Owner, fields: &str) -> Result<()> {
        self.write(|connection| set_fields(connection, (target, kind, &owner.store_id, &owner.record_id), fields))
    }

    /// What a linked record's CRM record was last known to hold.
    pub fn fields_sent(&self, target: &str, kind: Kind, owner: &Owner) -> Result<Option<String>> {
        Ok(self
            .connection()
            .prepare_cached(
                "select fields_sent from crm_links where target = ?1 and store_id = ?2 and kind = ?3 and record_id = ?4",
            )?
            .query_row([target, &owner.store_id, kind.name(), &owner.record_id], |row| row.get(0))
            .optional()?)
    }

    /// Forgets rejections of records that have nothing to send any more.
    pub fn clear_rejections(&self, target: &str, kind: Kind, records: &[(String, String)]) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        self.write(|connection| {
            records
                .iter()
                .try_for_each(|(store_id, record_id)| clear_rejection(connection, target, kind, store_id, record_id))
        })
    }

    /// Forgets rejections of a module with this code, but those of the given records.
    pub fn clear_code(&self, target: &str, kind: Kind, code: &str, kept: &[Rejection]) -> Result<bool> {
        let kept: HashSet<(&str, &str)> =
            kept.iter().map(|one| (one.store_id.as_str(), one.record_id.as_str())).collect();
        let sql = "select store_id, record_id from crm_rejections where target = ?1 and kind = ?2 and code = ?3";
        let mut cleared: Vec<(String, String)> =
            read_rows(self.connection(), sql, [target, kind.name(), code], |row| Ok((row.get(0)?, row.get(1)?)))?;
        cleared.retain(|(store_id, record_id)| !kept.contains(&(store_id.as_str(), record_id.as_str())));
        self.clear_rejections(target, kind, &cleared)?;
        Ok(!cleared.is_empty())
    }

    /// API credits used on a CRM host in the `time` before an instant. What is dated after it counts too, but no
    /// further ahead than that: those of a clock that was wrong by years must not stop today's pushes.
    pub fn credits_around(&self, host: &str, now: DateTime<Utc>, time: Duration) -> Result<u64> {
        let (since, until) = (format_instant(now - time), format_instant(now + time));
        Ok(self
            .connection()
            .prepare_cached(
                "select coalesce(sum(credits), 0) from crm_credits where used_at > ?2 and used_at < ?3 and target = ?1",
            )?
            .query_row([host, &since, &until], |row| row.get(0))?)
    }

    /// Records that modules of a CRM host refused and that are still held.
    pub fn count_rejections(&self, host: &str) -> Result<u64> {
        Ok(self
            .connection()
            .prepare_cached("select count(*) from crm_rejections where target like ?1 || '/%'")?
            .query_row([host], |row| row.get(0))?)
    }

    /// When the last push to a CRM host began.
    pub fn last_push_at(&self, host: &str) -> Result<Option<String>> {
        Ok(self
            .connection()
            .prepare_cached("select max(started_at) from push_runs where target = ?1")?
            .query_row([host], |row| row.get(0))?)
    }

    /// Every store of the mirror with the template of its records' CRM names, if that is decided.
    pub fn record_names(&self) -> Result<Vec<(String, Option<String>)>> {
        let sql = "select store_id, record_name from stores order by store_id";
        read_rows(self.connection(), sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Decides a store's template once and for all; what is decided stays.
    pub fn save_record_name(&self, store_id: &str, template: &str) -> Result<()> {
        self.write(|connection| {
            connection.execute(
                "update stores set record_name = ?2 where store_id = ?1 and record_name is null",
                [store_id, template],
            )?;
            Ok(())
        })
    }

    /// The cached metadata of a module, and when it was read; None when it never was.
    pub fn crm_fields(&self, target: &str) -> Result<Option<(Vec<FieldInfo>, String)>> {
        let sql =
            "select api_name, field_label, data_type, length, decimal_place, read_only, system_mandatory, lookup_module,
               pick_list_values
             from crm_fields where target = ?1 order by api_name";
        let fields = read_rows(self.connection(), sql, [target], |row| {
            Ok(FieldInfo {
                api_name: row.get(0)?,
                label: row.get(1)?,
                data_type: row.get(2)?,
                length: row.get(3)?,
                decimal_place: row.get(4)?,
                read_only: row.get(5)?,
                mandatory: row.get(6)?,
                lookup_module: row.get(7)?,
                pick_list_values: row.get(8)?,
            })
        })?;
        let fetched_at: Option<String> = self
            .connection()
            .prepare_cached("select min(fetched_at) from crm_fields where target = ?1")?
            .query_row([target], |row| row.get(0))
            .optional()?
            .flatten();
        Ok(fetched_at.map(|fetched_at| (fields, fetched_at)))
    }

    /// Replaces the cached metadata of a module.
    pub fn save_crm_fields(&self, target: &str, fields: &[FieldInfo], now: &str) -> Result<()> {
        self.write(|connection| {
            connection.execute("delete from crm_fields where target = ?1", [target])?;
            let mut insert = connection.prepare_cached(
                "insert or replace into crm_fields (target, api_name, field_label, data_type, length, decimal_place,
                   read_only, system_mandatory, lookup_module, pick_list_values, fetched_at)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?;
            for field in fields {
                insert.execute(params![
                    target,
                    field.api_name,
                    field.label,
                    field.data_type,
                    field.length,
                    field.decimal_place,
                    field.read_only,
                    field.mandatory,
                    field.lookup_module,
                    field.pick_list_values,
                    now
                ])?;
            }
            Ok(())
        })
    }

    /// Notes a push that is about to send. It says `interrupted` until it is finished, so that a killed push tells the
    /// truth.
    pub fn start_push(&self, target: &str, now: &str) -> Result<i64> {
        self.write(|connection| {
            connection.execute(
                "insert into push_runs (target, started_at, outcome) values (?1, ?2, 'interrupted')",
                [target, now],
            )?;
            Ok(connection.last_insert_rowid())
        })
    }

    /// Writes how a push ended, into the row it started with if it started one.
    pub fn finish_push(&self, push_run_id: Option<i64>, run: &PushRun) -> Result<()> {
        self.write(|connection| {
            connection.execute(
                "insert into push_runs (push_run_id, target, started_at, finished_at, outcome, created, updated, adopted,
                   rejected, left_over, requests, credits_planned, credits_used, stopped, error)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
                 on conflict (push_run_id) do update set finished_at = excluded.finished_at, outcome = excluded.outcome,
                   created = excluded.created, updated = excluded.updated, adopted = excluded.adopted,
                   rejected = excluded.rejected, left_over = excluded.left_over, requests = excluded.requests,
                   credits_planned = excluded.credits_planned, credits_used = excluded.credits_used,
                   stopped = excluded.stopped, error = excluded.error",
                params![
                    push_run_id, run.target, run.started_at, run.finished_at, run.outcome, run.created, run.updated,
                    run.adopted, run.rejected, run.left_over, run.requests, run.credits_planned, run.credits_used,
                    run.stopped, run.error
                ],
            )?;
            Ok(())
        })
    }
}

/// The other record that an accepted record's CRM id belongs to.
fn other_owner(connection: &Connection, batch: &Batch, link: &Acknowledgement) -> Result<Option<Owner>> {
    let owner = owner(connection, batch.target, &link.crm_id)?;
    Ok(owner.filter(|owner| (&owner.store_id, &owner.record_id) != (&link.store_id, &link.record_id)))
}

fn save_link(connection: &Connection, batch: &Batch, link: &Acknowledgement) -> Result<()> {
    connection
        .prepare_cached(
            "insert into crm_links (target, store_id, kind, record_id, crm_id, fields_sha256, acknowledged_at, state, fields_sent)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'linked', ?8)
             on conflict (target, store_id, kind, record_id) do update set
               crm_id = excluded.crm_id, fields_sha256 = excluded.fields_sha256, acknowledged_at = excluded.acknowledged_at,
               state = excluded.state, fields_sent = excluded.fields_sent, fields_unanswered = null",
        )?
        .execute(params![
            batch.target,
            link.store_id,
            batch.kind.name(),
            link.record_id,
            link.crm_id,
            sha256_hex(link.fields_sent.as_bytes()),
            batch.now,
            link.fields_sent
        ])?;
    // after the link: writing that forgets the fingerprint
    if let (Some(fingerprint), Ok(id)) = (&link.fingerprint, link.record_id.parse()) {
        fingerprints::save(connection, batch.target, batch.kind, &link.store_id, id, fingerprint)?;
    }
    Ok(())
}

fn save_rejection(
    connection: &Connection,
    batch: &Batch,
    rejection: &Rejection,
    retry_at: &impl Fn(u32) -> String,
) -> Result<()> {
    let kind = batch.kind.name();
    connection
        .prepare_cached(
            "update crm_links set fields_unanswered = null where fields_unanswered is not null
               and target = ?1 and store_id = ?2 and kind = ?3 and record_id = ?4",
        )?
        .execute([batch.target, &rejection.store_id, kind, &rejection.record_id])?;
    let before: Option<u32> = connection
        .prepare_cached(
            "select attempts from crm_rejections where target = ?1 and store_id = ?2 and kind = ?3 and record_id = ?4",
        )?
        .query_row([batch.target, &rejection.store_id, kind, &rejection.record_id], |row| row.get(0))
        .optional()?;
    let attempts = before.unwrap_or(0) + 1;
    connection
        .prepare_cached(
            "insert into crm_rejections (target, store_id, kind, record_id, code, message, field, value, attempts,
               first_at, last_at, next_at, fields_sha256)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12)
             on conflict (target, store_id, kind, record_id) do update set
               code = excluded.code, message = excluded.message, field = excluded.field, value = excluded.value,
               attempts = excluded.attempts, last_at = excluded.last_at, next_at = excluded.next_at,
               fields_sha256 = excluded.fields_sha256",
        )?
        .execute(params![
            batch.target,
            rejection.store_id,
            kind,
            rejection.record_id,
            rejection.code,
            rejection.message,
            rejection.field,
            rejection.value,
            attempts,
            batch.now,
            retry_at(attempts),
            rejection.fields_sha256
        ])?;
    if rejection.gone {
        connection
            .prepare_cached(
                "update crm_links set state = ?5 where target = ?1 and store_id = ?2 and kind = ?3 and record_id = ?4",
            )?
            .execute([batch.target, &rejection.store_id, kind, &rejection.record_id, GONE])?;
    }
    Ok(())
}

pub(super) fn clear_rejection(
    connection: &Connection,
    target: &str,
    kind: Kind,
    store_id: &str,
    record_id: &str,
) -> Result<()> {
    connection
        .prepare_cached(
            "delete from crm_rejections where target = ?1 and store_id = ?2 and kind = ?3 and record_id = ?4",
        )?
        .execute([target, store_id, kind.name(), record_id])?;
    Ok(())
}
