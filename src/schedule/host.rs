//! This machine's schedulers: what is installed there, and putting in place what is decided. Speaks to systemd and cron
//! through their own programs, `systemctl --user`, `loginctl` and `crontab`.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};

use crate::cli::Scheduler;
use crate::failure::{Code, Failure};
use crate::files::write_atomically;
use crate::schedule::place::Place;
use crate::schedule::{Change, What, cron};

/// Where everything that cannot be done here is explained.
const MANUAL: &str = "docs/schedule.md";

/// Runs a program; None when there is none of that name.
pub(super) fn call(program: &str, arguments: &[&str], input: Option<&[u8]>) -> Result<Option<Output>> {
    let mut command = Command::new(program);
    // their words are read, and times in them are UTC
    command.args(arguments).env("LC_ALL", "C").env("TZ", "UTC").stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot run {program}")),
    };
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        // a program that reads nothing says why with its exit code
        let _ = stdin.write_all(input);
    }
    Ok(Some(child.wait_with_output().with_context(|| format!("cannot run {program}"))?))
}

fn words_of(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given").to_owned()
}

fn systemctl(arguments: &[&str]) -> Result<Output> {
    let arguments = [&["--user"], arguments].concat();
    let refused = |why: String| {
        Failure::new(Code::Internal, format!("systemctl {}: {why}", arguments.join(" ")))
            .hint(format!("log in as the user it shall run for, or use --with cron; see {MANUAL}"))
    };
    match call("systemctl", &arguments, None)? {
        None => Err(refused("there is no such program".to_owned()).into()),
        Some(output) if output.status.success() => Ok(output),
        Some(output) => Err(refused(words_of(&output)).into()),
    }
}

/// The names of the variables that the user's systemd hands to every job; None: it does not answer.
fn manager() -> Result<Option<Vec<String>>> {
    let Some(output) = call("systemctl", &["--user", "show-environment"], None)? else { return Ok(None) };
    let names = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0.to_owned()))
        .collect();
    Ok(output.status.success().then_some(names))
}

pub(super) fn manager_variables() -> Vec<String> {
    manager().ok().flatten().unwrap_or_default()
}

/// The crontab; empty when the user has none, None when there is no cron.
fn crontab() -> Result<Option<Vec<u8>>> {
    let Some(output) = call("crontab", &["-l"], None)? else { return Ok(None) };
    if output.status.success() {
        return Ok(Some(output.stdout));
    }
    let words = words_of(&output);
    if words.contains("no crontab") {
        return Ok(Some(Vec::new()));
    }
    Err(Failure::new(Code::Internal, format!("crontab -l: {words}"))
        .hint(format!("the user may not be allowed to use cron; see {MANUAL}"))
        .into())
}

/// The scheduler asked for, or the one that is there: systemd where it answers, else cron.
pub(super) fn choose(asked: Option<Scheduler>) -> Result<Scheduler> {
    let missing = |what: &str| Failure::config(what.to_owned()).hint(format!("other ways to schedule: {MANUAL}"));
    match asked {
        Some(Scheduler::Systemd) if manager()?.is_none() => {
            Err(missing("the user's systemd does not answer (`systemctl --user show-environment` fails)").into())
        }
        Some(Scheduler::Cron) if crontab()?.is_none() => Err(missing("there is no program `crontab`").into()),
        Some(scheduler) => Ok(scheduler),
        None if manager()?.is_some() => Ok(Scheduler::Systemd),
        None if crontab()?.is_some() => Ok(Scheduler::Cron),
        None => Err(missing("neither systemd's user timers nor cron are here").into()),
    }
}

/// What stands there now that carries our mark.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) units: BTreeMap<PathBuf, String>,
    pub(super) block: Option<String>,
    /// The whole crontab; None where it cannot be had.
    pub(super) crontab: Option<Vec<u8>>,
}

impl Found {
    pub(super) fn read(place: &Place) -> Result<Self> {
        // a cron that refuses this user holds nothing of ours
        let crontab = crontab().unwrap_or(None);
        let block = match &crontab {
            Some(crontab) => cron::installed(crontab, &place.cron_mark()).map_err(broken_block)?,
            None => None,
        };
        Ok(Self { units: units(&place.unit_folder, &place.unit_mark())?, block, crontab })
    }
}

fn broken_block(message: String) -> Failure {
    Failure::config(message).hint("repair it with `crontab -e`")
}

fn units(folder: &Path, mark: &str) -> Result<BTreeMap<PathBuf, String>> {
    let mut units = BTreeMap::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(units),
        Err(error) => return Err(Failure::config(format!("cannot read {}: {error}", folder.display())).into()),
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_unit = path.extension().is_some_and(|extension| extension == "service" || extension == "timer");
        if let (true, Ok(text)) = (is_unit, std::fs::read_to_string(&path))
            && text.lines().next() == Some(mark)
        {
            units.insert(path, text);
        }
    }
    Ok(units)
}

/// Puts the changes in place and sees to it that the timers run. True when it did anything.
pub(super) fn apply(place: &Place, found: &Found, changes: &[Change]) -> Result<bool> {
    let touched: Vec<&Change> = changes.iter().filter(|change| change.what != What::Keep).collect();
    let names = |wanted: fn(What) -> bool| -> Vec<String> {
        changes.iter().filter(|change| wanted(change.what)).filter_map(timer_name).collect()
    };
    let stopped = names(|what| what == What::Remove);
    if !stopped.is_empty() {
        systemctl(&words(&["disable", "--now"], &stopped))?;
    }
    for change in &touched {
        put(place, found, change)?;
    }
    if touched.iter().any(|change| change.path.is_some()) {
        systemctl(&["daemon-reload"])?;
    }
    let mut asleep = names(|what| what == What::Create);
    for timer in names(|what| matches!(what, What::Update | What::Keep)) {
        if !is("is-enabled", &timer)? || !is("is-active", &timer)? {
            asleep.push(timer);
        }
    }
    if !asleep.is_empty() {
        systemctl(&words(&["enable", "--now"], &asleep))?;
    }
    let renewed: Vec<String> =
        names(|what| what == What::Update).into_iter().filter(|name| !asleep.contains(name)).collect();
    if !renewed.is_empty() {
        systemctl(&words(&["restart"], &renewed))?;
    }
    Ok(!touched.is_empty() || !asleep.is_empty())
}

fn words<'a>(verb: &[&'a str], names: &'a [String]) -> Vec<&'a str> {
    verb.iter().copied().chain(names.iter().map(String::as_str)).collect()
}

fn timer_name(change: &Change) -> Option<String> {
    let path = change.path.as_ref().filter(|path| path.extension().is_some_and(|extension| extension == "timer"))?;
    Some(path.file_name()?.to_string_lossy().into_owned())
}

fn is(question: &str, unit: &str) -> Result<bool> {
    let output = call("systemctl", &["--user", question, "--quiet", unit], None)?;
    Ok(output.is_some_and(|output| output.status.success()))
}

fn put(place: &Place, found: &Found, change: &Change) -> Result<()> {
    let cannot = |path: &Path, error: &std::io::Error| {
        Failure::config(format!("cannot write {}: {error}", path.display())).hint("check the folder's permissions")
    };
    match (&change.path, change.what) {
        (Some(path), What::Remove) => std::fs::remove_file(path).map_err(|error| cannot(path, &error))?,
        (Some(path), _) => {
            std::fs::create_dir_all(&place.unit_folder).map_err(|error| cannot(&place.unit_folder, &error))?;
            write_atomically(path, change.text.as_bytes(), false).map_err(|error| cannot(path, &error))?;
        }
        (None, what) => {
            let block = if what == What::Remove { "" } else { &change.text };
            let theirs = found.crontab.as_deref().unwrap_or_default();
            let text = cron::with_block(theirs, &place.cron_mark(), block).map_err(broken_block)?;
            match call("crontab", &["-"], Some(&text))? {
                Some(output) if output.status.success() => {}
                Some(output) => {
                    let why = words_of(&output);
                    return Err(Failure::new(Code::Internal, format!("crontab: {why}"))
                        .hint("nothing was changed")
                        .into());
                }
                None => return Err(Failure::new(Code::Internal, "there is no program `crontab` any more").into()),
            }
        }
    }
    Ok(())
}

/// What a person must know when their timers stop with their last session.
pub(super) fn lingering_hint() -> Option<String> {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok())?;
    let output = call("loginctl", &["show-user", &user, "--property=Linger"], None).ok()??;
    let answer = String::from_utf8_lossy(&output.stdout);
    (answer.trim() == "Linger=no")
        .then(|| "the timers rest while you are not logged in; on a server: loginctl enable-linger".to_owned())
}

/// What systemd says of a unit: its properties by their names.
pub(super) fn properties(unit: &str, names: &str) -> BTreeMap<String, String> {
    let Ok(Some(output)) = call("systemctl", &["--user", "show", unit, &format!("--property={names}")], None) else {
        return BTreeMap::new();
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.into(), value.into())).collect()
}
