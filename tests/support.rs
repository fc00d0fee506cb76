//! A bench for tests: a simulator, a folder with a configuration that reaches it, and the real binary run on both.

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;
use serde_json::Value;
use storemirror::sim::{self, Options, Running, World};
use tempfile::TempDir;

/// The instant all tests live at, unless they say otherwise.
pub const NOW: &str = "2026-03-01T06:00:00Z";

pub struct Bench {
    pub sim: Running,
    folder: TempDir,
    /// Lines added to the `[stores.us]` table, to `[stores.eu]`, and to `[crm]`.
    extra: BTreeMap<&'static str, String>,
    stores: Vec<&'static str>,
}

/// What a finished run left.
#[derive(Debug)]
pub struct Ran {
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The one JSON object on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts the exit code, showing what was said when it is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.exit, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// A simulator without records of its own: the test puts in what it is about.
pub fn empty_world() -> Options {
    Options { subscriptions: 0, transactions: 0, commissions: 0, ..Options::default() }
}

impl Bench {
    /// One store, `us`, without records.
    pub fn empty() -> Self {
        Self::new(&["us"], empty_world())
    }

    pub fn new(stores: &[&'static str], options: Options) -> Self {
        let is_empty = options.subscriptions == 0;
        let sim = sim::start(options).expect("the simulator starts");
        if is_empty {
            sim.with(clear);
        }
        let bench = Self {
            sim,
            folder: tempfile::tempdir().expect("a folder"),
            extra: BTreeMap::new(),
            stores: stores.to_vec(),
        };
        bench.write_config();
        bench
    }

    /// Adds lines to one table of the configuration: `us`, `eu` or `crm`.
    #[must_use]
    pub fn with(mut self, table: &'static str, lines: &str) -> Self {
        let entry = self.extra.entry(table).or_default();
        entry.push_str(lines);
        entry.push('\n');
        self.write_config();
        self
    }

    fn write_config(&self) {
        let connection = self.sim.connection();
        let base = self.sim.base_url();
        let mut config = String::from("[database]\npath = \"mirror.db\"\n");
        let extra = |table: &str| self.extra.get(table).cloned().unwrap_or_default();
        for store in &self.stores {
            let center = if *store == "us" { "com" } else { *store };
            let known = &connection["stores"][*store];
            config += &format!(
                "[stores.{store}]\ndata_center = \"{center}\"\nclient_id = {}\napi_url = {}\naccounts_url = \"{base}\"\n{}\n",
                known["client_id"],
                known["api_url"],
                extra(store)
            );
            if !extra(store).contains("requests_per_minute") {
                config += "requests_per_minute = 100000\n";
            }
            if !extra(store).contains("throttle_wait_seconds") {
                config += "throttle_wait_seconds = 0\n";
            }
        }
        let crm = &connection["crm"];
        config += &format!(
            "[crm]\ndata_center = \"com\"\nclient_id = {}\napi_url = \"{base}\"\naccounts_url = \"{base}\"\nthrottle_wait_seconds = 0\n{}",
            crm["client_id"],
            extra("crm")
        );
        std::fs::write(self.path("config.toml"), config).expect("the configuration is written");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The real binary with this bench's configuration, secrets and state.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(self.folder.path());
        let connection = self.sim.connection();
        let secret = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for store in ["us", "eu"] {
            let prefix = format!("STOREMIRROR_STORES_{}", store.to_uppercase());
            command.env(format!("{prefix}_CLIENT_SECRET"), secret(&connection["stores"][store]["client_secret"]));
            command.env(format!("{prefix}_REFRESH_TOKEN"), secret(&connection["stores"][store]["refresh_token"]));
        }
        command.env("STOREMIRROR_CRM_CLIENT_SECRET", secret(&connection["crm"]["client_secret"]));
        command.env("STOREMIRROR_CRM_REFRESH_TOKEN", secret(&connection["crm"]["refresh_token"]));
        command.env("STOREMIRROR_CONFIG", self.path("config.toml")).env("STOREMIRROR_NOW", NOW);
        command.args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        finish(&mut self.command(arguments))
    }

    /// Runs as if at another instant.
    pub fn run_at(&self, now: &str, arguments: &[&str]) -> Ran {
        finish(self.command(arguments).env("STOREMIRROR_NOW", now))
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
    }

    /// Runs `ingest --json` and gives the one listing of a kind.
    pub fn ingest(&self, kind: &str, arguments: &[&str]) -> (i32, Value) {
        let ran = self.run(&[&["ingest", kind, "--json"], arguments].concat());
        let listing = ran.json()["listings"][0].clone();
        (ran.exit, listing)
    }

    pub fn database(&self) -> Connection {
        Connection::open(self.path("mirror.db")).expect("the mirror opens")
    }

    /// Holds the lock of a process that writes, until it is dropped; something must have been listed.
    pub fn writers_lock(&self) -> File {
        let lock = File::open(self.path("mirror.db.lock")).expect("a lock's file");
        lock.lock().expect("nobody writes");
        lock
    }

    /// One value of one row.
    pub fn value<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.database().query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Puts subscriptions with these ids into the store `us`.
    pub fn put_subscriptions(&self, ids: impl IntoIterator<Item = u64>) {
        self.sim.with(|world| {
            for id in ids {
                world.upsert_record("us", "subscriptions", &id.to_string(), subscription(id));
            }
        });
    }

    /// Changes how the store `us` behaves.
    pub fn switch(&self, patch: &Value) {
        self.sim.with(|world| {
            world.switches.merge(&serde_json::json!({ "stores": { "us": patch } })).expect("a known switch");
        });
    }
}

fn clear(world: &mut World) {
    for store in ["us", "eu"] {
        for kind in sim::KINDS {
            let ids: Vec<String> = world.store(store).records(kind).into_iter().map(|record| record.id).collect();
            for id in ids {
                world.remove_record(store, kind, &id);
            }
        }
    }
}

/// A small subscription that maps without remark.
pub fn subscription(id: u64) -> String {
    format!(
        r#"{{"id":{id},"subscription_id":{id},"email_id":"c{id}@example.test","org_id":"7{id}","customer_company_name":"Company {id}","service_id":2,"service_name":"CRM","plan_id":3,"plan_name":"Standard","billing_frequency":"monthly","pricing_type":"list_price","subscription_type":"online","status":"active","currency":"USD","next_recurring_amount":"12.0","next_recurring_amount_usd":"12.0","next_recurring_date":"2026-03-15","subscription_start_date":"2025-01-15"}}"#
    )
}

/// The program without any configuration but a home of its own.
pub fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storemirror"));
    command
        .env_clear()
        .env("HOME", home)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null());
    command
}

pub fn finish(command: &mut Command) -> Ran {
    let output = command.output().expect("the program runs");
    Ran {
        exit: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

/// Whether the plain `sqlite3` shell is there; says that a test is skipped where it is not.
pub fn has_sqlite3(test: &str) -> bool {
    let found = Command::new("sqlite3").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: {test} needs the sqlite3 shell");
    }
    found
}

/// Tries all cases at once, for those that mostly wait for retries; a case that fails says so and fails the test.
pub fn try_at_once<Case: Send>(cases: impl IntoIterator<Item = Case>, trial: impl Fn(Case) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            let trial = &trial;
            scope.spawn(move || trial(case));
        }
    });
}

/// Trials at a time: they mostly wait (for retries, for the program), so more than there are processors.
const TRIALS_AT_ONCE: usize = 6;

/// Runs one trial per seed and names the seeds that fail. `STOREMIRROR_SEEDS=N` runs N instead of `seeds`,
/// `STOREMIRROR_SEED=K` replays one.
pub fn try_seeds(test: &str, seeds: u64, trial: impl Fn(u64) + Sync) {
    let number = |name| std::env::var(name).ok().and_then(|text: String| text.parse::<u64>().ok());
    if let Some(seed) = number("STOREMIRROR_SEED") {
        return trial(seed);
    }
    let seeds = number("STOREMIRROR_SEEDS").unwrap_or(seeds);
    let (next, failed) = (AtomicU64::new(1), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..TRIALS_AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > seeds {
                        return;
                    }
                    if catch_unwind(AssertUnwindSafe(|| trial(seed))).is_err() {
                        failed.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    let replay = failed.first().map_or(0, |seed| *seed);
    assert!(
        failed.is_empty(),
        "seeds {failed:?} of {seeds} did not converge; replay one: STOREMIRROR_SEED={replay} cargo test --test suite {test} -- --nocapture"
    );
}
