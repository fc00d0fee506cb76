//! Bringing a file to this program's schema: a new file is made, an older one is migrated after a backup copy, a newer
//! or foreign one is refused. All migrations run in one transaction, so a failing one leaves nothing behind.

use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use crate::db::trouble::Trouble;
use crate::db::{Db, beside, create_private_file};
use crate::failure::Failure;
use crate::files::cannot_write;
use crate::model::objects;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// "STMR": what V1 writes into the file's header.
const APPLICATION_ID: i64 = 1_398_033_746;
/// Raised by hand when the mapping changes what it makes of the same payload: an older mirror is rebuilt once.
const MAPPING_VERSION: &str = "1";

/// Bodies of one to two kilobytes waste a seventh of a 4 KiB page and half as much of this.
const PAGE_BYTES: i64 = 8192;
/// Pages kept in memory while writing: the indexes of a large partner are written all over, and a page that is still
/// here is not read again. Stays far below the 64 MiB that a run may take.
const CACHE_KIB: i64 = 16 * 1024;
/// The write-ahead log is copied into the file every 64 MiB: the pages of the indexes change with every page of records,
/// and are copied once in some twenty times.
const CHECKPOINT_PAGES: i64 = 8192;

/// What stands in the file before anything is done to it.
enum Found {
    Empty,
    Version(i64),
}

pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<()> {
    let found = inspect(connection, path)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let newest = newest_version();
    match found {
        Found::Version(version) if version == newest => {
            return set_wal(connection, path);
        }
        Found::Version(version) => back_up(connection, path, version)?,
        Found::Empty => {}
    }
    set_wal(connection, path)?;
    run(connection, path)
}

fn run(connection: &mut Connection, path: &Path) -> Result<()> {
    embedded::migrations::runner()
        .set_grouped(true)
        .run(connection)
        .with_context(|| format!("cannot bring {} to schema version {}", path.display(), newest_version()))?;
    Ok(())
}

/// Brings a copy that nobody else uses to this program's schema: it is a copy already, and needs no log.
pub(super) fn upgrade(connection: &mut Connection, path: &Path) -> Result<()> {
    must_be_ours(connection, path)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    run(connection, path)
}

/// # Errors
/// `config` when a file is not ours, of a newer version, or holds nothing.
pub(super) fn must_be_ours(connection: &Connection, path: &Path) -> Result<()> {
    match inspect(connection, path)? {
        Found::Version(_) => Ok(()),
        Found::Empty => Err(Failure::config(format!("{} holds no mirror", path.display())).into()),
    }
}

/// The number of the newest migration that a mirror has.
pub(super) fn schema_version(connection: &Connection) -> Result<i64> {
    let sql = "select coalesce(max(version), 0) from refinery_schema_history";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

fn set_wal(connection: &Connection, path: &Path) -> Result<()> {
    // takes effect while the file is empty: two or three records of a kilobyte or two fill 4 KiB badly
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection
        .pragma_update(None, "journal_mode", "wal")
        .with_context(|| format!("cannot write to {}", path.display()))?;
    // a commit survives a killed process; a power cut may undo the last ones, which the next run lists again
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    #[cfg(unix)]
    restrict(path)?;
    Ok(())
}

/// The mirror is its owner's alone: the file is made 0600, and SQLite gives its WAL the same mode.
#[cfg(unix)]
fn restrict(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = std::fs::metadata(path)?.permissions();
    if permissions.mode() & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
            .with_context(|| format!("cannot make {} private", path.display()))?;
    }
    Ok(())
}

pub(super) fn is_older(connection: &Connection, path: &Path) -> Result<bool> {
    Ok(match inspect(connection, path)? {
        Found::Empty => true,
        Found::Version(version) => {
            version < newest_version() || mapping_version(connection)?.as_deref() != Some(MAPPING_VERSION)
        }
    })
}

fn newest_version() -> i64 {
    embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(|migration| i64::from(migration.version()))
        .max()
        .unwrap_or(0)
}

fn inspect(connection: &Connection, path: &Path) -> Result<Found> {
    let foreign = |detail: String| {
        Failure::config(format!("{} is not a storemirror database{detail}", path.display())).hint(
            "name another file with --db, or in [database] path of the configuration; if it was one, it is damaged: \
                 put a backup in its place",
        )
    };
    // refinery makes its history before the transaction that fills it: a kill in between leaves that table alone
    let objects: i64 = connection
        .query_row("select count(*) from sqlite_schema where tbl_name <> 'refinery_schema_history'", [], |row| {
            row.get(0)
        })
        .map_err(|error| match Trouble::of(&error) {
            // a header that is none; what is wrong behind a good header is damage or the disk
            Some(Trouble::Damaged) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                foreign(format!(": {error}")).into()
            }
            Some(_) => anyhow::Error::from(error),
            None => foreign(format!(": {error}")).into(),
        })?;
    let application: i64 = connection.query_row("pragma application_id", [], |row| row.get(0))?;
    if objects == 0 && application == 0 {
        return Ok(Found::Empty);
    }
    if application != APPLICATION_ID {
        return Err(foreign(String::new()).into());
    }
    let version: Option<i64> = connection
        .query_row("select max(version) from refinery_schema_history", [], |row| row.get(0))
        .map_err(|error| foreign(format!(" of a known version: {error}")))?;
    let version = version.unwrap_or(0);
    let newest = newest_version();
    if version > newest {
        return Err(Failure::config(format!(
            "{} has schema version {version}, this program knows up to {newest}",
            path.display()
        ))
        .hint("install the newer storemirror that wrote it")
        .into());
    }
    Ok(Found::Version(version))
}

/// A copy of the file as it was, beside it, before a migration touches it.
fn back_up(connection: &Connection, path: &Path, version: i64) -> Result<()> {
    let copy = beside(path, &format!(".v{version}.backup"));
    if copy.exists() {
        std::fs::remove_file(&copy).with_context(|| format!("cannot replace the backup {}", copy.display()))?;
    }
    // private from its first byte on: an empty file is taken as it is
    create_private_file(&copy).map_err(|error| cannot_write(&copy, error.kind(), &error))?;
    let copied = connection
        .execute("vacuum into ?1", [copy.to_string_lossy()])
        .with_context(|| format!("cannot write the backup copy {}", copy.display()));
    if copied.is_err() {
        // half a copy helps nobody
        let _ = std::fs::remove_file(&copy);
    }
    copied.map(|_| ())
}

fn mapping_version(connection: &Connection) -> Result<Option<String>> {
    Ok(connection
        .query_row("select value from settings where name = 'mapping_version'", [], |row| row.get(0))
        .optional()?)
}

impl Db {
    /// `data_dictionary` says what the declaration says; it is rewritten only when it does not.
    pub(super) fn write_dictionary(&self) -> Result<()> {
        let entries = objects::dictionary();
        let fingerprint = objects::fingerprint(&entries);
        let stored: Option<String> = self
            .connection
            .query_row("select value from settings where name = 'dictionary'", [], |row| row.get(0))
            .optional()?;
        if stored.as_deref() == Some(fingerprint.as_str()) {
            return Ok(());
        }
        self.write(|connection| {
            connection.execute("delete from data_dictionary", [])?;
            let mut insert = connection.prepare(
                "insert into data_dictionary (object, column, type, unit, api_field, crm_field, meaning)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            for entry in &entries {
                insert.execute(params![
                    entry.object,
                    entry.column,
                    entry.sql_type,
                    entry.unit,
                    entry.api_field,
                    entry.crm_field,
                    entry.meaning
                ])?;
            }
            set_setting(connection, "dictionary", &fingerprint)
        })
    }

    /// Rows made by an older mapping are made again from their payloads.
    pub(super) fn heal_after_upgrade(&self) -> Result<()> {
        let stored = mapping_version(&self.connection)?;
        if stored.as_deref() == Some(MAPPING_VERSION) {
            return Ok(());
        }
        self.rebuild(&|_| ())?;
        self.write(|connection| set_setting(connection, "mapping_version", MAPPING_VERSION))
    }
}

fn set_setting(connection: &Connection, name: &str, value: &str) -> Result<()> {
    connection.execute(
        "insert into settings (name, value) values (?1, ?2) on conflict (name) do update set value = excluded.value",
        [name, value],
    )?;
    Ok(())
}
