//! What `doctor` judges, gathered: files and their modes, the mirror's own checks, what each server answered.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::config::Party;
use crate::db::{Db, Tie};
use crate::failure::{Code, Failure};
use crate::keep::copies_beside;
use crate::model::Kind;
use crate::push::check;
use crate::report::{Catalog, Source};
use crate::session::Session;

#[derive(Default)]
pub(super) struct Facts {
    pub(super) offline: bool,
    /// Whether there is a configuration file.
    pub(super) is_configured: bool,
    pub(super) places: Vec<Place>,
    /// File systems by what lies on them; None: this system does not tell.
    pub(super) file_systems: Option<Vec<(&'static str, String)>>,
    pub(super) mirror: Mirror,
    pub(super) servers: Vec<Server>,
    /// Modules and fields of the CRM that do not fit; None: not asked.
    pub(super) crm_misfits: Option<Result<(usize, usize), Failure>>,
    /// What would run the program by itself.
    pub(super) schedules: Vec<&'static str>,
    pub(super) sqlite: &'static str,
    pub(super) reports: Option<Reports>,
}

pub(super) struct Reports {
    pub(super) all: usize,
    /// Of them the user's own.
    pub(super) own: usize,
    /// Files of the user's that are no report.
    pub(super) broken: usize,
}

/// A file or folder that others must not read or change.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) what: &'static str,
    /// As it may be shown.
    pub(super) shown: String,
    /// The permission bits that must not be set.
    pub(super) forbidden: u32,
    pub(super) mode: u32,
    /// What is wrong is a warning alone: the secrets behind it are closed by themselves.
    pub(super) is_outer: bool,
}

#[derive(Default)]
pub(super) enum Mirror {
    #[default]
    Missing,
    Unreadable(String),
    Read(Box<Read>),
}

#[derive(Default)]
pub(super) struct Read {
    pub(super) problems: Vec<String>,
    pub(super) ties: Vec<Tie>,
    pub(super) schema_version: i64,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) unpurged_since: Option<String>,
    pub(super) has_forgotten: bool,
    /// Copies of the mirror beside it.
    pub(super) copies: usize,
}

/// A store or the CRM.
pub(super) struct Server {
    pub(super) name: String,
    pub(super) connect_command: String,
    /// None: not asked.
    pub(super) answer: Option<Result<(), Failure>>,
    /// Seconds by which this machine's clock is ahead of the server's.
    pub(super) clock_ahead: Option<i64>,
}

pub(super) async fn gather(session: &Session, stores: &[String], offline: bool) -> Result<Facts> {
    let config = &session.config;
    let mut facts = Facts {
        offline,
        is_configured: config.found,
        places: places(session)?,
        file_systems: file_systems(session),
        mirror: mirror(&config.paths.database)?,
        schedules: schedules(),
        sqlite: crate::db::sqlite_version(),
        reports: reports(session),
        ..Facts::default()
    };
    let chosen =
        if config.stores.is_empty() && stores.is_empty() { Vec::new() } else { config.stores_named(stores)? };
    for store in chosen {
        let (mut answer, mut clock_ahead) = (None, None);
        if !offline {
            answer = Some(match session.store_client(store) {
                Ok(api) => {
                    let asked = api.list(Kind::Subscriptions, 1, 1).await;
                    clock_ahead = api.clock_ahead();
                    asked.map(drop).map_err(|error| error.into_failure(Code::Store))
                }
                Err(failure) => Err(failure),
            });
        }
        let connect_command = Party::Store(store.store_id.clone()).argument();
        let name = format!("store {}", store.store_id);
        facts.servers.push(Server { name, connect_command, answer, clock_ahead });
    }
    if let Some(crm) = &config.crm {
        let (mut answer, mut clock_ahead) = (None, None);
        if !offline {
            let (result, ahead) = ask_crm(session, crm).await;
            clock_ahead = ahead;
            answer = Some(result.as_ref().map(|_| ()).map_err(Clone::clone));
            facts.crm_misfits = Some(result);
        }
        let connect_command = Party::Crm.argument();
        facts.servers.push(Server { name: "CRM".to_owned(), connect_command, answer, clock_ahead });
    }
    Ok(facts)
}

/// What the CRM has that does not fit, and how far its clock is behind ours.
async fn ask_crm(session: &Session, crm: &crate::config::CrmConfig) -> (Result<(usize, usize), Failure>, Option<i64>) {
    let api = match session.crm_client(crm) {
        Ok(api) => api,
        Err(error) => return (Err(Failure::of(&error)), None),
    };
    // without a mirror there are no texts to measure
    let db = Db::open_reader(&session.config.paths.database).ok();
    let result = check::inspect(db.as_ref(), crm, &api).await;
    (result.map(|check| check.misfits()).map_err(|error| Failure::of(&error)), api.clock_ahead())
}

fn mirror(path: &Path) -> Result<Mirror> {
    if !path.exists() {
        return Ok(Mirror::Missing);
    }
    let db = match Db::open_reader(path) {
        Ok(db) => db,
        // the message names the file, the rest of it is ours
        Err(error) => {
            let message = Failure::of(&error).message;
            return Ok(Mirror::Unreadable(message.replace(&path.display().to_string(), "the file")));
        }
    };
    let problems = db.integrity_problems();
    // what stands in a damaged file cannot be counted
    if !problems.is_empty() {
        return Ok(Mirror::Read(Box::new(Read { problems, ..Read::default() })));
    }
    let contents = db.contents()?;
    Ok(Mirror::Read(Box::new(Read {
        problems,
        ties: db.ties()?,
        schema_version: contents.schema_version,
        records: contents.records,
        bytes: path.metadata()?.len(),
        unpurged_since: db.unpurged_since()?,
        has_forgotten: db.has_forgotten()?,
        copies: copies_beside(path)?.len(),
    })))
}

/// Read by others, or changed by them.
const ANY: u32 = 0o077;
const CHANGED: u32 = 0o022;

fn places(session: &Session) -> Result<Vec<Place>> {
    let paths = &session.config.paths;
    let database = &paths.database;
    let folder_of = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
    // what, path, forbidden bits, whether secrets behind it are closed by themselves
    let mut asked: Vec<(&'static str, PathBuf, u32, bool)> = vec![
        ("configuration folder", paths.config_folder.clone(), ANY, true),
        ("configuration", paths.config.clone(), CHANGED, false),
        ("credentials", paths.credentials.clone(), ANY, false),
        ("state folder", paths.state.clone(), ANY, true),
        ("mirror's folder", folder_of(database), ANY, true),
        ("mirror", database.clone(), ANY, false),
    ];
    for companion in ["-wal", "-shm", "-journal", ".lock"] {
        asked.push(("mirror", crate::db::beside(database, companion), ANY, false));
    }
    asked.extend(copies_beside(database)?.into_iter().map(|copy| ("copy of the mirror", copy, ANY, false)));
    if let Ok(entries) = std::fs::read_dir(&paths.state) {
        // when requests were sent is no secret; an older program left it to the umask
        let forbidden = |entry: &std::fs::DirEntry| {
            if entry.file_name().to_string_lossy().starts_with("pace-") { CHANGED } else { ANY }
        };
        let entries = entries.flatten();
        asked.extend(entries.map(|entry| ("token or run", entry.path(), forbidden(&entry), false)));
    }
    let mut seen = BTreeSet::new();
    asked.retain(|(_, path, ..)| seen.insert(path.clone()));
    let found = asked.into_iter().filter_map(|(what, path, forbidden, is_outer)| {
        let path = if path.as_os_str().is_empty() { PathBuf::from(".") } else { path };
        let mode = mode_of(&path)?;
        // into a folder that others may change, they can put files of their own
        let is_outer = is_outer && mode & CHANGED == 0;
        Some(Place { what, shown: shown(&path), forbidden, mode, is_outer })
    });
    Ok(found.collect())
}

#[cfg(unix)]
fn mode_of(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    Some(path.metadata().ok()?.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode_of(_path: &Path) -> Option<u32> {
    None
}

/// What the program itself calls its files; any other name is the user's.
const OWN_NAMES: [&str; 4] = ["mirror.db", "config.toml", "credentials.toml", "storemirror"];

/// A path without what may name a person or a firm: in the program's usual folders all of it, elsewhere its last part where
/// that is ours.
fn shown(path: &Path) -> String {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let below = home.as_deref().and_then(|home| path.strip_prefix(home).ok());
    let usual = [".config/storemirror", ".local/share/storemirror", ".local/state/storemirror"];
    if let Some(below) = below.filter(|below| usual.iter().any(|usual| below.starts_with(usual))) {
        return format!("~/{}", below.display());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if OWN_NAMES.iter().any(|own| name.starts_with(own)) { format!("…/{name}") } else { "…".to_owned() }
}

fn file_systems(session: &Session) -> Option<Vec<(&'static str, String)>> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let paths = &session.config.paths;
    let database = paths.database.parent().unwrap_or(Path::new("."));
    let places = [("mirror", database), ("state folder", paths.state.as_path())];
    let found = places.into_iter().filter_map(|(what, path)| {
        // the nearest folder that is there
        let path = path.ancestors().find_map(|path| {
            let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            path.canonicalize().ok()
        })?;
        let kind = super::mounts::file_system(&mounts, &path.to_string_lossy())?.to_owned();
        Some((what, kind))
    });
    Some(found.collect())
}

/// Timers of this user that start the program, and lines of the crontab.
fn schedules() -> Vec<&'static str> {
    use etcetera::BaseStrategy;
    let mut found = Vec::new();
    let units = etcetera::choose_base_strategy().map(|base| base.config_dir().join("systemd").join("user"));
    let is_timer = |entry: std::fs::DirEntry| {
        let path = entry.path();
        path.extension().is_some_and(|extension| extension == "timer")
            && path.file_stem().is_some_and(|name| name.to_string_lossy().starts_with("storemirror"))
    };
    if units.is_ok_and(|folder| std::fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(is_timer))) {
        found.push("systemd");
    }
    let crontab = Command::new("crontab").arg("-l").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let starts_it = |line: &str| !line.trim_start().starts_with('#') && line.contains("storemirror");
    if crontab.is_ok_and(|crontab| String::from_utf8_lossy(&crontab.stdout).lines().any(starts_it)) {
        found.push("cron");
    }
    found
}

/// None: the folder of the user's own cannot be read.
fn reports(session: &Session) -> Option<Reports> {
    let catalog = Catalog::load(&session.config.paths.queries).ok()?;
    let own = catalog.reports().filter(|report| report.source == Source::User).count();
    Some(Reports { all: catalog.reports().count(), own, broken: catalog.problems().count() })
}
