//! `crm link`: records that stand in the CRM under our names stay the same records.

use serde_json::{Value, json};

use super::{SUBSCRIPTIONS, add_to_crm, crm_value, ingested, lists};

#[test]
fn names_are_linked_across_pages_and_ambiguous_ones_left_alone() {
    let bench = ingested([1, 2, 3, 9_000]);
    for number in 5..2_450 {
        add_to_crm(&bench, SUBSCRIPTIONS, json!({ "Name": number.to_string() }));
    }
    let one = add_to_crm(&bench, SUBSCRIPTIONS, json!({ "Name": "1", "Company_Name": "Ours" }));
    let twins = [2, 2].map(|_| add_to_crm(&bench, SUBSCRIPTIONS, json!({ "Name": "2" })));
    let last = add_to_crm(&bench, SUBSCRIPTIONS, json!({ "Name": "9000" }));
    let link = bench.run(&["crm", "link", "subscriptions", "--json"]).exits(3).json();
    let kind = &link["kinds"][0];
    assert_eq!((&kind["listed"], &kind["linked"], &kind["complete"]), (&json!(2_449), &json!(2), &json!(true)));
    assert_eq!(kind["ambiguous"], json!([{ "name": "2", "crm_ids": twins }]));
    assert_eq!(lists(&bench), 13, "two hundred a page");
    let linked: String =
        bench.value("select group_concat(crm_id) from (select crm_id from crm_links order by record_id)");
    assert_eq!(linked, format!("{one},{last}"));
    let name: String = bench.value("select record_name from stores");
    assert_eq!(name, "{id}", "a linked name is decided");

    let push = bench.run(&["push", "--json"]).exits(3).json();
    let kind = &push["kinds"][0];
    assert_eq!((&kind["adopted"], &kind["created"], &kind["planned"]["held"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!(lists(&bench), 13, "with links there is nothing to look for");
    assert_eq!(crm_value(&bench, "1", "Company_Name"), "Company 1");
    assert_eq!(crm_value(&bench, "2", "Company_Name"), Value::Null, "neither of the twins is written over");
}

/// Twins in the CRM: nobody but its owner knows which of them is ours.
#[test]
fn a_name_that_several_records_bear_is_held_until_one_is_left() {
    let bench = ingested([1, 2]);
    bench.sim.with(|world| world.upsert_record("us", "transactions", "1002", crate::push::desk::transaction(1002, 2)));
    bench.run(&["ingest"]).exits(0);
    let twins = [2, 2].map(|_| add_to_crm(&bench, SUBSCRIPTIONS, json!({ "Name": "2" })));
    let first = bench.run(&["push", "--json"]).exits(3);
    let kinds = first.json()["kinds"].clone();
    assert_eq!(
        (&kinds[0]["created"], &kinds[0]["planned"]["held"], &kinds[0]["left"]),
        (&json!(1), &json!(1), &json!(0))
    );
    assert_eq!(kinds[1]["planned"]["waiting"], 1, "a child waits for its parent: {kinds}");
    assert!(first.stderr.contains(&format!("several records are called 2: {}; ours is held back", twins.join(", "))));
    let report = bench.run(&["report", "crm_rejections", "--format", "csv"]).exits(0).stdout;
    assert!(report.contains("AMBIGUOUS_NAME") && report.contains(&twins[1]), "{report}");
    let status = bench.run(&["status", "--json"]).json();
    assert_eq!(status["push"]["rejections"], 1, "{status}");

    let lists_before = lists(&bench);
    bench.put_subscriptions([3]);
    bench.run(&["ingest"]).exits(0);
    let held = bench.run(&["push", "--json"]).exits(3).json();
    assert_eq!((&held["kinds"][0]["created"], lists(&bench)), (&json!(1), lists_before), "not due: not looked for");
    bench.run(&["push", "--retry-rejected"]).exits(3);
    bench.run_at("2026-03-03T06:00:00Z", &["push"]).exits(3);
    assert_eq!(lists(&bench), lists_before + 2, "asked to, and when its time has come");
    let attempts: i64 = bench.value("select attempts from crm_rejections");
    assert_eq!((attempts, crm_value(&bench, "2", "Company_Name")), (3, Value::Null));
    let trace = bench.run(&["crm", "trace", "subscriptions", "2"]).stdout;
    assert!(trace.contains("leave one of them that name"), "{trace}");

    bench.sim.with(|world| world.crm.remove_record(SUBSCRIPTIONS, &twins[0]));
    let linked = bench.run(&["crm", "link", "--json"]).exits(0).json();
    assert_eq!(linked["kinds"][0]["linked"], 1);
    let last = bench.run(&["push", "--json"]).exits(0).json();
    assert_eq!((&last["kinds"][0]["adopted"], &last["kinds"][1]["created"]), (&json!(1), &json!(1)));
    let crm_id: String = bench.value("select crm_id from crm_links where record_id = '2'");
    assert_eq!((crm_id, crm_value(&bench, "2", "Company_Name")), (twins[1].clone(), json!("Company 2")));
    assert_eq!(bench.run(&["push", "--json"]).exits(0).json()["requests"], 0);
}

#[test]
fn a_held_name_that_nobody_bears_any_more_is_made() {
    let bench = ingested([1, 2]);
    let twins = [2, 2].map(|_| add_to_crm(&bench, SUBSCRIPTIONS, json!({ "Name": "2" })));
    bench.run(&["push"]).exits(3);
    bench.sim.with(|world| assert!(twins.iter().all(|id| world.crm.remove_record(SUBSCRIPTIONS, id))));
    let push = bench.run(&["push", "--retry-rejected", "--json"]).exits(0).json();
    assert_eq!(push["kinds"][0]["created"], 1);
    let left: i64 = bench.value("select count(*) from crm_rejections");
    assert_eq!(left, 0);
}

#[test]
fn the_first_push_links_by_itself_and_later_ones_do_not_list() {
    let bench = ingested(1..=3);
    let id = add_to_crm(&bench, SUBSCRIPTIONS, json!({ "Name": "2" }));
    let dry = bench.run(&["push", "--dry-run", "--json"]).exits(0).json();
    assert_eq!(dry["kinds"][0]["planned"]["create"], 3);
    assert!(
        bench.sim.with(|world| world.requests().iter().all(|request| request.host != "crm")),
        "a dry run asks nobody"
    );
    let push = bench.run(&["push", "--json"]).exits(0).json();
    assert_eq!(
        (&push["kinds"][0]["created"], &push["kinds"][0]["adopted"], &push["credits"]["used"]),
        (&json!(2), &json!(1), &json!(2))
    );
    let linked: String = bench.value("select crm_id from crm_links where record_id = '2'");
    assert_eq!(linked, id);
    assert_eq!(bench.sim.with(|world| world.crm.records(SUBSCRIPTIONS).len()), 3);
    assert_eq!(lists(&bench), 1);
    bench.put_subscriptions([4]);
    bench.run(&["sync"]).exits(0);
    assert_eq!(lists(&bench), 1);
}

#[test]
fn many_records_of_an_extension_are_taken_over_without_the_brake() {
    let bench = ingested(1..=600);
    for number in 1..=600 {
        add_to_crm(&bench, SUBSCRIPTIONS, json!({ "Name": number.to_string() }));
    }
    let push = bench.run(&["push", "--json"]).exits(0).json();
    assert_eq!((&push["kinds"][0]["adopted"], &push["stopped"]), (&json!(600), &Value::Null));
    assert_eq!(bench.run(&["push", "--json"]).exits(0).json()["requests"], 0);
}

#[test]
fn a_list_that_the_token_may_not_read_does_not_stop_a_push() {
    let bench = ingested([1]);
    bench.sim.with(|world| {
        let fault = json!([{ "path": "/crm/v8/Partner_Subscriptions", "kind": "login_page" }]);
        world.switches.merge(&json!({ "next_faults": fault })).unwrap();
    });
    let ran = bench.run(&["push", "--json"]).exits(0);
    assert_eq!(ran.json()["kinds"][0]["created"], 1);
    assert!(ran.stderr.contains("cannot be listed"), "{}", ran.stderr);
}
