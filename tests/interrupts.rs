//! Ctrl-C in the middle of every long command: exit 130, a sentence on what it leaves behind, one JSON object with
//! `--json`, and the same command again ends as if nothing had been.
#![cfg(unix)]

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use storemirror::sim::{FaultKind, Options, World};

use crate::support::{Bench, Ran};

/// How long an answer takes: no run is over before Ctrl-C comes, and none waits long for its token.
const SLOW_MS: u64 = 600;
/// A hang is a failure, not a wait.
const PATIENCE: Duration = Duration::from_secs(60);

fn bench() -> Bench {
    Bench::new(&["us"], Options { subscriptions: 40, transactions: 120, commissions: 90, ..Options::default() })
}

fn press(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is there");
    assert!(sent.success());
}

/// Starts a command, waits until `begun`, presses Ctrl-C, and gives what is left.
fn interrupted(bench: &Bench, line: &str, begun: impl Fn(&Bench, &mut Child)) -> Ran {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    let mut command = bench.command(&arguments);
    command.current_dir(bench.path("")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    begun(bench, &mut child);
    press(&child);
    let (mut stdout, mut stderr) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    Ran { exit: child.wait().unwrap().code().unwrap_or(-1), stdout, stderr }
}

/// Every answer comes so slowly that a run is always in the middle of one.
fn slow(bench: &Bench, milliseconds: u64) {
    bench.sim.with(|world| {
        world.switches.faults.slow_body_ms = milliseconds;
        world.switches.faults.per_mille = [(FaultKind::SlowBody, if milliseconds > 0 { 1_000 } else { 0 })].into();
    });
}

/// Waits until the simulator's host was asked for something that comes slowly.
fn asked(host: &'static str) -> impl Fn(&Bench, &mut Child) {
    move |bench, _| wait(|| bench.sim.with(|world| world.requests().iter().any(|request| request.host == host)))
}

fn wait(mut until: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !until() {
        assert!(started.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until another process writes to the mirror.
fn writing(bench: &Bench, _: &mut Child) {
    let database = bench.database();
    database.busy_timeout(Duration::ZERO).unwrap();
    wait(|| match database.execute_batch("begin immediate") {
        Ok(()) => {
            database.execute_batch("rollback").unwrap();
            false
        }
        Err(_) => true,
    });
}

/// A trigger that never ends: whatever writes to the table is in the middle of it until it is stopped.
fn hang(bench: &Bench, table: &str) {
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
    let trigger = format!("create trigger hang after insert on {table} begin select * from endless; end");
    bench.database().execute_batch(&format!("create view endless as {endless}; {trigger}")).unwrap();
}

fn unhang(bench: &Bench) {
    bench.database().execute_batch("drop trigger hang; drop view endless").unwrap();
}

#[track_caller]
fn says(ran: Ran, words: &str) {
    let ran = ran.exits(130);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
}

#[test]
fn listing_goes_on_from_what_was_saved() {
    for line in ["ingest", "sync"] {
        let bench = bench();
        slow(&bench, SLOW_MS);
        says(interrupted(&bench, line, asked("us")), "everything received is saved");
        slow(&bench, 0);
        bench.run(&[line]).exits(0);
        bench.run(&["verify"]).exits(0);
    }
}

#[test]
fn a_comparison_leaves_nothing_behind() {
    let bench = bench();
    bench.run(&["ingest"]).exits(0);
    bench.sim.with(World::clear_requests);
    slow(&bench, SLOW_MS);
    says(interrupted(&bench, "verify", asked("us")), "nothing was changed");
    bench.sim.with(World::clear_requests);
    let ran = interrupted(&bench, "verify --json", asked("us")).exits(130);
    assert_eq!((ran.json()["exit"].as_i64(), ran.json()["command"].as_str()), (Some(130), Some("verify")));
}

#[test]
fn a_push_goes_on_with_what_is_not_acknowledged() {
    let bench = bench();
    bench.run(&["ingest"]).exits(0);
    slow(&bench, SLOW_MS);
    says(interrupted(&bench, "push", asked("crm")), "everything the CRM acknowledged is noted");
    slow(&bench, 0);
    bench.run(&["push"]).exits(0);
    assert_eq!(bench.run(&["push", "--json"]).exits(0).json()["requests"], 0);
    bench.run(&["crm", "verify"]).exits(0);
}

#[test]
fn a_rebuild_is_taken_back() {
    let bench = bench();
    bench.run(&["ingest"]).exits(0);
    let rows = || bench.value::<i64>("select count(*) from transaction_records");
    let before = rows();
    hang(&bench, "transaction_records");
    says(interrupted(&bench, "rebuild", writing), "the mirror is as it was");
    assert_eq!(rows(), before);
    unhang(&bench);
    bench.run(&["rebuild"]).exits(0);
}

#[test]
fn a_statement_is_frozen_whole_or_not_at_all() {
    let bench = bench();
    bench.run(&["ingest"]).exits(0);
    hang(&bench, "statements");
    says(interrupted(&bench, "statement 2026-01", writing), "the mirror is as it was");
    assert_eq!(bench.value::<i64>("select count(*) from statements"), 0);
    unhang(&bench);
    bench.run(&["statement", "2026-01"]).exits(0);
}

#[test]
fn an_export_leaves_whole_files() {
    let bench = bench();
    bench.run(&["ingest"]).exits(0);
    std::fs::create_dir(bench.path("mine")).unwrap();
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) as i from n";
    std::fs::write(bench.path("mine/freshnesz.sql"), endless).unwrap();
    let at_it = |bench: &Bench, _: &mut Child| wait(|| bench.path("out/freshness.csv").exists());
    let ran = interrupted(&bench, "export out --queries mine --json", at_it).exits(130);
    assert_eq!(ran.json()["error"]["code"], "interrupted");
    assert!(!bench.path("out/manifest.json").exists());
    let names = std::fs::read_dir(bench.path("out")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| name.to_string_lossy().ends_with(".csv")));
    bench.run(&["export", &bench.path("out").display().to_string()]).exits(0);
}

#[test]
fn a_demo_can_be_begun_again() {
    let bench = bench();
    let at_it = |bench: &Bench, _: &mut Child| wait(|| bench.path("tour/mirror.db").exists());
    let ran = interrupted(&bench, "demo tour -q", at_it);
    says(ran, "the same command makes the folder anew");
    // what an earlier demo is known by
    assert!(std::fs::read_to_string(bench.path("tour/config.toml")).unwrap().starts_with("# Made by"));
}

/// An upgrade of the file is one long call that the first Ctrl-C cannot stop; the second ends the process.
#[test]
fn a_second_ctrl_c_ends_whatever_runs() {
    let bench = bench();
    bench.run(&["ingest"]).exits(0);
    hang(&bench, "transaction_records");
    bench.database().execute_batch("update settings set value = 'old' where name = 'mapping_version'").unwrap();
    let mut child = bench.start(&["ingest"]);
    writing(&bench, &mut child);
    // two that come at once may be heard as one
    wait(|| {
        let ended = child.try_wait().unwrap();
        if ended.is_none() {
            press(&child);
        }
        ended.is_some()
    });
    assert_eq!(child.wait().unwrap().code(), Some(130));
    unhang(&bench);
    bench.run(&["ingest"]).exits(0);
    bench.run(&["verify"]).exits(0);
}
