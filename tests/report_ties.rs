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
    let catalog = Catalog::bundled();
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
    // the states of a month are its row of commissions_by_month, and those of all months the states there are
    let both = run(&db, "commissions_by_month_and_state", &["months=1200"]);
    let by_month = ["month", "store_id", "entity", "payout_currency"];
    let by_state = ["store_id", "entity", "payout_currency", "state"];
    for column in ["records", "net_payout", "net_usd", "records_without_usd"] {
        assert_eq!(sums(&both, &by_month, column), sums(&months, &by_month, column), "{column}");
        assert_eq!(sums(&both, &by_state, column), sums(&states, &by_state, column), "{column}");
    }
    assert_eq!(sums(&both, &by_state, "balance_payout"), sums(&states, &by_state, "balance_payout"));
    let mut earners = vec![sums(&states, &["store_id"], "net_usd")];
    for report in ["commissions_by_customer", "commissions_by_service"] {
        let table = run(&db, report, &["days=100000"]);
        assert_eq!(sums(&table, &["store_id"], "records"), sums(&states, &["store_id"], "records"), "{report}");
        earners.push(sums(&table, &["store_id"], "net_usd"));
    }
    assert!(earners.windows(2).all(|pair| pair[0] == pair[1]), "{earners:?}");
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

#[test]
fn the_buckets_add_up_to_what_is_active_or_requested() {
    let bench = partner();
    let db = Db::open_reader(&bench.path("mirror.db")).unwrap();
    let by = ["store_id", "entity", "payout_currency"];
    let mut states = run(&db, "commissions_by_state", &[]);
    let place = states.columns.iter().position(|column| column.name == "state").unwrap();
    states.rows.retain(|row| matches!(row[place].as_text(), Some("active" | "requested")));
    let ageing = run(&db, "commission_ageing", &[]);
    assert!(ageing.rows.len() > 4, "{ageing:?}");
    for column in ["records", "balance_payout"] {
        assert_eq!(sums(&ageing, &by, column), sums(&states, &by, column), "{column}");
    }
}

#[test]
fn a_forecast_is_the_sum_of_its_parts_and_begins_with_what_is_due() {
    let bench = partner();
    let db = Db::open_reader(&bench.path("mirror.db")).unwrap();
    let forecast = run(&db, "commission_forecast", &[]);
    let by = ["month", "store_id"];
    let parts: Vec<_> = ["from_subscription_rate", "from_service_rate", "from_store_rate"]
        .iter()
        .map(|part| sums(&forecast, &by, part))
        .collect();
    for (key, whole) in sums(&forecast, &by, "expected_usd") {
        assert_eq!(parts.iter().map(|part| part[&key]).sum::<i64>(), whole, "{key}");
    }
    assert!(forecast.rows.len() > 20);

    // what renews within its month for the first time is what renewals_due lists at list price
    let mut due = run(&db, "renewals_due", &["within=30"]);
    let place = |name: &str| due.columns.iter().position(|column| column.name == name).unwrap();
    let (pricing, frequency) = (place("pricing_type"), place("billing_frequency"));
    due.rows.retain(|row| row[pricing].as_text() == Some("list_price"));
    assert!(due.rows.iter().all(|row| row[frequency].as_text().is_some()));
    let first_month = run(&db, "commission_forecast", &["months=1"]);
    let overdue: i64 = bench.value(
        "select count(*) from subscriptions
         where is_live and pricing_type = 'list_price' and next_recurring_amount > 0 and next_recurring_date < '2026-03-01'",
    );
    let renewals: i64 = sums(&first_month, &[], "renewals").values().sum();
    let listed = i64::try_from(due.rows.len()).unwrap();
    assert!((listed..=listed + overdue).contains(&renewals), "{renewals} of {listed} due and {overdue} overdue");
}

#[test]
fn the_payouts_are_what_the_paid_commissions_name() {
    let bench = partner();
    let db = Db::open_reader(&bench.path("mirror.db")).unwrap();
    let payouts = run(&db, "payouts", &[]);
    let total: i64 = sums(&payouts, &[], "payout_amount").values().sum();
    assert_eq!(
        total,
        bench.value::<i64>(
            "select cast(round(sum(payout_amount) * 100) as integer) from commissions
             where payout_id > 0 and commission_day <= '2026-03-01'"
        )
    );
    assert!(total > 0);
}
