//! Ingest at size, beside a floor: what fetching the same pages, finding each id and inserting id and payload costs,
//! one transaction per page and nothing else. The simulator runs in its own process, so its work is not counted.
//!
//! `cargo bench --bench ingest` measures 20,000 subscriptions, 100,000 transactions and 80,000 commissions;
//! `STOREMIRROR_BENCH_PERCENT=10` a tenth of it, `1000` ten times as much.

#![expect(clippy::print_stdout, reason = "the figures are the answer")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rusqlite::Connection;
use serde_json::Value;
use wait4::Wait4;

/// The size the goals are set for: subscriptions, transactions, commissions.
const RECORDS: [u64; 3] = [20_000, 100_000, 80_000];
const KINDS: [&str; 3] = ["subscriptions", "transactions", "commissions"];
const PER_PAGE: usize = 200;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mode, base, token, database] = &arguments[..]
        && mode == "floor"
    {
        return floor(base, token, database);
    }
    let percent: u64 =
        std::env::var("STOREMIRROR_BENCH_PERCENT").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let folder = tempfile::tempdir().expect("a folder");
    let mut simulator = Simulator::start(percent);
    println!("{} records per run", RECORDS.iter().map(|count| count * percent / 100).sum::<u64>());
    println!(
        "{:<12}{:>9}{:>9}{:>10}{:>10}{:>11}{:>9}",
        "run", "wall s", "cpu s", "peak MiB", "requests", "file MiB", "× bytes"
    );

    let floor_db = folder.path().join("floor.db");
    let floors: Vec<Figures> = (0..3)
        .map(|_| {
            let _ = std::fs::remove_file(&floor_db);
            let tokens = simulator.tokens();
            measure(simulator.floor(&tokens, &floor_db))
        })
        .collect();
    let payload_bytes: u64 = Connection::open(&floor_db)
        .and_then(|connection| {
            connection.query_row("select sum(length(cast(body as blob))) from records", [], |row| row.get(0))
        })
        .expect("the floor's database");
    let floor = median(floors);
    floor.print("floor", simulator.requests(), &floor_db, payload_bytes);

    let config = simulator.write_config(folder.path());
    let mirror = folder.path().join("mirror.db");
    let ingest = |simulator: &Simulator| {
        measure(simulator.storemirror(folder.path()).args(["ingest", "--quiet", "--config"]).arg(&config).spawn())
    };
    let cold = median(
        (0..3)
            .map(|_| {
                for name in ["mirror.db", "mirror.db-wal", "mirror.db-shm"] {
                    let _ = std::fs::remove_file(folder.path().join(name));
                }
                simulator.forget();
                ingest(&simulator)
            })
            .collect(),
    );
    cold.print("cold", simulator.requests(), &mirror, payload_bytes);
    let unchanged = median(
        (0..3)
            .map(|_| {
                simulator.forget();
                ingest(&simulator)
            })
            .collect(),
    );
    unchanged.print("unchanged", simulator.requests(), &mirror, payload_bytes);
    println!(
        "cold ÷ floor {:.2} wall, {:.2} cpu; unchanged ÷ floor {:.2} wall, {:.2} cpu",
        cold.wall / floor.wall,
        cold.cpu / floor.cpu,
        unchanged.wall / floor.wall,
        unchanged.cpu / floor.cpu
    );
    println!("payloads {:.1} MiB", payload_bytes as f64 / 1_048_576.0);
}

/// What one process cost.
#[derive(Clone, Copy)]
struct Figures {
    wall: f64,
    cpu: f64,
    peak_mib: f64,
}

impl Figures {
    fn print(&self, name: &str, requests: u64, database: &Path, payload_bytes: u64) {
        let size = std::fs::metadata(database).map_or(0, |metadata| metadata.len());
        println!(
            "{name:<12}{:>9.2}{:>9.2}{:>10.1}{requests:>10}{:>11.1}{:>9.2}",
            self.wall,
            self.cpu,
            self.peak_mib,
            size as f64 / 1_048_576.0,
            size as f64 / payload_bytes as f64
        );
    }
}

fn median(mut runs: Vec<Figures>) -> Figures {
    runs.sort_by(|left, right| left.wall.total_cmp(&right.wall));
    runs[runs.len() / 2]
}

fn measure(child: std::io::Result<Child>) -> Figures {
    let started = Instant::now();
    let result = child.expect("the process starts").wait4().expect("the process ends");
    assert!(result.status.success(), "{:?}", result.status);
    let usage = result.rusage;
    Figures {
        wall: started.elapsed().as_secs_f64(),
        cpu: (usage.utime + usage.stime).as_secs_f64(),
        peak_mib: usage.maxrss as f64 / 1_048_576.0,
    }
}

struct Simulator {
    child: Child,
    connection: Value,
    http: tokio::runtime::Runtime,
}

impl Simulator {
    fn start(percent: u64) -> Self {
        let [subscriptions, transactions, commissions] = RECORDS.map(|count| (count * percent / 100).to_string());
        let mut child = Command::new(env!("CARGO_BIN_EXE_storemirror"))
            .args(["simulate", "--json", "--port", "0", "--now", "2026-03-01T06:00:00Z"])
            .args(["--subscriptions", &subscriptions, "--transactions", &transactions, "--commissions", &commissions])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the simulator starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("its line");
        let connection = serde_json::from_str(&line).expect("its JSON");
        let http = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let simulator = Self { child, connection, http };
        simulator.forget();
        simulator
    }

    fn base(&self) -> &str {
        self.connection["accounts_url"].as_str().expect("an address")
    }

    /// Forgets the log and lets tokens be made as often as the benchmark needs them.
    fn forget(&self) {
        let http = client();
        let base = self.base();
        self.http.block_on(async {
            http.delete(format!("{base}/_sim/log")).send().await.expect("the log is cleared");
            let patch = r#"{"accounts":{"throttle":false}}"#;
            http.put(format!("{base}/_sim/switches")).body(patch).send().await.expect("the switch is set");
        });
    }

    fn requests(&self) -> u64 {
        let text = self
            .http
            .block_on(async { client().get(format!("{}/_sim/log", self.base())).send().await?.text().await })
            .expect("the log");
        let log: Value = serde_json::from_str(&text).expect("the log's JSON");
        let entries = log.as_array().or_else(|| log["requests"].as_array()).expect("a list");
        entries.iter().filter(|entry| entry["host"] != "accounts").count() as u64
    }

    /// One access token per store, separated by commas.
    fn tokens(&mut self) -> String {
        self.forget();
        let ask = |store: &str| {
            let known = &self.connection["stores"][store];
            let form = [
                ("grant_type", "refresh_token"),
                ("client_id", known["client_id"].as_str().unwrap_or_default()),
                ("client_secret", known["client_secret"].as_str().unwrap_or_default()),
                ("refresh_token", known["refresh_token"].as_str().unwrap_or_default()),
            ];
            let reply = self.http.block_on(async {
                client().post(format!("{}/oauth/v2/token", self.base())).form(&form).send().await?.text().await
            });
            let reply: Value = serde_json::from_str(&reply.expect("a reply")).expect("JSON");
            reply["access_token"].as_str().expect("a token").to_owned()
        };
        format!("{},{}", ask("us"), ask("eu"))
    }

    fn floor(&self, tokens: &str, database: &Path) -> std::io::Result<Child> {
        Command::new(std::env::current_exe()?).arg("floor").arg(self.base()).arg(tokens).arg(database).spawn()
    }

    fn write_config(&self, folder: &Path) -> std::path::PathBuf {
        let base = self.base();
        let mut config = String::from("[database]\npath = \"mirror.db\"\n");
        for (store, center) in [("us", "com"), ("eu", "eu")] {
            let known = &self.connection["stores"][store];
            config += &format!(
                "[stores.{store}]\ndata_center = \"{center}\"\nclient_id = {}\napi_url = {}\naccounts_url = \"{base}\"\nrequests_per_minute = 1000000\n",
                known["client_id"], known["api_url"]
            );
        }
        let path = folder.join("config.toml");
        std::fs::write(&path, config).expect("the configuration is written");
        path
    }

    fn storemirror(&self, folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_storemirror"));
        command.env("XDG_STATE_HOME", folder).stdout(Stdio::null());
        for store in ["us", "eu"] {
            for key in ["client_secret", "refresh_token"] {
                let name = format!("STOREMIRROR_STORES_{}_{}", store.to_uppercase(), key.to_uppercase());
                command.env(name, self.connection["stores"][store][key].as_str().unwrap_or_default());
            }
        }
        command
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // it has nothing to save
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// The least that a mirror of these pages can do.
fn floor(base: &str, tokens: &str, database: &str) {
    let connection = Connection::open(database).expect("a database");
    connection.pragma_update(None, "journal_mode", "wal").expect("wal");
    connection.pragma_update(None, "synchronous", "normal").expect("normal");
    connection
        .execute_batch("create table records (record_id text not null, body text not null) strict")
        .expect("a table");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let http = client();
    for (store, token) in ["us", "eu"].into_iter().zip(tokens.split(',')) {
        for kind in KINDS {
            for page in 1.. {
                let url = format!("{base}/{store}/api/v1/partner/{kind}?page={page}&per_page={PER_PAGE}");
                let request = http.get(url).header("Authorization", format!("Zoho-oauthtoken {token}"));
                let body = runtime.block_on(async { request.send().await?.bytes().await }).expect("a page");
                if insert(&connection, &body) == 0 {
                    break;
                }
            }
        }
    }
}

fn insert(connection: &Connection, body: &[u8]) -> usize {
    let records: Vec<&serde_json::value::RawValue> = serde_json::from_slice(body).expect("a list");
    connection.execute_batch("begin").expect("begin");
    let mut statement = connection.prepare_cached("insert into records values (?1, ?2)").expect("a statement");
    for record in &records {
        statement.execute((find_id(record.get()).to_string(), record.get())).expect("a row");
    }
    drop(statement);
    connection.execute_batch("commit").expect("commit");
    records.len()
}

/// A transaction holds its subscription's id too, so its own comes first.
fn find_id(record: &str) -> u64 {
    #[derive(serde::Deserialize)]
    struct Own {
        transaction_id: Option<u64>,
        commission_id: Option<u64>,
        subscription_id: Option<u64>,
    }
    let own: Own = serde_json::from_str(record).expect("a record");
    own.transaction_id.or(own.commission_id).or(own.subscription_id).expect("an id")
}
