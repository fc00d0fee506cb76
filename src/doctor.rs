//! `doctor`: what could be wrong, looked at in one go. The facts are gathered first; then each check of one table judges
//! them. What it prints is meant to be pasted: no secret, no customer, and of a path only what everybody's is like.

mod checks;
mod facts;
mod mounts;

use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};

use crate::screen::counted;
use crate::session::Session;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    /// It works, and could go wrong.
    Warning,
    Broken,
    /// It could not be looked at, or was not to be.
    Skipped,
}

const STATES: [(State, &str); 4] =
    [(State::Broken, "broken"), (State::Warning, "warning"), (State::Skipped, "skipped"), (State::Ok, "ok")];

impl State {
    fn name(self) -> &'static str {
        STATES.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    check: &'static str,
    state: State,
    what: String,
    fix: Option<String>,
    /// A server refused the credentials or their scope.
    is_refusal: bool,
}

pub(crate) async fn run(session: &Session, stores: &[String], offline: bool, out: &mut dyn Write) -> Result<u8> {
    let facts = facts::gather(session, stores, offline).await?;
    let report = Report { findings: checks::judge(&facts) };
    session.answer(out, &report.json(), || report.text())?;
    Ok(report.exit())
}

struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// A refused credential is told from everything else that is broken, as in every command.
    fn exit(&self) -> u8 {
        let is_broken = |finding: &&Finding| finding.state == State::Broken;
        let mut broken = self.findings.iter().filter(is_broken).peekable();
        if broken.peek().is_none() {
            return 0;
        }
        if broken.any(|finding| finding.is_refusal) { 4 } else { 1 }
    }

    fn count(&self, state: State) -> usize {
        self.findings.iter().filter(|finding| finding.state == state).count()
    }

    fn json(&self) -> Value {
        let counts = STATES.iter().map(|(state, name)| ((*name).to_owned(), json!(self.count(*state))));
        json!({
            "command": "doctor", "version": env!("CARGO_PKG_VERSION"), "exit": self.exit(),
            "findings": self.findings.iter().map(|finding| json!({
                "check": finding.check, "state": finding.state.name(), "what": finding.what, "fix": finding.fix,
            })).collect::<Vec<_>>(),
            "counts": counts.collect::<serde_json::Map<_, _>>(), "error": null,
        })
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        for finding in &self.findings {
            lines.push(format!("{:<8} {:<13} {}", finding.state.name(), finding.check, finding.what));
            lines.extend(finding.fix.iter().map(|fix| format!("{:23}fix: {fix}", "")));
        }
        let counts = STATES.iter().filter(|(state, _)| self.count(*state) > 0);
        let counts: Vec<String> = counts.map(|(state, name)| format!("{} {name}", self.count(*state))).collect();
        let checks = counted(self.findings.len() as u64, "finding", "findings");
        lines.push(format!("\n{checks}: {}; no secret and no personal data above", counts.join(", ")));
        lines.join("\n")
    }
}
