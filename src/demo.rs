//! The tour for a new user: the simulated servers, a configuration that reaches them, and the whole chain run on them.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::dashboard::Dashboard;
use crate::db::Db;
use crate::failure::{Failure, worst};
use crate::files::write_atomically;
use crate::report::{self, Catalog, Moment};
use crate::{Session, ingest, push, screen, sim};

/// The configuration file that reaches a simulator.
pub fn config_text(connection: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let accounts = text(&connection["accounts_url"]);
    let mut config = String::from("[database]\npath = \"mirror.db\"\n");
    for (name, store) in connection["stores"].as_object().into_iter().flatten() {
        let data_center = if name == "us" { "com" } else { name };
        config.push_str(&format!(
            "\n[stores.{name}]\ndata_center = \"{data_center}\"\nclient_id = \"{}\"\napi_url = \"{}\"\naccounts_url = \"{accounts}\"\nrequests_per_minute = 6000\n",
            text(&store["client_id"]),
            text(&store["api_url"]),
        ));
    }
    let crm = &connection["crm"];
    config.push_str(&format!(
        "\n[crm]\ndata_center = \"com\"\nclient_id = \"{}\"\napi_url = \"{}\"\naccounts_url = \"{accounts}\"\n",
        text(&crm["client_id"]),
        text(&crm["api_url"]),
    ));
    config
}

/// The secrets of a simulator, as lines for a shell.
pub fn environment_text(connection: &Value) -> String {
    let mut lines = String::new();
    let mut add = |prefix: &str, secrets: &Value| {
        for key in ["client_secret", "refresh_token"] {
            lines.push_str(&format!(
                "export {prefix}_{}={}\n",
                key.to_uppercase(),
                secrets[key].as_str().unwrap_or_default()
            ));
        }
    };
    for (name, store) in connection["stores"].as_object().into_iter().flatten() {
        add(&format!("STOREMIRROR_STORES_{}", name.to_uppercase()), store);
    }
    add("STOREMIRROR_CRM", &connection["crm"]);
    lines
}

/// The secrets of a simulator, as a credentials file.
fn credentials_text(connection: &Value) -> String {
    let mut text = String::new();
    let mut add = |table: &str, secrets: &Value| {
        text.push_str(&format!("[{table}]\n"));
        for key in ["client_secret", "refresh_token"] {
            text.push_str(&format!("{key} = {}\n", secrets[key]));
        }
    };
    for (name, store) in connection["stores"].as_object().into_iter().flatten() {
        add(&format!("stores.{name}"), store);
    }
    add("crm", &connection["crm"]);
    text
}

/// What `simulate` prints: a config.toml and the environment that goes with it.
pub fn connection_text(connection: &Value) -> String {
    format!(
        "# config.toml\n{}\n# environment\n{}\n# serving on {} until Ctrl-C",
        config_text(connection),
        environment_text(connection),
        connection["accounts_url"].as_str().unwrap_or_default()
    )
}

/// The port `simulate` takes by itself, and so the one in the configuration that stays behind.
const SIMULATE_PORT: u16 = 8077;
/// How far the simulated partner's business moves on between the two runs.
const DAYS_BETWEEN: i64 = 3;
/// Rows of a report that the tour shows.
const ROWS_SHOWN: usize = 5;
/// What an earlier demo is known by, and what it left.
const MARKER: &str = "# Made by `storemirror demo`";

/// Runs the tour and leaves its files in `folder`.
///
/// # Errors
/// `config` when the folder holds something else; whatever stops ingest, push or export.
pub(crate) async fn run(session: &Session, folder: &Path, out: &mut dyn Write) -> Result<u8> {
    prepare(folder)?;
    let today = session.now();
    let before = today - TimeDelta::days(DAYS_BETWEEN);
    let running = sim::start(sim::Options { now: before, origin_of: Some(today), ..sim::Options::default() })?;
    let connection = running.connection();
    let config_path = folder.join("config.toml");
    write(&config_path, &format!("{MARKER}\n{}", config_text(&connection)), false)?;
    write(&folder.join("credentials.toml"), &credentials_text(&connection), true)?;
    let state = tempfile::tempdir().context("cannot make a folder for the demo's tokens")?;
    let mut tour = Tour {
        session: session.for_demo(&config_path, state.path())?,
        folder,
        catalog: Catalog::bundled(),
        shown: !session.json && !session.quiet,
        out,
    };
    let exit = tour.take(&running, before, today).await?;

    let mut later = connection.clone();
    let port =
        connection["accounts_url"].as_str().and_then(|url| url.rsplit(':').next()).unwrap_or_default().to_owned();
    replace_port(&mut later, &port, &SIMULATE_PORT.to_string());
    let note = format!("{MARKER}. It reaches `storemirror simulate`, which must run in another terminal.");
    write(&config_path, &format!("{note}\n{}", config_text(&later)), false)?;
    tour.farewell()?;
    if session.json {
        let files = ["mirror.db", "config.toml", "credentials.toml", "reports", "dashboard.html"]
            .map(|name| folder.join(name).display().to_string());
        writeln!(
            tour.out,
            "{}",
            json!({ "command": "demo", "exit": exit, "folder": folder.display().to_string(), "files": files, "error": null })
        )?;
    }
    Ok(exit)
}

/// The folder is made, or emptied of what an earlier demo left; anything else in it is somebody's.
fn prepare(folder: &Path) -> Result<()> {
    let refuse = |what: &str| {
        Failure::config(format!("{} {what}", folder.display())).hint("name another folder: storemirror demo DIR")
    };
    if folder.exists() && !folder.is_dir() {
        return Err(refuse("is a file").into());
    }
    std::fs::create_dir_all(folder).map_err(|error| refuse(&format!("cannot be made: {error}")))?;
    let is_earlier_demo =
        std::fs::read_to_string(folder.join("config.toml")).is_ok_and(|text| text.starts_with(MARKER));
    let is_empty =
        std::fs::read_dir(folder).map_err(|error| refuse(&format!("cannot be read: {error}")))?.next().is_none();
    if !is_empty && !is_earlier_demo {
        return Err(refuse("is not empty and not an earlier demo").into());
    }
    for name in ["mirror.db", "mirror.db-wal", "mirror.db-shm", "mirror.db.lock", "credentials.toml", "dashboard.html"]
    {
        let path = folder.join(name);
        if path.exists() {
            std::fs::remove_file(&path)
                .map_err(|error| refuse(&format!("holds {name}, which cannot be removed: {error}")))?;
        }
    }
    let reports = folder.join("reports");
    if reports.is_dir() {
        std::fs::remove_dir_all(&reports)
            .map_err(|error| refuse(&format!("holds reports, which cannot be removed: {error}")))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str, private: bool) -> Result<()> {
    write_atomically(path, text.as_bytes(), private).with_context(|| format!("cannot write {}", path.display()))
}

fn replace_port(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) => *text = text.replace(&format!("127.0.0.1:{from}"), &format!("127.0.0.1:{to}")),
        Value::Object(members) => members.values_mut().for_each(|member| replace_port(member, from, to)),
        _ => {}
    }
}

/// The tour's steps; what they say goes to `out` as it happens.
struct Tour<'a> {
    session: Session,
    folder: &'a Path,
    catalog: Catalog,
    shown: bool,
    out: &'a mut dyn Write,
}

impl Tour<'_> {
    async fn take(&mut self, running: &sim::Running, before: DateTime<Utc>, today: DateTime<Utc>) -> Result<u8> {
        self.say(
            "A simulated Partner Store (US and EU) and a simulated CRM run on this machine;\nnothing leaves it.\n",
        )?;
        self.step("1", "ingest: every record of both stores into one SQLite file")?;
        let mut exits = vec![self.ingest(before).await?];
        self.step("2", "report: what renews in the next days, and the commission to expect from it")?;
        self.excerpt("renewals_due", &["next_recurring_date", "company_name", "expected_commission_usd"], before)?;
        self.step("3", "report: what came in without any commission")?;
        self.excerpt(
            "commissions_missing",
            &["transaction_day", "company_name", "service_name", "usd_amount", "expected_usd"],
            before,
        )?;
        self.step("4", "push: what the CRM does not have yet")?;
        exits.push(self.push(before).await?);
        self.step("5", "the same again: nothing is new, nothing is sent")?;
        exits.push(self.ingest(before).await?);
        self.say("")?;
        exits.push(self.push(before).await?);
        self.step("6", &format!("{DAYS_BETWEEN} days later: only what changed moves"))?;
        running.with(|world| world.set_now(today));
        exits.push(self.ingest(today).await?);
        self.say("")?;
        exits.push(self.push(today).await?);
        self.step("7", "dashboard: one page to look at")?;
        self.dashboard(today)?;
        self.step("8", "export: every report as CSV")?;
        self.export(today)?;
        Ok(worst(exits))
    }

    fn say(&mut self, text: &str) -> Result<()> {
        if self.shown {
            writeln!(self.out, "{text}")?;
            self.out.flush()?;
        }
        Ok(())
    }

    fn step(&mut self, number: &str, what: &str) -> Result<()> {
        self.say(&format!("\n── {number}. {what}\n"))
    }

    async fn ingest(&mut self, now: DateTime<Utc>) -> Result<u8> {
        let db = Db::open(&self.session.config.paths.database)?;
        let options = ingest::Options {
            purpose: ingest::Purpose::Ingest,
            kinds: Vec::new(),
            except: Vec::new(),
            resume: true,
            accept_removals: false,
        };
        let sources = self.session.sources(&[])?;
        let summary = ingest::run(&db, &sources, &options, &self.session.progress, &|| now).await?;
        self.say(&summary.text())?;
        Ok(summary.exit())
    }

    async fn push(&mut self, now: DateTime<Utc>) -> Result<u8> {
        let db = Db::open(&self.session.config.paths.database)?;
        let summary = self.session.push(&db, &push::Options::default(), &|| now).await?;
        self.say(summary.text().trim_end())?;
        Ok(summary.exit())
    }

    /// The first rows of a report, with the columns that fit a terminal.
    fn excerpt(&mut self, name: &str, wanted: &[&str], now: DateTime<Utc>) -> Result<()> {
        let request = report::Request::new(self.catalog.find(name)?, &[], Moment::new(None, now)?)?;
        let table = request.run(&Db::open_reader(&self.session.config.paths.database)?)?;
        self.say(&table.excerpt(wanted, ROWS_SHOWN))
    }

    fn dashboard(&mut self, now: DateTime<Utc>) -> Result<()> {
        let db = Db::open_reader(&self.session.config.paths.database)?;
        let html = Dashboard::make(&db, &self.catalog, Moment::new(None, now)?)?.html;
        write(&self.folder.join("dashboard.html"), &html, true)?;
        self.say(&format!("dashboard.html  {}", screen::bytes(html.len() as u64)))
    }

    fn export(&mut self, now: DateTime<Utc>) -> Result<()> {
        let db = Db::open_reader(&self.session.config.paths.database)?;
        let options = report::ExportOptions {
            folder: self.folder.join("reports"),
            only: Vec::new(),
            parameters: Vec::new(),
            moment: Moment::new(None, now)?,
        };
        let task = self.session.progress.task("exporting", ("report", "reports"));
        let manifest = report::export(&db, &self.catalog, &options, &task)?;
        drop(task);
        // the last one to close a mirror for writing takes its write-ahead log away
        drop(db);
        drop(Db::open(&self.session.config.paths.database)?);
        let rows =
            manifest.reports.iter().map(|report| vec![report.file.clone(), screen::thousands(report.rows as u64)]);
        self.say(&screen::table(&["file", "rows"], rows, 1))
    }

    fn farewell(&mut self) -> Result<()> {
        let folder = self.folder.display().to_string();
        let queries =
            ONE_LINERS.map(|(what, sql)| format!("  # {what}\n  sqlite3 -box mirror.db \"{sql}\"")).join("\n");
        self.say(&format!(
            "\nLeft behind in {folder}:\n  mirror.db          the mirror: open it with sqlite3\n  dashboard.html     what stands in it, to look at: open it in a browser\n  reports/*.csv      every report, and manifest.json\n  config.toml        works while `storemirror simulate` runs in another terminal\n  credentials.toml   the simulator's secrets\n\nFive things to ask it:\n  cd {folder}\n{queries}"
        ))
    }
}

/// Questions a practice asks, short enough to type.
const ONE_LINERS: [(&str, &str); 5] = [
    (
        "live subscriptions and monthly revenue by store",
        "select store_id, count(*), round(sum(mrr_usd), 2) from subscriptions where is_live group by 1",
    ),
    (
        "what is owed, by paying entity",
        "select entity, payout_currency, round(sum(balance_payout), 2) as owed from commissions group by 1, 2",
    ),
    ("the largest customers", "select company_name, mrr_usd from subscriptions where is_live order by 2 desc limit 10"),
    (
        "what failed to renew lately",
        "select transaction_day, subscription_id, service_name from transactions where transaction_type = 'recurring_failure' order by 1 desc limit 10",
    ),
    ("what every column means", "select column, unit, meaning from data_dictionary where object = 'commissions'"),
];
