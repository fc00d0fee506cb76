//! The whole chain on the simulated partner: the demo's figures tie, and golden files hold every report.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Bench, finish, program};

/// A partner small enough for golden files that a person can read.
fn small_partner() -> storemirror::sim::Options {
    storemirror::sim::Options {
        subscriptions: 60,
        transactions: 500,
        commissions: 400,
        ..storemirror::sim::Options::default()
    }
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).join(name)
}

/// Compares with a golden file; `UPDATE_GOLDEN=1` writes it instead.
#[track_caller]
fn assert_golden(name: &str, text: &str) {
    let path = golden(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for (number, (line, wanted)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(line, wanted, "{name}, line {}; UPDATE_GOLDEN=1 rewrites it", number + 1);
    }
    assert_eq!(text.lines().count(), expected.lines().count(), "{name}");
}

#[test]
fn every_report_has_its_golden_csv() {
    let bench = Bench::new(&["us", "eu"], small_partner()).with("eu", "leads = true");
    bench.run_at("2026-01-10T06:00:00Z", &["ingest"]).exits(0);
    bench.run(&["ingest"]).exits(0);
    bench.run(&["export", &bench.path("out").display().to_string()]).exits(0);
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(bench.path("out")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "csv") {
            assert_golden(&name, &std::fs::read_to_string(&path).unwrap());
            names.push(name.trim_end_matches(".csv").to_owned());
        }
    }
    names.sort();
    let mut files: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/queries"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(names, files);
}

/// Cents of a decimal text or number, so that sums are exact.
#[expect(clippy::cast_possible_truncation, reason = "the simulated amounts are small")]
fn cents(value: &Value) -> i64 {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let amount: f64 = text.parse().unwrap_or_else(|_| panic!("{value}"));
    (amount * 100.0).round() as i64
}

fn csv_rows(path: &std::path::Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

#[test]
fn the_demo_ties_and_can_be_made_again() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("demo");
    for _ in 0..2 {
        let ran = finish(program(home.path()).arg("demo").arg(&folder).env("STOREMIRROR_NOW", "2026-03-04T06:00:00Z"))
            .exits(0);
        for said in ["1. ingest", "sqlite3 -box", "config.toml", "only what changed moves"] {
            assert!(ran.stdout.contains(said), "{said:?} is not in {}", ran.stdout);
        }
        // on a slow machine it says meanwhile how far it got
        assert!(!ran.stderr.contains("storemirror"), "{}", ran.stderr);
    }
    let connection = Connection::open(folder.join("mirror.db")).unwrap();
    let sum = |sql: &str| -> i64 { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
    let view = sum(
        "select cast(round(sum(balance_payout) * 100) as integer) from commissions where state in ('active', 'requested')",
    );
    let table = sum(
        "select sum(balance_payout_micros) / 10000 from commission_records where state in ('active', 'requested') and removed_at is null",
    );
    let csv: i64 = csv_rows(&folder.join("reports/commissions_by_state.csv"))
        .iter()
        .filter(|row| ["active", "requested"].contains(&row["state"].as_str()))
        .map(|row| cents(&Value::String(row["balance_payout"].clone())))
        .sum();
    assert_eq!((view, csv), (table, table));
    assert!(table > 0);
    let linked = sum("select count(*) from crm_links");
    let records = sum(
        "select (select count(*) from subscriptions) + (select count(*) from transactions) + (select count(*) from commissions)",
    );
    let never_pushed = sum(
        "select count(*) from subscriptions s where removed_at is not null and not exists (select 1 from crm_links l where l.store_id = s.store_id and l.kind = 'subscriptions' and l.record_id = s.subscription_id)",
    );
    assert_eq!(linked, records - never_pushed);

    // a partner with about 600 subscriptions fits whole on a page that can be mailed
    let page = std::fs::read_to_string(folder.join("dashboard.html")).unwrap();
    let subscriptions = sum("select count(*) from subscriptions");
    assert!(subscriptions > 550 && page.len() < 1_500_000, "{subscriptions} subscriptions, {} bytes", page.len());
    assert!(!page.contains("older ones did not fit"));

    // nobody serves at the address in the configuration it leaves: that is said, with the way out
    let ran = finish(program(home.path()).args(["ingest", "--config"]).arg(folder.join("config.toml"))).exits(1);
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains("storemirror simulate"), "{ran:?}");
}

#[test]
fn the_crm_holds_what_the_mirror_says_to_the_cent() {
    let bench = Bench::new(&["us", "eu"], small_partner());
    let synced = bench.run(&["sync", "--json"]).exits(0).json();
    assert_eq!(synced["push"]["exit"], 0);
    let money = |module: &str, field: &str| -> i64 {
        bench.sim.with(|world| {
            world
                .crm
                .records(module)
                .iter()
                .filter_map(|record| record.fields.get(field))
                .filter(|value| !value.is_null())
                .map(cents)
                .sum()
        })
    };
    let sum = |sql: &str| -> i64 { bench.value(sql) };
    assert_eq!(
        money("Partner_Commissions", "Net_Payout"),
        sum("select sum(net_payout_micros) / 10000 from commission_records")
    );
    assert_eq!(
        money("Partner_Commissions", "Balance"),
        sum("select sum(balance_payout_micros) / 10000 from commission_records")
    );
    assert_eq!(
        money("Partner_Transactions", "Amount_USD"),
        sum("select sum(usd_amount_micros) / 10000 from transaction_records")
    );
    let ran = bench.run(&["sync", "--json"]).exits(0).json();
    assert_eq!(ran["push"]["requests"], 0);
    assert_eq!(ran["ingest"]["totals"]["new"], 0);
    bench.sim.with(|world| {
        assert!(world.requests().iter().filter(|request| request.is_write).all(|request| request.trigger.is_some()));
    });
    let status = bench.run(&["status", "--json"]).exits(0).json();
    assert_eq!(
        status["push"]["pending"],
        serde_json::json!({ "subscriptions": 0, "transactions": 0, "commissions": 0 })
    );
}

#[test]
fn a_mass_change_stops_before_it_is_sent_and_status_says_that_it_waits() {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=620);
    bench.run(&["sync"]).exits(0);
    bench.sim.with(|world| {
        for id in 1..=620_u64 {
            let renamed = crate::support::subscription(id).replace("Company", "Firm");
            world.upsert_record("us", "subscriptions", &id.to_string(), renamed);
        }
    });
    bench.run(&["ingest"]).exits(0);
    let status = bench.run(&["status", "--json"]).exits(0).json();
    assert_eq!(
        (&status["push"]["braked"], &status["push"]["pending"]["subscriptions"]),
        (&Value::Bool(true), &620.into())
    );
    assert!(bench.run(&["status"]).stdout.contains("--allow-mass-change"));
    let stopped = bench.run(&["push", "--json"]).exits(3).json();
    assert_eq!((stopped["stopped"].as_str(), &stopped["requests"]), (Some("brake"), &0.into()));
    bench.run(&["push", "--allow-mass-change"]).exits(0);
    assert_eq!(bench.run(&["status", "--json"]).exits(0).json()["push"]["braked"], false);
}
