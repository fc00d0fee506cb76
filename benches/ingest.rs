//! Ingest at size, beside a floor: what fetching the same pages, finding each id and inserting id and payload costs,
//! one transaction per page and nothing else. The simulator runs in its own process, so its work is not counted.
//!
//! `cargo bench --bench ingest` measures 20,000 subscriptions, 100,000 transactions and 80,000 commissions;
//! `STOREMIRROR_BENCH_PERCENT=10` a tenth of it, `1000` ten times as much.

#![expect(unreachable_pub, reason = "the benchmarks share through pub")]
#![expect(clippy::print_stdout, reason = "the figures are the answer")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod common;

use std::path::Path;
use std::process::{Child, Command};

use crate::common::{Figures, Simulator, client, measure, median};
use rusqlite::Connection;

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
    let mut simulator = Simulator::start(RECORDS.map(|count| count * percent / 100));
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
            measure(start_floor(&simulator, &tokens, &floor_db))
        })
        .collect();
    let payload_bytes: u64 = Connection::open(&floor_db)
        .and_then(|connection| {
            connection.query_row("select sum(length(cast(body as blob))) from records", [], |row| row.get(0))
        })
        .expect("the floor's database");
    let floor = median(floors);
    print(&floor, "floor", simulator.requests(), &floor_db, payload_bytes);

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
    print(&cold, "cold", simulator.requests(), &mirror, payload_bytes);
    let unchanged = median(
        (0..3)
            .map(|_| {
                simulator.forget();
                ingest(&simulator)
            })
            .collect(),
    );
    print(&unchanged, "unchanged", simulator.requests(), &mirror, payload_bytes);
    println!(
        "cold ÷ floor {:.2} wall, {:.2} cpu; unchanged ÷ floor {:.2} wall, {:.2} cpu",
        cold.wall / floor.wall,
        cold.cpu / floor.cpu,
        unchanged.wall / floor.wall,
        unchanged.cpu / floor.cpu
    );
    println!("payloads {:.1} MiB", payload_bytes as f64 / 1_048_576.0);
}

fn print(figures: &Figures, name: &str, requests: u64, database: &Path, payload_bytes: u64) {
    let size = std::fs::metadata(database).map_or(0, |metadata| metadata.len());
    println!(
        "{name:<12}{:>9.2}{:>9.2}{:>10.1}{requests:>10}{:>11.1}{:>9.2}",
        figures.wall,
        figures.cpu,
        figures.peak_mib,
        size as f64 / 1_048_576.0,
        size as f64 / payload_bytes as f64
    );
}

fn start_floor(simulator: &Simulator, tokens: &str, database: &Path) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?).arg("floor").arg(simulator.base()).arg(tokens).arg(database).spawn()
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
