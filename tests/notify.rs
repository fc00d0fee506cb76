//! Notices against a real script and a real server: said once for each change of state, tried again when they did not
//! arrive, and never a word more than they should hold.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::{Bench, Ran, finish, subscription};

/// A chat: keeps the texts posted to it, answers as told.
struct Chat {
    port: u16,
    texts: Arc<Mutex<Vec<String>>>,
    /// The status line's rest and headers of the next answers.
    answer: Arc<Mutex<String>>,
}

impl Chat {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let chat = Self { port, texts: Arc::default(), answer: Arc::new(Mutex::new("200 OK".to_owned())) };
        let (texts, answer) = (Arc::clone(&chat.texts), Arc::clone(&chat.answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // a client that goes away has what it wanted
                let _ = take(stream, &texts, &answer);
            }
        });
        chat
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hidden-path?key=hidden-key", self.port)
    }

    fn answers(&self, line: &str) {
        line.clone_into(&mut self.answer.lock().unwrap());
    }

    /// The first lines of what arrived since the last time.
    fn subjects(&self) -> Vec<String> {
        self.take().iter().map(|text| text.lines().next().unwrap().to_owned()).collect()
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.texts.lock().unwrap())
    }
}

fn take(mut stream: TcpStream, texts: &Mutex<Vec<String>>, answer: &Mutex<String>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body)?;
    assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
    assert!(!head.to_lowercase().contains("authorization"), "{head}");
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "nothing but the text: {body}");
    texts.lock().unwrap().push(body["text"].as_str().unwrap().to_owned());
    let answer = answer.lock().unwrap().clone();
    write!(stream, "HTTP/1.1 {answer}\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
}

/// Writes everything it is told into a file.
const SCRIPT: &str = r#"#!/bin/sh
here=$(dirname "$0")
[ -e "$here/broken" ] && { echo "no way to $1" >&2; exit 7; }
{ echo "== $STOREMIRROR_EVENT | $STOREMIRROR_THING | $STOREMIRROR_SUBJECT | $*"; cat; env | grep STOREMIRROR_ | cut -d= -f1; } >> "$here/heard"
"#;

fn with_notify(bench: Bench, lines: &str) -> Bench {
    bench.with("crm", &format!("[notify]\n{lines}"))
}

fn with_script(bench: &Bench) -> String {
    let path = bench.path("tell me");
    fs::write(&path, SCRIPT).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn heard(bench: &Bench) -> String {
    let path = bench.path("heard");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(path);
    text
}

fn refused(bench: &Bench, party: &str, arguments: &[&str]) -> Ran {
    finish(bench.command(arguments).env(format!("STOREMIRROR_{party}_REFRESH_TOKEN"), "1000.hidden-token"))
}

const NOTHING: Vec<String> = Vec::new();

#[test]
fn each_change_of_state_is_said_once() {
    let chat = Chat::open();
    let bench = with_notify(Bench::empty(), &format!("webhook = \"{}\"\n", chat.url()));
    bench.put_subscriptions([1]);
    bench.run(&["sync", "-q"]).exits(0);
    assert_eq!(chat.subjects(), NOTHING, "that all is well is no news");

    refused(&bench, "STORES_US", &["sync", "-q"]).exits(4);
    let said = chat.take();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("storemirror: store us cannot be listed\n\n"), "{}", said[0]);
    assert!(said[0].contains("What to do: run `storemirror connect store us`"), "{}", said[0]);
    assert!(!said[0].contains("hidden"), "{}", said[0]);
    refused(&bench, "STORES_US", &["ingest", "-q"]).exits(4);
    assert_eq!(chat.subjects(), NOTHING);

    bench.run(&["ingest", "-q"]).exits(0);
    assert_eq!(chat.subjects(), ["storemirror: resolved: store us cannot be listed"]);
    bench.run(&["sync", "-q"]).exits(0);
    assert_eq!(chat.subjects(), NOTHING);
}

#[test]
fn stores_kinds_and_the_push_are_things_of_their_own() {
    let chat = Chat::open();
    let bench = with_notify(Bench::empty(), &format!("webhook = \"{}\"\n", chat.url()));
    bench.put_subscriptions(1..=30);
    bench.run(&["sync"]).exits(0);
    bench.sim.with(|world| {
        for id in 1..=25 {
            world.remove_record("us", "subscriptions", &id.to_string());
        }
    });
    bench.run(&["ingest"]).exits(3);
    let said = chat.take();
    assert!(said.len() == 1 && said[0].contains("us subscriptions: suspiciously many are missing"), "{said:?}");
    assert!(said[0].contains("25 known records were not listed") && said[0].contains("--accept-removals"), "{said:?}");
    bench.run(&["ingest", "--accept-removals"]).exits(0);
    assert_eq!(chat.subjects(), ["storemirror: resolved: us subscriptions: suspiciously many are missing"]);

    refused(&bench, "CRM", &["push"]).exits(4);
    assert_eq!(chat.subjects(), ["storemirror: the push into the CRM fails"]);
    bench.run(&["ingest"]).exits(0);
    bench.run(&["push", "--dry-run"]).exits(0);
    assert_eq!(chat.subjects(), NOTHING, "neither says anything of a push");
    bench.run(&["push"]).exits(0);
    assert_eq!(chat.subjects(), ["storemirror: resolved: the push into the CRM fails"]);

    let body = subscription(40).replace("\"c40@example.test\"", "\"nobody\"");
    bench.sim.with(|world| world.upsert_record("us", "subscriptions", "40", body.clone()));
    bench.run(&["sync"]).exits(3);
    let said = chat.take();
    assert!(said.len() == 1 && said[0].starts_with("storemirror: the CRM refuses records\n"), "{said:?}");
    assert!(!said[0].contains("nobody") && !said[0].contains("Company"), "no record's own words: {said:?}");
    bench.run(&["sync"]).exits(3);
    assert_eq!(chat.subjects(), NOTHING);
}

#[test]
fn what_did_not_arrive_is_said_again_and_changes_no_exit_code() {
    let chat = Chat::open();
    let bench = Bench::empty();
    let script = with_script(&bench);
    let bench = with_notify(
        bench,
        &format!("command = [\"{script}\", \"--to\", \"a; touch x\"]\nwebhook = \"{}\"\n", chat.url()),
    );
    bench.run(&["ingest"]).exits(0);
    chat.answers("500 Internal");
    let ran = refused(&bench, "STORES_US", &["ingest", "-q", "--json"]).exits(4);
    assert_eq!(ran.json()["exit"], 4);
    assert!(ran.stderr.contains("webhook 127.0.0.1: HTTP 500 no; the next run tries again"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hidden"), "{}", ran.stderr);
    assert_eq!(heard(&bench).matches("== broken").count(), 1, "the script heard it");
    chat.answers("302 Found\r\nLocation: /elsewhere");
    chat.take();
    let ran = refused(&bench, "STORES_US", &["ingest", "-q"]).exits(4);
    assert!(ran.stderr.contains("a redirect, which is not followed"), "{}", ran.stderr);
    assert_eq!(chat.take().len(), 1, "and nothing asked for the other place");
    chat.answers("200 OK");
    refused(&bench, "STORES_US", &["ingest", "-q"]).exits(4);
    assert_eq!(chat.subjects(), ["storemirror: store us cannot be listed"]);
    assert_eq!(heard(&bench), "", "and the script is not told twice");

    fs::write(bench.path("broken"), "").unwrap();
    let ran = bench.run(&["ingest", "-q"]).exits(0);
    assert!(ran.stderr.contains("exit status: 7: no way to --to"), "{}", ran.stderr);
    fs::remove_file(bench.path("broken")).unwrap();
    bench.run(&["ingest", "-q"]).exits(0);
    assert!(heard(&bench).starts_with("== recovered | store us | storemirror: resolved: "));
    assert!(!bench.path("x").exists());
}

#[test]
fn a_command_gets_the_text_on_stdin_and_no_secret() {
    let bench = Bench::empty();
    let script = with_script(&bench);
    let bench = with_notify(bench, &format!("command = '\"{script}\" me'\n"));
    refused(&bench, "STORES_US", &["ingest", "--json"]).exits(4).json();
    let said = heard(&bench);
    let first = "== broken | store us | storemirror: store us cannot be listed | me\nstoremirror: store us cannot be listed\n\n";
    assert!(said.starts_with(first), "{said}");
    let variables: Vec<&str> = said.lines().filter(|line| line.starts_with("STOREMIRROR_")).collect();
    assert_eq!(variables.len(), 3, "{variables:?}");
    assert!(!said.contains("hidden"), "{said}");
}

#[test]
fn waiting_for_a_turn_that_never_comes_is_news_and_a_collision_is_not() {
    let chat = Chat::open();
    let bench = with_notify(Bench::empty(), &format!("webhook = \"{}\"\n", chat.url()));
    bench.run(&["ingest"]).exits(0);
    let lock = bench.writers_lock();
    bench.run(&["ingest"]).exits(5);
    assert_eq!(chat.subjects(), NOTHING);
    // a mirror that cannot be opened is said although nothing can be noted in it
    drop(lock);
    let connection = bench.database();
    connection.execute("insert into refinery_schema_history values (9999, 'x', 'x', '1')", []).unwrap();
    bench.run(&["ingest"]).exits(2);
    assert_eq!(chat.subjects(), ["storemirror: the mirror cannot be brought up to date"]);
    bench.run(&["ingest"]).exits(2);
    assert_eq!(chat.subjects(), NOTHING);
    connection.execute("delete from refinery_schema_history where version = 9999", []).unwrap();
    bench.run(&["ingest"]).exits(0);
    assert_eq!(chat.subjects(), ["storemirror: resolved: the mirror cannot be brought up to date"]);
}

#[test]
fn a_store_that_was_disconnected_is_not_spoken_of_again() {
    let chat = Chat::open();
    let notify = format!("webhook = \"{}\"\n", chat.url());
    let options =
        || storemirror::sim::Options { subscriptions: 0, transactions: 0, commissions: 0, ..Default::default() };
    let bench = with_notify(Bench::new(&["us", "eu"], options()), &notify);
    refused(&bench, "STORES_EU", &["ingest", "-q"]).exits(4);
    assert_eq!(chat.subjects(), ["storemirror: store eu cannot be listed"]);
    let config = fs::read_to_string(bench.path("config.toml")).unwrap();
    let (start, end) = (config.find("[stores.eu]").unwrap(), config.find("[crm]").unwrap());
    fs::write(bench.path("config.toml"), format!("{}{}", &config[..start], &config[end..])).unwrap();
    bench.run(&["ingest"]).exits(0);
    assert_eq!(chat.subjects(), NOTHING);
    assert_eq!(bench.run(&["notify", "--json"]).exits(0).json()["troubles"], json!([]));
}

#[test]
fn the_digest_comes_once_a_day_and_only_with_something_new() {
    let chat = Chat::open();
    let options = storemirror::sim::Options::default();
    let notify = format!("webhook = \"{}\"\ndigest = true\n", chat.url());
    let bench = with_notify(Bench::new(&["us"], options), &notify);
    bench.run(&["ingest", "-q"]).exits(0);
    let said = chat.take();
    assert_eq!(said.len(), 1, "{said:?}");
    let report =
        |name: &str| bench.run(&["report", name, "--json"]).exits(0).json()["rows"].as_array().unwrap().clone();
    let missing = report("commissions_missing").into_iter().filter(|row| row["certainty"] == "missing").count();
    let at_risk = report("subscriptions_at_risk");
    assert!(missing > 0 && !at_risk.is_empty());
    let first_digest = said[0].clone();
    let first = first_digest.lines().next().unwrap();
    assert!(
        first.starts_with("storemirror on 2026-03-01: ") && first.contains(&format!("{missing} new missing")),
        "{first}"
    );
    assert!(first.contains(&format!("{} subscription", at_risk.len())), "{first}");
    for row in at_risk {
        let name = row["company_name"].as_str().unwrap();
        assert!(!said[0].contains(name), "{name} in {}", said[0]);
    }

    bench.run(&["ingest", "-q"]).exits(0);
    bench.run_at("2026-03-02T06:00:00Z", &["push", "-q"]);
    assert_eq!(chat.subjects(), NOTHING, "once a day, and after a listing");
    bench.run_at("2026-03-01T23:00:00Z", &["ingest", "-q"]).exits(0);
    assert_eq!(chat.subjects(), NOTHING);
    let sale = r#"{"id":990001,"transaction_id":990001,"transaction_type":"recurring","transaction_date":"2026-02-20 10:00:00","date":1771581600000,"amount":"100.0","usd_amount":"100.0","currency":"USD","pricing_type":"list_price","service_name":"CRM","service_id":2}"#;
    bench.sim.with(|world| world.upsert_record("us", "transactions", "990001", sale.to_owned()));
    bench.run_at("2026-03-02T06:00:00Z", &["ingest", "-q"]).exits(0);
    let said = chat.take();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("us transaction 990001 of 2026-02-20, CRM: 18.00 USD"), "{}", said[0]);
    let entries =
        |text: &str| text.lines().filter(|line| line.starts_with("- us ")).map(str::to_owned).collect::<Vec<_>>();
    for entry in entries(&first_digest) {
        assert!(!said[0].contains(&entry), "{entry} is said again in {}", said[0]);
    }
}

#[test]
fn a_digest_names_customers_only_when_it_may() {
    let bench = Bench::new(&["us"], storemirror::sim::Options::default());
    let script = with_script(&bench);
    let bench = with_notify(bench, &format!("command = [\"{script}\"]\ndigest = \"05:00\"\nnames = true\n"));
    bench.run(&["ingest", "-q"]).exits(0);
    let said = heard(&bench);
    let rows = bench.run(&["report", "subscriptions_at_risk", "--json"]).exits(0).json()["rows"].clone();
    assert!(said.starts_with("== digest | digest | storemirror on 2026-03-01: "), "{said}");
    assert!(said.contains(rows[0]["company_name"].as_str().unwrap()), "{said}");
}

#[test]
fn notify_shows_whom_it_tells_and_tries_it_out() {
    let chat = Chat::open();
    let bench = with_notify(Bench::empty(), &format!("webhook = \"{}\"\n", chat.url()));
    assert_eq!(bench.run(&["notify", "--test", "--json"]).exits(0).json()["channels"][0]["delivered"], true);
    assert_eq!(chat.subjects(), ["storemirror: a test"]);
    chat.answers("404 Not Found");
    let ran = bench.run(&["notify", "--test"]).exits(1);
    assert_eq!(ran.stdout, "webhook 127.0.0.1: failed: HTTP 404 no\n");
    chat.answers("200 OK");
    refused(&bench, "STORES_US", &["ingest", "-q"]).exits(4);
    let shown = bench.run(&["notify", "--json"]).exits(0).json();
    assert_eq!(
        (&shown["troubles"][0]["thing"], &shown["troubles"][0]["told"]),
        (&json!("store us"), &json!(["webhook"]))
    );
    let text = bench.run(&["notify"]).exits(0).stdout;
    assert!(text.contains("store us cannot be listed (since 2026-03-01T06:00:00Z; told: webhook)"), "{text}");
    assert!(!format!("{text}{shown}").contains("hidden"), "{text}");

    let silent = Bench::empty();
    assert!(silent.run(&["notify"]).exits(0).stdout.starts_with("tells nobody"));
    let refusal = silent.run(&["notify", "--test"]).exits(2).stderr;
    assert!(refusal.contains("[notify]") && refusal.contains("docs/notify.md"), "{refusal}");
}

#[test]
fn a_bad_notify_table_is_refused_without_the_address() {
    for (lines, name) in [
        ("webhook = \"http://example.com/hidden-path\"", "webhook"),
        ("webhook = \"hidden-path\"", "webhook"),
        ("command = \"tell 'me\"", "open quote"),
        ("digest = \"noon\"", "noon"),
        ("colour = 1", "colour"),
    ] {
        let bench = with_notify(Bench::empty(), &format!("{lines}\n"));
        let ran = bench.run(&["status"]).exits(2);
        assert!(ran.stderr.contains(name) && ran.stderr.contains("config.toml"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("hidden-path"), "{}", ran.stderr);
    }
}

#[test]
fn a_program_that_is_not_there_or_reads_nothing_stops_nobody() {
    let bench = with_notify(Bench::empty(), "command = \"/nowhere/at/all\"\n");
    let ran = refused(&bench, "STORES_US", &["ingest", "-q"]).exits(4);
    assert!(ran.stderr.contains("a notice did not reach the command /nowhere/at/all: cannot run it"), "{}", ran.stderr);
    let bench = with_notify(Bench::empty(), "command = \"sleep 600\"\ntimeout_seconds = 1\n");
    let ran = refused(&bench, "STORES_US", &["ingest", "-q"]).exits(4);
    assert!(ran.stderr.contains("the command sleep: it took longer than 1 s and was stopped"), "{}", ran.stderr);
    let bench = with_notify(Bench::empty(), "command = \"true\"\n");
    assert!(Command::new("true").status().unwrap().success());
    let ran = refused(&bench, "STORES_US", &["ingest", "-q"]).exits(4);
    assert!(!ran.stderr.contains("notice"), "{}", ran.stderr);
}

/// Every `storemirror …` line of the page's shell blocks runs as it stands there.
#[test]
fn the_pages_commands_run() {
    let chat = Chat::open();
    let bench = with_notify(Bench::empty(), &format!("webhook = \"{}\"\n", chat.url()));
    let mut ran = 0;
    for line in include_str!("../docs/notify.md").lines() {
        if let Some(arguments) = line.strip_prefix("storemirror notify") {
            let arguments: Vec<&str> = std::iter::once("notify").chain(arguments.split_whitespace()).collect();
            bench.run(&arguments).exits(0);
            ran += 1;
        }
    }
    assert_eq!(ran, 2);
}
