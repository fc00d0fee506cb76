//! A clock that is wrong by years, and is put right again: nothing waits for years, nothing is lost, and what was dated
//! wrongly is only dated wrongly.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::push::desk::with;
use crate::support::{Bench, NOW, finish, subscription};

const FUTURE: &str = "2099-01-01T00:00:00Z";
const PAST: &str = "1999-01-01T00:00:00Z";

/// The files of the state folder whose names begin so.
fn state(bench: &Bench, prefix: &str) -> Vec<std::path::PathBuf> {
    let folder = bench.path(".local/state/storemirror");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(prefix)).collect()
}

#[test]
fn runs_dated_years_ahead_or_back_leave_a_mirror_that_goes_on() {
    for first in [FUTURE, PAST] {
        let bench = Bench::empty();
        bench.put_subscriptions(1..=30);
        bench.run_at(first, &["ingest"]).exits(0);
        bench.run_at(first, &["push"]).exits(0);
        bench.put_subscriptions(31..=40);
        let changed = with(&subscription(1), &json!({"status": "inactive"}));
        bench.sim.with(|world| {
            world.upsert_record("us", "subscriptions", "1", changed);
            world.remove_record("us", "subscriptions", "2");
        });
        bench.run(&["ingest"]).exits(0);
        bench.run(&["push"]).exits(0);
        assert_eq!(bench.value::<i64>("select count(*) from subscriptions where removed_at is null"), 39);
        assert_eq!(bench.value::<String>("select status from subscriptions where subscription_id = 1"), "inactive");
        bench.run(&["rebuild"]).exits(0);
        bench.run(&["status"]).exits(0);
        let out = bench.path("out").display().to_string();
        bench.run(&["export", &out]).exits(0);
        assert_eq!(bench.run(&["push", "--json"]).exits(0).json()["requests"], 0);
    }
}

#[test]
fn a_listing_left_open_by_a_run_years_ahead_is_not_taken_up() {
    let bench = Bench::empty().with("us", "page_size = 10\ntimeout_seconds = 1");
    bench.put_subscriptions(1..=25);
    bench.sim.with(|world| world.switches.faults.slow_body_ms = 1);
    let faults = [storemirror::sim::FaultKind::SlowBody, storemirror::sim::FaultKind::LoginPage];
    bench.sim.with(|world| {
        let next = faults.map(|kind| storemirror::sim::NextFault { path: "/us/".to_owned(), kind });
        world.switches.next_faults.extend(next);
    });
    bench.run_at(FUTURE, &["ingest", "subscriptions"]).exits(4);
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["resumed"], &listing["received"]), (0, &json!(false), &json!(25)), "{listing}");
}

/// The real clock was ahead when the token was kept: it looks good for years, and the store knows better.
#[test]
fn a_cached_token_from_the_future_is_replaced_when_it_is_refused() {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=5);
    bench.run(&["ingest"]).exits(0);
    for path in state(&bench, "token-").iter().filter(|path| path.extension().is_some_and(|it| it == "json")) {
        let stale = json!({"access_token": "1000.of-a-clock-that-was-wrong", "expires_at": 95_617_584_000_u64});
        std::fs::write(path, stale.to_string()).unwrap();
    }
    bench.run(&["ingest"]).exits(0);
    bench.run(&["whoami"]).exits(0);
    for expires_at in [json!(u64::MAX), json!(-1), json!("soon"), json!(1e300)] {
        for path in state(&bench, "token-").iter().filter(|path| path.extension().is_some_and(|it| it == "json")) {
            std::fs::write(path, json!({"access_token": "1000.nonsense", "expires_at": expires_at}).to_string())
                .unwrap();
        }
        bench.run(&["ingest"]).exits(0);
        bench.run(&["whoami"]).exits(0);
    }
}

#[test]
fn request_times_from_the_future_are_not_waited_for() {
    let bench = Bench::empty().with("us", "requests_per_minute = 50");
    bench.put_subscriptions(1..=5);
    bench.run(&["ingest"]).exits(0);
    let files = state(&bench, "pace-");
    assert_eq!(files.len(), 1);
    for instant in ["4102444800000", "18446744073709551615", "-1", "noon", ""] {
        std::fs::write(&files[0], format!("{instant}\n").repeat(200)).unwrap();
        let started = Instant::now();
        bench.run(&["ingest"]).exits(0);
        // a minute would pass if they were believed
        assert!(started.elapsed() < Duration::from_secs(45), "{instant}");
    }
}

/// Refused while the clock was years ahead: the next try must not wait for that year.
#[test]
fn a_refusal_dated_years_ahead_does_not_hold_its_record_for_years() {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=3);
    bench.run(&["ingest"]).exits(0);
    let bad = with(&subscription(4), &json!({"email_id": "no address"}));
    bench.sim.with(|world| world.upsert_record("us", "subscriptions", "4", bad));
    bench.run(&["ingest"]).exits(0);
    bench.run_at(FUTURE, &["push"]).exits(3);
    let pushed = bench.run(&["push", "--json"]).exits(3).json();
    assert_eq!(pushed["kinds"][0]["planned"]["held"], 0, "{pushed}");
    assert_eq!(pushed["kinds"][0]["rejected"], 1, "it was sent again at once");
    let pushed = bench.run(&["push", "--json"]).exits(3).json();
    assert_eq!(pushed["kinds"][0]["planned"]["held"], 1, "and is held from now on as ever");
}

/// Credits used while the clock was ahead count for no other day.
#[test]
fn credits_dated_years_ahead_stop_no_push_today() {
    let bench = Bench::empty().with("crm", "daily_credits = 1");
    bench.put_subscriptions(1..=3);
    bench.run(&["ingest"]).exits(0);
    bench.run_at(FUTURE, &["push"]).exits(0);
    bench.put_subscriptions(4..=6);
    bench.run(&["ingest"]).exits(0);
    bench.run(&["push"]).exits(0);
}

#[test]
fn a_wait_until_a_date_is_reckoned_by_the_servers_own_clock() {
    use crate::canned::{Canned, Reply};
    // by our clock that date is years ago or far away; by the server's it is in a second
    for (date, until) in [
        ("Mon, 01 Jan 2080 00:00:00 GMT", "Mon, 01 Jan 2080 00:00:01 GMT"),
        ("Tue, 01 Jan 1980 00:00:00 GMT", "Tue, 01 Jan 1980 00:00:01 GMT"),
    ] {
        let headers: &'static str = format!("Date: {date}\r\nRetry-After: {until}\r\n").leak();
        let canned = Canned::saying(&[Reply(429, headers, String::new()), Reply(200, "", "[]".to_owned())]);
        let started = Instant::now();
        canned.ingest().exits(0);
        assert_eq!(canned.store_requests(), 2);
        assert!(started.elapsed() >= Duration::from_secs(1), "{date}");
    }
}

#[test]
fn an_instant_that_is_none_is_wrong_usage() {
    for now in ["yesterday", "99999-01-01T00:00:00Z", "2026-02-30T00:00:00Z", ""] {
        let mut command = Bench::empty().command(&["status", "--json"]);
        let ran = finish(command.env("STOREMIRROR_NOW", now));
        assert_eq!(ran.exit, if now.is_empty() { ran.exit } else { 2 }, "{now}: {ran:?}");
    }
    let _ = NOW;
}
