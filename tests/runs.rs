//! What became of the newest runs, where `status` finds it: said until it is made good, and never a secret.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Bench, finish};

fn failures(bench: &Bench) -> Vec<Value> {
    bench.run(&["status", "--json"]).exits(0).json()["failures"].as_array().unwrap().clone()
}

/// Runs with a refresh token that the accounts server refuses.
fn refused(bench: &Bench, party: &str, arguments: &[&str], exit: i32) {
    let variable = format!("STOREMIRROR_{party}_REFRESH_TOKEN");
    finish(bench.command(arguments).env(variable, "1000.hidden-word")).exits(exit);
}

#[test]
fn a_failed_ingest_is_told_until_every_kind_was_listed() {
    let bench = Bench::empty();
    bench.run(&["ingest"]).exits(0);
    assert_eq!(failures(&bench), Vec::<Value>::new());
    refused(&bench, "STORES_US", &["ingest", "-q"], 4);
    let told = failures(&bench);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        [&told[0]["command"], &told[0]["run"], &told[0]["store_id"], &told[0]["exit"], &told[0]["code"]],
        [&json!("ingest"), &json!("ingest"), &json!("us"), &json!(4), &json!("credentials")]
    );
    assert_eq!(told[0]["kinds"], json!(["subscriptions", "transactions", "commissions"]));
    assert!(told[0]["hint"].as_str().unwrap().contains("connect store us"), "{told:?}");
    let text = bench.run(&["status"]).exits(0).stdout;
    assert!(text.contains("`ingest` failed just now with exit 4") && text.contains("connect store us"), "{text}");
    assert!(!format!("{text}{told:?}").contains("hidden-word"));

    bench.run(&["ingest", "transactions"]).exits(0);
    assert_eq!(failures(&bench)[0]["kinds"], json!(["subscriptions", "commissions"]));
    bench.run(&["sync"]).exits(0);
    assert_eq!(failures(&bench), Vec::<Value>::new());
}

#[test]
fn a_failed_push_is_told_until_the_next_push() {
    let bench = Bench::empty();
    bench.put_subscriptions([1]);
    refused(&bench, "CRM", &["sync", "-q"], 4);
    let told = failures(&bench);
    assert_eq!((told.len(), &told[0]["command"], &told[0]["run"]), (1, &json!("push"), &json!("sync")));
    bench.run(&["ingest"]).exits(0);
    assert_eq!(failures(&bench).len(), 1, "an ingest makes no push good");
    bench.run(&["push", "--dry-run"]).exits(0);
    assert_eq!(failures(&bench).len(), 1, "nor does a dry run");
    bench.run(&["push"]).exits(0);
    assert_eq!(failures(&bench), Vec::<Value>::new());

    finish(bench.command(&["sync", "-q"]).env_remove("STOREMIRROR_CRM_CLIENT_SECRET")).exits(0);
    bench.put_subscriptions([2]);
    finish(bench.command(&["sync", "-q"]).env_remove("STOREMIRROR_CRM_CLIENT_SECRET")).exits(2);
    assert_eq!(failures(&bench)[0]["exit"], 2, "secrets that are missing are only missed when something is sent");
}

#[test]
fn a_run_that_never_had_its_turn_is_told() {
    let bench = Bench::empty();
    bench.run(&["ingest"]).exits(0);
    let lock = bench.writers_lock();
    bench.run(&["ingest"]).exits(5);
    bench.run(&["ingest"]).exits(5);
    let told = failures(&bench);
    assert_eq!((told.len(), &told[0]["exit"], &told[0]["store_id"]), (1, &json!(5), &Value::Null));
    drop(lock);
    bench.run(&["ingest"]).exits(0);
    assert_eq!(failures(&bench), Vec::<Value>::new());
}

#[test]
fn a_killed_run_leaves_a_trace() {
    let bench = Bench::empty();
    bench.run(&["ingest"]).exits(0);
    let lock = bench.writers_lock();
    let mut child = bench.command(&["ingest", "--wait", "5"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stderr.take().unwrap()), &mut said).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(lock);
    let unfinished = |bench: &Bench| bench.run(&["status", "--json"]).exits(0).json()["unfinished"].clone();
    assert_eq!(unfinished(&bench)[0]["run"], "ingest");
    let text = bench.run(&["status"]).exits(0).stdout;
    assert!(text.contains("it was killed, or is still running"), "{text}");
    bench.run(&["push"]).exits(0);
    assert_eq!(unfinished(&bench)[0]["run"], "ingest", "a push of the same instant says nothing of it");
    bench.run_at("2026-03-02T06:00:00Z", &["sync"]).exits(0);
    assert_eq!(unfinished(&bench), json!([]));
}

#[test]
fn a_state_folder_that_cannot_be_written_to_stops_no_push() {
    let bench = Bench::empty();
    bench.run(&["ingest"]).exits(0);
    let state = bench.path("not-a-folder");
    fs::write(&state, "").unwrap();
    let ran = finish(bench.command(&["push"]).env("XDG_STATE_HOME", &state)).exits(0);
    assert!(ran.stderr.contains("cannot be kept"), "{}", ran.stderr);
}
