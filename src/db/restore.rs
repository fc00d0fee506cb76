//! Putting a checked copy in the mirror's place. At every moment the mirror's name is that of the old file or of the new
//! one, each complete: the old write-ahead log is written into its file before, because SQLite would read it with the
//! new file after.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::{ErrorCode, OpenFlags};

use crate::db::{Db, WriterLock, beside, connect, create_private_file, lock_writer};
use crate::failure::{Code, Failure};
use crate::files::{create_private_folder, sync_folder};

/// How long to wait for a reader of the old file to finish.
const READER_WAIT: Duration = Duration::from_secs(5);
/// What SQLite keeps beside a file.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The mirror's place, held by the writer's lock; whether a mirror is there, and readable, does not matter.
pub struct Place {
    path: PathBuf,
    _lock: WriterLock,
}

impl Place {
    /// # Errors
    /// `locked` when another process writes to it.
    pub fn claim(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            create_private_folder(folder).map_err(Failure::config)?;
        }
        Ok(Self { path: path.to_owned(), _lock: lock_writer(path)? })
    }

    /// An empty private file beside the mirror for the copy to come. One name for all: what a killed restore left is
    /// replaced by the next.
    pub fn copy_path(&self) -> Result<PathBuf> {
        let copy = beside(&self.path, ".restoring");
        remove_with_companions(&copy)?;
        create_private_file(&copy).with_context(|| format!("cannot create {}", copy.display()))?;
        Ok(copy)
    }

    /// Takes over from the mirror that is replaced who was forgotten, so that an older copy does not bring them back.
    /// False: the old file cannot be read.
    pub fn take_over_forgotten(&self, copy: &Db) -> Result<bool> {
        if !self.path.exists() {
            return Ok(true);
        }
        Ok(is_database(&self.path) && copy.adopt_forgotten(&self.path)?)
    }

    /// Gives the copy the mirror's name. Returns the name under which the replaced file is kept.
    ///
    /// # Errors
    /// `locked` while somebody reads the old one, which stays as it is.
    pub fn replace_with(&self, copy: &Path, stamp: &str) -> Result<Option<PathBuf>> {
        let kept = if self.path.exists() {
            release(&self.path)?;
            let kept = free_name(&self.path, stamp);
            keep(&self.path, &kept)?;
            Some(kept)
        } else {
            None
        };
        // of a file that could be read nothing is left beside it; of any other it is kept by now
        for companion in COMPANIONS {
            remove_if_there(&beside(&self.path, companion))?;
        }
        fs::rename(copy, &self.path).with_context(|| format!("cannot put {} in place", self.path.display()))?;
        sync_folder(&self.path)?;
        Ok(kept)
    }

    /// Removes the copy after all.
    pub fn give_up(&self, copy: &Path) {
        // the next restore removes what could not be removed now
        let _ = remove_with_companions(copy);
    }
}

/// Writes everything into the one file and leaves nothing beside it, which SQLite does only for the last who has it open.
/// A file that is damaged is left as it is.
fn release(path: &Path) -> Result<()> {
    if !is_database(path) {
        return Ok(());
    }
    let settle = || -> rusqlite::Result<String> {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|_| rusqlite::Error::InvalidQuery)?;
        connection.busy_timeout(READER_WAIT)?;
        connection.query_row("pragma journal_mode = delete", [], |row| row.get(0))
    };
    let is_busy = match settle() {
        Ok(mode) => mode == "wal",
        Err(error) => matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)),
    };
    if is_busy {
        return Err(Failure::new(Code::Locked, format!("another program has {} open", path.display()))
            .hint("close sqlite3 and whatever else reads it, then run the same command again; nothing was changed")
            .into());
    }
    Ok(())
}

/// SQLite takes the log of a file that is none of its own for a stray one and deletes it: such a file is not opened.
fn is_database(path: &Path) -> bool {
    let mut start = [0; 16];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && &start == b"SQLite format 3\0"
}

/// Gives the replaced file a second name, with its log where it still has one.
fn keep(path: &Path, kept: &Path) -> Result<()> {
    for companion in ["", "-wal", "-journal"] {
        let (from, to) = (beside(path, companion), beside(kept, companion));
        if !from.exists() {
            continue;
        }
        // a file system without links takes a copy
        fs::hard_link(&from, &to)
            .or_else(|_| fs::copy(&from, &to).and_then(|_| fs::File::open(&to)?.sync_all()))
            .with_context(|| format!("cannot keep the replaced file as {}", to.display()))?;
    }
    Ok(sync_folder(path)?)
}

fn free_name(path: &Path, stamp: &str) -> PathBuf {
    let names = (1..).map(|number| match number {
        1 => beside(path, &format!(".replaced-{stamp}")),
        _ => beside(path, &format!(".replaced-{stamp}-{number}")),
    });
    names.into_iter().find(|name| !name.exists()).unwrap_or_else(|| beside(path, ".replaced"))
}

fn remove_with_companions(path: &Path) -> Result<()> {
    [""].into_iter().chain(COMPANIONS).try_for_each(|companion| remove_if_there(&beside(path, companion)))
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
