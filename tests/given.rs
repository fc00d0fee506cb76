//! A small mirror for hand-made cases: each call adds a record with sensible defaults and what the case is about, and
//! `rows` asks a report through the library. Money is written as decimals, a rate as a fraction.

use std::path::PathBuf;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};
use serde_json::{Map, Value, json};
use storemirror::db::Db;
use storemirror::model::instant::parse_instant;
use storemirror::report::{Catalog, Moment, Reader, Request, assignment, write_csv};
use tempfile::TempDir;

pub const NOW: &str = "2026-03-01T06:00:00Z";

pub struct Given {
    folder: TempDir,
    connection: Connection,
    payloads: std::cell::Cell<i64>,
}

impl Given {
    /// Two stores, each completely listed on 2026-03-01.
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("mirror.db");
        drop(Db::open(&path).expect("a new mirror"));
        let connection = Connection::open(&path).expect("the mirror");
        let given = Self { folder, connection, payloads: 0.into() };
        for store_id in ["eu", "us"] {
            given.sql(&format!("insert into stores values ('{store_id}', 'com', '', null, '2026-01-01T00:00:00Z')"));
            for kind in ["subscriptions", "transactions", "commissions"] {
                given.sql(&format!(
                    "insert into coverage values ('{store_id}', '{kind}', 'complete', '2026-03-01T00:00:00Z',
                                                  '2026-03-01T00:00:00Z', 0)"
                ));
            }
        }
        given
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("mirror.db")
    }

    pub fn db(&self) -> Db {
        Db::open_reader(&self.path()).expect("a reader")
    }

    pub fn sql(&self, statement: &str) {
        self.connection.execute_batch(statement).expect(statement);
    }

    /// A live yearly subscription to service 10 of the US store, 1,200 dollars due on 2026-03-20.
    pub fn subscription(&self, id: i64, facts: Value) -> &Self {
        let defaults = json!({
            "subscription_id": id, "customer_id": format!("c{id}"), "company_name": format!("Company {id}"),
            "email": format!("c{id}@example.test"), "business_category": "zoho", "country": "Norway",
            "service_id": 10, "service_name": "One", "plan_id": 1, "plan_name": "Enterprise", "paid_users": 5,
            "status": "active", "billing_frequency": "yearly", "pricing_type": "list_price",
            "subscription_type": "online", "currency": "USD", "next_recurring_amount": "1200",
            "next_recurring_amount_usd": "1200", "next_recurring_date": "2026-03-20",
            "subscription_start_date": "2024-03-20", "mrr_usd": "100",
        });
        let row = self.record("subscription", id, defaults, facts);
        self.insert("subscription_versions", &first_version(row));
        self
    }

    /// A recurring payment of 100 dollars for subscription 1 on 2026-02-01.
    pub fn transaction(&self, id: i64, facts: Value) -> &Self {
        let defaults = json!({
            "transaction_id": id, "transaction_day": "2026-02-01", "transaction_type": "recurring",
            "amount": "100", "usd_amount": "100", "currency": "USD", "billing_frequency": "yearly",
            "subscription_id": 1, "service_id": 10, "service_name": "One", "plan_name": "Enterprise",
            "pricing_type": "list_price",
        });
        self.record("transaction", id, defaults, facts);
        self
    }

    /// An active base commission of 18 dollars (rate 0.18) for subscription 1 on 2026-02-01.
    pub fn commission(&self, id: i64, facts: Value) -> &Self {
        let defaults = json!({
            "commission_id": id, "type": "commission", "commission_type": "Base", "status": "open",
            "commission_day": "2026-02-01", "payout_id": -1, "entity": "Zoho US", "currency": "USD",
            "payout_currency": "USD", "exchange_rate": "1", "subscription_id": 1, "transaction_id": 900_000 + id,
            "company_name": "Company 1", "service_id": 10, "service_name": "One", "sign": 1, "state": "active",
            "eligible_amount": "100", "eligible_usd_amount": "100", "usd_commission": "18",
            "net_payout": "18", "net_usd": "18", "balance_payout": "18", "rate": "0.18",
        });
        let row = self.record("commission", id, defaults, facts);
        self.insert("commission_versions", &first_version(row));
        self
    }

    /// From `day` on the record is as `facts` say: a new version, and the record with it.
    pub fn then(&self, kind: &str, id: i64, day: &str, facts: Value) -> &Self {
        let versions = format!("{kind}_versions");
        let newest = format!("{kind}_id = {id} and until_day = '9999-12-31'");
        let mut row = self.row(&versions, &newest);
        self.sql(&format!(
            "update {versions} set until_day = '{day}', seen_until = coalesce(seen_until, '{day}T01:00:00Z')
             where {newest}"
        ));
        let version = row["version"].as_i64().expect("a version") + 1;
        merge(
            &mut row,
            json!({ "version": version, "from_day": day, "seen_from": format!("{day}T01:00:00Z"),
                                "seen_until": null, "until_day": "9999-12-31", "removed_day": null }),
        );
        let facts = self.stored(&versions, facts);
        merge(&mut row, facts.clone());
        self.insert(&versions, &row);
        self.update(&format!("{kind}_records"), &format!("{kind}_id = {id}"), &facts);
        self.sql(&format!("update {kind}_records set removed_at = null where {kind}_id = {id}"));
        self
    }

    /// The store stopped listing the record on `day`.
    pub fn removed(&self, kind: &str, id: i64, day: &str) -> &Self {
        self.sql(&format!("update {kind}_records set removed_at = '{day}T01:00:00Z' where {kind}_id = {id}"));
        if kind != "transaction" {
            self.sql(&format!(
                "update {kind}_versions set removed_day = '{day}', seen_until = '{day}T01:00:00Z'
                 where {kind}_id = {id} and until_day = '9999-12-31'"
            ));
        }
        self
    }

    /// The rows of a report (`name k=v …`) as CSV has them, only the columns named, a space between; `-` is empty.
    pub fn rows(&self, report: &str, as_of: &str, columns: &str) -> Vec<String> {
        let mut words = report.split(' ');
        let catalog = Catalog::bundled();
        let report = catalog.find(words.next().expect("a name")).expect("a report");
        let parameters: Vec<_> = words.map(|word| assignment(word).expect("an assignment")).collect();
        let moment = Moment::new(Some(as_of), parse_instant(NOW).expect("an instant")).expect("a day");
        let request = Request::new(report, &parameters, moment).expect("good parameters");
        let mut csv = Vec::new();
        write_csv(&request.run(&self.db()).expect("a table"), Reader::Program, &mut csv).expect("CSV");
        chosen(&csv, columns)
    }

    fn record(&self, kind: &str, id: i64, defaults: Value, facts: Value) -> Map<String, Value> {
        let table = format!("{kind}_records");
        let payload_id = self.payloads.get() + 1;
        self.payloads.set(payload_id);
        let mut row = self.stored(&table, defaults);
        merge(&mut row, self.stored(&table, facts));
        merge(
            &mut row,
            json!({ "payload_id": payload_id, "first_seen_at": "2026-01-01T00:00:00Z",
                                "changed_at": "2026-01-01T00:00:00Z" }),
        );
        row.entry("store_id").or_insert(json!("us"));
        self.insert(&table, &row);
        self.sql(&format!(
            "insert into payloads (payload_id, store_id, kind, record_id, version, content_sha256, seen_from, body)
             values ({payload_id}, {}, '{kind}s', '{id}', 1, '', '2026-01-01T00:00:00Z', '{{}}')",
            row["store_id"].to_string().replace('"', "'")
        ));
        row
    }

    /// Facts under the names of the table's columns: decimals to millionths, a fraction to basis points.
    fn stored(&self, table: &str, facts: Value) -> Map<String, Value> {
        let columns = self.columns(table);
        let Value::Object(facts) = facts else { panic!("facts are an object") };
        facts
            .into_iter()
            .map(|(name, value)| {
                for (suffix, decimals) in [("_micros", 6), ("_basis_points", 4)] {
                    if columns.contains(&format!("{name}{suffix}")) {
                        return (format!("{name}{suffix}"), scaled(&value, decimals));
                    }
                }
                (name, value)
            })
            .collect()
    }

    fn columns(&self, table: &str) -> Vec<String> {
        let mut statement = self.connection.prepare(&format!("select name from pragma_table_info('{table}')")).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn row(&self, table: &str, condition: &str) -> Map<String, Value> {
        let columns = self.columns(table);
        let mut statement = self.connection.prepare(&format!("select * from {table} where {condition}")).unwrap();
        statement
            .query_row([], |row| {
                columns.iter().enumerate().map(|(index, name)| Ok((name.clone(), json_of(row.get(index)?)))).collect()
            })
            .unwrap()
    }

    fn insert(&self, table: &str, row: &Map<String, Value>) {
        let columns: Vec<String> = self.columns(table).into_iter().filter(|name| row.contains_key(name)).collect();
        let marks = vec!["?"; columns.len()].join(", ");
        let sql = format!("insert into {table} ({}) values ({marks})", columns.join(", "));
        self.connection.execute(&sql, params_from_iter(columns.iter().map(|name| sql_of(&row[name])))).expect(&sql);
    }

    fn update(&self, table: &str, condition: &str, facts: &Map<String, Value>) {
        for (name, value) in facts {
            let sql = format!("update {table} set {name} = ?1 where {condition}");
            self.connection.execute(&sql, [sql_of(value)]).expect(&sql);
        }
    }
}

/// The columns asked for, of every row of a CSV.
fn chosen(csv: &[u8], columns: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv);
    let header = reader.headers().expect("a header").clone();
    let places: Vec<usize> = columns
        .split(' ')
        .map(|name| header.iter().position(|column| column == name).unwrap_or_else(|| panic!("no column {name}")))
        .collect();
    reader
        .records()
        .map(|record| {
            let record = record.expect("a record");
            let cells = places.iter().map(|&place| if record[place].is_empty() { "-" } else { &record[place] });
            cells.collect::<Vec<_>>().join(" ")
        })
        .collect()
}

fn first_version(mut row: Map<String, Value>) -> Map<String, Value> {
    let version = json!({ "version": 1, "seen_from": "2026-01-01T00:00:00Z", "from_day": "0000-01-01",
                          "until_day": "9999-12-31" });
    merge(&mut row, version);
    row
}

fn merge(row: &mut Map<String, Value>, facts: impl Into<Value>) {
    if let Value::Object(facts) = facts.into() {
        row.extend(facts);
    }
}

/// A decimal such as "-12.5" as a whole number of its `decimals`-th part.
fn scaled(value: &Value, decimals: usize) -> Value {
    let Some(text) = value.as_str() else { return Value::Null };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<decimals$}").parse::<i64>().expect("a decimal").into()
}

fn sql_of(value: &Value) -> Sql {
    match value {
        Value::String(text) => Sql::Text(text.clone()),
        Value::Number(number) => Sql::Integer(number.as_i64().expect("a whole number")),
        _ => Sql::Null,
    }
}

fn json_of(value: Sql) -> Value {
    match value {
        Sql::Integer(number) => number.into(),
        Sql::Text(text) => text.into(),
        _ => Value::Null,
    }
}
