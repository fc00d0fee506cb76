//! What `[crm]` says of a push besides names: accounts, policies, what is too small to send, automation.

use serde_json::{Value, json};
use storemirror::config::AccountMatch;
use storemirror::model::Kind;

use super::desk::{Desk, commission, expect, subscriptions, with};
use super::{COMMISSIONS, SUBSCRIPTIONS};
use crate::support::subscription;

fn account(desk: &Desk, name: &str, org_id: &str) -> String {
    desk.sim.with(|world| {
        let fields = json!({ "Account_Name": name, "Org_ID": org_id }).as_object().unwrap().clone();
        let now = world.now;
        world.crm.add_record("Accounts", fields, now)
    })
}

fn queries(desk: &Desk) -> usize {
    desk.sim.with(|world| world.requests().iter().filter(|request| request.path.ends_with("/coql")).count())
}

#[test]
fn accounts_are_looked_up_once_in_lists_of_fifty_and_never_made() {
    let mut desk = Desk::new(&["us"]);
    desk.crm.rules.account_match = AccountMatch::Field("Org_ID".to_owned());
    let one = account(&desk, "One", "71");
    for _ in 0..2 {
        account(&desk, "Two", "72");
    }
    desk.save("us", Kind::Subscriptions, &subscriptions(1..=120));
    let dry = storemirror::push::Options { dry_run: true, ..Default::default() };
    desk.run(&dry);
    assert_eq!(queries(&desk), 0);
    let push = desk.push();
    assert_eq!(queries(&desk), 3);
    assert_eq!(push["accounts"], json!({ "matched": 1, "missing": 118, "ambiguous": 1 }));
    assert_eq!(desk.value(SUBSCRIPTIONS, "1", "Account"), json!({ "id": one }));
    assert_eq!(desk.value(SUBSCRIPTIONS, "2", "Account"), Value::Null);
    assert_eq!(desk.count("Accounts"), 3);
    assert_eq!((desk.push()["requests"].clone(), queries(&desk)), (json!(0), 3), "nothing is asked twice");

    let three = account(&desk, "Three", "73");
    desk.later(2);
    desk.save("us", Kind::Subscriptions, &subscriptions([121]));
    let later = desk.push();
    expect(&later, 0, &json!({ "created": 1, "updated": 1 }));
    assert_eq!(desk.value(SUBSCRIPTIONS, "3", "Account"), json!({ "id": three }));
}

#[test]
fn an_account_is_found_by_its_name_and_for_records_that_stand_there_already() {
    let mut desk = Desk::new(&["us"]);
    let quoted = with(&subscription(2), &json!({ "customer_company_name": "O'Neill \\ Sons" }));
    desk.save("us", Kind::Subscriptions, &[subscription(1), quoted]);
    desk.push();
    let ids = [account(&desk, "company 1", ""), account(&desk, "O'Neill \\ Sons", "")];
    desk.crm.rules.account_match = AccountMatch::Name;
    expect(&desk.push(), 0, &json!({ "updated": 2 }));
    for (name, id) in ["1", "2"].iter().zip(&ids) {
        assert_eq!(desk.value(SUBSCRIPTIONS, name, "Account"), json!({ "id": id }));
    }
    assert_eq!(desk.push()["requests"], 0);
}

#[test]
fn a_field_written_once_is_left_to_the_crm() {
    let mut desk = Desk::new(&["us"]);
    desk.crm.rules.create_only.insert(Kind::Subscriptions, ["company_name".to_owned()].into());
    desk.save("us", Kind::Subscriptions, &subscriptions([1]));
    desk.push();
    assert_eq!(desk.value(SUBSCRIPTIONS, "1", "Company_Name"), "Company 1");
    assert_eq!(desk.push()["requests"], 0);
    let id = desk.crm_id(SUBSCRIPTIONS, "1");
    desk.sim.with(|world| world.crm.set_value(SUBSCRIPTIONS, &id, "Company_Name", json!("Theirs")));
    let renamed = with(&subscription(1), &json!({ "customer_company_name": "New", "status": "inactive" }));
    desk.save("us", Kind::Subscriptions, &[renamed]);
    expect(&desk.push(), 0, &json!({ "updated": 1 }));
    assert_eq!(desk.value(SUBSCRIPTIONS, "1", "Company_Name"), "Theirs");
    assert_eq!(desk.value(SUBSCRIPTIONS, "1", "Status"), "inactive");
    assert_eq!(desk.push()["requests"], 0);
}

#[test]
fn a_little_drift_of_exchange_rates_is_not_sent_until_it_adds_up() {
    let desk = Desk::new(&["us"]);
    let rate = |rate: f64| {
        let base = format!("{:.2}", 200.0 * rate);
        with(
            &commission(2001, 1, 1001),
            &json!({ "exchange_rate": rate, "commission": "200.0", "base_commission": base, "balance_commission": "200.0", "eligible_txn_usd_amount": "1000.0" }),
        )
    };
    desk.save("us", Kind::Commissions, &[rate(1.15)]);
    let usd = |amount: &str| with(&subscription(1), &json!({ "next_recurring_amount_usd": amount }));
    desk.save("us", Kind::Subscriptions, &[usd("100.0")]);
    desk.push();
    for (small, rates) in [("100.9", 1.155), ("99.5", 1.16)] {
        desk.save("us", Kind::Subscriptions, &[usd(small)]);
        desk.save("us", Kind::Commissions, &[rate(rates)]);
        let push = desk.push();
        assert_eq!((&push["requests"], &push["exit"]), (&json!(0), &json!(0)), "{small} {push}");
    }
    desk.save("us", Kind::Subscriptions, &[usd("101.0")]);
    desk.save("us", Kind::Commissions, &[rate(1.163)]);
    let push = desk.push();
    expect(&push, 0, &json!({ "updated": 1 }));
    expect(&push, 2, &json!({ "updated": 1 }));
    assert_eq!(desk.value(COMMISSIONS, "2001", "Exchange_Rate"), json!(1.163));
    let other = with(&usd("101.1"), &json!({ "status": "inactive" }));
    desk.save("us", Kind::Subscriptions, &[other]);
    expect(&desk.push(), 0, &json!({ "updated": 1 }));
    assert_eq!(desk.value(SUBSCRIPTIONS, "1", "Next_Recurring_USD"), json!(101.1));
}

#[test]
fn the_untagged_status_and_automation_are_as_configured() {
    let mut desk = Desk::new(&["us"]);
    desk.crm.rules.untagged_status = "Gone 'away'".to_owned();
    desk.crm.rules.trigger = vec!["workflow".to_owned()];
    desk.save("us", Kind::Subscriptions, &subscriptions([1]));
    desk.push();
    desk.remove("us", Kind::Subscriptions, 1);
    desk.push();
    assert_eq!(desk.value(SUBSCRIPTIONS, "1", "Status"), "Gone 'away'");
    let triggers: Vec<_> = desk.sim.with(|world| {
        world.requests().iter().filter(|request| request.is_write).map(|request| request.trigger.clone()).collect()
    });
    assert_eq!(triggers, vec![Some(json!(["workflow"])); 2]);
}

#[test]
fn two_records_never_share_one_of_the_crms() {
    let desk = Desk::new(&["us"]);
    desk.sim.with(|world| world.crm.module_mut(SUBSCRIPTIONS).field_mut("Org_ID").unwrap().is_unique = true);
    let same = |id: u64| with(&subscription(id), &json!({ "org_id": "77" }));
    desk.save("us", Kind::Subscriptions, &[same(1), same(2), subscription(3)]);
    let first = desk.push();
    assert_eq!(first["exit"], 3, "{first}");
    expect(&first, 0, &json!({ "create": 3, "created": 2, "rejected": 1, "left": 0 }));
    assert_eq!(first["rejections"][0]["code"], "CRM_RECORD_TAKEN");
    assert_eq!(first["rejections"][0]["record_id"], "2");
    assert!(first["rejections"][0]["message"].as_str().unwrap().contains("our record us:1"), "{first}");
    let links = "select count(*), count(distinct crm_id) from crm_links";
    assert_eq!(desk.row(links), [json!(2), json!(2)]);
    assert_eq!(desk.value(SUBSCRIPTIONS, "1", "Company_Name"), "Company 1", "its own values came back");
    assert_eq!(desk.value(SUBSCRIPTIONS, "1", "Subscription_ID"), "1");

    let held = desk.push();
    assert_eq!((&held["requests"], &held["exit"]), (&json!(0), &json!(3)));
    desk.later(2);
    expect(&desk.push(), 0, &json!({ "create": 1, "rejected": 1 }));
    assert_eq!(desk.value(SUBSCRIPTIONS, "1", "Company_Name"), "Company 1");
    desk.sim.with(|world| world.crm.module_mut(SUBSCRIPTIONS).field_mut("Org_ID").unwrap().is_unique = false);
    let retried = desk.run(&storemirror::push::Options { retry_rejected: true, ..Default::default() }).json();
    expect(&retried, 0, &json!({ "created": 1, "rejected": 0 }));
    assert_eq!(desk.row(links), [json!(3), json!(3)]);
    assert_eq!(desk.push()["requests"], 0);
}
