//! The mirror file: the only room that speaks SQLite. One connection, WAL, foreign keys on; a write transaction never
//! lives across an await because everything here is synchronous. One process writes at a time (a lock file beside
//! the database); readers are never blocked.

mod accounts;
mod backup;
mod crm_links;
mod derive;
mod explain;
mod fingerprints;
mod forget;
mod forgotten;
mod links;
mod listing;
mod migrate;
mod names;
mod push_rows;
pub mod query;
mod rebuild;
mod receive;
mod removal;
mod restore;
mod save;
mod statements;
mod ties;
mod trouble;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::{
    Connection, ErrorCode, OpenFlags, ToSql, config::DbConfig, types::ToSqlOutput, types::Value as SqlValue,
    types::ValueRef,
};
use url::Url;

use crate::db::forgotten::Forgotten;
use crate::failure::{Code, Failure};
use crate::files::{cannot_write, create_private_folder, private};
use crate::model::Value;

pub use accounts::{AccountCounts, AccountJoin, FoundAccount};
pub use backup::{Contents, copy, open_copy, read_copy};
pub use crm_links::{FoundLink, KnownLink, NOTHING_SENT, Owner, Repair};
pub use explain::{CrmPlace, CrmRefusal, PayloadVersion, Relatives};
pub use fingerprints::{Fingerprint, Known};
pub use forget::{ForgetDone, ForgetPlan, Whose};
pub use links::{Acknowledgement, Batch, PushRun, Rejection};
pub use listing::{Coverage, ListingStatus, OpenListing, PageMark, RunRow, UnknownValue};
pub use names::NameCache;
pub use push_rows::{Cell, LinkRow, ParentRow, PushQuery, PushRow, QueryRules, RejectionRow};
pub use rebuild::RebuildSummary;
pub use receive::Received;
pub use removal::Missing;
pub use restore::Place;
pub use save::{Class, SavedRecord};
pub use statements::{FrozenStatement, Redaction};
pub use ties::{DERIVED, Tie};
pub use trouble::explained;

/// How long a statement waits for a reader or a checkpoint before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// Prepared statements kept: every statement of a run, so that none is compiled twice.
const STATEMENT_CACHE: usize = 128;

pub struct Db {
    connection: Connection,
    path: PathBuf,
    names: RefCell<NameCache>,
    sql: RefCell<HashMap<&'static str, String>>,
    forgotten: RefCell<Option<Forgotten>>,
    _lock: Option<WriterLock>,
}

impl Db {
    /// Opens the mirror for writing: takes the writer's lock, creates or migrates the file.
    ///
    /// # Errors
    /// `locked` when another process writes; `config` when the file is not ours or of a newer version.
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            create_private_folder(folder).map_err(Failure::config)?;
        }
        let lock = lock_writer(path)?;
        create_private_file(path).map_err(|error| cannot_write(path, error.kind(), &error))?;
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        migrate::prepare(&mut connection, path)?;
        // without this promise every bound id may change the plan, and SQLite compiles the statement again for each
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        let db = Self::with(connection, path, Some(lock));
        db.write_dictionary()?;
        db.heal_after_upgrade()?;
        Ok(db)
    }

    /// Opens the mirror for reading alone. An older file is migrated first, which needs the writer's lock.
    ///
    /// # Errors
    /// `config` when there is no mirror yet, when the file is not ours or of a newer version.
    pub fn open_reader(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Err(Failure::config(format!("there is no mirror at {}", path.display()))
                .hint("run `storemirror ingest` first, or `storemirror demo` to see one")
                .into());
        }
        match connect_reader(path)? {
            Some(connection) if !migrate::is_older(&connection, path)? => Ok(Self::with(connection, path, None)),
            older_or_half_made => {
                drop(older_or_half_made);
                drop(Self::open(path)?);
                Self::open_reader(path)
            }
        }
    }

    fn with(connection: Connection, path: &Path, lock: Option<WriterLock>) -> Self {
        connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        Self {
            connection,
            path: path.to_owned(),
            names: RefCell::default(),
            sql: RefCell::default(),
            forgotten: RefCell::default(),
            _lock: lock,
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` in one transaction: all of it, with the names it learnt, or nothing. What is remembered of the file is
    /// dropped when it fails, because it may hold what was rolled back.
    fn write<R>(&self, work: impl FnOnce(&Connection) -> Result<R>) -> Result<R> {
        self.connection.execute_batch("begin immediate").with_context(|| self.cannot_write())?;
        let result = work(&self.connection).and_then(|value| {
            self.names.borrow_mut().save(&self.connection)?;
            self.connection.execute_batch("commit").with_context(|| self.cannot_write())?;
            Ok(value)
        });
        if result.is_err() {
            self.names.borrow_mut().clear();
            self.forgotten.take();
            if !self.connection.is_autocommit() {
                // the first error is the one to tell; a failed rollback leaves the transaction to the next open
                let _ = self.connection.execute_batch("rollback");
            }
        }
        result
    }

    fn cannot_write(&self) -> String {
        format!("cannot write to {}", self.path.display())
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| Failure::config(format!("cannot open the database {}: {error}", path.display())))?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    fingerprints::register(&connection)?;
    Ok(connection)
}

/// None: a killed process left a change half made outside the write-ahead log, which only a writer can take back.
///
/// Where nothing can be written, no write-ahead log can be made either, and the file is taken as one that nobody
/// changes. That is only true where no log lies beside it.
fn connect_reader(path: &Path) -> Result<Option<Connection>> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let probe = connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()));
    match probe.err().and_then(|error| error.sqlite_error_code()) {
        Some(ErrorCode::ReadOnly) => Ok(None),
        Some(ErrorCode::CannotOpen) if beside(path, "-wal").metadata().map_or(0, |log| log.len()) == 0 => {
            let url = path.canonicalize().ok().and_then(|path| Url::from_file_path(path).ok());
            let Some(url) = url else { return Ok(Some(connection)) };
            let immutable = PathBuf::from(format!("{url}?immutable=1"));
            connect(&immutable, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI).map(Some)
        }
        // what else is wrong is told by whoever reads first
        _ => Ok(Some(connection)),
    }
}

/// Makes an empty file that is its owner's alone before SQLite opens it, which would leave it to the umask. SQLite
/// gives its write-ahead log the same mode.
fn create_private_file(path: &Path) -> std::io::Result<()> {
    private(OpenOptions::new().create(true).append(true)).open(path).map(drop)
}

/// The version of SQLite in this program.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// A file's name with something behind it: what belongs to a file stands beside it.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The lock of rule 8: held by the file handle, so that it goes with the process however that ends.
struct WriterLock(File);

impl Drop for WriterLock {
    fn drop(&mut self) {
        // given back in so many words: closing is not enough while a program that is just being started still has a
        // copy of the handle; an error leaves it to the closing
        let _ = self.0.unlock();
    }
}

fn lock_writer(path: &Path) -> Result<WriterLock> {
    let lock_path = beside(path, ".lock");
    let file = private(OpenOptions::new().create(true).truncate(false).write(true))
        .open(&lock_path)
        .map_err(|error| cannot_write(&lock_path, error.kind(), &error))?;
    match file.try_lock() {
        Ok(()) => Ok(WriterLock(file)),
        Err(TryLockError::WouldBlock) => {
            Err(Failure::new(Code::Locked, format!("another storemirror process is writing to {}", path.display()))
                .hint("wait until it has finished; readers and `sqlite3` can go on")
                .into())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", lock_path.display())),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(SqlValue::Null),
            Self::Integer(number) => ToSqlOutput::Owned(SqlValue::Integer(*number)),
            Self::Real(number) => ToSqlOutput::Owned(SqlValue::Real(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Text(bytes) => Self::Text(String::from_utf8_lossy(bytes).into_owned()),
            ValueRef::Blob(bytes) => Self::Text(hex::encode(bytes)),
        }
    }
}

/// All rows of a select, each as `read` makes it.
fn read_rows<T, P: rusqlite::Params>(
    connection: &Connection,
    sql: &str,
    parameters: P,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(parameters, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_given_back_though_a_program_being_started_has_a_copy_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.db");
        let lock = lock_writer(&path).unwrap();
        let _copy = lock.0.try_clone().unwrap();
        assert_eq!(Failure::of(&lock_writer(&path).err().unwrap()).code, Code::Locked);
        drop(lock);
        assert!(lock_writer(&path).is_ok());
    }
}
