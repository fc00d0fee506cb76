//! What every command has at hand: the configuration, how to speak, and the way to stores, CRM and screen.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};

use crate::api::client::Talk;
use crate::api::{Client, Connection, CrmApi, StoreApi};
use crate::cli::{Global, Turn};
use crate::config::{Config, CrmConfig, PathFlags, SecretStore, StoreConfig};
use crate::db::Db;
use crate::failure::{Code, Failure};
use crate::interrupt::Interrupt;
use crate::model::instant::parse_instant;
use crate::progress::Progress;
use crate::runs::Outcome;
use crate::{ingest, push, screen};

/// What every command has at hand.
pub(crate) struct Session {
    pub(crate) config: Config,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    /// Fixed by `--now`, else the clock.
    pub(crate) now: Option<DateTime<Utc>>,
    pub(crate) progress: Progress,
    pub(crate) talk: Talk,
    pub(crate) interrupt: Interrupt,
    /// What the parts of this run came to so far.
    pub(crate) outcome: Outcome,
}

/// How often a writer that waits looks whether it is its turn.
const TURN_POLL: Duration = Duration::from_secs(1);

impl Session {
    /// `makes_config`: the command makes a configuration file that is not there yet.
    pub(crate) fn new(global: Global, makes_config: bool) -> Result<Self> {
        let now = match &global.now {
            Some(text) => Some(parse_instant(text).ok_or_else(|| {
                Failure::config(format!("--now {text:?} is not an instant such as 2026-03-01T06:00:00Z"))
            })?),
            None => None,
        };
        let flags =
            PathFlags { config: global.config, db: global.db, queries: global.queries, may_be_missing: makes_config };
        let config = Config::load(flags)?;
        let progress = Progress::new(is_screen(), global.quiet);
        let speaker = progress.clone();
        let talk: Talk = Rc::new(move |message: &str| speaker.say(message));
        Ok(Self {
            config,
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose > 0,
            now,
            progress,
            talk,
            interrupt: Interrupt::listen(),
            outcome: Outcome::default(),
        })
    }

    /// The same person at the same terminal, with the demo's configuration and a state folder of its own.
    pub(crate) fn for_demo(&self, config: &Path, state: &Path) -> Result<Self> {
        let flags = PathFlags { config: Some(config.to_owned()), ..PathFlags::default() };
        let mut config = Config::load(flags)?;
        state.clone_into(&mut config.paths.state);
        let (progress, talk) = (self.progress.clone(), Rc::clone(&self.talk));
        Ok(Self {
            config,
            json: self.json,
            quiet: self.quiet,
            verbose: self.verbose,
            now: self.now,
            progress,
            talk,
            interrupt: self.interrupt.clone(),
            outcome: Outcome::default(),
        })
    }

    /// Opens the mirror for writing; waits while another process does, as long as was asked for.
    pub(crate) async fn writer(&self, turn: Turn) -> Result<Db> {
        let path = &self.config.paths.database;
        let patience = Duration::from_secs(u64::from(turn.wait) * 60);
        let mut waited = Duration::ZERO;
        loop {
            match self.open_writer() {
                Err(error) if waited < patience && Failure::of(&error).code == Code::Locked => {
                    if waited.is_zero() {
                        (self.talk)(&format!("another storemirror process is writing to {}; waiting", path.display()));
                    }
                    tokio::time::sleep(TURN_POLL).await;
                    waited += TURN_POLL;
                }
                opened => return opened,
            }
        }
    }

    /// Prints a command's answer: its JSON, or its text; with `--quiet` only when something needs a person, on stderr.
    pub(crate) fn answer(
        &self,
        out: &mut dyn Write,
        json: &serde_json::Value,
        text: impl FnOnce() -> String,
    ) -> Result<()> {
        let width = screen::width(&console::Term::stdout());
        self.answer_verbatim(out, json, || screen::fit(&text(), width))
    }

    /// As [`Self::answer`], for text that a program will read: no line of it is broken.
    #[expect(clippy::print_stderr, reason = "what needs a person is said where errors are")]
    pub(crate) fn answer_verbatim(
        &self,
        out: &mut dyn Write,
        json: &serde_json::Value,
        text: impl FnOnce() -> String,
    ) -> Result<()> {
        if self.json {
            writeln!(out, "{json}")?;
        } else if !self.quiet {
            writeln!(out, "{}", text())?;
        } else if json["exit"].as_u64().is_some_and(|exit| exit != 0) {
            eprintln!("{}", text());
        }
        Ok(())
    }

    /// The mirror for writing; only an upgrade of the file takes long.
    pub(crate) fn open_writer(&self) -> Result<Db> {
        let _task = self.progress.task("upgrading the mirror", ("step", "steps"));
        Db::open(&self.config.paths.database)
    }

    /// The mirror for reading alone.
    pub(crate) fn open_reader(&self) -> Result<Db> {
        let _task = self.progress.task("upgrading the mirror", ("step", "steps"));
        Db::open_reader(&self.config.paths.database)
    }

    pub(crate) fn store_ids(&self) -> Vec<String> {
        self.config.stores.iter().map(|store| store.store_id.clone()).collect()
    }

    /// Pushes to the configured CRM; a client is only made when something is to be sent.
    pub(crate) async fn push(
        &self,
        db: &Db,
        options: &push::Options,
        clock: &dyn Fn() -> DateTime<Utc>,
    ) -> Result<push::Summary> {
        let crm = self.config.crm()?;
        push::run(db, crm, &self.store_ids(), || self.crm_client(crm), options, clock, (&self.talk, &self.progress))
            .await
    }

    pub(crate) fn crm_client(&self, crm: &CrmConfig) -> Result<CrmApi> {
        let connection = Connection {
            name: "CRM".to_owned(),
            connect_command: "connect crm".to_owned(),
            api_url: crm.api_url.clone(),
            accounts_url: crm.accounts_url.clone(),
            client_id: crm.client_id.clone(),
            credentials: SecretStore::new(self.config.paths.credentials.clone()).crm()?,
            requests_per_minute: None,
            throttle_wait_seconds: crm.throttle_wait_seconds,
            timeout_seconds: crm.timeout_seconds,
            verbose: self.verbose,
            state: &self.config.paths.state,
        };
        let client = Client::new(connection, Rc::clone(&self.talk)).map_err(|error| error.into_failure(Code::Crm))?;
        Ok(CrmApi::new(client).with_trigger(&crm.rules.trigger))
    }

    /// The stores named (all when none is), each with its client or why it has none.
    pub(crate) fn sources(&self, names: &[String]) -> Result<Vec<ingest::Source<'_>>> {
        let stores = self.config.stores_named(names)?;
        Ok(stores.into_iter().map(|store| ingest::Source { store, api: self.store_client(store) }).collect())
    }

    pub(crate) fn store_client(&self, store: &StoreConfig) -> Result<StoreApi, Failure> {
        let secrets = SecretStore::new(self.config.paths.credentials.clone());
        let credentials = secrets.store(&store.store_id).map_err(|error| Failure::of(&error))?;
        let connection = Connection {
            name: format!("store {}", store.store_id),
            connect_command: format!("connect store {}", store.store_id),
            api_url: store.api_url.clone(),
            accounts_url: store.accounts_url.clone(),
            client_id: store.client_id.clone(),
            credentials,
            requests_per_minute: Some(store.requests_per_minute),
            throttle_wait_seconds: store.throttle_wait_seconds,
            timeout_seconds: store.timeout_seconds,
            verbose: self.verbose,
            state: &self.config.paths.state,
        };
        let client = Client::new(connection, Rc::clone(&self.talk)).map_err(|error| error.into_failure(Code::Store))?;
        Ok(StoreApi::new(client))
    }
}

/// Whether stderr is a person's screen: only then are there colours and progress bars.
fn is_screen() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
