//! `storemirror` without a command: what stands on this machine, and the next thing to do about it. Everything is read
//! from files that are there; nobody is contacted and nothing is written.

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::config::{Config, Party, SecretStore};
use crate::db::{Db, ListingStatus};
use crate::model::instant::parse_instant;
use crate::screen;
use crate::status::PushStatus;

/// Listings older than this are said to be old: a day, and time for a daily run to be late.
const STALE_AFTER_HOURS: i64 = 26;

/// Where this machine stands on the way from nothing to an up-to-date mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// No store is configured.
    Configure,
    /// These are configured and have no secrets.
    Connect(Vec<Party>),
    /// So many kinds were never listed to their end.
    Ingest(usize),
    /// The last complete listing of some kind is so old.
    Stale(TimeDelta),
    /// So many records wait for the CRM; an unusual share of them when braked.
    Push {
        records: u64,
        is_braked: bool,
    },
    UpToDate,
}

/// What to type, and what it does.
type Line = (String, &'static str);

pub struct Next {
    stage: Stage,
    config_path: String,
    has_config: bool,
    has_crm: bool,
    /// The program with the flags that reach this configuration.
    program: String,
}

/// Looks at configuration, secrets and mirror. `push` is asked for what waits only when everything before is done.
///
/// # Errors
/// `config` when a file that is there cannot be used: that is then the next thing to mend.
pub fn read(config: &Config, push: impl FnOnce() -> Result<PushStatus>, now: DateTime<Utc>) -> Result<Next> {
    let path = config.paths.config.display().to_string();
    Ok(Next {
        stage: stage(config, push, now)?,
        has_config: config.found,
        has_crm: config.crm.is_some(),
        program: if config.is_default_path() {
            "storemirror".to_owned()
        } else {
            format!("storemirror --config {path}")
        },
        config_path: path,
    })
}

fn stage(config: &Config, push: impl FnOnce() -> Result<PushStatus>, now: DateTime<Utc>) -> Result<Stage> {
    if config.stores.is_empty() {
        return Ok(Stage::Configure);
    }
    let stores = config.stores.iter().map(|store| Party::Store(store.store_id.clone()));
    if let Some(stage) = unconnected(config, stores)? {
        return Ok(stage);
    }
    let path = &config.paths.database;
    let listings = if path.exists() { Db::open_reader(path)?.listing_status()? } else { Vec::new() };
    let listed = |store: &str, kind: &str| -> Option<DateTime<Utc>> {
        let row = |row: &&ListingStatus| row.store_id == store && row.kind == kind;
        listings.iter().find(row)?.last_complete_at.as_deref().and_then(parse_instant)
    };
    let kinds = config.stores.iter().flat_map(|store| store.kinds().into_iter().map(|kind| (&store.store_id, kind)));
    let completes: Vec<_> = kinds.map(|(store, kind)| listed(store, kind.name())).collect();
    let never = completes.iter().filter(|complete| complete.is_none()).count();
    if never > 0 {
        return Ok(Stage::Ingest(never));
    }
    if let Some(stage) = unconnected(config, config.crm.iter().map(|_| Party::Crm))? {
        return Ok(stage);
    }
    let oldest = completes.into_iter().flatten().min().map(|then| now - then);
    if let Some(age) = oldest.filter(|age| *age > TimeDelta::hours(STALE_AFTER_HOURS)) {
        return Ok(Stage::Stale(age));
    }
    let push = push()?;
    let records = push.pending.iter().map(|(_, count)| count).sum();
    Ok(if records > 0 { Stage::Push { records, is_braked: push.is_braked } } else { Stage::UpToDate })
}

/// Those of the parties whose secrets are nowhere.
fn unconnected(config: &Config, parties: impl Iterator<Item = Party>) -> Result<Option<Stage>> {
    let secrets = SecretStore::new(config.paths.credentials.clone());
    let mut missing = Vec::new();
    for party in parties {
        let found = secrets.look_up(&party)?;
        if found.client_secret.value().is_none() || found.refresh_token.value().is_none() {
            missing.push(party);
        }
    }
    Ok((!missing.is_empty()).then_some(Stage::Connect(missing)))
}

impl Next {
    fn name(&self) -> &'static str {
        match self.stage {
            Stage::Configure => "configure",
            Stage::Connect(_) => "connect",
            Stage::Ingest(_) | Stage::Stale(_) => "ingest",
            Stage::Push { .. } => "push",
            Stage::UpToDate => "none",
        }
    }

    fn situation(&self) -> String {
        match &self.stage {
            Stage::Configure if self.has_config => format!("no store is configured yet in {}", self.config_path),
            Stage::Configure => format!("nothing is set up yet; the configuration will be\n{}", self.config_path),
            Stage::Connect(parties) => {
                let names: Vec<String> = parties.iter().map(Party::label).collect();
                format!("configured, but without secrets: {}", names.join(", "))
            }
            Stage::Ingest(never) => {
                format!(
                    "connected; {} never listed to the end",
                    screen::counted(*never as u64, "kind was", "kinds were")
                )
            }
            Stage::Stale(age) => format!("the mirror is old: the last complete listing was {}", screen::ago(*age)),
            Stage::Push { records, is_braked } => {
                let waiting = if *records == 1 {
                    "1 record waits".to_owned()
                } else {
                    format!("{} records wait", screen::thousands(*records))
                };
                let brake = if *is_braked { ", an unusual share of all: look first" } else { "" };
                format!("the mirror is fresh; {waiting} for the CRM{brake}")
            }
            Stage::UpToDate if self.has_crm => "the mirror is fresh, and the CRM has all of it".to_owned(),
            Stage::UpToDate => "the mirror is fresh".to_owned(),
        }
    }

    /// The first is the next step; the others are worth knowing at this stage.
    fn lines(&self) -> Vec<Line> {
        let line = |arguments: &str, what| (format!("{} {arguments}", self.program), what);
        match &self.stage {
            Stage::Configure => vec![
                ("storemirror demo".to_owned(), "see it all work on made-up data, offline"),
                line("connect store us", "connect your store; us is a name of your choice"),
                if self.has_config {
                    line("init --print", "every key of the configuration")
                } else {
                    line("init", "write a commented configuration")
                },
            ],
            Stage::Connect(parties) => {
                let connect =
                    |party: &Party| line(&format!("connect {}", party.argument()), "give its secret and a code");
                parties.iter().map(connect).chain([line("whoami", "where each secret comes from")]).collect()
            }
            Stage::Ingest(_) => vec![
                line("ingest", "list every record into the mirror"),
                line("status", "what is mirrored, and how complete it is"),
            ],
            Stage::Stale(_) => vec![
                if self.has_crm {
                    line("sync", "list what is new, then push")
                } else {
                    line("ingest", "list what is new")
                },
                line("status", "what is mirrored, and how complete it is"),
            ],
            Stage::Push { .. } => vec![
                line("push --dry-run", "see what would be sent"),
                line("push", "send it"),
                line("report", "what can be asked of the mirror"),
            ],
            Stage::UpToDate => vec![
                line("report", "what can be asked of the mirror"),
                line("export DIR", "every report as CSV"),
                line("status", "what is mirrored, and how complete it is"),
            ],
        }
    }

    pub fn json(&self) -> Value {
        let lines = self.lines();
        json!({
            "command": "storemirror", "version": env!("CARGO_PKG_VERSION"), "exit": 0, "next": self.name(),
            "situation": self.situation().replace('\n', " "), "config": self.config_path,
            "commands": lines.iter().map(|(command, what)| json!({ "command": command, "what": what })).collect::<Vec<_>>(),
            "error": null,
        })
    }

    pub fn text(&self) -> String {
        let lines = self.lines();
        let width = lines.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
        // a long path leaves no room for both on one line
        let is_wide = lines.iter().any(|(_, what)| 2 + width + 3 + what.len() > screen::WIDTH);
        let mut text = format!("{}\n\nNext:", self.situation());
        for (command, what) in lines {
            text.push_str(&if is_wide {
                format!("\n  # {what}\n  {command}")
            } else {
                format!("\n  {command:width$}   {what}")
            });
        }
        text.push_str("\n\nAll commands: storemirror --help");
        text
    }
}
