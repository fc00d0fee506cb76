//! A run that was cut short, and the next one: what is asked for again, what is not, and what is said of it. Drift too:
//! a store that changes while it is listed.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use storemirror::sim::{Drift, FaultKind, NextFault, Put, World};

use crate::support::{Bench, finish, subscription};

/// Patience with the machine, not with the program: a wait that ends by itself never takes as long.
const PATIENCE: Duration = Duration::from_mins(1);

/// 20 pages of 10 records, the last one full.
fn bench() -> Bench {
    let bench = Bench::empty().with("us", "page_size = 10");
    bench.put_subscriptions(1..=200);
    bench
}

/// Makes every answer take a while, so that a kill finds the run between two pages.
fn slow_down(bench: &Bench, milliseconds: u64) {
    bench.sim.with(|world| {
        world.switches.faults.slow_body_ms = milliseconds;
        world.switches.faults.per_mille = [(FaultKind::SlowBody, if milliseconds > 0 { 1_000 } else { 0 })].into();
    });
}

/// Starts a run and kills it when so many pages of the listing `number` are saved.
fn kill_after(bench: &Bench, number: u32, pages: i64, arguments: &[&str]) {
    slow_down(bench, 60);
    let mut child = bench.start(arguments);
    let started = Instant::now();
    while saved_pages(bench, number).len() < usize::try_from(pages).unwrap() {
        assert!(started.elapsed() < PATIENCE && child.try_wait().unwrap().is_none(), "the run was too fast");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("a kill");
    child.wait().expect("the end");
    slow_down(bench, 0);
    bench.sim.with(World::clear_requests);
}

/// The pages that a killed run left, by their numbers.
fn saved_pages(bench: &Bench, number: u32) -> BTreeSet<i64> {
    if !bench.path("mirror.db").exists() {
        return BTreeSet::new();
    }
    let database = bench.database();
    let sql = "select page from listing_pages where kind = 'subscriptions' and listing = ?1 and page > 0";
    // the tables may still be under way
    let Ok(mut statement) = database.prepare(sql) else { return BTreeSet::new() };
    let pages = statement.query_map([number], |row| row.get(0)).and_then(Iterator::collect);
    pages.unwrap_or_default()
}

/// The pages asked for since the log was cleared, in their order.
fn asked_pages(bench: &Bench) -> Vec<i64> {
    let page = |query: &str| query.split('&').find_map(|part| part.strip_prefix("page=")?.parse().ok());
    bench.sim.with(|world| {
        world.requests().iter().filter(|request| request.host == "us").filter_map(|it| page(&it.query)).collect()
    })
}

fn outcomes(bench: &Bench) -> String {
    bench.value(
        "select group_concat(outcome || ' ' || (finished_at is not null) || ' ' || resumed, '; ')
         from (select * from sync_runs order by sync_run_id)",
    )
}

#[test]
fn a_killed_listing_goes_on_behind_its_last_saved_page() {
    let bench = bench();
    kill_after(&bench, 1, 5, &["ingest", "subscriptions"]);
    assert_eq!(outcomes(&bench), "interrupted 0 0");
    let saved = saved_pages(&bench, 1);
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["outcome"], &listing["resumed"]), (0, &json!("complete"), &json!(true)));
    assert_eq!((&listing["received"], &listing["new"]), (&json!(200), &json!(200)), "{listing}");
    let asked = asked_pages(&bench);
    assert_eq!(asked.first(), saved.last().map(|page| page + 1).as_ref());
    let again: Vec<&i64> = asked.iter().filter(|page| saved.contains(page)).collect();
    assert_eq!(again, [&1], "only page 1 is looked at again, for drift");
    assert_eq!(outcomes(&bench), "complete 1 1", "one listing, one row");
    assert_eq!(bench.value::<i64>("select count(*) from listing_pages"), 0);
}

#[test]
fn a_killed_listing_older_than_an_hour_starts_over() {
    for (now, resumed) in [("2026-03-01T06:59:59Z", true), ("2026-03-01T07:00:00Z", false)] {
        let bench = bench();
        kill_after(&bench, 1, 3, &["ingest", "subscriptions"]);
        let ran = bench.run_at(now, &["ingest", "subscriptions", "--json"]).exits(0);
        let listing = &ran.json()["listings"][0];
        assert_eq!((&listing["resumed"], &listing["received"]), (&json!(resumed), &json!(200)), "{now}");
        assert_eq!(asked_pages(&bench)[0] == 1, !resumed, "{now}");
        let rows = if resumed { "complete 1 1" } else { "interrupted 0 0; complete 1 0" };
        assert_eq!(outcomes(&bench), rows);
    }
}

#[test]
fn no_resume_starts_over() {
    let bench = bench();
    kill_after(&bench, 1, 3, &["ingest", "subscriptions"]);
    let (exit, listing) = bench.ingest("subscriptions", &["--no-resume"]);
    assert_eq!((exit, &listing["resumed"], asked_pages(&bench)[0]), (0, &json!(false), 1));
    assert_eq!(outcomes(&bench), "interrupted 0 0; complete 1 0");
}

#[test]
fn pages_of_another_size_are_not_gone_on_with() {
    let bench = bench();
    kill_after(&bench, 1, 3, &["ingest", "subscriptions"]);
    let text = std::fs::read_to_string(bench.path("config.toml")).unwrap();
    std::fs::write(bench.path("config.toml"), text.replace("page_size = 10", "page_size = 20")).unwrap();
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["resumed"], &listing["received"]), (0, &json!(false), &json!(200)));
}

#[test]
fn a_kill_in_the_confirming_listing_goes_on_there() {
    let bench = bench();
    bench.ingest("subscriptions", &[]);
    bench.sim.with(|world| world.remove_record("us", "subscriptions", "77"));
    kill_after(&bench, 2, 4, &["ingest", "subscriptions"]);
    let saved = saved_pages(&bench, 2);
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["resumed"], &listing["removed"]), (0, &json!(true), &json!(1)), "{listing}");
    assert_eq!((&listing["listings"], &listing["received"]), (&json!(2), &json!(199)), "{listing}");
    assert_eq!(asked_pages(&bench).first(), saved.last().map(|page| page + 1).as_ref());
}

#[test]
fn a_run_killed_while_it_takes_up_a_failed_one_says_interrupted() {
    let bench = bench();
    let fault = |kind| NextFault { path: "/us/".to_owned(), kind };
    bench.sim.with(|world| {
        world.switches.next_faults.push(fault(FaultKind::SlowBody));
        world.switches.next_faults.extend((0..6).map(|_| fault(FaultKind::TooManyRequests)));
    });
    assert_eq!(bench.ingest("subscriptions", &[]).0, 1);
    assert_eq!(outcomes(&bench), "failed 1 0");
    kill_after(&bench, 1, 5, &["ingest", "subscriptions"]);
    assert_eq!(outcomes(&bench), "interrupted 0 1");
    assert_eq!(bench.value::<Option<String>>("select error from sync_runs"), None);
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["received"], outcomes(&bench).as_str()), (0, &json!(200), "complete 1 1"));
}

#[test]
fn kinds_that_were_finished_are_no_part_of_what_is_taken_up() {
    let bench = bench();
    bench.sim.with(|world| {
        for id in 1..=200_u64 {
            world.upsert_record("us", "transactions", &id.to_string(), format!(r#"{{"id":{id}}}"#));
        }
    });
    slow_down(&bench, 30);
    let mut child = bench.start(&["ingest"]);
    let started = Instant::now();
    let is_there = |bench: &Bench| {
        bench.sim.with(|world| {
            world.requests().iter().any(|it| it.query.starts_with("page=4") && it.path.ends_with("transactions"))
        })
    };
    while !is_there(&bench) {
        assert!(started.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("a kill");
    child.wait().expect("the end");
    slow_down(&bench, 0);
    let answer = bench.run(&["ingest", "--json"]).json();
    let resumed: Vec<&Value> = answer["listings"].as_array().unwrap().iter().map(|it| &it["resumed"]).collect();
    assert_eq!(resumed, [&json!(false), &json!(true), &json!(false)]);
}

/// Schedules edits just before the n-th request for subscriptions.
fn drift(bench: &Bench, before_request: u64, put: &[u64], remove: &[u64]) {
    bench.sim.with(|world| {
        world.clear_requests();
        let put = put.iter().map(|id| Put { id: id.to_string(), json: subscription(*id) }).collect();
        let remove = remove.iter().map(ToString::to_string).collect();
        let edit = Drift { kind: "subscriptions".to_owned(), before_request, put, remove };
        world.switches.stores.get_mut("us").unwrap().drift.push(edit);
    });
}

#[test]
fn an_id_on_two_pages_is_a_sign_of_drift() {
    let bench = Bench::empty().with("us", "page_size = 10");
    bench.put_subscriptions(11..=60);
    // ids below all others push one record from each page to the next; page 1 is the same again in the end
    drift(&bench, 3, &[5], &[]);
    drift(&bench, 6, &[], &[5]);
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["listings"], &listing["outcome"]), (0, &json!(2), &json!("complete")), "{listing}");
    assert_eq!(listing["received"], 50);
}

#[test]
fn another_page_1_in_the_end_is_a_sign_of_drift() {
    let bench = Bench::empty().with("us", "page_size = 10");
    bench.put_subscriptions(1..=50);
    // what stood first on page 3 moves up to page 2, which was read already
    drift(&bench, 3, &[], &[4]);
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["listings"], &listing["received"]), (0, &json!(2), &json!(49)), "{listing}");
    assert_eq!(bench.value::<i64>("select count(*) from subscription_records where subscription_id = 21"), 1);
    // 4 was listed in this run: it is for the next one to miss it twice
    assert_eq!((&listing["removed"], &listing["new"]), (&json!(0), &json!(49)));
    assert_eq!(bench.ingest("subscriptions", &[]).1["removed"], 1);
}

#[test]
fn a_known_record_that_slipped_between_two_pages_is_not_removed() {
    let bench = bench();
    bench.ingest("subscriptions", &[]);
    // behind page 1, so that only the missing record tells of it; pages are asked for four at a time, and by the twelfth
    // request the first ones have come
    drift(&bench, 12, &[], &[15]);
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["outcome"], &listing["removed"]), (0, &json!("complete"), &json!(0)), "{listing}");
    assert_eq!((&listing["listings"], &listing["received"]), (&json!(2), &json!(199)));
    assert_eq!(bench.value::<i64>("select count(*) from subscription_records where removed_at is null"), 200);
    let (_, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((&listing["removed"], &listing["listings"]), (&json!(1), &json!(2)));
    let removed = "select group_concat(subscription_id) from subscriptions where removed_at is not null";
    assert_eq!(bench.value::<String>(removed), "15");
}

#[test]
fn a_missing_known_record_is_listed_for_once_more_in_the_same_run() {
    let bench = bench();
    bench.ingest("subscriptions", &[]);
    bench.sim.with(|world| world.remove_record("us", "subscriptions", "8"));
    bench.sim.with(World::clear_requests);
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["listings"], &listing["removed"]), (0, &json!(2), &json!(1)));
    assert!(asked_pages(&bench).iter().filter(|page| **page == 20).count() == 2);
}

#[test]
fn a_record_that_comes_back_between_the_two_listings_stays() {
    let bench = bench();
    bench.ingest("subscriptions", &[]);
    bench.sim.with(|world| world.remove_record("us", "subscriptions", "8"));
    // the first listing takes 22 requests: 20 pages, the empty one, page 1 again
    drift(&bench, 23, &[8], &[]);
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["listings"], &listing["removed"]), (0, &json!(2), &json!(0)), "{listing}");
    assert_eq!((&listing["missing"], &listing["unchanged"]), (&json!(0), &json!(200)));
}

#[test]
fn a_record_that_comes_to_a_page_already_read_is_found_by_the_next_run() {
    let bench = Bench::empty().with("us", "page_size = 10");
    bench.put_subscriptions((1..=50).filter(|id| *id != 13));
    // one comes, one goes, and no page moves: nothing tells of it
    drift(&bench, 4, &[13], &[16]);
    bench.ingest("subscriptions", &[]);
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["received"], &listing["new"]), (0, &json!(49), &json!(1)), "{listing}");
    assert_eq!(listing["removed"], 1);
}

#[test]
fn a_record_that_changes_between_two_listings_of_a_run_has_both_versions() {
    let bench = bench();
    bench.ingest("subscriptions", &[]);
    bench.sim.with(|world| world.remove_record("us", "subscriptions", "200"));
    let changed = subscription(3).replace("Company 3", "Company Three");
    drift(&bench, 23, &[], &[]);
    bench.sim.with(|world| {
        let drift = &mut world.switches.stores.get_mut("us").unwrap().drift;
        drift[0].put.push(Put { id: "3".to_owned(), json: changed });
    });
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["changed"], &listing["unchanged"]), (0, &json!(1), &json!(198)), "{listing}");
    assert_eq!(
        bench.value::<String>("select company_name from subscriptions where subscription_id = 3"),
        "Company Three"
    );
}

#[test]
fn stores_are_listed_side_by_side_and_keep_their_own_records() {
    let bench = Bench::new(&["eu", "us"], crate::support::empty_world());
    let bench = bench.with("us", "page_size = 10").with("eu", "page_size = 10");
    bench.put_subscriptions(1..=60);
    bench.sim.with(|world| {
        for id in 1..=60_u64 {
            let json = subscription(id).replace("Company", "Firma");
            world.upsert_record("eu", "subscriptions", &id.to_string(), json);
        }
    });
    slow_down(&bench, 15);
    let ran = bench.run(&["ingest", "subscriptions", "--json"]).exits(0);
    let received: Vec<Value> =
        ran.json()["listings"].as_array().unwrap().iter().map(|listing| listing["received"].clone()).collect();
    assert_eq!(received, [json!(60), json!(60)]);
    let hosts: Vec<String> = bench.sim.with(|world| world.requests().iter().map(|it| it.host.clone()).collect());
    let place = |host: &str| hosts.iter().rposition(|it| it == host).unwrap();
    let first = |host: &str| hosts.iter().position(|it| it == host).unwrap();
    assert!(first("us") < place("eu") && first("eu") < place("us"), "one after the other: {hosts:?}");
    let names = "select group_concat(company_name, ' / ') from (select * from subscriptions where subscription_id = 7 order by store_id)";
    assert_eq!(bench.value::<String>(names), "Firma 7 / Company 7");
}

/// Starts a run and waits until it says something that contains `words`; then it is killed.
fn run_until_it_says(mut child: Child, words: &str) {
    let mut said = String::new();
    let mut lines = BufReader::new(child.stderr.take().expect("stderr"));
    while !said.contains(words) {
        let length = lines.read_line(&mut said).expect("a line");
        assert!(length > 0, "it ended without saying {words:?}: {said}");
    }
    child.kill().expect("a kill");
    child.wait().expect("the end");
}

fn start_talking(bench: &Bench) -> Child {
    let mut command = bench.command(&["ingest", "subscriptions"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

#[test]
fn a_minutes_requests_are_never_exceeded_by_one_run_or_the_next() {
    let bench = Bench::empty().with("us", "page_size = 10\nrequests_per_minute = 7");
    bench.put_subscriptions(1..=10);
    bench.run(&["ingest", "subscriptions"]).exits(0);
    assert_eq!(asked_pages(&bench).len(), 2);
    bench.put_subscriptions(11..=200);
    run_until_it_says(start_talking(&bench), "requests_per_minute reached; waiting");
    assert_eq!(asked_pages(&bench).len(), 7, "five of this run, two of the one before");
    run_until_it_says(start_talking(&bench), "requests_per_minute reached; waiting");
    assert_eq!(asked_pages(&bench).len(), 7);
}

#[test]
fn a_server_that_is_not_there_is_said_and_loses_nothing() {
    let bench = bench();
    kill_after(&bench, 1, 4, &["ingest", "subscriptions"]);
    let text = std::fs::read_to_string(bench.path("config.toml")).unwrap();
    // nobody listens on the discard port of this machine
    std::fs::write(bench.path("down.toml"), text.replace(&bench.sim.base_url(), "http://127.0.0.1:9")).unwrap();
    let mut command = bench.command(&["ingest", "subscriptions", "--db"]);
    command.arg(bench.path("mirror.db")).env("STOREMIRROR_CONFIG", bench.path("down.toml"));
    let ran = finish(&mut command).exits(1);
    assert!(ran.stdout.contains("nothing answers at http://127.0.0.1:9/"), "{ran:?}");
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, &listing["resumed"], &listing["received"]), (0, &json!(true), &json!(200)));
}

/// Waits until the simulator has seen a request for subscriptions.
fn wait_for_a_request(bench: &Bench) {
    let started = Instant::now();
    while asked_pages(bench).is_empty() {
        assert!(started.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn ctrl_c_is_no_failure_and_the_next_run_goes_on() {
    let bench = bench();
    slow_down(&bench, 60);
    let mut command = bench.command(&["ingest", "subscriptions", "--json"]);
    let child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
    while saved_pages(&bench, 1).len() < 2 {
        std::thread::sleep(Duration::from_millis(2));
    }
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill is there").success());
    let output = child.wait_with_output().expect("the end");
    assert_eq!(output.status.code(), Some(130));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(answer["exit"], 130);
    assert_eq!(outcomes(&bench), "interrupted 0 0");
    slow_down(&bench, 0);
    assert_eq!(bench.ingest("subscriptions", &[]).1["resumed"], true);
}

#[test]
fn two_runs_at_once_are_refused() {
    let bench = bench();
    slow_down(&bench, 60);
    let mut child = bench.start(&["ingest", "subscriptions"]);
    wait_for_a_request(&bench);
    let ran = finish(&mut bench.command(&["ingest", "--json"])).exits(5);
    assert_eq!(ran.json()["error"]["code"], "locked");
    child.kill().expect("a kill");
    child.wait().expect("the end");
}
