//! What became of the newest runs: for `status`, which says why one failed, and for `schedule show`. A failure is kept
//! until what failed has succeeded: a store's kinds each by their next listing, a push by the next push.
//!
//! Only commands that bring the mirror or the CRM up to date are kept: they run when nobody watches.

use std::cell::RefCell;
use std::collections::BTreeMap;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::Paths;
use crate::failure::{Code, Failure};
use crate::ingest;
use crate::model::instant::format_instant;
use crate::push;
use crate::state::StateFile;

/// The two things a run can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Ingest,
    Push,
}

/// What a run is asked to do, as a person would type it: `sync --except transactions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What fails when the run fails before it does anything.
    pub part: Part,
    pub label: String,
    /// Its turn was worth waiting for: that it never came is news.
    pub waits: bool,
}

impl Asked {
    pub fn new(command: &str, part: Part, kinds: &[String], except: &[String], stores: &[String]) -> Self {
        let mut words = vec![command.to_owned()];
        words.extend_from_slice(kinds);
        for (flag, values) in [("--except", except), ("--store", stores)] {
            if !values.is_empty() {
                words.push(flag.to_owned());
                words.extend_from_slice(values);
            }
        }
        Self { part, label: words.join(" "), waits: false }
    }
}

/// What the parts of a run under way came to so far.
#[derive(Debug, Default)]
pub struct Outcome {
    ingest: RefCell<Option<Result<ingest::Summary, Failure>>>,
    push: RefCell<Option<Result<push::Summary, Failure>>>,
}

impl Outcome {
    pub fn ingested(&self, result: &Result<ingest::Summary>) {
        *self.ingest.borrow_mut() = Some(kept(result));
    }

    pub fn pushed(&self, result: &Result<push::Summary>) {
        *self.push.borrow_mut() = Some(kept(result));
    }

    pub fn ingest(&self) -> Option<Result<ingest::Summary, Failure>> {
        self.ingest.borrow().clone()
    }

    pub fn push(&self) -> Option<Result<push::Summary, Failure>> {
        self.push.borrow().clone()
    }
}

fn kept<T: Clone>(result: &Result<T>) -> Result<T, Failure> {
    match result {
        Ok(summary) => Ok(summary.clone()),
        Err(error) => Err(Failure::of(error)),
    }
}

/// The newest run of one label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub started_at: String,
    /// None: it was killed, or is under way.
    pub finished_at: Option<String>,
    pub exit: Option<u8>,
}

/// A run that failed, or one store of it, and has not succeeded since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRun {
    pub command: Part,
    /// What was typed.
    pub run: String,
    /// None: all of it failed.
    pub store_id: Option<String>,
    /// The store's kinds that were not listed, and have not been listed since.
    pub kinds: Vec<String>,
    pub failed_at: String,
    pub exit: u8,
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Runs {
    /// By label.
    pub newest: BTreeMap<String, Run>,
    pub failures: Vec<FailedRun>,
}

fn file(paths: &Paths) -> StateFile<Runs> {
    StateFile::of(paths, "runs")
}

pub fn read(paths: &Paths) -> Runs {
    file(paths).read()
}

/// Notes that a run begins, so that one that is killed leaves a trace.
///
/// # Errors
/// When the state folder cannot be written to.
pub fn begin(paths: &Paths, asked: &Asked, now: DateTime<Utc>) -> std::io::Result<()> {
    let run = Run { started_at: format_instant(now), finished_at: None, exit: None };
    file(paths).update(|runs| drop(runs.newest.insert(asked.label.clone(), run)))
}

/// Notes how a run ended. `result` is what the whole command came to.
///
/// # Errors
/// When the state folder cannot be written to.
pub fn end(
    paths: &Paths,
    asked: &Asked,
    result: &Result<u8>,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> std::io::Result<()> {
    file(paths).update(|runs| runs.end(asked, result.as_ref().copied().map_err(Failure::of), outcome, now))
}

impl Runs {
    fn end(&mut self, asked: &Asked, result: Result<u8, Failure>, outcome: &Outcome, now: DateTime<Utc>) {
        let at = format_instant(now);
        let exit = result.as_ref().map_or_else(|failure| failure.code.exit(), |exit| *exit);
        if let Some(run) = self.newest.get_mut(&asked.label) {
            run.finished_at = Some(at.clone());
            run.exit = Some(exit);
        }
        let (ingest, push) = (outcome.ingest(), outcome.push());
        let is_told = matches!(ingest, Some(Err(_))) || matches!(push, Some(Err(_)));
        if let Some(ingest) = ingest {
            self.ended(asked, Part::Ingest, &ingest.map(|summary| listed(&summary)), &at);
        }
        if let Some(push) = push {
            let stopped = push.map(|summary| summary.failure().cloned());
            self.ended(asked, Part::Push, &stopped.map(|failure| Listed { failure, ..Listed::default() }), &at);
        }
        if let (Err(failure), false) = (result, is_told) {
            self.ended(asked, asked.part, &Err(failure), &at);
        }
    }

    /// One part of a run: what it did is no failure any more, what it did not do is one.
    fn ended(&mut self, asked: &Asked, part: Part, result: &Result<Listed, Failure>, at: &str) {
        let failed = |failure: &Failure, store_id: Option<String>, kinds: Vec<String>| FailedRun {
            command: part,
            run: asked.label.clone(),
            store_id,
            kinds,
            failed_at: at.to_owned(),
            exit: failure.code.exit(),
            code: failure.code.name().to_owned(),
            message: failure.message.clone(),
            hint: failure.hint.clone(),
        };
        match result {
            // a person stopped it, and knows
            Err(failure) if failure.code == Code::Interrupted => {}
            Err(failure) => {
                self.failures.retain(|old| old.command != part || old.store_id.is_some());
                self.failures.push(failed(failure, None, Vec::new()));
            }
            Ok(listed) => {
                self.failures.retain_mut(|old| {
                    if old.command != part {
                        return true;
                    }
                    let is_done = |kind: &String| {
                        listed
                            .tried
                            .iter()
                            .any(|(store_id, tried)| Some(store_id) == old.store_id.as_ref() && tried == kind)
                    };
                    old.kinds.retain(|kind| !is_done(kind));
                    !old.kinds.is_empty()
                });
                self.failures.extend(
                    listed
                        .failed
                        .iter()
                        .map(|(store_id, kinds, failure)| failed(failure, Some(store_id.clone()), kinds.clone())),
                );
                self.failures.extend(listed.failure.iter().map(|failure| failed(failure, None, Vec::new())));
            }
        }
    }

    /// Runs without an end, unless a later one came to a good one.
    pub fn unfinished(&self) -> impl Iterator<Item = (&String, &Run)> {
        let is_past = |run: &Run| {
            let good = |other: &Run| matches!(other.exit, Some(0 | 3)) && other.started_at > run.started_at;
            self.newest.values().any(good)
        };
        self.newest.iter().filter(move |(_, run)| run.finished_at.is_none() && !is_past(run))
    }

    pub fn failures_json(&self) -> Value {
        json!(self.failures)
    }

    pub fn unfinished_json(&self) -> Value {
        self.unfinished().map(|(label, run)| json!({ "run": label, "started_at": run.started_at })).collect()
    }
}

/// What a part that ran to its end did and did not do.
#[derive(Default)]
struct Listed {
    /// (store, kind)
    tried: Vec<(String, String)>,
    /// Store, its kinds that were not listed, and why.
    failed: Vec<(String, Vec<String>, Failure)>,
    /// What stopped a push.
    failure: Option<Failure>,
}

fn listed(summary: &ingest::Summary) -> Listed {
    let mut listed = Listed::default();
    for listing in &summary.listings {
        listed.tried.push((listing.store_id.clone(), listing.kind.name().to_owned()));
        let Some(failure) = &listing.failure else { continue };
        let known = listed
            .failed
            .iter_mut()
            .find(|(store_id, _, known)| *store_id == listing.store_id && known.message == failure.message);
        let kind = listing.kind.name().to_owned();
        if let Some((_, kinds, _)) = known {
            kinds.push(kind);
        } else {
            listed.failed.push((listing.store_id.clone(), vec![kind], failure.clone()));
        }
    }
    listed
}
