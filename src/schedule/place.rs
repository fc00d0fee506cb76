//! What a schedule is installed for and where: the program and its files by their absolute paths, and the marks by which
//! what was installed is known again.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cli::Scheduler;
use crate::config::{Config, config_home};
use crate::failure::Failure;
use crate::model::json::sha256_hex;

/// What a unit's first line begins with; the configuration follows.
const UNIT_MARK: &str = "# Made by `storemirror schedule install` and overwritten by the next, for";
const CRON_MARK: &str = "# storemirror schedule: begin (change it with `storemirror schedule install`), for";

pub(super) struct Place {
    /// The configuration file the schedule belongs to.
    pub(super) config: String,
    /// What the units' names begin with.
    pub(super) name: String,
    /// The program with its files, before a job's own arguments.
    pub(super) program: Vec<String>,
    /// What the jobs must know of this environment.
    pub(super) environment: Vec<(String, String)>,
    pub(super) unit_folder: PathBuf,
    /// Differs between installations, and stays the same for one.
    pub(super) seed: String,
}

impl Place {
    /// # Errors
    /// `config` when a path is no text.
    pub(super) fn of(config: &Config) -> Result<Self> {
        let program = std::env::current_exe().context("cannot tell where this program is")?;
        let path = text(&config.paths.config)?;
        let usual = text(&config_home()?.join("storemirror").join("config.toml"))?;
        let name = if path == usual {
            "storemirror".to_owned()
        } else {
            format!("storemirror-{}", &sha256_hex(path.as_bytes())[..8])
        };
        let clients = config.stores.iter().map(|store| store.client_id.as_str()).collect::<Vec<_>>().join("\n");
        // where tokens and what became of the runs are kept: a job must find the same folder as the person
        let state = std::env::var("XDG_STATE_HOME").ok().filter(|folder| Path::new(folder).is_absolute());
        Ok(Self {
            program: vec![
                text(&program)?,
                "--config".to_owned(),
                path.clone(),
                "--db".to_owned(),
                text(&config.paths.database)?,
            ],
            environment: state.map(|folder| ("XDG_STATE_HOME".to_owned(), folder)).into_iter().collect(),
            unit_folder: config_home()?.join("systemd").join("user"),
            seed: format!("{path}\n{clients}"),
            config: path,
            name,
        })
    }

    pub(super) fn unit_mark(&self) -> String {
        format!("{UNIT_MARK} {}.", self.config)
    }

    pub(super) fn cron_mark(&self) -> String {
        format!("{CRON_MARK} {}", self.config)
    }

    /// Refuses paths that cannot be written down for the scheduler.
    pub(super) fn check(&self, scheduler: Scheduler) -> Result<()> {
        // cron takes some backslashes for its own; systemd takes no quotes in the name of a program
        let (words, marks): (&[String], &[char]) = match scheduler {
            Scheduler::Cron => (&self.program, &['\\']),
            Scheduler::Systemd => (&self.program[..1], &['\\', '"', '\'']),
        };
        let named = words.iter().find_map(|word| Some((word, word.chars().find(|mark| marks.contains(mark))?)));
        let all = self.program.iter().chain(self.environment.iter().map(|(_, value)| value));
        let mut control = all.filter_map(|word| Some((word, word.chars().find(|mark| mark.is_control())?)));
        match named.or_else(|| control.next()) {
            None => Ok(()),
            Some((word, mark)) => {
                Err(Failure::config(format!("{word:?} has the character {mark:?}, which a schedule cannot name"))
                    .hint("move it to another folder")
                    .into())
            }
        }
    }
}

fn text(path: &Path) -> Result<String> {
    let absolute = std::path::absolute(path).with_context(|| format!("cannot find {}", path.display()))?;
    absolute.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::config(format!("{} is not UTF-8, which a schedule cannot name", absolute.display()))
            .hint("move it to another folder")
            .into()
    })
}
