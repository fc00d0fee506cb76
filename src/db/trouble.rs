//! What is wrong with the machine, not with the program: a full disk, a file that may not be written, a damaged file,
//! another program that holds it. Said in words, with what to do and with the exit code that fits.

use std::path::Path;

use rusqlite::{Error as SqlError, ErrorCode, ffi};

use crate::db::query::QueryError;
use crate::failure::{Code, Failure};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Full,
    ReadOnly,
    Damaged,
    Busy,
    /// The file or its write-ahead log.
    Unopenable,
    /// The disk fails in some other way.
    Disk,
}

impl Trouble {
    pub(super) fn of(error: &SqlError) -> Option<Self> {
        let SqlError::SqliteFailure(failure, _) = error else { return None };
        match failure.code {
            ErrorCode::DiskFull => Some(Self::Full),
            // a limit on the size of files is no "full" to SQLite
            ErrorCode::SystemIoFailure if is_write(failure.extended_code) => Some(Self::Full),
            ErrorCode::SystemIoFailure => Some(Self::Disk),
            ErrorCode::CannotOpen => Some(Self::Unopenable),
            ErrorCode::ReadOnly => Some(Self::ReadOnly),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Some(Self::Damaged),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some(Self::Busy),
            _ => None,
        }
    }

    fn failure(self, said: &str) -> Failure {
        let (code, what, hint) = match self {
            Self::Full => (
                Code::Internal,
                "the disk is full, or a limit on the size of files is reached",
                "everything saved so far is safe; make room and run the same command again",
            ),
            Self::ReadOnly => (
                Code::Config,
                "it cannot be written to",
                "make the file and its folder writable, or name another file with --db",
            ),
            Self::Damaged => (
                Code::Internal,
                "the database is damaged",
                "keep a copy of it; then put a backup in its place, or move it away and run `storemirror ingest`: the \
                 stores still list every current record",
            ),
            Self::Busy => (
                Code::Locked,
                "another program holds the database",
                "wait until it has finished, or end its open transaction",
            ),
            Self::Unopenable => (
                Code::Config,
                "it or its write-ahead log cannot be opened",
                "make the file and its folder readable and writable, or name another file with --db",
            ),
            Self::Disk => (
                Code::Internal,
                "the disk reports an error",
                "everything saved so far is safe; look after the disk and run the same command again",
            ),
        };
        Failure::new(code, format!("{said}: {what}")).hint(hint)
    }
}

fn is_write(extended_code: i32) -> bool {
    [
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_IOERR_FSYNC,
        ffi::SQLITE_IOERR_DIR_FSYNC,
        ffi::SQLITE_IOERR_TRUNCATE,
        ffi::SQLITE_IOERR_SHMSIZE,
        ffi::SQLITE_IOERR_SHMOPEN,
        ffi::SQLITE_IOERR_SHMMAP,
    ]
    .contains(&extended_code)
}

/// The error, in words for a person where the machine is to blame. `path` is the database, which `SQLite` does not name.
pub fn explained(error: anyhow::Error, path: &Path) -> anyhow::Error {
    if error.chain().any(|cause| cause.downcast_ref::<Failure>().is_some()) {
        return error;
    }
    let trouble = error.chain().find_map(|cause| {
        let query = cause.downcast_ref::<QueryError>().and_then(|error| error.trouble);
        query.or_else(|| cause.downcast_ref::<SqlError>().and_then(Trouble::of))
    });
    let Some(trouble) = trouble else { return error };
    let said = format!("{error:#}");
    let path = path.display().to_string();
    let said = if said.contains(&path) { said } else { format!("{path}: {said}") };
    trouble.failure(&said).into()
}
