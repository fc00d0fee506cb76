//! `schedule`: the mirror brings itself up to date. What is asked for becomes jobs (`plan`), these become systemd units
//! (`systemd`) or lines of a crontab (`cron`), and what differs from what is installed is put in place (`host`). Nothing
//! here runs a job: systemd and cron do.
//!
//! A schedule belongs to a configuration file: everything installed for it carries a mark with its path, and only what
//! carries that mark is ever changed or removed.

mod cron;
mod host;
mod place;
pub mod plan;
mod show;
pub mod systemd;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use crate::Session;
use crate::cli::{Often, PushWhen, Schedule, ScheduleInstall, Scheduler};
use crate::config::{Config, Party, SecretStore};
use crate::failure::Failure;
use crate::model::Kind;
use crate::schedule::host::Found;
use crate::schedule::place::Place;
use crate::schedule::plan::{Job, PushTime, Wishes};
use crate::schedule::systemd::Frame;

pub(crate) fn run(session: &Session, command: &Schedule, out: &mut dyn Write) -> Result<u8> {
    match command {
        Schedule::Install(arguments) => install(session, arguments, out),
        Schedule::Show => show::show(session, out),
        Schedule::Remove(arguments) => remove(session, arguments.dry_run, out),
    }
}

/// What is to be installed: units by their path, and our block of the crontab.
#[derive(Debug, Default)]
struct Wanted {
    units: BTreeMap<PathBuf, String>,
    block: Option<String>,
}

/// One file that is not, or not longer, as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    what: What,
    /// None: the crontab.
    path: Option<PathBuf>,
    /// What will stand there.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Create,
    Update,
    Keep,
    Remove,
}

impl What {
    fn name(self, done: bool) -> &'static str {
        match (self, done) {
            (Self::Create, true) => "created",
            (Self::Create, false) => "create",
            (Self::Update, true) => "updated",
            (Self::Update, false) => "update",
            (Self::Keep, _) => "unchanged",
            (Self::Remove, true) => "removed",
            (Self::Remove, false) => "remove",
        }
    }
}

fn install(session: &Session, arguments: &ScheduleInstall, out: &mut dyn Write) -> Result<u8> {
    let config = &session.config;
    let wishes = wishes(config, arguments)?;
    let jobs = plan::jobs(&wishes);
    if jobs.is_empty() {
        return Err(Failure::config("nothing to schedule: everything is disabled")
            .hint("to have nothing run by itself: storemirror schedule remove")
            .into());
    }
    let scheduler = host::choose(arguments.with)?;
    let place = Place::of(config)?;
    place.check(scheduler)?;
    let mut hints = Vec::new();
    match unknown_to_jobs(config, wishes.push != PushTime::Never, scheduler)? {
        Some(problem) if arguments.dry_run => {
            hints.push(format!("{problem}; {}", problem.hint.as_deref().unwrap_or_default()));
        }
        Some(problem) => return Err(problem.into()),
        None => {}
    }
    let found = Found::read(&place)?;
    let wanted = Wanted::new(&place, &jobs, scheduler);
    let changes = compare(&found, &wanted);
    let mut changed = changes.iter().any(|change| change.what != What::Keep);
    if !arguments.dry_run {
        changed |= host::apply(&place, &found, &changes)?;
    }
    if scheduler == Scheduler::Systemd {
        hints.extend(host::lingering_hint());
    }
    let answer = Installed { scheduler, dry_run: arguments.dry_run, changed, jobs, changes, hints };
    if arguments.dry_run {
        // the very files, to read or to copy
        session.answer_verbatim(out, &answer.json(), || answer.text())?;
    } else {
        session.answer(out, &answer.json(), || answer.text())?;
    }
    Ok(0)
}

fn remove(session: &Session, dry_run: bool, out: &mut dyn Write) -> Result<u8> {
    let place = Place::of(&session.config)?;
    let found = Found::read(&place)?;
    let changes = compare(&found, &Wanted::default());
    if !dry_run {
        host::apply(&place, &found, &changes)?;
    }
    let json = json!({
        "command": "schedule remove", "exit": 0, "dry_run": dry_run, "changed": !changes.is_empty(),
        "files": files_json(&changes, !dry_run), "error": null,
    });
    session.answer(out, &json, || match changes.as_slice() {
        [] => format!("nothing is scheduled for {}", place.config),
        changes => changes.iter().map(|change| change.line(!dry_run)).collect::<Vec<_>>().join("\n"),
    })?;
    Ok(0)
}

fn wishes(config: &Config, arguments: &ScheduleInstall) -> Result<Wishes> {
    config.stores_named(&[])?;
    let push = match arguments.push {
        None if config.crm.is_none() => PushTime::Never,
        None | Some(PushWhen::AfterIngest) => PushTime::AfterIngest,
        Some(PushWhen::Daily) => PushTime::Daily,
        Some(PushWhen::Never) => PushTime::Never,
    };
    if push != PushTime::Never {
        config.crm()?;
    }
    let at = plan::minute_of_day(&arguments.at).ok_or_else(|| {
        Failure::config(format!("--at {:?} is not a time of day", arguments.at)).hint("write it as 06:30")
    })?;
    let apart = [(Kind::Transactions, arguments.transactions), (Kind::Commissions, arguments.commissions)];
    let apart = apart.into_iter().filter_map(|(kind, often)| Some((kind, hours(often?)))).collect();
    Ok(Wishes { ingest: hours(arguments.ingest), apart, push, at })
}

fn hours(often: Often) -> Option<u32> {
    match often {
        Often::Daily => Some(24),
        Often::Every12Hours => Some(12),
        Often::Every8Hours => Some(8),
        Often::Every6Hours => Some(6),
        Often::Every4Hours => Some(4),
        Often::Every3Hours => Some(3),
        Often::Every2Hours => Some(2),
        Often::Hourly => Some(1),
        Often::Disabled => None,
    }
}

/// Secrets that a job would not have: it does not run in this shell's environment.
fn unknown_to_jobs(config: &Config, pushes: bool, scheduler: Scheduler) -> Result<Option<Failure>> {
    let theirs = if scheduler == Scheduler::Systemd { host::manager_variables() } else { Vec::new() };
    let secrets = SecretStore::new(config.paths.credentials.clone());
    let stores = config.stores.iter().map(|store| Party::Store(store.store_id.clone()));
    let parties: Vec<Party> = stores.chain(pushes.then_some(Party::Crm)).collect();
    let (mut variables, mut fixes) = (Vec::new(), Vec::new());
    for party in &parties {
        let found = secrets.look_up(party)?;
        let before = variables.len();
        for secret in [found.client_secret, found.refresh_token] {
            if secret.stored.is_none() && !theirs.contains(&secret.variable) {
                variables.push(secret.variable);
            }
        }
        if variables.len() > before {
            fixes.push(format!("[{}] (`storemirror connect {}` does it)", party.table(), party.argument()));
        }
    }
    if variables.is_empty() {
        return Ok(None);
    }
    let place = config.paths.credentials.display();
    let verb = if variables.len() == 1 { "is" } else { "are" };
    Ok(Some(
        Failure::config(format!(
            "scheduled runs do not see this shell's environment, and {} {verb} not in {place}",
            variables.join(", ")
        ))
        .hint(format!("write client_secret and refresh_token there (mode 0600) under {}", fixes.join(" and "))),
    ))
}

impl Wanted {
    fn new(place: &Place, jobs: &[Job], scheduler: Scheduler) -> Self {
        let mut wanted = Self::default();
        match scheduler {
            Scheduler::Systemd => {
                for job in jobs {
                    let mark = format!("{}\n{}", place.unit_mark(), show::note(job, job.times));
                    let frame = Frame { mark: &mark, program: &place.program, environment: &place.environment };
                    let path = |suffix: &str| place.unit_folder.join(format!("{}-{}.{suffix}", place.name, job.name));
                    wanted.units.insert(path("service"), systemd::service(&frame, job));
                    wanted.units.insert(path("timer"), systemd::timer(&frame, job));
                }
            }
            Scheduler::Cron => {
                let lines: Vec<String> = jobs
                    .iter()
                    .flat_map(|job| {
                        let times = cron::spread(job, &place.seed);
                        let line = cron::line(job, &place.program, &place.environment, &place.seed);
                        [show::note(job, times), line]
                    })
                    .collect();
                wanted.block = Some(cron::block(&place.cron_mark(), &lines));
            }
        }
        wanted
    }
}

/// What has to change so that what is installed is what is wanted, removals first.
fn compare(found: &Found, wanted: &Wanted) -> Vec<Change> {
    let gone = found.units.iter().filter(|(path, _)| !wanted.units.contains_key(*path));
    let removed = gone.map(|(path, text)| Change { what: What::Remove, path: Some(path.clone()), text: text.clone() });
    let kept = wanted.units.iter().map(|(path, text)| Change {
        what: difference(found.units.get(path), text),
        path: Some(path.clone()),
        text: text.clone(),
    });
    let block = match (&found.block, &wanted.block) {
        (None, None) => None,
        (Some(old), None) => Some(Change { what: What::Remove, path: None, text: old.clone() }),
        (old, Some(new)) => Some(Change { what: difference(old.as_ref(), new), path: None, text: new.clone() }),
    };
    removed.chain(kept).chain(block).collect()
}

fn difference(old: Option<&String>, new: &str) -> What {
    match old {
        None => What::Create,
        Some(old) if old == new => What::Keep,
        Some(_) => What::Update,
    }
}

impl Change {
    fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "crontab".to_owned(), |path| path.display().to_string())
    }

    fn line(&self, done: bool) -> String {
        format!("{}: {}", self.what.name(done), self.name())
    }
}

fn files_json(changes: &[Change], done: bool) -> Value {
    let file = |change: &Change| {
        json!({
            "path": change.path.as_ref().map(|path| path.display().to_string()),
            "change": change.what.name(done), "text": change.text,
        })
    };
    changes.iter().map(file).collect()
}

/// What `install` answers.
struct Installed {
    scheduler: Scheduler,
    dry_run: bool,
    /// Something was, or would be, done.
    changed: bool,
    jobs: Vec<Job>,
    changes: Vec<Change>,
    hints: Vec<String>,
}

impl Installed {
    fn json(&self) -> Value {
        json!({
            "command": "schedule install", "exit": 0, "scheduler": show::name(self.scheduler),
            "dry_run": self.dry_run, "changed": self.changed,
            "jobs": self.jobs.iter().map(|job| json!({
                "name": job.name, "when": job.times.words(), "run": job.arguments.join(" "),
            })).collect::<Vec<_>>(),
            "files": files_json(&self.changes, !self.dry_run), "hints": self.hints, "error": null,
        })
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        if self.dry_run {
            for change in &self.changes {
                lines.push(format!("# {}", change.line(false)));
                lines.extend((change.what != What::Remove).then(|| change.text.clone()));
            }
        } else if self.changed {
            lines.push(format!("installed with {}:", show::name(self.scheduler)));
            lines.extend(
                self.jobs.iter().map(|job| format!("  {}: storemirror {}", job.times.words(), job.arguments.join(" "))),
            );
            let touched = self.changes.iter().filter(|change| change.what != What::Keep);
            lines.extend(touched.map(|change| change.line(true)));
            lines.push("see `storemirror schedule show`".to_owned());
        } else {
            lines.push("nothing to change: this schedule is installed and running".to_owned());
        }
        lines.extend(self.hints.iter().map(|hint| format!("note: {hint}")));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_changes_and_what_is_not_wanted_goes_first() {
        let units = |names: &[(&str, &str)]| {
            names.iter().map(|(name, text)| (PathBuf::from(name), (*text).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let found =
            Found { units: units(&[("a", "1"), ("b", "1"), ("c", "1")]), block: Some("x".into()), crontab: None };
        let wanted = Wanted { units: units(&[("b", "1"), ("c", "2"), ("d", "1")]), block: None };
        let lines: Vec<String> = compare(&found, &wanted).iter().map(|change| change.line(true)).collect();
        assert_eq!(lines, ["removed: a", "unchanged: b", "updated: c", "created: d", "removed: crontab"]);
    }
}
