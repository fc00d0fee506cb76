//! Rebuild makes what ingest made: the cases a storm once found, each by itself.

use serde_json::json;

use crate::support::{Bench, subscription};

/// Rebuilds, and asserts that no row of anything derived became another.
#[track_caller]
fn rebuilds_the_same(bench: &Bench, exit: i32) {
    let ran = bench.run(&["rebuild", "--json"]).exits(exit);
    assert_eq!(ran.json()["changed"], json!([]), "{}", ran.stdout);
}

#[test]
fn a_rebuild_keeps_when_a_quarantined_record_was_last_seen() {
    let bench = Bench::empty();
    let broken = r#"{"id":3,"service_id":"many"}"#;
    bench.sim.with(|world| world.upsert_record("us", "subscriptions", "3", broken));
    bench.run(&["ingest", "subscriptions"]).exits(3);
    bench.run_at("2026-03-02T06:00:00Z", &["ingest", "subscriptions"]).exits(3);
    rebuilds_the_same(&bench, 3);
    let seen = "select first_seen_at || ' ' || last_seen_at from quarantine";
    assert_eq!(bench.value::<String>(seen), "2026-03-01T06:00:00Z 2026-03-02T06:00:00Z");
}

#[test]
fn a_record_that_was_gone_for_no_time_was_not_removed() {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=3);
    bench.ingest("subscriptions", &[]);
    bench.sim.with(|world| world.remove_record("us", "subscriptions", "2"));
    bench.ingest("subscriptions", &[]);
    assert_eq!(bench.value::<i64>("select count(*) from subscription_versions where removed_day is not null"), 1);
    bench.put_subscriptions([2]);
    bench.ingest("subscriptions", &[]);
    assert_eq!(bench.value::<i64>("select count(*) from subscription_versions where removed_day is not null"), 0);
    rebuilds_the_same(&bench, 0);
}

#[test]
fn a_name_that_changes_within_an_instant_is_the_newest_name() {
    let bench = Bench::empty();
    bench.put_subscriptions([1]);
    bench.ingest("subscriptions", &[]);
    let renamed = subscription(1).replace("Company 1", "Company One").replace("\"CRM\"", "\"CRM Plus\"");
    bench.sim.with(|world| world.upsert_record("us", "subscriptions", "1", renamed));
    bench.ingest("subscriptions", &[]);
    assert_eq!(bench.value::<String>("select company_name from customers"), "Company One");
    assert_eq!(bench.value::<String>("select service_name from services"), "CRM Plus");
    rebuilds_the_same(&bench, 0);
}

#[test]
fn a_record_that_stays_unreadable_is_in_quarantine_once() {
    let bench = Bench::empty();
    for (day, service) in [("2026-03-01", "many"), ("2026-03-02", "more")] {
        let broken = format!(r#"{{"id":3,"service_id":"{service}"}}"#);
        bench.sim.with(|world| world.upsert_record("us", "subscriptions", "3", broken));
        bench.run_at(&format!("{day}T06:00:00Z"), &["ingest", "subscriptions"]).exits(3);
    }
    let rows = "select group_concat(first_seen_at || ' ' || last_seen_at || ' ' || body, '; ') from quarantine";
    let expected = r#"2026-03-01T06:00:00Z 2026-03-02T06:00:00Z {"id":3,"service_id":"more"}"#;
    assert_eq!(bench.value::<String>(rows), expected);
    rebuilds_the_same(&bench, 3);
    assert_eq!(bench.value::<String>(rows), expected);
}
