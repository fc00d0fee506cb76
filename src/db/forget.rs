//! Taking a customer's personal fields out of everything the mirror keeps: first a plan of whose records they are, then all
//! of it in one transaction, then the bytes themselves, which would stay in free pages and in the write-ahead log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, params};

use crate::db::forgotten::{Forgotten, SALT, insert};
use crate::db::statements::redact_statements;
use crate::db::{Db, read_rows};
use crate::model::json::{Members, Scalar, content_sha256, sha256_hex};
use crate::model::personal::{Owner, owner, personal_values, redacted};
use crate::model::{Kind, Table};

/// How long to wait for a reader of what was there before.
const READER_WAIT: Duration = Duration::from_secs(5);
/// The setting that says that bytes of forgotten customers may still be in free pages or in the write-ahead log.
const UNPURGED: &str = "forget_unpurged";
/// A shorter text is no sign of a person: it may stand in any field by chance.
const TELLING_CHARACTERS: usize = 4;

/// Who is to be forgotten.
pub enum Whose {
    /// The customer of one record.
    Record { store_id: String, kind: Kind, record_id: String },
    /// Every customer of whom a record ever carried this address.
    Email(String),
    /// Those that the file itself says were forgotten: a copy made before may hold them.
    Noted,
}

/// What forgetting would touch.
#[derive(Default)]
pub struct ForgetPlan {
    salt: String,
    marks: BTreeSet<String>,
    /// In the order in which they were found: store, kind, id, pseudonym.
    records: Vec<(String, Kind, String, String)>,
    /// Whether these were forgotten before, and when.
    pub forgotten_at: Option<String>,
    /// (store, pseudonym) → the newest company name or address, for the person who decides.
    pub customers: BTreeMap<(String, String), String>,
}

/// What forgetting did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForgetDone {
    pub payload_versions: u64,
    pub quarantined: u64,
    pub statement_rows: u64,
    pub crm_links: u64,
    pub crm_rejections: u64,
    pub crm_accounts: u64,
}

impl ForgetPlan {
    /// Nobody new is to be forgotten.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.marks.is_empty()
    }

    /// Records to forget that were not before: (store, kind, id).
    pub fn records(&self) -> impl Iterator<Item = (&str, Kind, &str)> {
        self.records.iter().map(|(store_id, kind, id, _)| (store_id.as_str(), *kind, id.as_str()))
    }

    pub fn count(&self, kind: Kind) -> u64 {
        self.records.iter().filter(|(_, known, ..)| *known == kind).count() as u64
    }
}

impl Db {
    /// Finds whose records they are; writes nothing.
    pub fn plan_forgetting(&self, whose: &Whose) -> Result<ForgetPlan> {
        let connection = self.connection();
        let mut forgotten = Forgotten::read(connection)?;
        if forgotten.salt.is_empty() {
            forgotten.salt = connection.query_row("select lower(hex(randomblob(16)))", [], |row| row.get(0))?;
        }
        let mut plan = ForgetPlan { salt: forgotten.salt.clone(), ..ForgetPlan::default() };
        let mut marks = BTreeSet::new();
        match whose {
            Whose::Noted => {}
            Whose::Email(email) => {
                marks.insert(forgotten.email_mark(email));
                for (store_id, customer) in self.customers_of_email(email)? {
                    marks.insert(forgotten.customer_mark(&store_id, &customer));
                }
            }
            Whose::Record { store_id, kind, record_id } => {
                plan.forgotten_at = self.forgotten_at(store_id, *kind, record_id)?;
                if plan.forgotten_at.is_none() {
                    let customer = self.customer_of(store_id, *kind, record_id)?;
                    marks.extend(customer.as_ref().map(|customer| forgotten.customer_mark(store_id, customer)));
                    // a record without a customer is one by itself
                    let customer = customer.unwrap_or_else(|| format!("{kind} {record_id}"));
                    let pseudonym = forgotten.pseudonym(store_id, &customer);
                    plan.records.push((store_id.clone(), *kind, record_id.clone(), pseudonym.clone()));
                    forgotten.note(store_id.clone(), *kind, record_id.clone(), pseudonym);
                }
            }
        }
        plan.marks = marks.iter().filter(|mark| !forgotten.marks.contains(*mark)).cloned().collect();
        forgotten.marks.extend(marks);
        self.add_covered(&mut plan, &mut forgotten)?;
        if let Whose::Email(email) = whose
            && plan.records.is_empty()
        {
            // an address that no record carries was forgotten before, or was never here
            plan.marks.clear();
            let sql = "select forgotten_at from forgotten_marks where mark = ?1";
            plan.forgotten_at =
                connection.query_row(sql, [forgotten.email_mark(email)], |row| row.get(0)).optional()?;
        }
        self.name_customers(&mut plan)?;
        Ok(plan)
    }

    /// Adds every record that is covered by now, parents before their children.
    fn add_covered(&self, plan: &mut ForgetPlan, forgotten: &mut Forgotten) -> Result<()> {
        if forgotten.is_empty() {
            return Ok(());
        }
        for kind in Kind::ALL {
            self.each_payload(kind.table(), |store_id, record_id, owner| {
                if forgotten.pseudonym_of(store_id, kind, record_id).is_none()
                    && let Some(customer) = forgotten.covers(store_id, kind, Some(record_id), owner)
                {
                    let (store_id, record_id) = (store_id.to_owned(), record_id.to_owned());
                    forgotten.note(store_id.clone(), kind, record_id.clone(), customer.clone());
                    plan.records.push((store_id, kind, record_id, customer));
                }
            })?;
        }
        Ok(())
    }

    fn each_payload(&self, table: &'static Table, mut visit: impl FnMut(&str, &str, &Owner)) -> Result<()> {
        let mut statement =
            self.connection().prepare("select store_id, record_id, body from payloads where kind = ?1")?;
        let mut rows = statement.query([table.view])?;
        while let Some(row) = rows.next()? {
            let body = owner(table, row.get_ref(2)?.as_str()?);
            visit(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?, &body);
        }
        Ok(())
    }

    /// The customers of whom a record, in any version, carried the address.
    fn customers_of_email(&self, email: &str) -> Result<BTreeSet<(String, String)>> {
        let mut found = BTreeSet::new();
        let mut subscriptions = BTreeSet::new();
        for kind in Kind::ALL {
            self.each_payload(kind.table(), |store_id, _, owner| {
                if owner.email.as_deref() == Some(email) {
                    found.extend(owner.customer.iter().map(|customer| (store_id.to_owned(), customer.clone())));
                    subscriptions.extend(owner.subscription_id.iter().map(|id| (store_id.to_owned(), id.clone())));
                }
            })?;
        }
        for (store_id, id) in subscriptions {
            if let Some(customer) = self.newest_owner(&store_id, Kind::Subscriptions, &id)?.customer {
                found.insert((store_id, customer));
            }
        }
        Ok(found)
    }

    /// The customer of a record: that of its subscription, else its own.
    fn customer_of(&self, store_id: &str, kind: Kind, record_id: &str) -> Result<Option<String>> {
        let own = self.newest_owner(store_id, kind, record_id)?;
        let above = match own.subscription_id.filter(|_| kind != Kind::Subscriptions) {
            Some(id) => self.newest_owner(store_id, Kind::Subscriptions, &id)?.customer,
            None => None,
        };
        Ok(above.or(own.customer))
    }

    fn newest_owner(&self, store_id: &str, kind: Kind, record_id: &str) -> Result<Owner> {
        let body: Option<String> = self
            .connection()
            .prepare_cached(
                "select body from payloads where store_id = ?1 and kind = ?2 and record_id = ?3 order by version desc limit 1",
            )?
            .query_row([store_id, kind.name(), record_id], |row| row.get(0))
            .optional()?;
        Ok(body.map(|body| owner(kind.table(), &body)).unwrap_or_default())
    }

    /// How each customer is called now, as far as its rows say.
    fn name_customers(&self, plan: &mut ForgetPlan) -> Result<()> {
        for (store_id, kind, id, pseudonym) in &plan.records {
            let name = plan.customers.entry((store_id.clone(), pseudonym.clone())).or_default();
            let table = kind.table();
            if !name.is_empty() || !table.columns().any(|column| column.name == "company_name") {
                continue;
            }
            let sql = format!(
                "select coalesce(company_name, email) from {} where store_id = ?1 and cast({} as text) = ?2",
                table.records, table.key
            );
            let found: Option<Option<String>> =
                self.connection().prepare_cached(&sql)?.query_row([store_id, id], |row| row.get(0)).optional()?;
            *name = found.flatten().unwrap_or_default();
        }
        Ok(())
    }

    /// Forgets, in one transaction. `sha256` makes the hash of a frozen month as it is then. What was deleted is gone from
    /// the file once [`Self::purge`] is done.
    pub fn forget(&self, plan: &ForgetPlan, now: &str, sha256: &dyn Fn(&str) -> Result<String>) -> Result<ForgetDone> {
        // old values neither in freed pages nor in temporary files
        self.connection().execute_batch("pragma secure_delete = on; pragma temp_store = memory")?;
        let done = self.write(|connection| {
            set(connection, SALT, &plan.salt)?;
            set(connection, UNPURGED, now)?;
            for mark in &plan.marks {
                connection
                    .prepare_cached(
                        "insert into forgotten_marks (mark, forgotten_at) values (?1, ?2) on conflict do nothing",
                    )?
                    .execute([mark, now])?;
            }
            for (store_id, kind, id, pseudonym) in &plan.records {
                insert(connection, store_id, *kind, id, pseudonym, now)?;
            }
            let mut done = ForgetDone::default();
            redact_records(connection, &mut done)?;
            redact_unidentified(connection, &mut done)?;
            self.rebuild_within(connection, &|_| ())?;
            done.statement_rows = redact_statements(connection, now, sha256)?;
            Ok(done)
        });
        self.connection().execute_batch("pragma temp_store = default")?;
        self.forgotten.take();
        done
    }

    /// Adds who was forgotten in another mirror of the same stores, and forgets them here too. False: it cannot be read.
    pub(super) fn adopt_forgotten(&self, from: &Path) -> Result<bool> {
        let is_there = "select count(*) from replaced.sqlite_schema where name = 'forgotten_marks'";
        let attached = self.connection().execute("attach ?1 as replaced", [from.to_string_lossy()]).is_ok();
        let known = self.connection().query_row(is_there, [], |row| row.get::<_, i64>(0));
        let has_any = known.as_ref().is_ok_and(|tables| *tables > 0);
        if has_any {
            // marks are only worth something together with what they were made with
            self.connection().execute_batch(&format!(
                "insert into main.forgotten (store_id, kind, record_id, customer, forgotten_at)
                   select store_id, kind, record_id, customer, forgotten_at from replaced.forgotten
                   where true on conflict do nothing;
                 insert into main.forgotten_marks (mark, forgotten_at)
                   select mark, forgotten_at from replaced.forgotten_marks where true on conflict do nothing;
                 insert or replace into main.settings (name, value)
                   select name, value from replaced.settings where name = '{SALT}';"
            ))?;
        }
        if attached {
            self.connection().execute_batch("detach replaced")?;
        }
        self.forgotten.take();
        Ok(known.is_ok())
    }

    /// Writes the file anew without its free pages, and empties the write-ahead log. False: somebody is reading what was
    /// there before, so that some of it is still in the log.
    pub fn purge(&self) -> Result<bool> {
        let connection = self.connection();
        connection.execute_batch("pragma secure_delete = on; vacuum")?;
        connection.busy_timeout(READER_WAIT)?;
        if !self.empty_log()? {
            return Ok(false);
        }
        self.write(|connection| Ok(connection.execute("delete from settings where name = ?1", [UNPURGED])?))?;
        Ok(true)
    }

    fn empty_log(&self) -> Result<bool> {
        let is_busy: bool = self.connection().query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0))?;
        Ok(!is_busy)
    }

    /// Whether anybody was ever forgotten.
    pub fn has_forgotten(&self) -> Result<bool> {
        Ok(!Forgotten::read(self.connection())?.is_empty())
    }

    /// Since when bytes of forgotten customers wait to be removed from the file.
    pub fn unpurged_since(&self) -> Result<Option<String>> {
        let sql = "select value from settings where name = ?1";
        Ok(self.connection().query_row(sql, [UNPURGED], |row| row.get(0)).optional()?)
    }
}

fn set(connection: &Connection, name: &str, value: &str) -> Result<()> {
    let sql =
        "insert into settings (name, value) values (?1, ?2) on conflict (name) do update set value = excluded.value";
    connection.execute(sql, [name, value])?;
    Ok(())
}

/// Rewrites what is stored of every forgotten record: its payload versions, its links and what the CRM said of it.
fn redact_records(connection: &Connection, done: &mut ForgetDone) -> Result<()> {
    let mut records = connection.prepare("select store_id, kind, record_id, customer from forgotten")?;
    let mut rows = records.query([])?;
    while let Some(row) = rows.next()? {
        let (store_id, kind, id): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (kind, customer): (Kind, String) = (kind.parse().map_err(anyhow::Error::msg)?, row.get(3)?);
        let key = [&store_id, kind.name(), &id];
        let sql = "select payload_id, body from payloads where store_id = ?1 and kind = ?2 and record_id = ?3";
        let versions: Vec<(i64, String)> = read_rows(connection, sql, key, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut values = BTreeSet::new();
        for (payload_id, body) in versions {
            let Some(left) = redacted(kind.table(), Some(&id), &body, &customer) else { continue };
            values.extend(personal_values(kind.table(), Some(&id), &body));
            connection
                .prepare_cached("update payloads set body = ?2, content_sha256 = ?3 where payload_id = ?1")?
                .execute(params![payload_id, left, content_sha256(&left)])?;
            done.payload_versions += 1;
        }
        if values.is_empty() {
            continue;
        }
        values.retain(|value| value.chars().count() >= TELLING_CHARACTERS);
        done.crm_links += redact_links(connection, key, &values)?;
        done.crm_rejections += connection
            .prepare_cached(
                "update crm_rejections set message = null, value = null where store_id = ?1 and kind = ?2 and record_id = ?3",
            )?
            .execute(key)? as u64;
        for value in &values {
            done.crm_accounts +=
                connection.prepare_cached("delete from crm_accounts where value = ?1")?.execute([value])? as u64;
        }
    }
    Ok(())
}

/// Takes personal values and the payload out of what the CRM acknowledged. What stands in the CRM itself is not ours to
/// forget; a push leaves these fields alone from now on.
fn redact_links(connection: &Connection, key: [&str; 3], values: &BTreeSet<String>) -> Result<u64> {
    let sql = "select target, fields_sent, fields_unanswered from crm_links
               where store_id = ?1 and kind = ?2 and record_id = ?3";
    let links: Vec<(String, String, Option<String>)> =
        read_rows(connection, sql, key, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut changed = 0;
    for (target, fields, unanswered) in links {
        let unanswered_left = unanswered.as_ref().and_then(|fields| without_values(fields, values));
        let left = without_values(&fields, values);
        if left.is_none() && unanswered_left.is_none() {
            continue;
        }
        let (left, unanswered) = (left.unwrap_or(fields), unanswered_left.or(unanswered));
        let [store_id, kind, id] = key;
        connection
            .prepare_cached(
                "update crm_links set fields_sent = ?5, fields_sha256 = ?6, fields_unanswered = ?7
                 where target = ?1 and store_id = ?2 and kind = ?3 and record_id = ?4",
            )?
            .execute(params![target, store_id, kind, id, left, sha256_hex(left.as_bytes()), unanswered])?;
        changed += 1;
    }
    Ok(changed)
}

/// The fields that say none of the values; None when all of them do not.
fn without_values(fields: &str, values: &BTreeSet<String>) -> Option<String> {
    let Members(members) = serde_json::from_str(fields).ok()?;
    let count = members.len();
    let tells = |text: &str| {
        let is_payload = text.starts_with('{');
        is_payload
            || values.iter().any(|value| {
                // a text may have been cut to what its field holds
                text.contains(value.as_str()) || (text.len() >= TELLING_CHARACTERS && value.starts_with(text))
            })
    };
    let kept: Vec<String> = members
        .into_iter()
        .filter(|(_, value)| !matches!(Scalar::of(value), Scalar::Text(text) if tells(&text)))
        .map(|(name, value)| format!("{}:{}", serde_json::Value::String(name.into_owned()), value.get()))
        .collect();
    (kept.len() < count).then(|| format!("{{{}}}", kept.join(",")))
}

/// Records without a usable id stand in quarantine alone; they are known by their customer or address.
fn redact_unidentified(connection: &Connection, done: &mut ForgetDone) -> Result<()> {
    let forgotten = Forgotten::read(connection)?;
    let sql = "select rowid, store_id, kind, body from quarantine where record_id is null";
    let rows: Vec<(i64, String, String, String)> =
        read_rows(connection, sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    for (rowid, store_id, kind, body) in rows {
        let table = kind.parse::<Kind>().map_err(anyhow::Error::msg)?.table();
        let covered = forgotten.covers(&store_id, table.kind, None, &owner(table, &body));
        let Some(left) = covered.and_then(|customer| redacted(table, None, &body, &customer)) else { continue };
        // two that differed in what was taken alone are one now
        connection.execute(
            "update or replace quarantine set body = ?2, body_sha256 = ?3 where rowid = ?1",
            params![rowid, left, content_sha256(&left)],
        )?;
        done.quarantined += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledged_fields_lose_what_tells_a_person() {
        let values: BTreeSet<String> = ["ann@example.test", "Ann's Bakery and Sons", "77123"].map(str::to_owned).into();
        let fields = r#"{"Name":"us:1","Email":"ann@example.test","Company_Name":"Ann's Bakery","Org_ID":"77123","Status":"active","Next_Recurring_Amount":12.0,"Account":{"id":"9"},"Payload":"{\"email_id\":1}"}"#;
        let left = r#"{"Name":"us:1","Status":"active","Next_Recurring_Amount":12.0,"Account":{"id":"9"}}"#;
        assert_eq!(without_values(fields, &values).as_deref(), Some(left));
        assert_eq!(without_values(left, &values), None);
    }
}
