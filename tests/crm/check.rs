//! `crm check`: what fits, what is missing or too short, and the configuration lines for an extension's names.

use serde_json::{Value, json};

use super::{SUBSCRIPTIONS, crm_switch, ingested};
use crate::support::Bench;

/// The problems of a kind's fields: column → names of its problems.
fn problems(check: &Value, place: usize) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let fields = check["modules"][place]["fields"].as_array().unwrap();
    let of = |field: &Value| field["problems"].as_array().unwrap().iter().map(|one| text(&one["problem"])).collect();
    fields
        .iter()
        .map(|field| (text(&field["column"]), of(field)))
        .filter(|(_, problems): &(_, Vec<String>)| !problems.is_empty())
        .collect()
}

#[test]
fn a_crm_as_the_extension_made_it_fits_and_is_only_read() {
    let bench = Bench::empty();
    let ran = bench.run(&["crm", "check", "--json"]).exits(0);
    let check = ran.json();
    assert_eq!(check["organisation"]["edition"], "enterprise");
    assert_eq!(check["organisation"]["currency"], "USD");
    assert_eq!(check["config"], json!([]));
    for place in 0..3 {
        assert_eq!(check["modules"][place]["fits"], true, "{check}");
    }
    let methods: Vec<String> = bench.sim.with(|world| {
        world.requests().iter().filter(|request| request.host == "crm").map(|request| request.method.clone()).collect()
    });
    assert_eq!(methods, ["GET"; 5]);
    let cached: i64 = bench.value("select count(distinct target) from crm_fields");
    assert_eq!(cached, 3);
    assert!(bench.run(&["crm", "check"]).exits(0).stdout.contains("everything fits"));
}

#[test]
fn what_is_missing_too_short_or_of_another_type_is_named() {
    let bench = ingested(1..=3);
    bench.sim.with(|world| {
        world.crm.remove_field(SUBSCRIPTIONS, "Org_ID");
        let module = world.crm.module_mut(SUBSCRIPTIONS);
        module.field_mut("Company_Name").unwrap().length = 4;
        module.field_mut("Subscription_Start").unwrap().data_type = "text".to_owned();
        module.field_mut("Status").unwrap().pick_list = vec!["active".to_owned()];
        world.crm.remove_module("Partner_Commissions");
    });
    crm_switch(&bench, json!({ "payload": "small" }));
    let ran = bench.run(&["crm", "check", "--json"]).exits(3);
    let check = ran.json();
    let found = problems(&check, 0);
    for (column, problem) in [
        ("org_id", "missing"),
        ("company_name", "too_short"),
        ("subscription_start_date", "wrong_type"),
        ("status", "values_missing"),
        ("payload", "too_short"),
    ] {
        assert!(found.contains(&(column.to_owned(), vec![problem.to_owned()])), "{column}: {found:?}");
    }
    assert_eq!(found.len(), 5, "{found:?}");
    assert_eq!(check["modules"][2]["api_name"], Value::Null);
    let text = bench.run(&["crm", "check"]).exits(3).stdout;
    for line in [
        "Org_ID: missing; `storemirror crm setup` makes it",
        "Company_Name: holds 4 characters, 9 are needed; 3 records would be refused now",
        "Subscription_Start: is of type text, not date",
        "Status: does not offer inactive",
        "Payload: holds 2000 characters, 32000 are needed",
        "commissions: no module Partner_Commissions",
    ] {
        assert!(text.contains(line), "{line:?} is not in {text}");
    }
}

#[test]
fn an_extensions_names_are_found_and_the_lines_it_prints_make_it_fit() {
    let bench = ingested([1]);
    crm_switch(&bench, json!({ "prefix": "zpartner__", "unknown_field": "refused" }));
    let check = bench.run(&["crm", "check", "--json"]).exits(3).json();
    assert_eq!(check["modules"][0]["api_name"], "zpartner__Partner_Subscriptions");
    let lines: Vec<&str> = check["config"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(lines.contains(&"subscriptions = \"zpartner__Partner_Subscriptions\""), "{lines:?}");
    assert!(lines.contains(&"status = \"zpartner__Status\""), "{lines:?}");
    let config = lines.join("\n");
    let bench = bench.with("crm", &config);
    let text = bench.run(&["crm", "check"]).exits(0).stdout;
    assert!(text.contains("everything fits"), "{text}");
    bench.run(&["push"]).exits(0);
    assert_eq!(super::crm_value(&bench, "1", "Status"), "active");
}

#[test]
fn the_field_that_accounts_are_found_by_is_tried() {
    let of = |account_match: &str, prepare: &dyn Fn(&Bench)| {
        let bench = Bench::empty().with("crm", &format!("account_match = \"{account_match}\""));
        prepare(&bench);
        let ran = bench.run(&["crm", "check", "--json"]);
        let check = ran.json();
        let text = bench.run(&["crm", "check"]).exits(ran.exit).stdout;
        (ran.exit, check["accounts"]["problem"]["problem"].clone(), text)
    };
    for good in ["Org_ID", "name"] {
        let (exit, problem, text) = of(good, &|_| {});
        assert_eq!((exit, &problem), (0, &Value::Null), "{text}");
        assert!(text.contains("accounts: found by "), "{text}");
    }
    let (exit, problem, text) = of("org_id", &|_| {});
    assert_eq!((exit, &problem), (3, &json!("missing")), "{text}");
    assert!(
        text.contains("accounts: org_id (account_match): missing; account_match = \"Org_ID\" may be meant"),
        "{text}"
    );
    let typed = |data_type: &'static str| {
        move |bench: &Bench| {
            bench.sim.with(|world| {
                world.crm.module_mut("Accounts").field_mut("Org_ID").unwrap().data_type = data_type.to_owned();
            });
        }
    };
    for data_type in ["textarea", "bigint"] {
        let (exit, problem, text) = of("Org_ID", &typed(data_type));
        assert_eq!((exit, &problem), (3, &json!("wrong_type")), "{text}");
        assert!(text.contains(&format!("is of type {data_type}, not text")), "{text}");
    }
    let (exit, problem, text) = of("Org_ID", &|bench| crm_switch(bench, json!({ "coql_max": 100 })));
    assert_eq!((exit, &problem), (3, &json!("not_searchable")), "{text}");
    assert!(text.contains("accounts: Org_ID (account_match): cannot be searched"), "{text}");
}

#[test]
fn refused_credentials_end_with_their_own_code() {
    let bench = Bench::empty();
    let mut command = bench.command(&["crm", "check", "--json"]);
    let ran = crate::support::finish(command.env("STOREMIRROR_CRM_REFRESH_TOKEN", "1000.wrong")).exits(4);
    assert_eq!(ran.json()["error"]["code"], "credentials");
}
