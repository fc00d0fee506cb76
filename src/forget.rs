//! `forget`: who is meant, what would be touched, a question, and then the deed. What it says names customers only to the
//! person who has to decide; the answer and the JSON have pseudonyms.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::cli;
use crate::db::{Db, ForgetDone, ForgetPlan, Whose};
use crate::explain;
use crate::failure::Failure;
use crate::keep::copies_beside;
use crate::model::Kind;
use crate::model::instant::format_instant;
use crate::report::Statement;
use crate::screen::{counted, plain, table, thousands};
use crate::session::Session;

/// Customers named before the question; more are only counted.
const CUSTOMERS_SHOWN: usize = 20;

pub(crate) async fn run(
    session: &Session,
    arguments: &cli::Forget,
    now: DateTime<Utc>,
    out: &mut dyn Write,
) -> Result<u8> {
    let path = &session.config.paths.database;
    let reader = Db::open_reader(path)?;
    let whose = whose(&reader, arguments)?;
    let plan = reader.plan_forgetting(&whose)?;
    let is_known = plan.forgotten_at.is_some();
    if plan.is_empty() && !is_known {
        return Err(Failure::config("no record in the mirror carries that address")
            .hint("an address is matched as a whole; `storemirror forget KIND ID` names the customer by a record")
            .into());
    }
    if arguments.dry_run {
        let report = Report { plan: &plan, done: None, purged: None, copies: copies_beside(path)? };
        session.answer(out, &report.json(true), || format!("{}\nnothing was changed", report.text()))?;
        return Ok(0);
    }
    drop(reader);
    if !plan.is_empty() {
        confirm(session, arguments, &plan).await?;
    }
    let db = Db::open(path)?;
    let done = if plan.is_empty() {
        ForgetDone::default()
    } else {
        // planned again now that nobody else writes
        let plan = db.plan_forgetting(&whose)?;
        db.forget(&plan, &format_instant(now), &|month| Statement::hash(&db, month))?
    };
    let purged = if plan.is_empty() && db.unpurged_since()?.is_none() { true } else { db.purge()? };
    let report = Report { plan: &plan, done: Some(done), purged: Some(purged), copies: copies_beside(path)? };
    session.answer(out, &report.json(false), || report.text())?;
    Ok(report.exit())
}

fn whose(db: &Db, arguments: &cli::Forget) -> Result<Whose> {
    if let Some(email) = &arguments.email {
        let email = email.trim().to_lowercase();
        if !email.contains('@') {
            return Err(Failure::config("--email takes a whole address, such as name@example.com").into());
        }
        return Ok(Whose::Email(email));
    }
    let (kind, id) = (arguments.kind.as_deref().unwrap_or_default(), arguments.id.as_deref().unwrap_or_default());
    let kind: Kind = kind.parse().map_err(Failure::config)?;
    let (store_id, record_id) = explain::find(db, kind, id)?;
    Ok(Whose::Record { store_id, kind, record_id })
}

/// Asks on a terminal; elsewhere only `--yes` will do.
async fn confirm(session: &Session, arguments: &cli::Forget, plan: &ForgetPlan) -> Result<()> {
    if arguments.yes {
        return Ok(());
    }
    if session.json || !std::io::stdin().is_terminal() {
        return Err(Failure::config("forgetting cannot be undone, so it asks first")
            .hint("look with --dry-run, then say --yes")
            .into());
    }
    let report = Report { plan, done: None, purged: None, copies: Vec::new() };
    let mut stderr = std::io::stderr();
    write!(stderr, "{}\n\nThis cannot be undone. Forget? [y/N] ", report.text()).and_then(|()| stderr.flush())?;
    // on a thread of its own: Ctrl-C must end the wait for it
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        // nobody waits any more after Ctrl-C
        let _ = sender.send(read.map(|_| line));
    });
    let answer = receiver.await??;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::config("nothing was forgotten").into())
}

struct Report<'a> {
    plan: &'a ForgetPlan,
    /// None: it is only planned.
    done: Option<ForgetDone>,
    /// Whether the bytes are out of the file.
    purged: Option<bool>,
    copies: Vec<PathBuf>,
}

impl Report<'_> {
    /// Bytes that a reader still holds are something left to do.
    fn exit(&self) -> u8 {
        3 * u8::from(self.purged == Some(false))
    }

    fn json(&self, dry_run: bool) -> serde_json::Value {
        let records = self.plan.records();
        json!({
            "command": "forget", "version": env!("CARGO_PKG_VERSION"), "exit": self.exit(), "dry_run": dry_run,
            "forgotten_before": self.plan.forgotten_at,
            "customers": self.plan.customers.keys().map(|(store_id, customer)| json!({
                "store_id": store_id, "customer": customer,
            })).collect::<Vec<_>>(),
            "records": records.map(|(store_id, kind, record_id)| json!({
                "store_id": store_id, "kind": kind.name(), "record_id": record_id,
            })).collect::<Vec<_>>(),
            "done": self.done.as_ref().map(|done| json!({
                "payload_versions": done.payload_versions, "quarantined": done.quarantined,
                "statement_rows": done.statement_rows, "crm_links": done.crm_links,
                "crm_rejections": done.crm_rejections, "crm_accounts": done.crm_accounts,
            })),
            "purged": self.purged, "copies": self.copies, "error": null,
        })
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        if let (Some(at), true) = (&self.plan.forgotten_at, self.plan.is_empty()) {
            lines.push(format!("forgotten already, {at}"));
        } else {
            lines.push(self.counts());
        }
        if let Some(done) = self.done.as_ref().filter(|done| done.payload_versions > 0) {
            lines.push(format!(
                "{} rewritten, {} and {} cleared",
                counted(done.payload_versions, "payload version", "payload versions"),
                counted(done.statement_rows, "statement row", "statement rows"),
                counted(done.crm_links, "CRM link", "CRM links"),
            ));
        } else if self.done.is_none() {
            lines.push(self.customers());
        }
        if self.purged == Some(false) {
            lines.push(
                "somebody is reading the mirror: the old bytes are still in its log. Run the same command again later"
                    .to_owned(),
            );
        }
        if !self.copies.is_empty() {
            lines.push("these copies beside the mirror still hold everything; remove them when you can:".to_owned());
            lines.extend(self.copies.iter().map(|copy| format!("  {}", copy.display())));
        }
        lines.push("not touched: backups, exports and statement files elsewhere, the CRM, Zoho itself".to_owned());
        lines.join("\n")
    }

    fn counts(&self) -> String {
        let verb = if self.done.is_some() { "forgot" } else { "would forget" };
        let customers = counted(self.plan.customers.len() as u64, "customer", "customers");
        let kinds = Kind::ALL.into_iter().filter(|kind| self.plan.count(*kind) > 0);
        let kinds: Vec<String> = kinds.map(|kind| kind_counted(kind, self.plan.count(kind))).collect();
        format!("{verb} {customers}: {}", kinds.join(", "))
    }

    /// Who they are, for the person who decides.
    fn customers(&self) -> String {
        let rows = self.plan.customers.iter().take(CUSTOMERS_SHOWN);
        let rows = rows.map(|((store_id, pseudonym), name)| vec![store_id.clone(), plain(name), pseudonym.clone()]);
        let mut text = table(&["store", "customer", "will be called"], rows, 3);
        if self.plan.customers.len() > CUSTOMERS_SHOWN {
            text.push_str(&format!("\n… and {} more", self.plan.customers.len() - CUSTOMERS_SHOWN));
        }
        text
    }
}

fn kind_counted(kind: Kind, count: u64) -> String {
    let name = if count == 1 { kind.name().trim_end_matches('s') } else { kind.name() };
    format!("{} {name}", thousands(count))
}
