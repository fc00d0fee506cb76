//! `backup` and `restore`: a copy of the mirror that is proven before it gets its name, and the way back from one. What was
//! there before is never overwritten.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::cli;
use crate::db::{self, Contents, DERIVED, Db, Place, Tie, Whose};
use crate::failure::{Code, Failure};
use crate::files::sync_folder;
use crate::model::instant::format_instant;
use crate::report::Statement;
use crate::screen::{self, counted, thousands};
use crate::session::Session;

pub(crate) async fn backup(session: &Session, arguments: &cli::Backup, out: &mut dyn Write) -> Result<u8> {
    let (source, file) = (&session.config.paths.database, &arguments.file);
    // one of an older program is brought up first, as every command does
    drop(Db::open_reader(source)?);
    must_be_free(source, file, arguments.force)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot = |error: std::io::Error| {
        Failure::config(format!("cannot write {}: {error}", file.display())).hint("name a file in a folder that exists")
    };
    let temporary = tempfile::Builder::new().prefix(".storemirror-backup-").tempfile_in(folder).map_err(cannot)?;
    copy(session, "copying", source, temporary.path(), true).await?;
    let check = Check::as_it_is(temporary.path(), source)?;
    temporary.as_file().sync_all().map_err(cannot)?;
    let kept = if arguments.force { temporary.persist(file) } else { temporary.persist_noclobber(file) };
    let bytes = kept.map_err(|error| cannot(error.error))?.metadata().map_err(cannot)?.len();
    sync_folder(file).map_err(cannot)?;
    let exit = check.exit();
    let json = json!({
        "command": "backup", "version": env!("CARGO_PKG_VERSION"), "exit": exit, "file": file, "bytes": bytes,
        "contents": check.contents_json(), "checks": check.checks_json(), "error": null,
    });
    session.answer(out, &json, || {
        format!("{} of {} in {}\n{}", screen::bytes(bytes), source.display(), file.display(), check.text())
    })?;
    Ok(exit)
}

pub(crate) async fn restore(
    session: &Session,
    arguments: &cli::Restore,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<u8> {
    let (file, path) = (&arguments.file, &session.config.paths.database);
    if !file.is_file() {
        return Err(Failure::config(format!("there is no file {}", file.display()))
            .hint("name one that `storemirror backup` wrote")
            .into());
    }
    if arguments.check {
        return check_alone(session, file, out).await;
    }
    if is_same(file, path) {
        return Err(Failure::config(format!("{} is the mirror itself", file.display()))
            .hint("name a backup of it")
            .into());
    }
    if path.exists() && !arguments.force {
        return Err(Failure::config(format!("there is a mirror at {}", path.display()))
            .hint("--force replaces it and keeps it beside; --check looks at the backup alone")
            .into());
    }
    let place = Place::claim(path)?;
    let copied = place.copy_path()?;
    let result = prepare(session, file, &copied, &place, now).await;
    let (check, told) = match result {
        Ok(prepared) => prepared,
        Err(error) => {
            place.give_up(&copied);
            return Err(error);
        }
    };
    let stamp = now.format("%Y%m%dT%H%M%SZ").to_string();
    let kept = place.replace_with(&copied, &stamp).inspect_err(|_| place.give_up(&copied))?;
    let json = json!({
        "command": "restore", "version": env!("CARGO_PKG_VERSION"), "exit": 0, "checked_only": false, "file": file,
        "database": path, "replaced": kept, "contents": check.contents_json(), "checks": check.checks_json(),
        "warnings": told, "error": null,
    });
    session.answer(out, &json, || {
        let mut text = format!("{} is the mirror now\n{}", file.display(), check.text());
        if let Some(kept) = &kept {
            text.push_str(&format!("\nthe mirror before it is kept as {}", kept.display()));
        }
        for line in &told {
            text.push_str(&format!("\nwarning: {line}"));
        }
        text
    })?;
    Ok(0)
}

/// Makes the copy what the mirror shall be: of this schema, proven, and without those who were forgotten since.
async fn prepare(
    session: &Session,
    file: &Path,
    copied: &Path,
    place: &Place,
    now: DateTime<Utc>,
) -> Result<(Check, Vec<String>)> {
    copy(session, "restoring", file, copied, false).await?;
    let check = Check::after_rebuild(copied, file)?;
    let mut told = Vec::new();
    for tie in check.broken() {
        if tie.name != DERIVED {
            let message = format!("{} does not hold together; not so: {}", file.display(), tie.promise);
            return Err(Failure::new(Code::Internal, message)
                .hint("`storemirror restore FILE --check` tells everything; nothing was changed")
                .into());
        }
        told.push("what is derived was not what the payloads make; it is made again".to_owned());
    }
    let db = db::open_copy(copied, file)?;
    if !place.take_over_forgotten(&db)? {
        told.push("the replaced file cannot be read; if customers were forgotten in it, forget them again".to_owned());
    }
    let plan = db.plan_forgetting(&Whose::Noted)?;
    if db.has_forgotten()? {
        db.forget(&plan, &format_instant(now), &|month| Statement::hash(&db, month))?;
        db.purge()?;
    }
    db.close_copy()?;
    Ok((check, told))
}

async fn check_alone(session: &Session, file: &Path, out: &mut dyn Write) -> Result<u8> {
    let beside = session.config.paths.database.parent().filter(|folder| folder.is_dir());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".storemirror-check-");
    // where the mirror lies there is room for another; its folder may be closed to us
    let folder = beside.and_then(|folder| builder.tempdir_in(folder).ok()).map_or_else(|| builder.tempdir(), Ok)?;
    let copied = folder.path().join("mirror.db");
    std::fs::File::create(&copied)?;
    copy(session, "reading", file, &copied, false).await?;
    let check = Check::after_rebuild(&copied, file)?;
    let json = json!({
        "command": "restore", "version": env!("CARGO_PKG_VERSION"), "exit": check.exit(), "checked_only": true, "file": file,
        "contents": check.contents_json(), "checks": check.checks_json(), "error": null,
    });
    session.answer(out, &json, || check.text())?;
    Ok(check.exit())
}

async fn copy(session: &Session, what: &str, from: &Path, to: &Path, is_live: bool) -> Result<()> {
    let line = session.progress.bytes(what);
    db::copy(from, to, is_live, &|done, all| line.at(done, all)).await
}

fn must_be_free(source: &Path, file: &Path, force: bool) -> Result<(), Failure> {
    if is_same(source, file) {
        return Err(Failure::config(format!("{} is the mirror itself", file.display())).hint("name another file"));
    }
    if file.is_dir() {
        return Err(Failure::config(format!("{} is a folder", file.display())).hint("name a file in it"));
    }
    if file.exists() && !force {
        return Err(Failure::config(format!("{} is there already", file.display()))
            .hint("name another file, or replace it with --force"));
    }
    Ok(())
}

fn is_same(left: &Path, right: &Path) -> bool {
    left.canonicalize().is_ok_and(|left| right.canonicalize().is_ok_and(|right| left == right))
}

/// What a copy holds, and whether it holds together.
struct Check {
    contents: Contents,
    ties: Vec<Tie>,
}

impl Check {
    /// Looks at a copy as it is, changing nothing.
    ///
    /// # Errors
    /// `internal` when the file is damaged.
    fn as_it_is(path: &Path, origin: &Path) -> Result<Self> {
        let db = db::read_copy(path, origin)?;
        Ok(Self { contents: db.contents()?, ties: db.ties()? })
    }

    /// Looks at a copy once it is of this program's schema and everything derived is made again.
    ///
    /// # Errors
    /// As for [`Self::as_it_is`].
    fn after_rebuild(path: &Path, origin: &Path) -> Result<Self> {
        let db = db::open_copy(path, origin)?;
        let mut ties = db.ties()?;
        ties.push(db.rebuild_tie()?);
        ties.push(statements(&db)?);
        let check = Self { contents: db.contents()?, ties };
        db.close_copy()?;
        Ok(check)
    }

    fn broken(&self) -> impl Iterator<Item = &Tie> {
        self.ties.iter().filter(|tie| tie.broken > 0)
    }

    fn exit(&self) -> u8 {
        3 * u8::from(self.broken().next().is_some())
    }

    fn contents_json(&self) -> Value {
        let contents = &self.contents;
        json!({
            "schema_version": contents.schema_version, "records": contents.records,
            "payload_versions": contents.payload_versions, "crm_links": contents.crm_links,
            "statements": contents.statements, "last_complete_at": contents.last_complete_at,
        })
    }

    fn checks_json(&self) -> Value {
        self.ties.iter().map(|tie| json!({ "check": tie.name, "promise": tie.promise, "broken": tie.broken })).collect()
    }

    fn text(&self) -> String {
        let contents = &self.contents;
        let mut text = format!(
            "{} in {}, {}, {}; last complete listing {}",
            counted(contents.records, "record", "records"),
            counted(contents.payload_versions, "version", "versions"),
            counted(contents.crm_links, "CRM link", "CRM links"),
            counted(contents.statements, "statement", "statements"),
            contents.last_complete_at.as_deref().unwrap_or("never"),
        );
        if self.exit() == 0 {
            text.push_str(&format!("\nSQLite's integrity check and {} ties hold", thousands(self.ties.len() as u64)));
        }
        for tie in self.broken() {
            let places = counted(tie.broken, "place", "places");
            text.push_str(&format!("\nbroken in {places}: {}", tie.promise));
        }
        text
    }
}

/// Whether every frozen month is the one that was frozen, as one more tie.
fn statements(db: &Db) -> Result<Tie> {
    let mut broken = 0;
    for month in db.frozen_months()? {
        broken += u64::from(!Statement::is_as_frozen(db, &month)?);
    }
    Ok(Tie { name: "hashes", promise: "every frozen month is the one that was frozen", broken })
}

/// Copies of the mirror that the program itself left beside it: before migrations, and what a restore replaced.
pub(crate) fn copies_beside(database: &Path) -> Result<Vec<PathBuf>> {
    let Some(name) = database.file_name().map(|name| name.to_string_lossy().into_owned()) else {
        return Ok(Vec::new());
    };
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut copies = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        let other = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let rest = other.strip_prefix(&name).unwrap_or_default();
        let is_backup = rest.starts_with(".v") && rest.ends_with(".backup");
        if is_backup || rest.starts_with(".replaced") || rest.starts_with(".restoring") {
            copies.push(entry);
        }
    }
    copies.sort();
    Ok(copies)
}
