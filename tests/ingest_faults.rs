//! Every fault and error of the store contract, each by its name: what is asked again, what ends a run, with which exit
//! code, and that whatever was received is kept.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use storemirror::sim::{FaultKind, NextFault, World};

use crate::canned::{Canned, Reply};
use crate::support::{Bench, finish};

/// A store with three pages.
fn bench() -> Bench {
    let bench = Bench::empty().with("us", "page_size = 10");
    bench.put_subscriptions(1..=25);
    bench
}

/// The next requests whose path contains `path` are spoiled so.
fn spoil(bench: &Bench, path: &str, kinds: &[FaultKind]) {
    bench.sim.with(|world| {
        let faults = kinds.iter().map(|kind| NextFault { path: path.to_owned(), kind: *kind });
        world.switches.next_faults.extend(faults);
    });
}

/// Requests in the simulator's log to `host` (`us`, `accounts`).
fn requests(bench: &Bench, host: &str) -> usize {
    bench.sim.with(|world| world.requests().iter().filter(|request| request.host == host).count())
}

/// One spoiled answer is asked for again, and nothing is missing in the end.
#[track_caller]
fn is_asked_again(kind: FaultKind) -> Duration {
    // only a stall should meet the time-out, however slow the machine
    let bench = if kind == FaultKind::Stall { bench().with("us", "timeout_seconds = 1") } else { bench() };
    spoil(&bench, "/us/", &[kind]);
    let started = Instant::now();
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!(exit, 0, "{listing}");
    assert_eq!((&listing["outcome"], &listing["received"]), (&json!("complete"), &json!(25)));
    assert_eq!(listing["error"], Value::Null);
    // three pages, the empty one, page 1 again, and the one that failed
    assert_eq!((&listing["requests"], requests(&bench, "us")), (&json!(6), 6));
    started.elapsed()
}

#[test]
fn too_many_requests_with_a_time_waits_for_it() {
    assert!(is_asked_again(FaultKind::TooManyRequestsRetryAfter) >= Duration::from_secs(1));
}

#[test]
fn too_many_requests_without_a_time_waits_as_configured() {
    assert!(is_asked_again(FaultKind::TooManyRequests) < Duration::from_secs(20));
    let bench = bench().with("us", "throttle_wait_seconds = 1");
    spoil(&bench, "/us/", &[FaultKind::TooManyRequests]);
    let started = Instant::now();
    assert_eq!(bench.ingest("subscriptions", &[]).0, 0);
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[test]
fn an_internal_error_is_asked_again() {
    is_asked_again(FaultKind::InternalError);
}

#[test]
fn a_bad_gateways_web_page_is_no_login_page() {
    is_asked_again(FaultKind::BadGateway);
}

#[test]
fn a_reset_connection_is_asked_again() {
    is_asked_again(FaultKind::Reset);
}

#[test]
fn a_stalled_answer_times_out_and_is_asked_again() {
    assert!(is_asked_again(FaultKind::Stall) >= Duration::from_secs(1));
}

#[test]
fn a_body_shorter_than_announced_is_asked_again() {
    is_asked_again(FaultKind::Truncated);
}

#[test]
fn cut_json_of_the_right_length_is_asked_again() {
    is_asked_again(FaultKind::BadJson);
}

#[test]
fn a_lost_answer_is_asked_again() {
    is_asked_again(FaultKind::LostAnswer);
}

#[test]
fn a_slow_answer_that_never_stops_for_long_is_waited_for() {
    let bench = bench().with("us", "timeout_seconds = 2");
    // each piece comes within the time-out, the whole does not
    bench.sim.with(|world| world.switches.faults.slow_body_ms = 2_400);
    spoil(&bench, "/us/", &[FaultKind::SlowBody]);
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["requests"]), (0, &json!(5)), "{listing}");
}

#[test]
fn a_store_that_only_throttles_is_given_up_and_taken_up_again() {
    let bench = bench();
    let (exit, _) = bench.ingest("subscriptions", &[]);
    assert_eq!(exit, 0);
    bench.put_subscriptions(26..=45);
    bench.sim.with(World::clear_requests);
    // page 1 comes, then one request more often than any is repeated is refused
    spoil(&bench, "/us/", &[FaultKind::SlowBody]);
    spoil(&bench, "/us/", &[FaultKind::TooManyRequests; 20]);
    let ran = bench.run(&["ingest", "subscriptions", "--json"]).exits(1);
    let listing = &ran.json()["listings"][0];
    assert_eq!((&listing["outcome"], &listing["received"]), (&json!("failed"), &json!(10)), "{listing}");
    assert_eq!(ran.json()["error"]["code"], "network");
    assert_eq!(bench.value::<String>("select outcome from sync_runs order by sync_run_id desc limit 1"), "failed");
    assert_eq!(bench.value::<String>("select state from coverage where kind = 'subscriptions'"), "complete");

    bench.sim.with(|world| world.switches.next_faults.clear());
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["resumed"], &listing["received"]), (0, &json!(true), &json!(45)));
    assert_eq!(listing["new"], 20);
}

#[test]
fn throttle_words_are_understood_whatever_the_status() {
    let words = r#"{"error_description":"You have made too many requests continuously. Please try again after some time.","error":"Access Denied","status":"failure"}"#;
    for status in [200, 400] {
        let canned = Canned::saying(&[Reply(status, "", words.to_owned()), Reply(200, "", "[]".to_owned())]);
        let ran = canned.ingest().exits(0);
        assert_eq!(ran.json()["listings"][0]["requests"], 2, "{status}");
    }
}

#[test]
fn a_wait_longer_than_a_quarter_of_an_hour_is_given_up_at_once() {
    let canned = Canned::saying(&[Reply(429, "Retry-After: 3600\r\n", String::new())]);
    let ran = canned.ingest().exits(1);
    assert_eq!((canned.store_requests(), &ran.json()["error"]["code"]), (1, &json!("network")));
}

#[test]
fn an_expired_token_is_renewed_once() {
    let bench = bench();
    bench.ingest("subscriptions", &[]);
    bench.sim.with(|world| {
        world.expire_tokens();
        world.clear_requests();
    });
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["outcome"]), (0, &json!("complete")));
    assert_eq!((requests(&bench, "accounts"), &listing["requests"]), (1, &json!(6)));
}

#[test]
fn a_second_refusal_of_a_new_token_ends_the_run() {
    let bench = bench();
    spoil(&bench, "/us/", &[FaultKind::InvalidToken, FaultKind::InvalidToken]);
    let ran = bench.run(&["ingest", "subscriptions", "--json"]).exits(4);
    assert_eq!(ran.json()["error"]["code"], "credentials");
    assert_eq!((requests(&bench, "accounts"), requests(&bench, "us")), (2, 2));
}

#[test]
fn a_revoked_refresh_token_is_a_matter_of_credentials() {
    for status in [200, 400, 401] {
        let bench = bench();
        bench.sim.with(|world| world.switches.accounts.error_status = status);
        let mut command = bench.command(&["ingest", "--json"]);
        let ran = finish(command.env("STOREMIRROR_STORES_US_REFRESH_TOKEN", "1000.revoked")).exits(4);
        let error = &ran.json()["error"];
        assert_eq!(error["code"], "credentials", "{status}");
        assert!(error["message"].as_str().unwrap().contains("invalid_code"), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("connect store us"), "{error}");
        assert!(!format!("{ran:?}").contains("1000.revoked"), "a secret is shown: {ran:?}");
        assert_eq!(requests(&bench, "us"), 0);
        assert_eq!(ran.json()["listings"][1]["outcome"], "skipped");
    }
}

#[test]
fn a_throttled_token_endpoint_is_waited_for_whatever_its_status() {
    for status in [200, 400] {
        let bench = bench();
        bench.sim.with(|world| world.switches.accounts.throttle_status = status);
        spoil(&bench, "/oauth/", &[FaultKind::TokenThrottle]);
        let (exit, _) = bench.ingest("subscriptions", &[]);
        assert_eq!((exit, requests(&bench, "accounts")), (0, 2), "{status}");
    }
}

#[test]
fn a_token_endpoint_that_only_throttles_is_no_matter_of_credentials() {
    let bench = bench();
    bench.sim.with(|world| world.switches.accounts.tokens_per_window = 0);
    let ran = bench.run(&["ingest", "subscriptions", "--json"]).exits(1);
    assert_eq!((&ran.json()["error"]["code"], requests(&bench, "us")), (&json!("network"), 0), "{ran:?}");
}

#[test]
fn a_broken_token_endpoint_is_asked_again() {
    for kind in [FaultKind::BadGateway, FaultKind::LoginPage, FaultKind::BadJson] {
        let bench = bench();
        spoil(&bench, "/oauth/", &[kind]);
        let (exit, _) = bench.ingest("subscriptions", &[]);
        assert_eq!((exit, requests(&bench, "accounts")), (0, 2), "{kind:?}");
    }
}

#[test]
fn a_login_page_ends_the_run_and_keeps_what_came_before() {
    let bench = bench();
    spoil(&bench, "/us/", &[FaultKind::SlowBody, FaultKind::LoginPage]);
    let ran = bench.run(&["ingest", "subscriptions", "--json"]).exits(4);
    assert_eq!(ran.json()["error"]["code"], "credentials");
    assert_eq!(bench.value::<i64>("select count(*) from subscription_records"), 10);
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["resumed"], &listing["received"]), (0, &json!(true), &json!(25)));
}

#[test]
fn a_forbidden_list_is_a_matter_of_credentials() {
    let body = r#"{"code":"OAUTH_SCOPE_MISMATCH","message":"invalid oauth scope","status":"error"}"#;
    let canned = Canned::saying(&[Reply(403, "", body.to_owned())]);
    let ran = canned.ingest().exits(4);
    let error = &ran.json()["error"];
    assert_eq!((&error["code"], canned.store_requests()), (&json!("credentials"), 1));
    assert!(error["message"].as_str().unwrap().contains("OAUTH_SCOPE_MISMATCH"), "{error}");
}

#[test]
fn a_refusal_shows_its_status_and_no_more_than_300_bytes() {
    let body = format!("{}{}", "ä".repeat(160), "x".repeat(5_000));
    let canned = Canned::saying(&[Reply(400, "", body)]);
    let ran = canned.ingest().exits(1);
    let message = ran.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("HTTP 400 ää") && !message.contains('x'), "{message}");
    assert_eq!((&ran.json()["error"]["code"], canned.store_requests()), (&json!("store"), 1));
    assert!(!format!("{ran:?}").contains("secret"), "{ran:?}");
}

#[test]
fn an_error_object_with_status_200_is_a_refusal() {
    let canned = Canned::saying(&[Reply(200, "", r#"{"code":"NOT_A_PARTNER","data":[]}"#.to_owned())]);
    let ran = canned.ingest().exits(1);
    assert!(ran.json()["error"]["message"].as_str().unwrap().contains("NOT_A_PARTNER"), "{ran:?}");
}

#[test]
fn a_redirect_is_told_and_not_followed() {
    let canned = Canned::saying(&[Reply(302, "Location: /elsewhere\r\n", String::new())]);
    canned.ingest().exits(1);
    assert!(canned.store_requests() == 1 && !canned.was_asked_for("/elsewhere"));
}

#[test]
fn a_refusal_behind_page_1_leaves_the_list_possibly_truncated() {
    let page = crate::support::subscription(1);
    let canned = Canned::saying(&[Reply(200, "", format!("[{page}]")), Reply(404, "", "no such page".to_owned())]);
    let ran = canned.ingest().exits(3);
    let listing = &ran.json()["listings"][0];
    assert_eq!((&listing["outcome"], &listing["received"]), (&json!("possibly_truncated"), &json!(1)));
    assert!(listing["error"].as_str().unwrap().contains("no such page"), "{listing}");
}
