//! The reports on a believable partner's data: whatever the records are, the reports add up to each other and to the
//! views.

use std::collections::BTreeMap;

use storemirror::db::Db;
use storemirror::model::Value;
use storemirror::model::instant::parse_instant;
use storemirror::report::{Catalog, Moment, Request, Table, assignment};
use storemirror::sim::Options;

use crate::support::{Bench, NOW};

/// A partner with two stores, listed completely.
fn partner() -> Bench {
    let now = parse_instant(NOW).unwrap();
    let options = Options { now, subscriptions: 120, transactions: 1200, commissions: 1000, ..Options::default() };
    let bench = Bench::new(&["us", "eu"], options);
    bench.run(&["ingest", "--json"]);
    bench
}

fn run(db: &Db, report: &str, parameters: &[&str]) -> Table {
    let catalog = Catalog::load(None).unwrap();
    let given: Vec<_> = parameters.iter().map(|text| assignment(text).unwrap()).collect();
    let moment = Moment::new(None, parse_instant(NOW).unwrap()).unwrap();
    Request::new(catalog.find(report).unwrap(), &given, moment).unwrap().run(db).unwrap()
}

/// A column's sum in whole cents (or its count), by the text of other columns.
fn sums(table: &Table, by: &[&str], column: &str) -> BTreeMap<String, i64> {
    let place = |name: &str| table.columns.iter().position(|column| column.name == name).expect(name);
    let mut sums = BTreeMap::new();
    for row in &table.rows {
        let key = by.iter().map(|name| format!("{:?}", row[place(name)])).collect::<Vec<_>>().join(" ");
        *sums.entry(key).or_default() += match row[place(column)] {
            Value::Integer(count) => count,
            #[expect(clippy::cast_possible_truncation, reason = "amounts are whole cents")]
            Value::Real(amount) => (amount * 100.0).round() as i64,
            _ => 0,
        };
    }
    sums
}

#[test]
fn states_and_months_add_up_to_each_other_and_to_the_view() {
    let bench = partner();
    let db = Db::open_reader(&bench.path("mirror.db")).unwrap();
    let states = run(&db, "commissions_by_state", &[]);
    let months = run(&db, "commissions_by_month", &["months=1200"]);
    let by = ["store_id", "entity", "payout_currency"];
    assert!(states.rows.len() > 4 && months.rows.len() > 20);
    for column in ["records", "net_payout", "net_usd", "records_without_usd"] {
        assert_eq!(sums(&states, &by, column), sums(&months, &by, column), "{column}");
    }
    let total: i64 = sums(&states, &[], "net_payout").values().sum();
    assert_eq!(
        total,
        bench.value::<i64>(
            "select cast(round(sum(net_payout) * 100) as integer) from commissions where commission_day <= '2026-03-01'"
        )
    );
    let earned = sums(&months, &by, "earned");
    let reversed = sums(&months, &by, "reversed");
    for (key, net) in sums(&months, &by, "net_payout") {
        assert_eq!(earned[&key] + reversed[&key], net, "{key}");
    }
}

#[test]
fn only_what_is_active_or_requested_is_owed() {
    let bench = partner();
    let db = Db::open_reader(&bench.path("mirror.db")).unwrap();
    let owed = sums(&run(&db, "commissions_by_state", &[]), &["state"], "balance_payout");
    assert!(owed.len() > 2);
    for (state, balance) in owed {
        assert_eq!(balance != 0, state.contains("active") || state.contains("requested"), "{state}: {balance}");
    }
}
