//! Fingerprints of what a push makes fields of, so that a record that is unchanged since its values were acknowledged
//! need not be read: neither its payload nor what was sent of it.
//!
//! A fingerprint is taken of values, never of versions or times: whatever may have changed them, other values are
//! another fingerprint. Triggers forget it when the link changes or the record is refused.

use anyhow::Result;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use crate::db::Db;
use crate::model::Kind;

/// Bytes of a hash that are kept: two values of one record that share them will not be met.
const BYTES: usize = 16;
/// The SQL function's name.
pub(super) const FUNCTION: &str = "fingerprint_of";

pub type Fingerprint = [u8; BYTES];

/// A record whose fields are what the CRM acknowledged, and the fingerprint of what they are made of.
pub struct Known {
    pub store_id: String,
    pub id: i64,
    pub fingerprint: Fingerprint,
}

/// Lets statements take fingerprints: of any number of values, in their order.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function(FUNCTION, -1, flags, |values| Ok(of(values).to_vec()))
}

fn of(values: &Context) -> Fingerprint {
    let mut hash = Sha256::new();
    let mut add = |mark: u8, bytes: &[u8]| {
        // with its type and length before it, no value can be taken for the end of another
        hash.update([mark]);
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    };
    for place in 0..values.len() {
        match values.get_raw(place) {
            ValueRef::Null => add(0, &[]),
            ValueRef::Integer(number) => add(1, &number.to_le_bytes()),
            ValueRef::Real(number) => add(2, &number.to_le_bytes()),
            ValueRef::Text(bytes) => add(3, bytes),
            ValueRef::Blob(bytes) => add(4, bytes),
        }
    }
    let mut fingerprint = [0; BYTES];
    fingerprint.copy_from_slice(&hash.finalize()[..BYTES]);
    fingerprint
}

impl Db {
    /// Notes records that need not be looked at while their fingerprint is the same.
    pub fn save_fingerprints(&self, target: &str, kind: Kind, known: &[Known]) -> Result<()> {
        self.write(|connection| {
            known
                .iter()
                .try_for_each(|known| save(connection, target, kind, &known.store_id, known.id, &known.fingerprint))
        })
    }
}

pub(super) fn save(
    connection: &Connection,
    target: &str,
    kind: Kind,
    store_id: &str,
    id: i64,
    fingerprint: &Fingerprint,
) -> Result<()> {
    connection
        .prepare_cached(
            "insert or replace into crm_fingerprints (target, kind, store_id, record_number, fingerprint)
             values (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![target, kind.name(), store_id, id, fingerprint])?;
    Ok(())
}
