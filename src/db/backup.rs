//! Copies of a mirror: page by page from one snapshot, whoever writes meanwhile, and checked before anyone relies on them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::db::{Db, beside, connect, migrate};
use crate::failure::{Code, Failure};

/// Pages copied between two looks at Ctrl-C: 8 MiB.
const PAGES_AT_ONCE: i32 = 1024;
/// How long to wait for the moment in which somebody else holds the file.
const BUSY_WAIT: Duration = Duration::from_millis(50);
/// Findings of an integrity check that are told; the first says enough.
const PROBLEMS_TOLD: usize = 5;

/// What a mirror holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    pub schema_version: i64,
    pub records: u64,
    pub payload_versions: u64,
    pub crm_links: u64,
    pub statements: u64,
    /// The latest end of a complete listing.
    pub last_complete_at: Option<String>,
}

/// Copies a mirror into an empty file. `is_live`: others may write to it meanwhile. `tell` hears how many bytes of how many
/// are copied.
///
/// # Errors
/// `config` when the file is not ours or of a newer version; `internal` when it is damaged.
pub async fn copy(source: &Path, target: &Path, is_live: bool, tell: &dyn Fn(u64, u64)) -> Result<()> {
    let from = open_source(source, is_live)?;
    if let Err(error) = from.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))
        && error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
    {
        return Err(damaged(source, &error.to_string()));
    }
    migrate::must_be_ours(&from, source)?;
    let page_bytes: u64 = from.query_row("pragma page_size", [], |row| row.get(0))?;
    // a snapshot that is held is not begun anew when somebody writes
    from.execute_batch("begin")?;
    let _: i64 = from.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
    let mut to =
        Connection::open_with_flags(target, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .with_context(|| format!("cannot write {}", target.display()))?;
    // nobody else knows the copy yet, and it is written through at its end
    to.execute_batch("pragma journal_mode = off; pragma synchronous = off")?;
    let backup = Backup::new(&from, &mut to)?;
    loop {
        let step = backup.step(PAGES_AT_ONCE).with_context(|| format!("cannot copy {}", source.display()))?;
        let progress = backup.progress();
        let bytes = |pages: i32| u64::try_from(pages).unwrap_or(0) * page_bytes;
        tell(bytes(progress.pagecount - progress.remaining), bytes(progress.pagecount));
        match step {
            StepResult::Done => break,
            StepResult::More => tokio::task::yield_now().await,
            _ => tokio::time::sleep(BUSY_WAIT).await,
        }
    }
    drop(backup);
    to.execute_batch("pragma synchronous = normal")?;
    settle(&to)
}

/// A file that lies still is read as it is, also where nothing can be written beside it; one that has a write-ahead log, or
/// may get one, is read with it.
fn open_source(source: &Path, is_live: bool) -> Result<Connection> {
    let has_log = beside(source, "-wal").metadata().is_ok_and(|log| log.len() > 0);
    let address = source.canonicalize().ok().and_then(|path| url::Url::from_file_path(path).ok());
    match address {
        Some(mut address) if !is_live && !has_log => {
            address.set_query(Some("immutable=1"));
            connect(Path::new(address.as_str()), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
                .map_err(|_| cannot_open(source))
        }
        _ => connect(source, OpenFlags::SQLITE_OPEN_READ_ONLY),
    }
}

fn cannot_open(source: &Path) -> anyhow::Error {
    Failure::config(format!("cannot open {}", source.display())).into()
}

/// Everything into the one file: no write-ahead log beside it.
pub(super) fn settle(connection: &Connection) -> Result<()> {
    let mode: String = connection.query_row("pragma journal_mode = delete", [], |row| row.get(0))?;
    anyhow::ensure!(mode == "delete", "the copy is still in use");
    Ok(())
}

/// Opens a copy that nobody else uses, brought to this program's schema. `origin` is what messages name.
///
/// # Errors
/// As for [`Db::open`].
pub fn open_copy(path: &Path, origin: &Path) -> Result<Db> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    must_be_sound(&connection, origin)?;
    migrate::upgrade(&mut connection, origin)?;
    let db = Db::with(connection, path, None);
    db.write_dictionary()?;
    db.heal_after_upgrade()?;
    Ok(db)
}

/// Opens a copy as it is, without writing to it.
///
/// # Errors
/// `internal` when it is damaged.
pub fn read_copy(path: &Path, origin: &Path) -> Result<Db> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    must_be_sound(&connection, origin)?;
    Ok(Db::with(connection, path, None))
}

/// # Errors
/// `internal` with what SQLite's own check finds.
fn must_be_sound(connection: &Connection, origin: &Path) -> Result<()> {
    let problems = integrity_problems(connection);
    let Some(first) = problems.first() else { return Ok(()) };
    let more = if problems.len() > 1 { ", and more" } else { "" };
    Err(damaged(origin, &format!("{first}{more}")))
}

fn damaged(path: &Path, how: &str) -> anyhow::Error {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Failure::new(Code::Internal, format!("{name} is damaged: {how}"))
        .hint("take another backup; nothing was changed")
        .into()
}

/// What SQLite's integrity check and the foreign keys have against a file.
pub(super) fn integrity_problems(connection: &Connection) -> Vec<String> {
    let check = || -> rusqlite::Result<Vec<String>> {
        let mut problems: Vec<String> = connection
            .prepare(&format!("pragma integrity_check({PROBLEMS_TOLD})"))?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        problems.retain(|problem| problem != "ok");
        let orphans: i64 =
            connection.query_row("select count(*) from pragma_foreign_key_check", [], |row| row.get(0))?;
        if orphans > 0 {
            problems.push(format!("{orphans} rows refer to rows that are not there"));
        }
        Ok(problems)
    };
    // a file that cannot even be checked is damaged too
    check().unwrap_or_else(|error| vec![error.to_string()])
}

impl Db {
    /// What SQLite's own check finds wrong with the file; nothing when it is sound.
    pub fn integrity_problems(&self) -> Vec<String> {
        integrity_problems(&self.connection)
    }

    pub fn contents(&self) -> Result<Contents> {
        let count = |sql: &str| self.connection.query_row(sql, [], |row| row.get(0));
        Ok(Contents {
            schema_version: migrate::schema_version(&self.connection)?,
            records: count("select count(*) from payloads where version = 1")?,
            payload_versions: count("select count(*) from payloads")?,
            crm_links: count("select count(*) from crm_links")?,
            statements: count("select count(*) from statements")?,
            last_complete_at: self
                .connection
                .query_row("select max(last_complete_at) from coverage", [], |row| row.get(0))?,
        })
    }

    /// Closes a copy with everything in its one file, written through to the disk.
    pub fn close_copy(self) -> Result<()> {
        settle(&self.connection)?;
        let path = self.path.clone();
        drop(self);
        std::fs::File::open(&path)
            .and_then(|file| file.sync_all())
            .with_context(|| format!("cannot keep {}", path.display()))
    }
}
