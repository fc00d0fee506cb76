//! `schedule show`: the jobs as they are installed, their next run, and how the last one ended.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Local, NaiveDateTime, Utc};
use serde_json::{Value, json};

use crate::Session;
use crate::cli::Scheduler;
use crate::model::instant::{format_instant, parse_instant};
use crate::runs::{self, Run, Runs};
use crate::schedule::host::{self, Found};
use crate::schedule::place::Place;
use crate::schedule::plan::{Job, Times};
use crate::schedule::{cron, systemd};
use crate::screen;

/// How `systemctl show` writes an instant when it is asked in UTC.
const SYSTEMD_INSTANT: &str = "%a %Y-%m-%d %H:%M:%S UTC";
/// systemd's exit status of a service whose program cannot be run.
const CANNOT_RUN: &str = "203";

/// The comment beside a job, from which it is known again: name, times, what it runs.
pub(super) fn note(job: &Job, times: Times) -> String {
    format!("# {}: {}: {}", job.name, times.words(), job.arguments.join(" "))
}

pub(super) fn name(scheduler: Scheduler) -> &'static str {
    match scheduler {
        Scheduler::Systemd => "systemd",
        Scheduler::Cron => "cron",
    }
}

/// A job as it is installed.
struct Shown {
    scheduler: Scheduler,
    name: String,
    when: String,
    run: String,
    /// The line that starts it.
    command: String,
    next_run_at: Option<DateTime<Utc>>,
    last: Option<Run>,
    /// What keeps it from running.
    trouble: Option<String>,
}

pub(super) fn show(session: &Session, out: &mut dyn Write) -> Result<u8> {
    let place = Place::of(&session.config)?;
    let found = Found::read(&place)?;
    let runs = runs::read(&session.config.paths);
    let now = session.now();
    let mut jobs = Vec::new();
    for (path, text) in &found.units {
        let is_timer = path.extension().is_some_and(|extension| extension == "timer");
        if let (true, Some(known)) = (is_timer, known(text.lines(), Scheduler::Systemd, &runs)) {
            jobs.push(of_systemd(known, path, &found));
        }
    }
    if let Some(block) = &found.block {
        let lines: Vec<&str> = block.lines().collect();
        for pair in lines[1..].windows(2) {
            if let Some(known) = known(pair[..1].iter().copied(), Scheduler::Cron, &runs) {
                jobs.push(of_cron(known, pair[1], now));
            }
        }
    }
    let ours = [systemd::command_line(&place.program), cron::command_line(&place.program)];
    let differs = |job: &Shown| !ours.iter().any(|ours| job.command.contains(ours.as_str()));
    let mut hints = Vec::new();
    if jobs.iter().any(differs) {
        hints.push(format!("not every job runs `{}`; `storemirror schedule install` renews them", ours[1]));
    }
    if jobs.iter().any(|job| job.scheduler == Scheduler::Systemd) {
        hints.extend(host::lingering_hint());
    }
    let json = json!({
        "command": "schedule show", "exit": 0, "config": place.config,
        "scheduler": jobs.first().map(|job| name(job.scheduler)),
        "jobs": jobs.iter().map(Shown::json).collect::<Vec<_>>(), "hints": hints, "error": null,
    });
    session.answer(out, &json, || text(&place.config, &jobs, &hints, now))?;
    Ok(0)
}

/// Reads the comment of a job among lines.
fn known<'a>(mut lines: impl Iterator<Item = &'a str>, scheduler: Scheduler, runs: &Runs) -> Option<Shown> {
    let (name, when, run) = lines.find_map(|line| {
        // a time of day has a colon too, but no space behind it
        let mut parts = line.strip_prefix("# ")?.splitn(3, ": ");
        let (name, when, run) = (parts.next()?, parts.next()?, parts.next()?);
        (!name.contains(' ')).then_some((name, when, run))
    })?;
    Some(Shown {
        scheduler,
        name: name.to_owned(),
        when: when.to_owned(),
        run: run.to_owned(),
        command: String::new(),
        next_run_at: None,
        last: runs.newest.get(run).cloned(),
        trouble: None,
    })
}

fn of_systemd(mut job: Shown, timer: &Path, found: &Found) -> Shown {
    let service = timer.with_extension("service");
    let unit = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let line = |text: &String| text.lines().find_map(|line| line.strip_prefix("ExecStart=")).map(str::to_owned);
    job.command = found.units.get(&service).and_then(line).unwrap_or_default();
    let timer = host::properties(&unit(timer), "ActiveState,UnitFileState,NextElapseUSecRealtime");
    let ended = host::properties(&unit(&service), "Result,ExecMainStatus");
    let is = |key: &str, value: &str| timer.get(key).is_none_or(|found| found == value);
    job.next_run_at = timer.get("NextElapseUSecRealtime").and_then(|text| instant(text));
    if job.command.is_empty() {
        job.trouble = Some("its service is missing".to_owned());
    } else if timer.is_empty() {
        job.trouble = Some("systemd does not answer".to_owned());
    } else if !is("ActiveState", "active") || !is("UnitFileState", "enabled") {
        job.trouble = Some("its timer is switched off".to_owned());
    } else if ended.get("ExecMainStatus").is_some_and(|status| status == CANNOT_RUN) {
        job.trouble = Some("systemd could not run the program".to_owned());
    } else if ended.get("Result").is_some_and(|result| !matches!(result.as_str(), "success" | "exit-code")) {
        job.trouble = Some(format!("systemd ended its last run: {}", ended["Result"]));
    }
    job
}

fn of_cron(mut job: Shown, line: &str, now: DateTime<Utc>) -> Shown {
    let mut fields = line.splitn(6, ' ');
    let (minute, hours) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    fields.last().unwrap_or_default().clone_into(&mut job.command);
    let next = times(minute, hours).and_then(|times| times.next_after(&now.with_timezone(&Local)));
    job.next_run_at = next.map(|next| next.with_timezone(&Utc));
    job
}

/// The times that our own cron lines have.
fn times(minute: &str, hours: &str) -> Option<Times> {
    let minute: u32 = minute.parse().ok()?;
    if hours == "*" {
        return Some(Times { every_hours: 1, at: minute });
    }
    let hours: Vec<u32> = hours.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
    let every_hours = 24 / u32::try_from(hours.len()).ok()?.max(1);
    Some(Times { every_hours, at: hours.first()? * 60 + minute })
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(text, SYSTEMD_INSTANT).ok().map(|time| time.and_utc())
}

impl Shown {
    fn json(&self) -> Value {
        json!({
            "name": self.name, "scheduler": name(self.scheduler), "when": self.when, "run": self.run,
            "command": self.command, "next_run_at": self.next_run_at.map(format_instant),
            "last_run": self.last.as_ref().map(|run| json!({
                "started_at": run.started_at, "finished_at": run.finished_at, "exit": run.exit,
            })),
            "trouble": self.trouble,
        })
    }

    fn last_words(&self, now: DateTime<Utc>) -> String {
        let Some(run) = &self.last else { return "never".to_owned() };
        let at = run.finished_at.as_ref().unwrap_or(&run.started_at);
        let ago = parse_instant(at).map_or_else(|| at.clone(), |then| screen::ago(now - then));
        match run.exit {
            Some(exit) => format!("{ago}, exit {exit}"),
            None => format!("begun {ago}"),
        }
    }
}

fn text(config: &str, jobs: &[Shown], hints: &[String], now: DateTime<Utc>) -> String {
    let Some(first) = jobs.first() else {
        return format!("nothing is scheduled for {config}\n\nto have it run by itself: storemirror schedule install");
    };
    let rows = jobs.iter().map(|job| {
        let next =
            job.next_run_at.map_or_else(|| "unknown".to_owned(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string());
        vec![job.name.clone(), job.when.clone(), next, job.last_words(now)]
    });
    let mut lines = vec![screen::table(&["job", "when", "next", "last"], rows, 4), String::new()];
    for job in jobs {
        lines.push(format!("{}: {}", job.name, job.command));
    }
    lines.push(String::new());
    lines.push(format!("{} runs them for {config}", name(first.scheduler)));
    let spread = "a job begins up to 30 minutes after its time, one that runs more than daily up to 10";
    lines.extend((first.scheduler == Scheduler::Systemd).then(|| spread.to_owned()));
    for job in jobs {
        lines.extend(job.trouble.as_ref().map(|trouble| format!("{}: {trouble}", job.name)));
    }
    if jobs.iter().any(|job| job.last.as_ref().is_some_and(|run| !matches!(run.exit, Some(0)))) {
        lines.push("why a run failed: storemirror status".to_owned());
    }
    lines.extend(hints.iter().map(|hint| format!("note: {hint}")));
    lines.join("\n")
}
