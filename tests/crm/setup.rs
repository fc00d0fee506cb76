//! `crm setup`: what is missing is made once, lookups last, five fields a call.

use serde_json::{Value, json};

use super::{SUBSCRIPTIONS, crm_switch, crm_value, ingested};
use crate::support::Bench;

fn posts(bench: &Bench) -> usize {
    bench.sim.with(|world| {
        world.requests().iter().filter(|request| request.method == "POST" && request.host == "crm").count()
    })
}

#[test]
fn a_crm_without_the_modules_gets_everything_and_fits() {
    let bench = ingested(1..=3);
    for module in [SUBSCRIPTIONS, "Partner_Transactions", "Partner_Commissions"] {
        bench.sim.with(|world| world.crm.remove_module(module));
    }
    let listed = bench.run(&["crm", "setup"]).exits(3).stdout;
    assert!(listed.contains("Create New Module") && listed.contains("Partner Commissions"), "{listed}");
    let dry = bench.run(&["crm", "setup", "--dry-run", "--create-modules", "--json"]).exits(0).json();
    assert_eq!(dry["modules"][0]["outcome"], "planned");
    assert_eq!(posts(&bench), 0);

    let made = bench.run(&["crm", "setup", "--create-modules", "--json"]).exits(0).json();
    assert_eq!(made["fields"].as_array().unwrap().last().unwrap()["label"], "Transaction", "lookups come last");
    assert!(made["fields"].as_array().unwrap().iter().all(|field| field["outcome"] == "created"), "{made}");
    bench.run(&["crm", "check"]).exits(0);
    let calls = posts(&bench);
    let again = bench.run(&["crm", "setup", "--create-modules"]).exits(0).stdout;
    assert!(again.contains("nothing is missing"), "{again}");
    assert_eq!(posts(&bench), calls, "a second run makes nothing");
    bench.run(&["push"]).exits(0);
    assert_eq!(crm_value(&bench, "2", "Payload").as_str().unwrap(), crate::support::subscription(2));
}

#[test]
fn only_missing_fields_are_made_and_then_filled() {
    let bench = ingested([1]).with("crm", "[crm.fields.subscriptions]\ncompany_name = \"Firm_Name\"\n");
    crm_switch(&bench, json!({ "unknown_field": "refused" }));
    bench.sim.with(|world| {
        world.crm.remove_field(SUBSCRIPTIONS, "Status");
        world.crm.remove_field(SUBSCRIPTIONS, "Company_Name");
        world.crm.remove_field("Partner_Transactions", "Subscription");
    });
    bench.run(&["push"]).exits(0);
    assert_eq!(crm_value(&bench, "1", "Status"), Value::Null);
    let dry = bench.run(&["crm", "setup", "--dry-run"]).exits(0).stdout;
    assert!(dry.contains("subscriptions: field Status: would be created"), "{dry}");
    let made = bench.run(&["crm", "setup", "--json"]).exits(0).json();
    let labels: Vec<&Value> = made["fields"].as_array().unwrap().iter().map(|field| &field["label"]).collect();
    assert_eq!(labels, ["Firm Name", "Status", "Subscription"].map(|label| json!(label)).iter().collect::<Vec<_>>());
    bench.sim.with(|world| {
        let status = world.crm.module(SUBSCRIPTIONS).fields.iter().find(|field| field.api_name == "Status").unwrap();
        assert_eq!(status.pick_list, ["active", "inactive", "Un-Tagged"]);
    });
    let push = bench.run(&["push", "--json"]).exits(0).json();
    assert_eq!(push["kinds"][0]["updated"], 1, "what was made is filled: {push}");
    assert_eq!(
        (crm_value(&bench, "1", "Status"), crm_value(&bench, "1", "Firm_Name")),
        (json!("active"), json!("Company 1"))
    );
}

#[test]
fn an_edition_that_cannot_make_modules_says_so() {
    let bench = Bench::empty();
    crm_switch(&bench, json!({ "can_create_modules": false }));
    bench.sim.with(|world| world.crm.remove_module("Partner_Commissions"));
    let ran = bench.run(&["crm", "setup", "--create-modules", "--json"]).exits(3).json();
    assert_eq!(ran["modules"][0]["error"]["code"], "NOT_SUPPORTED", "{ran}");
}
