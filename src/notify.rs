//! Notices: says once that something broke, once that it is well again, and once a day what is new, to a program and to a
//! webhook. A run finds how things stand (`finding`), the state folder remembers what each channel was told (`memory`),
//! the difference is delivered (`channel`). What does not arrive is said on stderr and tried again by the next run;
//! nothing here changes how a run ends.
//!
//! A notice has no secret in it, and names customers only in a digest that is configured to.

mod channel;
mod digest;
mod finding;
mod memory;

use std::fs::TryLockError;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::Session;
use crate::db::Db;
use crate::failure::Failure;
use crate::model::instant::format_instant;
use crate::notify::channel::Channel;
use crate::notify::digest::Digest;
use crate::notify::memory::{Known, Memory};
use crate::runs::Asked;
use crate::screen;
use crate::state::StateFile;

/// How often a run looks whether another has told its news.
const LOCK_POLL: Duration = Duration::from_millis(200);

/// Why something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Broken,
    Recovered,
    Digest,
    Test,
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Recovered => "recovered",
            Self::Digest => "digest",
            Self::Test => "test",
        }
    }
}

/// One message. The first line of its text is what it is about.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    event: Event,
    thing: String,
    text: String,
}

impl Notice {
    fn broken(thing: &str, known: &Known) -> Self {
        let fix = known.fix.as_ref().map_or_else(String::new, |fix| format!("\nWhat to do: {}", screen::plain(fix)));
        let what = screen::plain(&known.what);
        let text = format!(
            "storemirror: {}\n\n{what}{fix}\n\nSince {}. This is said once; `storemirror status` has it all.",
            known.title, known.since
        );
        Self { event: Event::Broken, thing: thing.to_owned(), text }
    }

    fn recovered(thing: &str, known: &Known) -> Self {
        let text = format!(
            "storemirror: resolved: {}\n\nIt lasted since {}. There is nothing to do.",
            known.title, known.since
        );
        Self { event: Event::Recovered, thing: thing.to_owned(), text }
    }

    fn test() -> Self {
        let text = "storemirror: a test\n\nNotices arrive here. There is nothing to do.";
        Self { event: Event::Test, thing: "test".to_owned(), text: text.to_owned() }
    }

    fn subject(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }
}

fn file(session: &Session) -> StateFile<Memory> {
    StateFile::of(&session.config.paths, "notices")
}

/// Tells what a run changed, and the day's digest when the run listed something.
pub(crate) async fn after(session: &Session, asked: &Asked, result: &Result<u8>) {
    let channels = Channel::all(&session.config.notify);
    if channels.is_empty() {
        return;
    }
    if let Err(error) = tell(session, &channels, asked, result).await {
        session.progress.warn(&format!("notices: {error:#}"));
    }
}

async fn tell(session: &Session, channels: &[Channel], asked: &Asked, result: &Result<u8>) -> Result<()> {
    let (ingest, push) = (session.outcome.ingest(), session.outcome.push());
    let listed = matches!(&ingest, Some(Ok(summary)) if matches!(summary.exit(), 0 | 3));
    let findings = finding::of(asked, result.as_ref().copied().map_err(Failure::of), ingest, push);
    let file = file(session);
    let in_folder = || format!("cannot remember what was said in {}", session.config.paths.state.display());
    // held while notices are on their way, so that two runs never say the same
    let lock = file.lock_file().with_context(in_folder)?;
    while let Err(error) = lock.try_lock() {
        match error {
            TryLockError::WouldBlock => tokio::time::sleep(LOCK_POLL).await,
            TryLockError::Error(error) => return Err(error).with_context(in_folder),
        }
    }
    let mut memory = file.read();
    memory.note(findings, &format_instant(session.now()));
    memory.keep(|thing| exists(session, thing));
    file.write(&memory).with_context(in_folder)?;
    let digest = if listed { todays_digest(session, channels, &memory)? } else { None };
    for channel in channels {
        for notice in memory.news(channel.name()) {
            if !deliver(session, channel, &notice).await {
                break;
            }
            memory.tell(channel.name(), &notice.thing);
            // before the next one is sent: a killed run repeats none
            file.write(&memory).with_context(in_folder)?;
        }
        if let Some(digest) = digest.as_ref().filter(|_| is_due(session, channel, &memory)) {
            send_digest(session, channel, digest, &mut memory).await;
            file.write(&memory).with_context(in_folder)?;
        }
    }
    Ok(())
}

/// Things are the commands, the configured stores, and their kinds.
fn exists(session: &Session, thing: &str) -> bool {
    let words: Vec<&str> = thing.split(' ').collect();
    let is_store = |name: &str| session.config.stores.iter().any(|store| store.store_id == name);
    match words.as_slice() {
        ["store", store_id] | ["listing", store_id, _] => is_store(store_id),
        _ => true,
    }
}

/// The digest, when one is wanted and due for any channel.
fn todays_digest(session: &Session, channels: &[Channel], memory: &Memory) -> Result<Option<Digest>> {
    if !channels.iter().any(|channel| is_due(session, channel, memory)) {
        return Ok(None);
    }
    let db = Db::open_reader(&session.config.paths.database)?;
    Ok(Some(Digest::read(&db, session.now(), session.config.notify.names)?))
}

fn is_due(session: &Session, channel: &Channel, memory: &Memory) -> bool {
    let last = memory.told.get(channel.name()).and_then(|told| told.digest_at.as_deref());
    session.config.notify.digest_from.is_some_and(|from| digest::is_due(last, from, session.now()))
}

async fn send_digest(session: &Session, channel: &Channel, digest: &Digest, memory: &mut Memory) {
    let told = memory.told.entry(channel.name().to_owned()).or_default();
    let keys = digest.keys();
    match digest.notice(told) {
        // what is over and comes again is new again
        None => told.digested.retain(|key| keys.contains(key)),
        Some(notice) => {
            if deliver(session, channel, &notice).await {
                told.digested = keys;
                told.digest_at = Some(format_instant(session.now()));
            }
        }
    }
}

fn timeout(session: &Session) -> Duration {
    Duration::from_secs(session.config.notify.timeout_seconds)
}

async fn deliver(session: &Session, channel: &Channel, notice: &Notice) -> bool {
    match channel.deliver(notice, timeout(session)).await {
        Ok(()) => true,
        Err(why) => {
            session.progress.warn(&format!(
                "a notice did not reach the {} {}: {why}; the next run tries again",
                channel.name(),
                channel.goal()
            ));
            false
        }
    }
}

/// `notify`: whom it tells, what is wrong now; or a test to every channel.
pub(crate) async fn run(session: &Session, test: bool, out: &mut dyn Write) -> Result<u8> {
    let channels = Channel::all(&session.config.notify);
    if test { try_out(session, &channels, out).await } else { show(session, &channels, out) }
}

async fn try_out(session: &Session, channels: &[Channel], out: &mut dyn Write) -> Result<u8> {
    if channels.is_empty() {
        return Err(Failure::config(format!("[notify] in {} names nobody", session.config.paths.config.display()))
            .hint("add command = \"…\" or webhook = \"https://…\" under [notify]; see docs/notify.md")
            .into());
    }
    let mut tried = Vec::new();
    for channel in channels {
        tried.push((channel, channel.deliver(&Notice::test(), timeout(session)).await.err()));
    }
    let exit = u8::from(tried.iter().any(|(_, error)| error.is_some()));
    let json = json!({
        "command": "notify", "exit": exit,
        "channels": tried.iter().map(|(channel, error)| json!({
            "name": channel.name(), "to": channel.goal(), "delivered": error.is_none(), "error": error,
        })).collect::<Vec<_>>(),
        "error": null,
    });
    session.answer(out, &json, || {
        let line = |(channel, error): &(&Channel, Option<String>)| {
            let result = error.as_ref().map_or_else(|| "delivered".to_owned(), |error| format!("failed: {error}"));
            format!("{} {}: {result}", channel.name(), channel.goal())
        };
        tried.iter().map(line).collect::<Vec<_>>().join("\n")
    })?;
    Ok(exit)
}

fn show(session: &Session, channels: &[Channel], out: &mut dyn Write) -> Result<u8> {
    let memory = file(session).read();
    let config = &session.config.notify;
    let digest = config.digest_from.map(|from| format!("{:02}:{:02}", from / 60, from % 60));
    let told = |thing: &str, known: &Known| -> Vec<&'static str> {
        let was_told = |channel: &&Channel| {
            let told = memory.told.get(channel.name()).and_then(|told| told.troubles.get(thing));
            told.is_some_and(|told| told.state == known.state)
        };
        channels.iter().filter(was_told).map(Channel::name).collect()
    };
    let trouble = |(thing, known): (&String, &Known)| -> Value {
        json!({
            "thing": thing, "state": known.state, "title": known.title, "message": known.what, "hint": known.fix,
            "since": known.since, "told": told(thing, known),
        })
    };
    let json = json!({
        "command": "notify", "exit": 0,
        "channels": channels.iter().map(|channel| json!({ "name": channel.name(), "to": channel.goal() })).collect::<Vec<_>>(),
        "digest": digest, "names": config.names,
        "troubles": memory.troubles.iter().map(trouble).collect::<Vec<_>>(), "error": null,
    });
    session.answer(out, &json, || {
        let mut lines: Vec<String> =
            channels.iter().map(|channel| format!("tells the {} {}", channel.name(), channel.goal())).collect();
        if lines.is_empty() {
            lines.push(format!("tells nobody: [notify] in {} is empty", session.config.paths.config.display()));
        }
        lines.push(
            digest.as_ref().map_or_else(|| "no digest".to_owned(), |from| format!("a digest a day, from {from}")),
        );
        for (thing, known) in &memory.troubles {
            let told = told(thing, known);
            let told =
                if told.is_empty() { "nobody was told".to_owned() } else { format!("told: {}", told.join(", ")) };
            lines.push(format!("{} (since {}; {told})", known.title, known.since));
        }
        if memory.troubles.is_empty() {
            lines.push("nothing is wrong that it knows of".to_owned());
        }
        lines.join("\n")
    })?;
    Ok(0)
}
