//! The reports on a believable partner whose business goes on for half a year while the mirror looks in now and then:
//! movements add up and are what an independent count says, and three cuts of the revenue are one.

use std::collections::{BTreeMap, BTreeSet};

use storemirror::db::Db;
use storemirror::model::Value;
use storemirror::model::instant::parse_instant;
use storemirror::report::{Catalog, Moment, Request, Table, assignment};
use storemirror::sim::Options;

use crate::support::Bench;

/// When the mirror looks in. The EU store comes later; December passes unseen.
const LOOKS: [(&str, &[&str]); 7] = [
    ("2025-09-20T06:00:00Z", &["ingest", "--json", "--store", "us"]),
    ("2025-10-05T06:00:00Z", &["ingest", "--json", "--store", "us"]),
    ("2025-10-31T23:00:00Z", &["ingest", "--json"]),
    ("2025-11-20T06:00:00Z", &["ingest", "--json"]),
    ("2026-01-15T06:00:00Z", &["ingest", "--json"]),
    ("2026-02-10T06:00:00Z", &["ingest", "--json"]),
    ("2026-03-01T06:00:00Z", &["ingest", "--json"]),
];
const LAST_DAY: &str = "2026-03-01";
const PARTS: [&str; 7] = ["baseline", "new", "expansion", "contraction", "churn", "reactivation", "fx"];

fn partner(seed: u64) -> Bench {
    let start = parse_instant(LOOKS[0].0).unwrap();
    let options =
        Options { seed, now: start, subscriptions: 150, transactions: 1500, commissions: 1200, ..Options::default() };
    let bench = Bench::new(&["us", "eu"], options);
    for (now, arguments) in LOOKS {
        bench.sim.with(|world| world.set_now(parse_instant(now).unwrap()));
        bench.run_at(now, arguments).exits(0);
    }
    bench
}

fn open(bench: &Bench) -> Db {
    Db::open_reader(&bench.path("mirror.db")).unwrap()
}

/// A report's rows, each cell by its column's name.
fn run(db: &Db, report: &str, as_of: &str, parameters: &[&str]) -> Vec<BTreeMap<String, Value>> {
    let catalog = Catalog::bundled();
    let given: Vec<_> = parameters.iter().map(|text| assignment(text).unwrap()).collect();
    let moment = Moment::new(Some(as_of), parse_instant(LOOKS[6].0).unwrap()).unwrap();
    let Table { columns, rows } = Request::new(catalog.find(report).unwrap(), &given, moment).unwrap().run(db).unwrap();
    let names: Vec<String> = columns.into_iter().map(|column| column.name).collect();
    rows.into_iter().map(|row| names.iter().cloned().zip(row).collect()).collect()
}

/// An amount in whole cents, or a count.
fn cents(value: &Value) -> i64 {
    match value {
        Value::Integer(count) => *count,
        #[expect(clippy::cast_possible_truncation, reason = "amounts are whole cents")]
        Value::Real(amount) => (amount * 100.0).round() as i64,
        _ => 0,
    }
}

fn sum(rows: &[BTreeMap<String, Value>], column: &str) -> i64 {
    rows.iter().map(|row| cents(&row[column])).sum()
}

fn text(row: &BTreeMap<String, Value>, column: &str) -> String {
    match &row[column] {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        _ => String::new(),
    }
}

/// What a subscription was worth at the end of a day, and at which price.
type Price = (i64, String);
/// The subscriptions with MRR, by store and customer, then by id.
type Book = BTreeMap<(String, String), BTreeMap<i64, Price>>;

/// The book of a day as the mirror had seen it by then, of the stores whose history had begun.
fn book(bench: &Bench, day: &str) -> Book {
    let sql = "select v.store_id, r.customer_id, v.subscription_id, v.mrr_usd_micros / 10000,
                 v.next_recurring_amount_micros || v.currency || v.billing_frequency
               from subscription_versions v join subscription_records r using (store_id, subscription_id)
               join stores s using (store_id)
               where substr(s.first_complete_at, 1, 10) <= ?1 and substr(v.seen_from, 1, 10) <= ?1
                 and v.until_day > ?1 and (v.removed_day is null or v.removed_day > ?1) and v.mrr_usd_micros > 0";
    let connection = bench.database();
    let mut statement = connection.prepare(sql).unwrap();
    let mut rows = statement.query([day]).unwrap();
    let mut book = Book::new();
    while let Some(row) = rows.next().unwrap() {
        let customer = (row.get(0).unwrap(), row.get(1).unwrap());
        let price = (row.get(3).unwrap(), row.get(4).unwrap());
        book.entry(customer).or_default().insert(row.get(2).unwrap(), price);
    }
    book
}

fn total(subscriptions: Option<&BTreeMap<i64, Price>>) -> i64 {
    subscriptions.into_iter().flat_map(BTreeMap::values).map(|(mrr, _)| mrr).sum()
}

/// How a store's book moved between two days, counted customer by customer. `known` are the customers that had MRR.
fn movements(before: &Book, after: &Book, known: &BTreeSet<(String, String)>) -> BTreeMap<&'static str, i64> {
    let mut parts = BTreeMap::new();
    for customer in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let (old, new) = (before.get(customer), after.get(customer));
        let fx: i64 = old
            .into_iter()
            .flatten()
            .filter_map(|(id, (mrr, price))| {
                let (mrr_now, price_now) = new?.get(id)?;
                (price == price_now).then_some(mrr_now - mrr)
            })
            .sum();
        let moved = total(new) - total(old) - fx;
        let name = match (total(old), total(new)) {
            (0, _) if known.contains(customer) => "reactivation",
            (0, _) => "new",
            (_, 0) => "churn",
            _ if moved > 0 => "expansion",
            _ => "contraction",
        };
        *parts.entry(name).or_default() += moved;
        *parts.entry("fx").or_default() += fx;
    }
    parts
}

fn of_store(book: &Book, store: &str) -> Book {
    book.iter()
        .filter(|((store_id, _), _)| store_id == store)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// (month, the store's beginning or the end of the month before, the end of the month or the last day)
const US_MONTHS: [(&str, &str, &str); 7] = [
    ("2025-09", "2025-09-20", "2025-09-30"),
    ("2025-10", "2025-09-30", "2025-10-31"),
    ("2025-11", "2025-10-31", "2025-11-30"),
    ("2025-12", "2025-11-30", "2025-12-31"),
    ("2026-01", "2025-12-31", "2026-01-31"),
    ("2026-02", "2026-01-31", "2026-02-28"),
    ("2026-03", "2026-02-28", LAST_DAY),
];

#[test]
fn movements_are_what_an_independent_count_says() {
    for seed in [1, 2] {
        let bench = partner(seed);
        let rows = run(&open(&bench), "mrr_movements", LAST_DAY, &[]);
        let mut known: BTreeSet<(String, String)> = book(&bench, "2025-09-20").into_keys().collect();
        let mut seen: BTreeMap<&str, i64> = BTreeMap::new();
        for ((month, from, to), row) in US_MONTHS.into_iter().zip(&rows) {
            assert_eq!(text(row, "month"), month);
            let (before, after) = (book(&bench, from), book(&bench, to));
            let mut expected = movements(&of_store(&before, "us"), &of_store(&after, "us"), &known);
            // the EU store begins on the last day of October
            let baseline = match month {
                "2025-09" => before.values().map(|customer| total(Some(customer))).sum(),
                "2025-10" => of_store(&after, "eu").values().map(|customer| total(Some(customer))).sum(),
                _ => 0,
            };
            if month > "2025-10" {
                for (name, amount) in movements(&of_store(&before, "eu"), &of_store(&after, "eu"), &known) {
                    *expected.entry(name).or_default() += amount;
                }
            }
            expected.insert("baseline", baseline);
            for part in PARTS {
                let amount = expected.get(part).copied().unwrap_or_default();
                assert_eq!(cents(&row[part]), amount, "seed {seed}: {part} of {month}");
                *seen.entry(part).or_default() += amount.abs();
            }
            let closing: i64 = after.values().map(|customer| total(Some(customer))).sum();
            assert_eq!(cents(&row["closing"]), closing, "seed {seed}: closing of {month}");
            assert_eq!(cents(&row["observed"]), i64::from(month != "2025-12"), "{month}");
            known.extend(after.into_keys());
        }
        assert_eq!(rows.len(), US_MONTHS.len());
        // otherwise it would prove little
        for part in ["baseline", "new", "expansion", "churn", "fx"] {
            assert!(seen[part] > 0, "seed {seed}: no {part}");
        }
    }
}

#[test]
fn opening_and_parts_make_closing_on_every_day() {
    let bench = partner(3);
    let db = open(&bench);
    let whole = run(&db, "mrr_movements", LAST_DAY, &[]);
    for (as_of, months) in
        [("2025-09-20", 1), ("2025-10-04", 2), ("2025-10-31", 2), ("2025-12-31", 4), ("2026-02-09", 6), (LAST_DAY, 7)]
    {
        let rows = run(&db, "mrr_movements", as_of, &[]);
        assert_eq!(rows.len(), months, "{as_of}");
        for row in &rows {
            let parts: i64 = PARTS.iter().map(|part| cents(&row[*part])).sum();
            assert_eq!(cents(&row["opening"]) + parts, cents(&row["closing"]), "{as_of}: {row:?}");
        }
        for pair in rows.windows(2) {
            assert_eq!(pair[0]["closing"], pair[1]["opening"], "{as_of}");
        }
        // months that are over do not change any more, and a shorter report is the end of a longer one
        let over = rows.iter().zip(&whole).filter(|(row, _)| *text(row, "month") < as_of[..7]);
        over.for_each(|(row, later)| assert_eq!(row, later, "{as_of}"));
        assert_eq!(run(&db, "mrr_movements", as_of, &["months=1"])[..], rows[months - 1..], "{as_of}");
    }
    let services = run(&db, "mrr_by_service", LAST_DAY, &[]);
    assert_eq!(cents(&whole[6]["closing"]), sum(&services, "mrr_usd"));
    assert_eq!(cents(&whole[6]["closing"]), sum(&run(&db, "revenue_by_customer", LAST_DAY, &[]), "mrr_usd"));
    let live: i64 = bench.value("select cast(round(sum(mrr_usd) * 100) as integer) from subscriptions where is_live");
    assert_eq!(cents(&whole[6]["closing"]), live);
}

#[test]
fn three_cuts_of_the_revenue_are_one() {
    let bench = partner(1);
    let db = open(&bench);
    let columns = ["transactions", "refunds", "revenue_usd", "commission_usd", "records_without_usd"];
    for (as_of, days) in [(LAST_DAY, "days=365"), (LAST_DAY, "days=20000"), ("2025-12-31", "days=92")] {
        let customers = run(&db, "revenue_by_customer", as_of, &[days]);
        let services = run(&db, "revenue_by_service", as_of, &[days]);
        let countries = run(&db, "revenue_by_country", as_of, &[days]);
        assert!(sum(&customers, "commission_usd") > 0, "{as_of} {days}");
        for column in columns {
            let total = sum(&customers, column);
            assert_eq!(total, sum(&services, column), "{column} {as_of} {days}");
            assert_eq!(total, sum(&countries, column), "{column} {as_of} {days}");
        }
    }
    let customers = run(&db, "revenue_by_customer", LAST_DAY, &["days=20000"]);
    let months = run(&db, "commissions_by_month", LAST_DAY, &["months=1200"]);
    assert_eq!(sum(&customers, "commission_usd"), sum(&months, "net_usd"));
    assert!(sum(&customers, "refunds") > 0);
}

#[test]
fn a_statement_is_the_customers_revenue_event_by_event() {
    let bench = partner(2);
    let db = open(&bench);
    let mut stated: BTreeMap<(String, String), [i64; 2]> = BTreeMap::new();
    for event in run(&db, "customer_statement", LAST_DAY, &[]) {
        let sums = stated.entry((text(&event, "store_id"), text(&event, "customer_id"))).or_default();
        match text(&event, "event").as_str() {
            "transaction" => sums[0] += cents(&event["amount_usd"]),
            "commission" => sums[1] += cents(&event["amount_usd"]),
            _ => {}
        }
    }
    let customers = run(&db, "revenue_by_customer", LAST_DAY, &["days=20000"]);
    assert!(customers.len() > 30);
    for customer in &customers {
        let sums = stated.remove(&(text(customer, "store_id"), text(customer, "customer_id"))).unwrap_or_default();
        assert_eq!(sums, [cents(&customer["revenue_usd"]), cents(&customer["commission_usd"])], "{customer:?}");
    }
    // what is left began and paid nothing
    assert!(stated.values().all(|sums| *sums == [0, 0]), "{stated:?}");
    // one customer's statement is its part of the whole
    let one = text(&customers[0], "customer_id");
    let alone = run(&db, "customer_statement", LAST_DAY, &[&format!("customer={one}")]);
    let money = alone.iter().filter(|event| text(event, "event") == "transaction");
    let paid = customers.iter().filter(|customer| text(customer, "customer_id") == one);
    assert_eq!(
        money.map(|event| cents(&event["amount_usd"])).sum::<i64>(),
        paid.map(|customer| cents(&customer["revenue_usd"])).sum::<i64>()
    );
}

#[test]
fn renewals_by_month_are_the_renewals_due_of_the_same_days() {
    // twelve months from 1 March 2026 end 364 days later
    let bench = partner(1);
    let db = open(&bench);
    let months = run(&db, "renewals_by_month", LAST_DAY, &[]);
    let due = run(&db, "renewals_due", LAST_DAY, &["within=364"]);
    assert!(due.len() > 10);
    assert_eq!(sum(&months, "renewals"), i64::try_from(due.len()).unwrap());
    assert_eq!(sum(&months, "amount_usd"), sum(&due, "next_recurring_amount_usd"));
    assert_eq!(sum(&months, "expected_commission_usd"), sum(&due, "expected_commission_usd"));
    let unknown = due.iter().filter(|row| row["expected_commission_usd"] == Value::Null).count();
    assert_eq!(sum(&months, "without_rate"), i64::try_from(unknown).unwrap());
}

#[test]
fn what_is_lost_is_not_live_and_retention_keeps_the_rest() {
    let bench = partner(2);
    let db = open(&bench);
    let key = |row: &BTreeMap<String, Value>| (text(row, "store_id"), text(row, "subscription_id"));
    for as_of in ["2025-11-20", LAST_DAY] {
        let all = run(&db, "subscriptions_new", as_of, &["days=20000"]);
        let lost = run(&db, "subscriptions_lost", as_of, &["days=20000"]);
        let lost: BTreeSet<_> = lost.iter().map(key).collect();
        assert!(lost.len() > 5, "{as_of}: {}", lost.len());
        assert!(all.iter().filter(|row| !row["mrr_usd"].is_null()).all(|row| !lost.contains(&key(row))), "{as_of}");
        // the newest age of every cohort: the customers with something that is not lost
        let cohorts = run(&db, "customer_retention", as_of, &[]);
        let mut newest: BTreeMap<String, i64> = BTreeMap::new();
        for row in &cohorts {
            newest.insert(text(row, "cohort"), cents(&row["kept"]));
        }
        let customer = |row: &BTreeMap<String, Value>| (text(row, "store_id"), text(row, "customer_id"));
        let kept: BTreeSet<_> = all.iter().filter(|row| !lost.contains(&key(row))).map(customer).collect();
        assert_eq!(newest.values().sum::<i64>(), i64::try_from(kept.len()).unwrap(), "{as_of}");
        let begun: BTreeSet<_> = all.iter().map(customer).collect();
        let first: i64 = cohorts.iter().filter(|row| cents(&row["age"]) == 0).map(|row| cents(&row["customers"])).sum();
        assert_eq!(first, i64::try_from(begun.len()).unwrap(), "{as_of}");
    }
}
