//! Doctor: one finding for each thing that is wrong, its fix beside it, and nothing in it that could not be pasted.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::canned::{Canned, Reply};
use crate::support::{Bench, Ran, finish};

fn state(answer: &Value, check: &str) -> Vec<String> {
    let findings = answer["findings"].as_array().expect("findings").iter();
    findings
        .filter(|finding| finding["check"] == check)
        .map(|finding| finding["state"].as_str().expect("a state").to_owned())
        .collect()
}

/// Nothing that is wrong comes without a fix.
#[track_caller]
fn examined(bench: &Bench, arguments: &[&str], exit: i32) -> Value {
    let answer = bench.run(&[&["doctor", "--json"], arguments].concat()).exits(exit).json();
    for finding in answer["findings"].as_array().unwrap() {
        let is_wrong = finding["state"] == "broken" || finding["state"] == "warning";
        assert!(!is_wrong || finding["fix"].is_string(), "{finding}");
    }
    answer
}

fn small() -> Bench {
    let bench = Bench::empty();
    fs::set_permissions(bench.path(""), fs::Permissions::from_mode(0o700)).unwrap();
    bench.put_subscriptions(1..=3);
    bench.ingest("subscriptions", &[]);
    bench
}

#[test]
fn all_is_well() {
    let bench = small();
    let answer = examined(&bench, &[], 0);
    for check in ["versions", "configuration", "permissions", "file system", "mirror", "connections", "clock", "CRM"] {
        let states = state(&answer, check);
        assert!(!states.is_empty() && states.iter().all(|state| state == "ok"), "{check}: {answer}");
    }
    assert_eq!(state(&answer, "connections").len(), 2);
    assert_eq!((&answer["counts"]["broken"], &answer["error"]), (&json!(0), &Value::Null));
    let requests = bench.sim.with(|world| world.requests().len());
    let offline = examined(&bench, &["--offline"], 0);
    assert_eq!(bench.sim.with(|world| world.requests().len()), requests, "nobody was asked");
    for check in ["connections", "clock", "CRM"] {
        assert!(state(&offline, check).iter().all(|state| state == "skipped"), "{check}: {offline}");
    }
}

#[test]
fn a_report_can_be_pasted() {
    let bench = small();
    bench.run(&["forget", "subscriptions", "1", "--yes"]).exits(0);
    fs::set_permissions(bench.path("mirror.db"), fs::Permissions::from_mode(0o644)).unwrap();
    for arguments in [&["doctor"][..], &["doctor", "--json"]] {
        let ran = bench.run(arguments).exits(1);
        let connection = bench.sim.connection();
        let secrets = [&connection["crm"], &connection["stores"]["us"]].into_iter().flat_map(|party| {
            ["client_id", "client_secret", "refresh_token"].map(|key| party[key].as_str().unwrap().to_owned())
        });
        let folder = bench.path("").to_string_lossy().trim_end_matches('/').to_owned();
        for private in secrets.chain(["example.test".to_owned(), "Company 2".to_owned(), folder]) {
            assert!(!ran.stdout.contains(&private) && !ran.stderr.contains(&private), "{private} in {ran:?}");
        }
    }
}

#[test]
fn what_others_can_read_is_broken() {
    let bench = small();
    fs::write(bench.path("credentials.toml"), "").unwrap();
    fs::set_permissions(bench.path("credentials.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    for (file, mode, fixed) in [
        ("mirror.db", 0o640, 0o600),
        ("credentials.toml", 0o604, 0o600),
        ("config.toml", 0o622, 0o644),
        (".local/state/storemirror", 0o777, 0o700),
    ] {
        fs::set_permissions(bench.path(file), fs::Permissions::from_mode(mode)).unwrap();
        let answer = examined(&bench, &["--offline"], 1);
        assert_eq!(state(&answer, "permissions"), ["broken"], "{file}");
        fs::set_permissions(bench.path(file), fs::Permissions::from_mode(fixed)).unwrap();
        // SQLite gives what a reader leaves beside the mirror the mirror's own mode
        for companion in ["mirror.db-wal", "mirror.db-shm"] {
            let _ = fs::remove_file(bench.path(companion));
        }
        examined(&bench, &["--offline"], 0);
    }
    // files that are closed by themselves, in a folder into which others can look
    fs::set_permissions(bench.path(".local/state/storemirror"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(state(&examined(&bench, &["--offline"], 0), "permissions"), ["warning"]);
}

#[test]
fn a_mirror_that_does_not_hold_together_is_broken() {
    let bench = small();
    bench.database().execute("update payloads set body = '{}' where record_id = '2'", []).unwrap();
    let answer = examined(&bench, &["--offline"], 1);
    assert_eq!(state(&answer, "mirror"), ["broken"]);
    let bench = small();
    bench.database().execute_batch("pragma journal_mode = delete").unwrap();
    let mut bytes = fs::read(bench.path("mirror.db")).unwrap();
    let length = bytes.len();
    bytes[length - 8192 * 3..].fill(0xAA);
    fs::write(bench.path("mirror.db"), bytes).unwrap();
    assert!(state(&examined(&bench, &["--offline"], 1), "mirror").iter().all(|state| state == "broken"));
    fs::write(bench.path("mirror.db"), "no database at all ".repeat(100)).unwrap();
    assert_eq!(state(&examined(&bench, &["--offline"], 1), "mirror"), ["broken"]);
    fs::remove_file(bench.path("mirror.db")).unwrap();
    assert_eq!(state(&examined(&bench, &["--offline"], 0), "mirror"), ["skipped"]);
}

#[test]
fn a_refused_credential_is_told_from_what_else_is_broken() {
    let bench = small();
    let ask = |variable: &str, value: &str| -> Ran {
        let mut command = bench.command(&["doctor", "--json"]);
        // a cached token would still do
        let _ = fs::remove_dir_all(bench.path(".local/state/storemirror"));
        finish(command.env(variable, value))
    };
    for (variable, fix) in [
        ("STOREMIRROR_STORES_US_REFRESH_TOKEN", "storemirror connect store us"),
        ("STOREMIRROR_CRM_REFRESH_TOKEN", "storemirror connect crm"),
    ] {
        let answer = ask(variable, "1000.no.such.token").exits(4).json();
        let findings = answer["findings"].as_array().unwrap();
        let broken: Vec<&Value> = findings.iter().filter(|finding| finding["state"] == "broken").collect();
        assert_eq!(broken.len(), 1, "{answer}");
        assert_eq!((&broken[0]["check"], &broken[0]["fix"]), (&json!("connections"), &json!(fix)));
        assert_eq!(state(&answer, "connections").len(), 2, "the other is asked all the same");
        let missing = ask(variable, "").exits(1).json();
        assert_eq!(state(&missing, "connections").iter().filter(|state| *state == "broken").count(), 1);
    }
}

#[test]
fn a_crm_that_does_not_fit_is_told() {
    let bench = small();
    bench.sim.with(|world| world.crm.remove_field("Partner_Subscriptions", "Org_ID"));
    assert_eq!(state(&examined(&bench, &[], 0), "CRM"), ["warning"]);
    bench.sim.with(|world| world.crm.remove_module("Partner_Commissions"));
    assert_eq!(state(&examined(&bench, &[], 1), "CRM"), ["broken"]);
}

#[test]
fn a_clock_that_is_wrong_is_told_by_the_servers_own() {
    for (date, state_told, exit) in [
        ("Date: Mon, 01 Jan 2001 00:00:00 GMT\r\n", "broken", 1),
        ("Date: Fri, 01 Jan 2100 00:00:00 GMT\r\n", "broken", 1),
        ("Date: some day\r\n", "skipped", 0),
    ] {
        let server = Canned::saying(&[Reply(200, date, "[]".to_owned())]);
        let answer = server.run(&["doctor", "--json"]).exits(exit).json();
        assert_eq!(state(&answer, "clock"), [state_told], "{date}: {answer}");
    }
}

#[test]
fn a_timer_is_a_schedule() {
    let bench = small();
    let folder = bench.path(".config/systemd/user");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("storemirror.timer"), "").unwrap();
    assert_eq!(state(&examined(&bench, &["--offline"], 0), "schedule"), ["ok"]);
}

#[test]
fn bytes_left_by_a_forget_are_broken_and_copies_a_warning() {
    let bench = small();
    bench.run(&["backup", &bench.path("backup.db").to_string_lossy()]).exits(0);
    bench.run(&["restore", &bench.path("backup.db").to_string_lossy(), "--force"]).exits(0);
    assert_eq!(state(&examined(&bench, &["--offline"], 0), "forgotten"), [""; 0]);
    bench.run(&["forget", "subscriptions", "1", "--yes"]).exits(0);
    assert_eq!(state(&examined(&bench, &["--offline"], 0), "forgotten"), ["warning"]);
    let unpurged = "insert into settings values ('forget_unpurged', '2026-03-01T06:00:00Z')";
    Connection::open(bench.path("mirror.db")).unwrap().execute(unpurged, []).unwrap();
    assert_eq!(state(&examined(&bench, &["--offline"], 1), "forgotten"), ["broken", "warning"]);
}

#[test]
fn without_anything_it_says_how_to_begin() {
    let home = tempfile::tempdir().unwrap();
    let mut command = crate::support::program(home.path());
    let ran = finish(command.arg("doctor")).exits(0);
    assert!(ran.stdout.contains("storemirror connect store NAME"), "{}", ran.stdout);
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 100), "{}", ran.stdout);
}
