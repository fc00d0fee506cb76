//! The simulated business keeps its promises: counts, overlaps, oddities, and the same history however it is reached.

use super::{Change, Counts, Partner};
use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const DEFAULT: Counts = Counts { subscriptions: 600, transactions: 6_000, commissions: 5_000 };

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_344_800, 0).unwrap()
}

type Key = (&'static str, &'static str, i64);

fn apply(lists: &mut BTreeMap<Key, String>, changes: Vec<Change>) {
    for change in changes {
        let key = (change.store, change.kind, change.id);
        match change.json {
            Some(json) => lists.insert(key, json),
            None => lists.remove(&key),
        };
    }
}

fn lists_at(now: DateTime<Utc>) -> BTreeMap<Key, String> {
    let mut lists = BTreeMap::new();
    apply(&mut lists, Partner::new(1, now, DEFAULT).advance_to(now));
    lists
}

fn records(lists: &BTreeMap<Key, String>, kind: &str) -> Vec<Value> {
    let of_kind = lists.iter().filter(|((_, of, _), _)| *of == kind);
    of_kind.map(|(_, json)| serde_json::from_str(json).unwrap()).collect()
}

fn values<'a>(records: &'a [Value], field: &str) -> BTreeSet<&'a str> {
    records.iter().filter_map(|record| record[field].as_str()).collect()
}

#[test]
fn the_default_partner_has_about_the_wished_size() {
    let lists = lists_at(now());
    for (kind, low, high) in
        [("subscriptions", 560, 620), ("transactions", 5_600, 6_600), ("commissions", 4_600, 5_500), ("leads", 30, 70)]
    {
        let count = lists.keys().filter(|(_, of, _)| *of == kind).count();
        assert!((low..high).contains(&count), "{kind}: {count}");
    }
}

#[test]
fn ids_have_thirteen_digits_and_dozens_are_equal_in_both_stores() {
    let lists = lists_at(now());
    for kind in ["subscriptions", "transactions", "commissions"] {
        let of = |store| -> BTreeSet<i64> {
            lists.keys().filter(|(at, of, _)| *at == store && *of == kind).map(|(_, _, id)| *id).collect()
        };
        let (us, eu) = (of("us"), of("eu"));
        assert!(us.iter().chain(&eu).all(|id| id.to_string().len() == 13));
        assert!(us.intersection(&eu).count() >= 24, "{kind}: {}", us.intersection(&eu).count());
    }
}

#[test]
fn every_value_of_the_enumerations_occurs() {
    let lists = lists_at(now());
    let transactions = records(&lists, "transactions");
    assert_eq!(values(&transactions, "transaction_type").len(), 17, "{:?}", values(&transactions, "transaction_type"));
    assert_eq!(values(&transactions, "done_by_type").len(), 3);
    let subscriptions = records(&lists, "subscriptions");
    assert_eq!(values(&subscriptions, "billing_frequency").len(), 4);
    assert_eq!(values(&subscriptions, "pricing_type").len(), 2);
    assert_eq!(values(&subscriptions, "subscription_type").len(), 2);
    assert_eq!(values(&subscriptions, "status").len(), 2);
    assert_eq!(values(&subscriptions, "currency").len(), 5);
    let commissions = records(&lists, "commissions");
    assert_eq!(values(&commissions, "type").len(), 2);
    assert_eq!(values(&commissions, "status").len(), 3);
    assert_eq!(values(&commissions, "entity").len(), 9);
}

#[test]
fn the_awkward_values_are_there() {
    let lists = lists_at(now());
    let all: String = lists.values().map(String::as_str).collect();
    for awkward in [
        "&amp;amp;",
        "--Select State--",
        "\"zuid\":\"-1\"",
        "\"plan_name\":\"-0\"",
        "\"plan_id\":0",
        "0000-00-00",
        "Nowhere Road\\nFloor",
        "\"paid_users\":\"",
        "partner_mapping_date",
        "Retry Success",
        "13CN-",
        "#historyid:",
        "\"plan_name\":null",
    ] {
        assert!(all.contains(awkward), "{awkward}");
    }
    let above = |value: &Value| value["invoice_id"].as_i64().is_some_and(|id| id > 1 << 53);
    assert!(records(&lists, "transactions").iter().any(above));
}

#[test]
fn commissions_pass_through_all_their_states() {
    let commissions = records(&lists_at(now()), "commissions");
    let count = |test: &dyn Fn(&Value) -> bool| commissions.iter().filter(|record| test(record)).count();
    let is = |record: &Value, kind: &str, status: &str| record["type"] == kind && record["status"] == status;
    assert!(count(&|record| is(record, "commission", "open")) > 20);
    assert!(count(&|record| record["status"] == "closed" && record["payout_id"].as_i64() > Some(0)) > 1_000);
    assert!(count(&|record| is(record, "commission", "closed") && record["payout_id"] == -1) > 5);
    let half = |record: &Value| {
        is(record, "commission_reversal", "open") && record["balance_commission"] != record["commission"]
    };
    assert!(count(&half) > 0);
    let reversals: Vec<&Value> = commissions.iter().filter(|record| record["type"] == "commission_reversal").collect();
    assert!(reversals.len() > 10);
    for reversal in reversals {
        assert!(!reversal["commission"].as_str().unwrap().starts_with('-'));
        assert!(reversal["eligible_txn_amount"].as_str().unwrap().starts_with('-'));
    }
}

#[test]
fn going_on_gives_the_same_history_as_going_there_at_once() {
    let later = now() + Duration::days(75);
    let mut partner = Partner::new(1, now(), DEFAULT);
    let mut lists = BTreeMap::new();
    apply(&mut lists, partner.advance_to(now()));
    for days in 1..=75 {
        apply(&mut lists, partner.advance_to(now() + Duration::days(days)));
    }
    assert_eq!(lists, lists_at(later));
}

#[test]
fn local_time_and_instant_differ_by_the_zone_of_the_day() {
    let lists = lists_at(now());
    let mut hours = BTreeSet::new();
    for ((store, kind, _), json) in &lists {
        if *kind == "transactions" {
            let record: Value = serde_json::from_str(json).unwrap();
            let text = record["transaction_date"].as_str().unwrap();
            let local = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
            let instant = record["date"].as_i64().unwrap() / 1000;
            hours.insert((*store, (local.and_utc().timestamp() - instant) / 3600));
        }
    }
    assert_eq!(hours, BTreeSet::from([("us", -8), ("us", -7), ("eu", 1), ("eu", 2)]));
}

#[test]
fn counts_scale() {
    let counts = Counts { subscriptions: 4_000, transactions: 20_000, commissions: 16_000 };
    let changes = Partner::new(3, now(), counts).advance_to(now());
    let of = |kind| changes.iter().filter(|change| change.kind == kind && change.json.is_some()).count();
    let (subscriptions, transactions, commissions) = (of("subscriptions"), of("transactions"), of("commissions"));
    assert!((3_700..4_100).contains(&subscriptions), "{subscriptions}");
    assert!((19_000..22_000).contains(&transactions), "{transactions}");
    assert!((14_500..17_500).contains(&commissions), "{commissions}");
    assert!(
        Partner::new(3, now(), Counts { subscriptions: 0, transactions: 0, commissions: 0 })
            .advance_to(now())
            .is_empty()
    );
}
