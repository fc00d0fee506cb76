//! `crm verify`: what was edited or deleted in the CRM, and how it is repaired.

use serde_json::{Value, json};

use super::{SUBSCRIPTIONS, crm_switch, crm_value, ingested, lists};

fn crm_id(bench: &crate::support::Bench, name: &str) -> String {
    bench.sim.with(|world| world.crm.record_named(SUBSCRIPTIONS, name).unwrap().id.clone())
}

#[test]
fn edits_and_deletions_are_told_and_repaired() {
    let bench = ingested(1..=5);
    bench.run(&["push"]).exits(0);
    let clean = bench.run(&["crm", "verify", "--json"]).exits(0).json();
    assert_eq!((&clean["kinds"][0]["linked"], &clean["differences"]), (&json!(5), &json!([])));
    let gone = crm_id(&bench, "2");
    bench.sim.with(|world| {
        let edited = world.crm.record_named(SUBSCRIPTIONS, "1").unwrap().id.clone();
        let cleared = world.crm.record_named(SUBSCRIPTIONS, "3").unwrap().id.clone();
        world.crm.set_value(SUBSCRIPTIONS, &edited, "Company_Name", json!("Theirs"));
        world.crm.set_value(SUBSCRIPTIONS, &cleared, "Email", Value::Null);
        world.crm.remove_record(SUBSCRIPTIONS, &gone);
    });
    let links: String = bench.value("select group_concat(crm_id || fields_sha256 || state) from crm_links");
    let told = bench.run(&["crm", "verify", "--json"]).exits(3).json();
    let problem = |id: &str| {
        let all = told["differences"].as_array().unwrap();
        let found = all.iter().find(|one| one["record_id"] == id).unwrap_or_else(|| panic!("{id}: {told}"));
        (found["problem"].clone(), found["fields"].clone())
    };
    let edit = json!({ "Company_Name": { "expected": "Company 1", "found": "Theirs" } });
    assert_eq!(problem("1"), (json!("edited"), edit));
    assert_eq!(problem("2"), (json!("deleted"), json!({})));
    assert_eq!(problem("3").1, json!({ "Email": { "expected": "c3@example.test", "found": null } }));
    assert_eq!(told["differences"].as_array().unwrap().len(), 3);
    let after: String = bench.value("select group_concat(crm_id || fields_sha256 || state) from crm_links");
    assert_eq!(after, links, "without --repair nothing is written");
    let text = bench.run(&["crm", "verify"]).exits(3).stdout;
    assert!(text.contains("Company_Name: Company 1 → Theirs") && text.contains("--repair"), "{text}");

    let repaired = bench.run(&["crm", "verify", "--repair", "--json"]).exits(0).json();
    let push = &repaired["push"]["kinds"][0];
    assert_eq!((&push["updated"], &push["created"]), (&json!(2), &json!(1)), "{repaired}");
    assert_eq!(crm_value(&bench, "1", "Company_Name"), "Company 1");
    assert_eq!(crm_value(&bench, "3", "Email"), "c3@example.test");
    assert_ne!(crm_id(&bench, "2"), gone);
    bench.run(&["crm", "verify"]).exits(0);
    assert_eq!(bench.run(&["push", "--json"]).exits(0).json()["requests"], 0);
}

#[test]
fn a_link_that_is_gone_becomes_a_record_again() {
    let bench = ingested([1, 2]);
    bench.run(&["push"]).exits(0);
    let gone = crm_id(&bench, "1");
    bench.sim.with(|world| world.crm.remove_record(SUBSCRIPTIONS, &gone));
    bench.sim.with(|world| {
        let changed = crate::support::subscription(1).replace("\"active\"", "\"inactive\"");
        world.upsert_record("us", "subscriptions", "1", changed);
    });
    bench.run(&["sync"]).exits(3);
    let state: String = bench.value("select state from crm_links where record_id = '1'");
    assert_eq!(state, "gone");
    bench.run(&["push"]).exits(3);
    bench.run(&["crm", "verify", "--repair"]).exits(0);
    assert_eq!(crm_value(&bench, "1", "Status"), "inactive");
    let left: i64 = bench.value("select count(*) from crm_rejections");
    assert_eq!(left, 0);
    bench.run(&["push"]).exits(0);
}

#[test]
fn the_form_of_a_value_is_no_difference_and_pages_are_full() {
    let bench = ingested(1..=450);
    crm_switch(&bench, json!({ "user_offset_minutes": 330 }));
    bench.run(&["push"]).exits(0);
    let before = lists(&bench);
    bench.run(&["crm", "verify", "subscriptions"]).exits(0);
    assert_eq!(lists(&bench) - before, 3);
}
