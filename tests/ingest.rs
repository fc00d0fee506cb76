//! Listing: every branch of the completeness and removal rules (design, rules 3 and 4), against the simulator.

use serde_json::{Value, json};

use crate::support::{Bench, subscription};

#[track_caller]
fn expect(listing: &Value, expected: Value) {
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&listing[key], value, "{key} of {listing}");
    }
}

/// How a store behaves, how many records it holds → the outcome it must have.
#[test]
fn every_pager_is_judged_as_the_rules_say() {
    let cases = [
        (json!({}), 512, "complete"),
        (json!({ "end": "no_content" }), 512, "complete"),
        (json!({ "end": "empty_body" }), 512, "complete"),
        (json!({ "end": "repeat_last" }), 512, "complete"),
        (json!({ "end": "repeat_first" }), 512, "complete"),
        (json!({ "end": "repeat_last" }), 400, "possibly_truncated"),
        (json!({ "end": "bad_request" }), 512, "possibly_truncated"),
        (json!({}), 0, "complete"),
        (json!({}), 400, "complete"),
        (json!({ "honour_page": false, "per_page_cap": null }), 512, "complete"),
        (json!({ "honour_page": false, "per_page_cap": null }), 500, "possibly_truncated"),
        (json!({ "honour_page": false, "per_page_cap": null }), 150, "complete"),
        (json!({ "honour_page": false, "per_page_cap": null }), 100, "possibly_truncated"),
        (json!({ "honour_page": false, "per_page_cap": 200 }), 512, "possibly_truncated"),
        (json!({ "honour_page": false, "per_page_cap": 200 }), 150, "complete"),
        (json!({ "whole_list": true, "honour_page": false }), 512, "complete"),
        (json!({ "whole_list": true, "honour_page": false }), 500, "possibly_truncated"),
        (json!({ "fixed_page_size": 50 }), 512, "complete"),
        (json!({ "body": "wrapped" }), 512, "complete"),
        (json!({ "body": "numeric_keys" }), 512, "complete"),
    ];
    for (switches, records, outcome) in cases {
        let bench = Bench::empty();
        bench.put_subscriptions(1..=records);
        bench.switch(&switches);
        let (exit, listing) = bench.ingest("subscriptions", &[]);
        assert_eq!(listing["outcome"], outcome, "{switches} with {records} records: {listing}");
        assert_eq!(exit, if outcome == "complete" { 0 } else { 3 }, "{switches} with {records}");
        if switches["per_page_cap"] != 200 {
            assert_eq!(listing["received"], records, "{switches} with {records}");
        }
    }
}

#[test]
fn a_second_run_writes_nothing() {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=230);
    bench.ingest("subscriptions", &[]);
    let rows =
        "select group_concat(payload_id || changed_at || coalesce(removed_at, ''), ',') from subscription_records";
    let before: String = bench.value(rows);
    let ran = bench.run_at("2026-03-02T06:00:00Z", &["ingest", "subscriptions", "--json"]).exits(0);
    expect(&ran.json()["listings"][0], json!({ "new": 0, "changed": 0, "unchanged": 230, "listings": 1 }));
    assert_eq!(bench.value::<String>(rows), before);
    assert_eq!(bench.value::<i64>("select count(*) from payloads"), 230);
}

#[test]
fn a_change_makes_a_version_and_key_order_does_not() {
    let bench = Bench::empty();
    bench.put_subscriptions([1, 2]);
    bench.ingest("subscriptions", &[]);
    bench.sim.with(|world| {
        let changed = subscription(1).replace("\"12.0\"", "\"15.0\"");
        world.upsert_record("us", "subscriptions", "1", changed);
        let reordered =
            subscription(2).replace("{\"id\":2,\"subscription_id\":2,", "{\"subscription_id\": 2, \"id\":2,");
        world.upsert_record("us", "subscriptions", "2", reordered);
    });
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!(exit, 0);
    expect(&listing, json!({ "changed": 1, "unchanged": 1, "new": 0 }));
    assert_eq!(bench.value::<i64>("select count(*) from payloads where record_id = '1'"), 2);
    assert_eq!(bench.value::<i64>("select count(*) from subscription_versions"), 3);
    assert_eq!(bench.value::<f64>("select next_recurring_amount from subscriptions where subscription_id = 1"), 15.0);
}

#[test]
fn what_two_listings_lack_is_removed_and_comes_back() {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=30);
    bench.ingest("subscriptions", &[]);
    bench.sim.with(|world| world.remove_record("us", "subscriptions", "7"));
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!(exit, 0);
    expect(&listing, json!({ "removed": 1, "missing": 0, "listings": 2, "received": 29 }));
    assert_eq!(bench.value::<i64>("select is_live from subscriptions where subscription_id = 7"), 0);
    assert_eq!(bench.value::<f64>("select next_recurring_amount from subscriptions where subscription_id = 7"), 12.0);

    bench.put_subscriptions([7]);
    let (_, listing) = bench.ingest("subscriptions", &[]);
    expect(&listing, json!({ "returned": 1, "unchanged": 29, "received": 30 }));
    assert_eq!(bench.value::<i64>("select is_live from subscriptions where subscription_id = 7"), 1);
    assert_eq!(
        bench.value::<i64>("select max(version) from payloads where record_id = '7'"),
        2,
        "equal content, new version"
    );
}

#[test]
fn what_a_run_removes_is_counted_though_the_run_before_died_as_it_ended() {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=30);
    bench.ingest("subscriptions", &[]);
    bench.sim.with(|world| world.remove_record("us", "subscriptions", "7"));
    bench
        .database()
        .execute_batch(
            "create trigger no_end before update of finished_at on sync_runs begin select raise(abort, 'no'); end",
        )
        .unwrap();
    bench.run(&["ingest", "subscriptions"]).exits(1);
    let removed = "select count(*) from subscriptions where removed_at is not null";
    assert_eq!(bench.value::<i64>(removed), 0, "not half of the end");

    bench.database().execute_batch("drop trigger no_end").unwrap();
    let (_, listing) = bench.ingest("subscriptions", &[]);
    expect(&listing, json!({ "removed": 1, "missing": 0, "resumed": true }));
    assert_eq!(bench.value::<i64>(removed), 1);
    assert_eq!(bench.value::<i64>("select removed from sync_runs order by sync_run_id desc limit 1"), 1);
}

#[test]
fn many_missing_are_suspicious_until_accepted() {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=250);
    bench.ingest("subscriptions", &[]);
    bench.sim.with(|world| {
        (1..=26).for_each(|id| {
            world.remove_record("us", "subscriptions", &id.to_string());
        });
    });
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!(exit, 3);
    expect(&listing, json!({ "outcome": "suspicious", "missing": 26, "removed": 0 }));
    let (exit, listing) = bench.ingest("subscriptions", &["--accept-removals"]);
    assert_eq!(exit, 0);
    expect(&listing, json!({ "outcome": "complete", "missing": 0, "removed": 26 }));
}

#[test]
fn the_brake_counts_what_it_cannot_read_among_the_known() {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=300);
    bench.ingest("subscriptions", &[]);
    bench.sim.with(|world| {
        for id in 1..=100 {
            let broken = subscription(id).replace("\"2026-03-15\"", "{\"day\":15}");
            world.upsert_record("us", "subscriptions", &id.to_string(), broken);
        }
        for id in 201..=225 {
            world.remove_record("us", "subscriptions", &id.to_string());
        }
    });
    // 25 of 300 is less than a tenth
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!(exit, 3);
    expect(&listing, json!({ "outcome": "complete", "quarantined": 100, "removed": 25, "missing": 0 }));
}

#[test]
fn an_emptied_store_is_suspicious() {
    let bench = Bench::empty();
    bench.put_subscriptions([1, 2]);
    bench.ingest("subscriptions", &[]);
    bench.sim.with(|world| ["1", "2"].map(|id| world.remove_record("us", "subscriptions", id)));
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, listing["outcome"].as_str()), (3, Some("suspicious")));
    assert_eq!(bench.value::<i64>("select count(*) from subscriptions where is_live = 1"), 2);
}

#[test]
fn a_truncated_listing_removes_nothing() {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=512);
    bench.ingest("subscriptions", &[]);
    bench.switch(&json!({ "honour_page": false, "per_page_cap": 200 }));
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!((exit, listing["outcome"].as_str()), (3, Some("possibly_truncated")));
    assert_eq!(bench.value::<i64>("select count(*) from subscriptions where removed_at is null"), 512);
}

#[test]
fn a_record_without_an_id_is_kept_apart_and_stops_removals() {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=5);
    bench.ingest("subscriptions", &[]);
    bench.sim.with(|world| {
        world.remove_record("us", "subscriptions", "5");
        world.upsert_record("us", "subscriptions", "no-id", r#"{"subscription_id":null,"org_name":"Nobody"}"#);
    });
    let (exit, listing) = bench.ingest("subscriptions", &[]);
    assert_eq!(exit, 3);
    expect(&listing, json!({ "quarantined": 1, "removed": 0, "missing": 1, "received": 5 }));
    assert_eq!(
        bench.value::<String>("select body from quarantine where record_id is null"),
        r#"{"subscription_id":null,"org_name":"Nobody"}"#
    );
    assert_eq!(bench.value::<i64>("select count(*) from payloads"), 5);
}

#[test]
fn a_version_that_cannot_be_read_is_kept_and_the_row_keeps_its_values() {
    let bench = Bench::empty();
    bench.put_subscriptions([1, 2]);
    bench.ingest("subscriptions", &[]);
    let broken = subscription(1).replace("\"2026-03-15\"", "{\"day\":15}");
    bench.sim.with(|world| {
        world.upsert_record("us", "subscriptions", "1", broken.clone());
        world.upsert_record("us", "subscriptions", "3", r#"{"id":3,"service_id":"many"}"#);
    });
    for _ in 0..2 {
        let (exit, listing) = bench.ingest("subscriptions", &[]);
        assert_eq!(exit, 3);
        expect(&listing, json!({ "quarantined": 2, "unchanged": 1, "received": 3, "outcome": "complete" }));
    }
    assert_eq!(bench.value::<String>("select payload from subscriptions where subscription_id = 1"), broken);
    assert_eq!(
        bench.value::<String>("select next_recurring_date from subscriptions where subscription_id = 1"),
        "2026-03-15"
    );
    assert_eq!(bench.value::<i64>("select count(*) from subscriptions where subscription_id = 3"), 0);
    assert_eq!(bench.value::<String>("select pointer from quarantine where record_id = '1'"), "/next_recurring_date");

    bench.put_subscriptions([1, 3]);
    let (exit, _) = bench.ingest("subscriptions", &[]);
    assert_eq!(exit, 0);
    assert_eq!(bench.value::<i64>("select count(*) from quarantine"), 0);
}

#[test]
fn unknown_fields_and_values_are_counted_per_record() {
    let bench = Bench::empty();
    let odd = |id: u64| subscription(id).replace("\"active\"", "\"live\"").replace("{\"id\"", "{\"moon\":1,\"id\"");
    bench.sim.with(|world| (1..=3).for_each(|id| world.upsert_record("us", "subscriptions", &id.to_string(), odd(id))));
    let count = "select group_concat(pointer || ' ' || coalesce(value, '') || ' ' || records, '; ') from (select * from unknown_values order by pointer)";
    bench.run(&["ingest", "subscriptions"]).exits(0);
    assert_eq!(bench.value::<String>(count), "/moon  3; /status live 3");
    bench.put_subscriptions([2]);
    bench.run(&["ingest", "subscriptions"]).exits(0);
    assert_eq!(bench.value::<String>(count), "/moon  2; /status live 2");
    bench.run(&["rebuild"]).exits(0);
    assert_eq!(bench.value::<String>(count), "/moon  2; /status live 2");
}

#[test]
fn a_failing_store_does_not_stop_the_other() {
    let bench = Bench::new(&["eu", "us"], crate::support::empty_world());
    bench.put_subscriptions([1]);
    let ran = crate::support::finish(
        bench.command(&["ingest", "--json"]).env("STOREMIRROR_STORES_EU_REFRESH_TOKEN", "wrong"),
    )
    .exits(4);
    let listings = ran.json()["listings"].as_array().unwrap().clone();
    let outcome = |position: usize| listings[position]["outcome"].as_str().unwrap().to_owned();
    assert_eq!((outcome(0), outcome(1), outcome(3)), ("failed".into(), "skipped".into(), "complete".into()));
    assert!(!ran.stdout.contains("wrong"), "{}", ran.stdout);
}

#[test]
fn verify_names_what_differs_and_writes_nothing() {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=12);
    bench.run(&["ingest", "subscriptions"]).exits(0);
    let equal = bench.run(&["verify", "subscriptions", "--json"]).exits(0).json();
    expect(
        &equal["listings"][0],
        json!({ "listed": 12, "in_mirror": 12, "not_mirrored": 0, "changed": 0, "not_listed": 0 }),
    );

    bench.put_subscriptions([13]);
    bench.sim.with(|world| {
        world.remove_record("us", "subscriptions", "1");
        world.upsert_record("us", "subscriptions", "2", subscription(2).replace("\"12.0\"", "\"13.0\""));
    });
    let before = std::fs::read(bench.path("mirror.db")).unwrap();
    let ran = bench.run(&["verify", "subscriptions", "--json"]).exits(3);
    expect(
        &ran.json()["listings"][0],
        json!({ "not_mirrored": 1, "changed": 1, "not_listed": 1, "outcome": "complete" }),
    );
    assert_eq!(ran.json()["listings"][0]["examples"], json!({ "differing": ["13", "2"], "not_listed": ["1"] }));
    assert_eq!(std::fs::read(bench.path("mirror.db")).unwrap(), before);
}

#[test]
fn explain_shows_versions_relatives_and_ambiguity() {
    let bench = Bench::new(&["us", "eu"], crate::support::empty_world());
    bench.put_subscriptions([5]);
    bench.sim.with(|world| {
        world.upsert_record("us", "transactions", "9", r#"{"transaction_id":9,"subscription_id":5}"#);
        world.upsert_record(
            "us",
            "commissions",
            "4",
            r#"{"commission_id":4,"subscription":{"subscription_id":77},"transaction":{"transaction_id":9}}"#,
        );
        world.upsert_record("eu", "transactions", "9", r#"{"transaction_id":9}"#);
    });
    bench.run(&["ingest"]).exits(0);
    bench
        .sim
        .with(|world| world.upsert_record("us", "subscriptions", "5", subscription(5).replace("\"12.0\"", "\"13.0\"")));
    bench.run_at("2026-03-02T00:00:00Z", &["ingest"]).exits(0);

    let explained = bench.run(&["explain", "subscriptions", "5", "--json"]).exits(0).json();
    assert_eq!(explained["versions"].as_array().unwrap().len(), 2);
    assert_eq!(
        explained["versions"][1]["changes"],
        json!([
            { "field": "/next_recurring_amount", "from": "12.0", "to": "13.0" },
            { "field": "/next_recurring_amount_usd", "from": "12.0", "to": "13.0" }
        ])
    );
    assert_eq!(
        explained["children"][0],
        json!({ "kind": "transactions", "count": 1, "records": [{ "record_id": "9", "in_mirror": true }] })
    );
    let commission = bench.run(&["explain", "commissions", "us:4", "--json"]).exits(0).json();
    assert_eq!(commission["parents"][0]["records"], json!([{ "record_id": "77", "in_mirror": false }]));

    let ambiguous = bench.run(&["explain", "transactions", "9"]).exits(2);
    assert!(ambiguous.stderr.contains("eu, us") && ambiguous.stderr.contains("eu:9"), "{}", ambiguous.stderr);
    bench.run(&["explain", "transactions", "10"]).exits(2);
    assert!(bench.run(&["explain", "transactions", "eu:9"]).exits(0).stdout.contains("version 1"));
}

#[test]
fn status_tells_age_and_what_is_unknown() {
    let bench = Bench::empty();
    bench.run(&["status"]).exits(0);
    bench.run(&["status", "--max-age", "24"]).exits(3);
    bench.sim.with(|world| {
        world.upsert_record("us", "subscriptions", "1", subscription(1).replace("{\"id\"", "{\"moon\":1,\"id\""));
    });
    bench.run(&["ingest"]).exits(0);
    bench.run(&["status", "--max-age", "24"]).exits(0);
    let later = bench.run_at("2026-03-03T07:00:00Z", &["status", "--max-age", "24", "--json"]).exits(3).json();
    assert_eq!(later["stale"].as_array().unwrap().len(), 3);
    assert_eq!(later["unknown_values"][0]["pointer"], "/moon");
}
