//! Who was forgotten, and what that makes of a record: asked of every record that a listing brings, before it is compared
//! with the mirror. Read once; a mirror in which nobody was forgotten pays for one look.
//!
//! A record is covered when it was forgotten itself, when its subscription was, or when its customer or its address bears
//! a mark. A new record that is covered is noted, so that its own children are.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension};

use crate::db::Db;
use crate::model::json::sha256_hex;
use crate::model::personal::{Owner, PSEUDONYM_PREFIX, owner, redacted};
use crate::model::{Kind, Table, record_id};

/// The setting that holds what marks are made with.
pub(super) const SALT: &str = "forgotten_salt";
/// Hexadecimal digits of a pseudonym: two customers of a large partner never share one.
const PSEUDONYM_DIGITS: usize = 12;

#[derive(Default)]
pub(super) struct Forgotten {
    pub(super) salt: String,
    pub(super) marks: HashSet<String>,
    /// Record id → pseudonym.
    records: HashMap<(String, Kind), HashMap<String, String>>,
}

impl Forgotten {
    pub(super) fn read(connection: &Connection) -> Result<Self> {
        let mut forgotten = Self::default();
        let mut marks = connection.prepare("select mark from forgotten_marks")?;
        forgotten.marks = marks.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut records = connection.prepare("select store_id, kind, record_id, customer from forgotten")?;
        let mut rows = records.query([])?;
        while let Some(row) = rows.next()? {
            let kind: String = row.get(1)?;
            let kind = kind.parse().map_err(anyhow::Error::msg)?;
            forgotten.note(row.get(0)?, kind, row.get(2)?, row.get(3)?);
        }
        let salt = "select value from settings where name = ?1";
        forgotten.salt = connection.query_row(salt, [SALT], |row| row.get(0)).optional()?.unwrap_or_default();
        Ok(forgotten)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.marks.is_empty() && self.records.is_empty()
    }

    pub(super) fn note(&mut self, store_id: String, kind: Kind, record_id: String, customer: String) {
        self.records.entry((store_id, kind)).or_default().insert(record_id, customer);
    }

    pub(super) fn pseudonym_of(&self, store_id: &str, kind: Kind, record_id: &str) -> Option<&str> {
        // a store's name is short: one allocation a record is less than the reading of its fields
        self.records.get(&(store_id.to_owned(), kind))?.get(record_id).map(String::as_str)
    }

    /// The mark of a customer of a store.
    pub(super) fn customer_mark(&self, store_id: &str, customer: &str) -> String {
        sha256_hex(format!("{}\ncustomer\n{store_id}\n{customer}", self.salt).as_bytes())
    }

    /// The mark of an address in lower case, whatever the store.
    pub(super) fn email_mark(&self, email: &str) -> String {
        sha256_hex(format!("{}\nemail\n{email}", self.salt).as_bytes())
    }

    /// What a customer of a store is called once it is forgotten.
    pub(super) fn pseudonym(&self, store_id: &str, customer: &str) -> String {
        let hash = sha256_hex(format!("{}\npseudonym\n{store_id}\n{customer}", self.salt).as_bytes());
        format!("{PSEUDONYM_PREFIX}{}", &hash[..PSEUDONYM_DIGITS])
    }

    /// The pseudonym of a record that is covered.
    pub(super) fn covers(&self, store_id: &str, kind: Kind, record_id: Option<&str>, owner: &Owner) -> Option<String> {
        let of = |kind, id: &Option<String>| self.pseudonym_of(store_id, kind, id.as_deref()?).map(str::to_owned);
        let own = of(kind, &record_id.map(str::to_owned));
        own.or_else(|| of(Kind::Subscriptions, &owner.subscription_id)).or_else(|| {
            let is_marked = |mark: String| self.marks.contains(&mark);
            let customer = owner.customer.as_deref()?;
            let by_customer = is_marked(self.customer_mark(store_id, customer));
            let by_email = || owner.email.as_deref().is_some_and(|email| is_marked(self.email_mark(email)));
            (by_customer || by_email()).then(|| self.pseudonym(store_id, customer))
        })
    }
}

impl Db {
    /// The records of a page as the mirror keeps them. With `now`, newly covered ones are noted as forgotten then.
    pub(super) fn without_forgotten(
        &self,
        store_id: &str,
        table: &'static Table,
        mut bodies: Vec<String>,
        now: Option<&str>,
    ) -> Result<Vec<String>> {
        let mut known = self.forgotten.borrow_mut();
        let forgotten = match &mut *known {
            Some(forgotten) => forgotten,
            unread => unread.insert(Forgotten::read(&self.connection)?),
        };
        if forgotten.is_empty() {
            return Ok(bodies);
        }
        let mut newly = Vec::new();
        for body in &mut bodies {
            let id = record_id(table, body);
            let Some(customer) = forgotten.covers(store_id, table.kind, id.as_deref(), &owner(table, body)) else {
                continue;
            };
            if let Some(left) = redacted(table, id.as_deref(), body, &customer) {
                *body = left;
            }
            if let Some(id) =
                id.filter(|id| now.is_some() && forgotten.pseudonym_of(store_id, table.kind, id).is_none())
            {
                forgotten.note(store_id.to_owned(), table.kind, id.clone(), customer.clone());
                newly.push((id, customer));
            }
        }
        drop(known);
        if let Some(now) = now.filter(|_| !newly.is_empty()) {
            self.write(|connection| {
                newly.iter().try_for_each(|(id, customer)| insert(connection, store_id, table.kind, id, customer, now))
            })?;
        }
        Ok(bodies)
    }

    /// When a record was forgotten, if it was.
    pub fn forgotten_at(&self, store_id: &str, kind: Kind, record_id: &str) -> Result<Option<String>> {
        Ok(self
            .connection()
            .prepare_cached("select forgotten_at from forgotten where store_id = ?1 and kind = ?2 and record_id = ?3")?
            .query_row([store_id, kind.name(), record_id], |row| row.get(0))
            .optional()?)
    }
}

pub(super) fn insert(
    connection: &Connection,
    store_id: &str,
    kind: Kind,
    record_id: &str,
    customer: &str,
    now: &str,
) -> Result<()> {
    connection
        .prepare_cached(
            "insert into forgotten (store_id, kind, record_id, customer, forgotten_at) values (?1, ?2, ?3, ?4, ?5)
             on conflict do nothing",
        )?
        .execute([store_id, kind.name(), record_id, customer, now])?;
    Ok(())
}
