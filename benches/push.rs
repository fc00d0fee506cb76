//! Push at size: creates, a small delta among many, and the push that finds nothing changed. The CRM is a thread that
//! takes everything and keeps nothing, so that only the program is measured.
//!
//! `cargo bench --bench push` measures 20,000 and 200,000 records; `STOREMIRROR_BENCH_PERCENT=1` a hundredth of it.
//! `STOREMIRROR_BENCH_LINKED=2000000` adds a round in which the last records are there so often, linked as if each had
//! been pushed; it needs about 6 kB of disk for each. A *look* is a push that nothing changed for and that knows of no
//! record that it is unchanged, as after an upgrade.

#![expect(clippy::print_stdout, reason = "the figures are the answer")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rusqlite::Connection;
use serde_json::value::RawValue;
use storemirror::db::Db;
use storemirror::model::Kind;
use wait4::Wait4;

const ROUNDS: [u64; 2] = [20_000, 200_000];
/// Records that changed when there is a small delta.
const DELTA: u64 = 200;
const PER_PAGE: u64 = 200;
/// Ids are so long that one stands for nothing else in any text, and those of copies lie so far apart.
const FIRST_ID: u64 = 700_000_000_000;
const COPY_STEP: u64 = 1_000_000;
/// Columns in whose text the record's id stands.
const TEXTS: [&str; 7] = ["record_id", "body", "email", "org_id", "company_name", "customer_id", "fields_sent"];
const NOW: &str = "2026-03-01T06:00:00Z";

fn main() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let percent = number("STOREMIRROR_BENCH_PERCENT").unwrap_or(100);
    let crm = Crm::start();
    println!(
        "{:<10}{:<12}{:>9}{:>9}{:>10}{:>12}{:>11}{:>9}",
        "records", "push", "wall s", "cpu s", "peak MiB", "records/s", "requests", "credits"
    );
    let linked = number("STOREMIRROR_BENCH_LINKED");
    let of = |records: u64| (records * percent / 100).max(1);
    for (place, records) in ROUNDS.map(of).into_iter().enumerate() {
        let is_last = place + 1 == ROUNDS.len();
        round(&crm, records, of(DELTA).min(records), linked.filter(|_| is_last));
    }
}

fn round(crm: &Crm, records: u64, delta: u64, linked: Option<u64>) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = crm.write_config(folder.path());
    receive(folder.path(), 1..=records, "active");
    let push = |records: u64, name: &str, sent: u64| {
        crm.requests.store(0, Ordering::Relaxed);
        let figures = measure(storemirror(folder.path()).args(["push", "--json", "--config"]).arg(&config).spawn());
        figures.print(records, name, sent, crm.requests.load(Ordering::Relaxed));
    };
    push(records, "create", records);
    push(records, "unchanged", 0);
    receive(folder.path(), 1..=delta, "inactive");
    push(records, "delta", delta);
    push(records, "unchanged", 0);
    if let Some(linked) = linked {
        let linked = multiply(folder.path(), records, linked);
        push(linked, "look", 0);
        push(linked, "unchanged", 0);
        receive(folder.path(), 1..=delta, "active");
        push(linked, "delta", delta);
        push(linked, "unchanged", 0);
    }
}

/// Copies the records, their payloads and links under other ids until there are so many; returns how many there are.
/// In every text the record's id is the copy's.
fn multiply(folder: &Path, records: u64, wanted: u64) -> u64 {
    let mirror = Connection::open(folder.join("mirror.db")).expect("a mirror");
    let copied = |table: &str, id: &str, own: &dyn Fn(&str) -> Option<String>| {
        let columns: Vec<String> = mirror
            .prepare(&format!("select name from pragma_table_info('{table}')"))
            .and_then(|mut names| names.query_map([], |row| row.get(0))?.collect())
            .expect("columns");
        let values: Vec<String> = columns
            .iter()
            .map(|name| own(name).unwrap_or_else(|| format!("replace(t.{name}, t.{id}, t.{id} + ?1)")))
            .collect();
        format!("insert into {table} ({}) select {} from {table} t", columns.join(", "), values.join(", "))
    };
    let plain = |name: &str| (!TEXTS.contains(&name)).then(|| format!("t.{name}"));
    let statements = [
        copied("payloads", "record_id", &|name| {
            if name == "payload_id" { Some("null".to_owned()) } else { plain(name) }
        }) + " where t.kind = 'subscriptions' and t.seen_until is null and cast(t.record_id as integer) <= ?2",
        copied("subscription_records", "subscription_id", &|name| match name {
            "payload_id" => Some("p.payload_id".to_owned()),
            "subscription_id" => Some("t.subscription_id + ?1".to_owned()),
            _ => plain(name),
        }) + " join payloads p on p.store_id = t.store_id and p.kind = 'subscriptions'
                and p.record_id = cast(t.subscription_id + ?1 as text)
              where t.subscription_id <= ?2",
        copied("crm_links", "record_id", &|name| {
            if name == "crm_id" { Some("t.crm_id + ?1".to_owned()) } else { plain(name) }
        }) + " where cast(t.record_id as integer) <= ?2",
    ];
    let copies = (wanted / records).max(1);
    for copy in 1..copies {
        for statement in &statements {
            mirror.execute(statement, [COPY_STEP * copy, FIRST_ID + records]).expect("a copy");
        }
    }
    records * copies
}

/// Saves subscriptions as an ingest would.
fn receive(folder: &Path, numbers: std::ops::RangeInclusive<u64>, status: &str) {
    let db = Db::open(&folder.join("mirror.db")).expect("a mirror");
    db.register_store("us", "com", "http://127.0.0.1", &Kind::ALL).expect("a store");
    let (first, last) = (*numbers.start(), *numbers.end());
    for page in (first..=last).step_by(usize::try_from(PER_PAGE).unwrap_or(1)) {
        let bodies: Vec<String> =
            (page..(page + PER_PAGE).min(last + 1)).map(|number| subscription(FIRST_ID + number, status)).collect();
        let page = db.receive("us", Kind::Subscriptions, bodies, Some(NOW)).expect("a page");
        db.save(page, None, NOW).expect("a page");
    }
}

/// A subscription of the usual length.
fn subscription(id: u64, status: &str) -> String {
    let words = "Standard edition with a plan in words and some add-ons. ".repeat(20);
    format!(
        r#"{{"id":{id},"subscription_id":{id},"email_id":"c{id}@example.test","org_id":"7{id}","customer_company_name":"Company {id}","service_id":2,"service_name":"CRM","plan_id":3,"plan_name":"Standard","license_description":"{words}","billing_frequency":"monthly","pricing_type":"list_price","subscription_type":"online","status":"{status}","currency":"USD","next_recurring_amount":"12.0","next_recurring_amount_usd":"12.0","next_recurring_date":"2026-03-15","subscription_start_date":"2025-01-15"}}"#
    )
}

fn storemirror(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storemirror"));
    command
        .env("XDG_STATE_HOME", folder)
        .env("STOREMIRROR_NOW", NOW)
        .env("STOREMIRROR_CRM_CLIENT_SECRET", "secret")
        .env("STOREMIRROR_CRM_REFRESH_TOKEN", "secret")
        .stdout(Stdio::piped());
    command
}

/// What one process cost.
struct Figures {
    wall: f64,
    cpu: f64,
    peak_mib: f64,
    credits: u64,
}

fn measure(child: std::io::Result<Child>) -> Figures {
    let started = Instant::now();
    let mut child = child.expect("the process starts");
    let said = std::io::read_to_string(child.stdout.take().expect("its stdout")).expect("what it says");
    let result = child.wait4().expect("the process ends");
    assert!(result.status.success(), "{:?}: {said}", result.status);
    let summary: serde_json::Value = serde_json::from_str(&said).expect("one JSON object");
    Figures {
        credits: summary["credits"]["used"].as_u64().expect("credits"),
        wall: started.elapsed().as_secs_f64(),
        cpu: (result.rusage.utime + result.rusage.stime).as_secs_f64(),
        peak_mib: result.rusage.maxrss as f64 / 1_048_576.0,
    }
}

impl Figures {
    fn print(&self, records: u64, name: &str, sent: u64, requests: u64) {
        let Self { wall, cpu, peak_mib, credits } = self;
        // of an unchanged push every record is looked at
        let done = if sent == 0 { records } else { sent };
        let rate = done as f64 / wall;
        println!("{records:<10}{name:<12}{wall:>9.2}{cpu:>9.2}{peak_mib:>10.1}{rate:>12.0}{requests:>11}{credits:>9}");
    }
}

/// A CRM that takes every record and remembers none.
struct Crm {
    base: String,
    requests: Arc<AtomicU64>,
}

impl Crm {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(AtomicU64::new(0));
        let (counted, ids) = (Arc::clone(&requests), Arc::new(AtomicU64::new(1)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (counted, ids) = (Arc::clone(&counted), Arc::clone(&ids));
                std::thread::spawn(move || serve(stream, &counted, &ids));
            }
        });
        Self { base, requests }
    }

    fn write_config(&self, folder: &Path) -> std::path::PathBuf {
        let base = &self.base;
        let config = format!(
            "[database]\npath = \"mirror.db\"\n[stores.us]\ndata_center = \"com\"\nclient_id = \"x\"\n[crm]\ndata_center = \"com\"\nclient_id = \"x\"\napi_url = \"{base}\"\naccounts_url = \"{base}\"\n"
        );
        let path = folder.join("config.toml");
        std::fs::write(&path, config).expect("the configuration is written");
        path
    }
}

/// Answers the requests of one connection until it closes.
fn serve(stream: TcpStream, requests: &AtomicU64, ids: &AtomicU64) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let (mut first, mut length) = (String::new(), 0);
        if reader.read_line(&mut first).ok()? == 0 {
            return None;
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let line = line.trim().to_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        requests.fetch_add(1, Ordering::Relaxed);
        let (status, answer) = answer(&first, &body, ids);
        write!(writer, "HTTP/1.1 {status} OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len()).ok()?;
    }
}

fn answer(request: &str, body: &[u8], ids: &AtomicU64) -> (u16, String) {
    #[derive(serde::Deserialize)]
    struct Write<'a> {
        #[serde(borrow)]
        data: Vec<&'a RawValue>,
    }
    if request.contains("/oauth/") {
        return (200, r#"{"access_token":"token","expires_in":3600}"#.to_owned());
    }
    if request.starts_with("GET") {
        return (204, String::new());
    }
    let write: Write = serde_json::from_slice(body).expect("a write");
    let is_update = request.starts_with("PUT");
    let items: Vec<String> = write
        .data
        .iter()
        .map(|record| {
            let id = if is_update { own_id(record.get()) } else { ids.fetch_add(1, Ordering::Relaxed).to_string() };
            format!(r#"{{"code":"SUCCESS","action":"insert","details":{{"id":"{id}"}},"status":"success"}}"#)
        })
        .collect();
    (200, format!("{{\"data\":[{}]}}", items.join(",")))
}

fn own_id(record: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Own {
        id: String,
    }
    serde_json::from_str::<Own>(record).expect("a record with its id").id
}
