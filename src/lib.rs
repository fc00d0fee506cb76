//! storemirror: a local-first mirror of the Zoho Partner Store.
//!
//! ```text
//! main → lib → ingest  → api (store)  ─┐
//!            → push    → api (crm)    ─┤→ model
//!            → report  → db           ─┘
//!            → connect → api (accounts)
//!            → sim     (the simulated servers)
//! ```
//!
//! Ingest and push meet only in the database; `api` and `db` rest on `model` and never name each other. This file
//! reads the clock and dispatches; `session` builds what every command needs (configuration, clients, a way to speak).

pub mod api;
pub mod cli;
pub mod completions;
pub mod config;
pub mod connect;
pub mod contact;
mod crm;
pub mod dashboard;
pub mod db;
pub mod demo;
pub mod dictionary;
mod doctor;
pub mod explain;
pub mod failure;
pub mod files;
mod forget;
pub mod ingest;
mod interrupt;
mod keep;
pub mod manual;
pub mod model;
pub mod next;
mod notify;
pub mod progress;
pub mod push;
pub mod report;
mod report_commands;
pub mod runs;
pub mod schedule;
pub mod screen;
mod session;
pub mod sim;
pub mod state;
pub mod status;

use std::io::Write;
use std::rc::Rc;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use crate::api::Talk;
use crate::cli::{Cli, Command, Turn};
use crate::config::Party;
use crate::failure::{Code, Failure};
use crate::model::Kind;
use crate::progress::Progress;
use crate::report_commands::{dashboard, dictionary, export, report, statement};
use crate::runs::{Asked, Part};
use crate::session::Session;

impl Session {
    fn now(&self) -> DateTime<Utc> {
        self.now.unwrap_or_else(Utc::now)
    }
}

/// Runs a command; data goes to `out`, talk to stderr.
///
/// # Errors
/// Whatever stopped it; [`Failure::of`] tells the exit code.
pub fn run(cli: Cli, out: &mut dyn Write) -> Result<u8> {
    let makes_config = matches!(cli.command, Some(Command::Connect(_) | Command::Init { .. }));
    let session = Session::new(cli.global, makes_config)?;
    let asked = cli.command.as_ref().and_then(asked);
    let after = cli.command.as_ref().map_or("", after_interrupt);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(async {
        begin(&session, asked.as_ref());
        let result = tokio::select! {
            // a command that ends by Ctrl-C has the first word
            biased;
            result = dispatch(&session, cli.command, out) => result,
            () = session.interrupt.pressed() => Err(Failure::new(Code::Interrupted, "interrupted").into()),
        };
        let result = result.map_err(|error| told_apart(&session, error, after));
        end(&session, asked.as_ref(), &result).await;
        result
    })
}

/// What Ctrl-C stopped on purpose did not fail; it says what it leaves behind.
fn told_apart(session: &Session, error: anyhow::Error, after: &str) -> anyhow::Error {
    let failure = Failure::of(&error);
    match failure.code {
        Code::Interrupted if failure.hint.is_none() => failure.hint(after).into(),
        Code::Internal if session.interrupt.is_pressed() => {
            Failure::new(Code::Interrupted, "interrupted").hint(after).into()
        }
        _ => error,
    }
}

/// What Ctrl-C leaves behind, and how to go on.
fn after_interrupt(command: &Command) -> &'static str {
    match command {
        Command::Ingest(_) | Command::Sync(_) => "everything received is saved; the same command goes on from there",
        Command::Push(_) | Command::Crm(_) => {
            "everything the CRM acknowledged is noted; the same command does the rest"
        }
        Command::Rebuild | Command::Statement(_) => "the mirror is as it was; the same command begins anew",
        Command::Export(_) => "every file is whole, old or new; the same command writes the rest",
        Command::Forget(_) => {
            "nothing was changed, or only old bytes are left in the file; the same command finishes it"
        }
        Command::Restore(_) => "the mirror is whole, the old one or the backup; `storemirror status` shows which",
        Command::Demo { .. } => "the same command makes the folder anew",
        _ => "nothing was changed; the same command begins anew",
    }
}

/// What is remembered of a command: of those that bring the mirror or the CRM up to date.
fn asked(command: &Command) -> Option<Asked> {
    let (asked, turn) = match command {
        Command::Ingest(asked) => {
            (Asked::new("ingest", Part::Ingest, &asked.kinds, &asked.except, &asked.stores), asked.turn)
        }
        Command::Sync(asked) => (Asked::new("sync", Part::Ingest, &asked.kinds, &asked.except, &[]), asked.turn),
        Command::Push(asked) if !asked.dry_run => (Asked::new("push", Part::Push, &asked.kinds, &[], &[]), asked.turn),
        _ => return None,
    };
    Some(Asked { waits: turn.wait > 0, ..asked })
}

fn begin(session: &Session, asked: Option<&Asked>) {
    if let Some(asked) = asked {
        remembered(session, runs::begin(&session.config.paths, asked, session.now()));
    }
}

async fn end(session: &Session, asked: Option<&Asked>, result: &Result<u8>) {
    let Some(asked) = asked else { return };
    remembered(session, runs::end(&session.config.paths, asked, result, &session.outcome, session.now()));
    tokio::select! {
        () = notify::after(session, asked, result) => {}
        // the command has ended as it has; what was not told the next run tells
        () = session.interrupt.pressed() => {}
    }
}

/// A run is worth more than the memory of it.
fn remembered(session: &Session, result: std::io::Result<()>) {
    if let Err(error) = result {
        let folder = session.config.paths.state.display();
        session.progress.warn(&format!("what became of this run cannot be kept for `status` in {folder}: {error}"));
    }
}

async fn dispatch(session: &Session, command: Option<Command>, out: &mut dyn Write) -> Result<u8> {
    let Some(command) = command else { return next_step(session, out) };
    match command {
        Command::Ingest(arguments) => ingest(session, arguments, out).await,
        Command::Status { max_age } => status(session, max_age, out),
        Command::Verify { kinds: names, stores } => verify(session, &names, &stores, out).await,
        Command::Explain { kind, id } => explain(session, &kind, &id, out),
        Command::Backup(arguments) => keep::backup(session, &arguments, out).await,
        Command::Restore(arguments) => keep::restore(session, &arguments, session.now(), out).await,
        Command::Forget(arguments) => forget::run(session, &arguments, session.now(), out).await,
        Command::Doctor { first_contact: true, stores, .. } => first_contact(session, &stores, out).await,
        Command::Doctor { offline, stores, .. } => doctor::run(session, &stores, offline, out).await,
        Command::Report(arguments) => report(session, &arguments, out),
        Command::Export(arguments) => export(session, arguments, out),
        Command::Dashboard(arguments) => dashboard(session, &arguments, out),
        Command::Dictionary { format } => dictionary(session, format, out),
        Command::Statement(arguments) => statement(session, &arguments, out),
        Command::Push(arguments) => push(session, &arguments, out).await,
        Command::Crm(command) => crm::run(session, &command, out).await,
        Command::Init { print } => init(session, print, out),
        Command::Completions { shell } => completions::print(session, shell, out),
        Command::Man { folder } => manual::run(session, folder.as_deref(), out),
        Command::Sync(arguments) => sync(session, &arguments, out).await,
        Command::Schedule(command) => schedule::run(session, &command, out),
        Command::Notify { test } => notify::run(session, test, out).await,
        Command::Demo { folder } => demo::run(session, &folder, out).await,
        Command::Rebuild => rebuild(session, out),
        Command::Connect(arguments) => connect(session, arguments, out).await,
        Command::Disconnect(arguments) => disconnect(session, arguments, out).await,
        Command::Whoami => whoami(session, out),
        Command::Simulate(arguments) => simulate(session, &arguments, out).await,
    }
}

fn kinds(names: &[String]) -> Result<Vec<Kind>> {
    names.iter().map(|name| name.parse().map_err(|message: String| Failure::config(message).into())).collect()
}

async fn ingest(session: &Session, arguments: cli::Ingest, out: &mut dyn Write) -> Result<u8> {
    let options = ingest::Options {
        purpose: ingest::Purpose::Ingest,
        kinds: kinds(&arguments.kinds)?,
        except: kinds(&arguments.except)?,
        resume: !arguments.no_resume,
        accept_removals: arguments.accept_removals,
    };
    let summary = run_ingest(session, &arguments.stores, &options, arguments.turn).await?;
    session.answer(out, &summary.json(), || summary.text())?;
    Ok(summary.exit())
}

async fn run_ingest(
    session: &Session,
    names: &[String],
    options: &ingest::Options,
    turn: Turn,
) -> Result<ingest::Summary> {
    let result = async {
        let sources = session.sources(names)?;
        let db = session.writer(turn).await?;
        ingest::run(&db, &sources, options, &session.progress, &|| session.now()).await
    };
    let result = result.await;
    session.outcome.ingested(&result);
    result
}

async fn push(session: &Session, arguments: &cli::Push, out: &mut dyn Write) -> Result<u8> {
    let options = push::Options {
        kinds: kinds(&arguments.kinds)?,
        dry_run: arguments.dry_run,
        max_credits: arguments.max_credits,
        retry_rejected: arguments.retry_rejected,
        allow_mass_change: arguments.allow_mass_change,
        // a program wants all of them
        show: if session.json { usize::MAX } else { arguments.show },
    };
    push::check_kinds(&options.kinds)?;
    session.config.crm()?;
    // a dry run only reads, and must not keep an ingest from writing meanwhile
    let path = &session.config.paths.database;
    let db =
        if options.dry_run || !path.exists() { session.open_reader()? } else { session.writer(arguments.turn).await? };
    let summary = session.push(&db, &options, &|| session.now()).await;
    session.outcome.pushed(&summary);
    let summary = summary?;
    session.answer(out, &summary.json(), || summary.text().trim_end().to_owned())?;
    Ok(summary.exit())
}

/// Ingests, then pushes when what was ingested can be believed.
async fn sync(session: &Session, arguments: &cli::Sync, out: &mut dyn Write) -> Result<u8> {
    session.config.crm()?;
    let options = ingest::Options {
        purpose: ingest::Purpose::Ingest,
        kinds: kinds(&arguments.kinds)?,
        except: kinds(&arguments.except)?,
        resume: true,
        accept_removals: false,
    };
    let ingested = run_ingest(session, &[], &options, arguments.turn).await?;
    let mut exit = ingested.exit();
    let mut pushed = None;
    if matches!(exit, 0 | 3) {
        let db = session.writer(arguments.turn).await;
        let summary = async {
            session.push(&db?, &push::Options { show: 0, ..push::Options::default() }, &|| session.now()).await
        };
        let summary = summary.await;
        session.outcome.pushed(&summary);
        exit = failure::worst([
            exit,
            summary.as_ref().map_or_else(|error| Failure::of(error).code.exit(), push::Summary::exit),
        ]);
        pushed = Some(summary);
    }
    let push_json = match &pushed {
        None => serde_json::Value::Null,
        Some(Ok(summary)) => summary.json(),
        Some(Err(error)) => {
            serde_json::json!({ "command": "push", "exit": exit, "error": failure::json(&Failure::of(error)) })
        }
    };
    let json = serde_json::json!({ "command": "sync", "exit": exit, "ingest": ingested.json(), "push": push_json, "error": null });
    session.answer(out, &json, || match &pushed {
        None => format!("{}\n\nnothing was pushed: the ingest failed", ingested.text()),
        Some(Ok(summary)) => format!("{}\n\n{}", ingested.text(), summary.text().trim_end()),
        Some(Err(_)) => ingested.text(),
    })?;
    if let (Some(Err(error)), false) = (pushed, session.json) {
        return Err(error);
    }
    Ok(exit)
}

async fn verify(session: &Session, names: &[String], stores: &[String], out: &mut dyn Write) -> Result<u8> {
    let options = ingest::Options {
        purpose: ingest::Purpose::Verify,
        kinds: kinds(names)?,
        except: Vec::new(),
        resume: false,
        accept_removals: false,
    };
    let sources = session.sources(stores)?;
    let db = session.open_reader()?;
    let summary =
        ingest::VerifySummary(ingest::run(&db, &sources, &options, &session.progress, &|| session.now()).await?);
    session.answer(out, &summary.json(), || summary.text())?;
    Ok(summary.exit())
}

fn explain(session: &Session, kind: &str, id: &str, out: &mut dyn Write) -> Result<u8> {
    let kind = kind.parse().map_err(Failure::config)?;
    let db = session.open_reader()?;
    let explanation = explain::read(&db, kind, id)?;
    session.answer(out, &explanation.json(), || explanation.text())?;
    Ok(0)
}

async fn first_contact(session: &Session, stores: &[String], out: &mut dyn Write) -> Result<u8> {
    let contacts = contact::first_contact(&session.sources(stores)?).await?;
    session.answer(out, &contact::json(&contacts), || contact::text(&contacts))?;
    Ok(contact::exit(&contacts))
}

fn status(session: &Session, max_age: Option<u32>, out: &mut dyn Write) -> Result<u8> {
    let waiting = push_status(session)?;
    let status = status::read(&session.config, waiting, session.now(), max_age)?;
    session.answer(out, &status.json(), || status.text())?;
    Ok(status.exit())
}

/// Without a command: what to do next on this machine.
fn next_step(session: &Session, out: &mut dyn Write) -> Result<u8> {
    let next = next::read(&session.config, || push_status(session), session.now())?;
    session.answer(out, &next.json(), || next.text())?;
    Ok(0)
}

fn init(session: &Session, print: bool, out: &mut dyn Write) -> Result<u8> {
    let written = if print { config::init::print() } else { config::init::write(&session.config.paths.config)? };
    if print {
        session.answer_verbatim(out, &written.json(), || written.text())?;
    } else {
        session.answer(out, &written.json(), || written.text())?;
    }
    Ok(0)
}

/// What the next push would send, found by planning one.
fn push_status(session: &Session) -> Result<status::PushStatus> {
    let path = &session.config.paths.database;
    if session.config.crm.is_none() || !path.exists() {
        let pending = Kind::pushed().map(|kind| (kind, 0)).collect();
        return Ok(status::PushStatus { pending, ..status::PushStatus::default() });
    }
    let db = session.open_reader()?;
    let _task = session.progress.task("planning the next push", ("record", "records"));
    let host = session.config.crm()?.host();
    let pending = push::pending(&db, session.config.crm()?, &session.store_ids(), session.now())?;
    Ok(status::PushStatus {
        pending: pending.records,
        is_braked: pending.is_braked,
        rejections: db.count_rejections(&host)?,
        last_push_at: db.last_push_at(&host)?,
    })
}

fn rebuild(session: &Session, out: &mut dyn Write) -> Result<u8> {
    if !session.config.paths.database.exists() {
        session.open_reader()?;
    }
    let db = session.open_writer()?;
    session.interrupt.stops(&db);
    let task = session.progress.task("rebuilding", ("payload", "payloads"));
    task.expect(db.count_payloads()?);
    let summary = db.rebuild(&|count| task.add(count))?;
    drop(task);
    let exit = 3 * u8::from(summary.quarantined > 0);
    let json = serde_json::json!({
        "command": "rebuild", "exit": exit, "records": summary.records, "quarantined": summary.quarantined,
        "changed": summary.changed.iter().map(|(table, (before, after))| {
            serde_json::json!({ "table": table, "rows_before": before, "rows_after": after })
        }).collect::<Vec<_>>(),
        "error": null,
    });
    session.answer(out, &json, || {
        let mut text = format!("rebuilt {} records from their payloads", summary.records);
        for (table, (before, after)) in &summary.changed {
            text.push_str(&format!("\n{table}: {before} rows replaced by {after}"));
        }
        if summary.changed.is_empty() {
            text.push_str("; nothing changed");
        }
        text
    })?;
    Ok(exit)
}

async fn connect(session: &Session, arguments: cli::Connect, out: &mut dyn Write) -> Result<u8> {
    let (party, how) = match arguments {
        cli::Connect::Store { name, how } => (Party::Store(name), how),
        cli::Connect::Crm { how } => (Party::Crm, how),
    };
    let wishes = connect::Wishes {
        data_center: how.data_center,
        client_id: how.client_id,
        find_data_center: how.find_data_center,
        new_secret: how.new_secret,
    };
    // plain lines: what is drawn for progress would get between a prompt and its answer
    let speaker = Progress::new(false, session.quiet);
    let talk: Talk = Rc::new(move |message: &str| speaker.say(message));
    let connected = connect::connect(&session.config, &party, &wishes, &talk).await?;
    session.answer(out, &connected.json(), || connected.text())?;
    Ok(0)
}

async fn disconnect(session: &Session, arguments: cli::Disconnect, out: &mut dyn Write) -> Result<u8> {
    let party = match arguments {
        cli::Disconnect::Store { name } => Party::Store(name),
        cli::Disconnect::Crm => Party::Crm,
    };
    let disconnected = connect::disconnect(&session.config, &party).await?;
    session.answer(out, &disconnected.json(), || disconnected.text())?;
    Ok(0)
}

fn whoami(session: &Session, out: &mut dyn Write) -> Result<u8> {
    let whoami = connect::whoami(&session.config)?;
    session.answer(out, &whoami.json(), || whoami.text())?;
    Ok(0)
}

/// Runs the simulated servers until Ctrl-C, after printing how to reach them.
async fn simulate(session: &Session, arguments: &cli::Simulate, out: &mut dyn Write) -> Result<u8> {
    let running = sim::start(sim::Options {
        port: arguments.port,
        seed: arguments.seed,
        now: session.now(),
        origin_of: None,
        subscriptions: arguments.subscriptions,
        transactions: arguments.transactions,
        commissions: arguments.commissions,
    })
    .map_err(|error| {
        Failure::config(format!("cannot listen on 127.0.0.1:{}: {error:#}", arguments.port))
            .hint("choose another --port; 0 takes any free one")
    })?;
    if let Some(path) = &arguments.switches {
        let refuse = |error: String| Failure::config(format!("--switches {}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let patch = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        running.with(|world| world.switches.merge(&patch)).map_err(|error| refuse(format!("{error:#}")))?;
    }
    let connection = running.connection();
    session.answer_verbatim(out, &connection, || demo::connection_text(&connection))?;
    out.flush()?;
    tokio::signal::ctrl_c().await?;
    drop(running);
    Ok(Code::Interrupted.exit())
}
