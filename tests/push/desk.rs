//! A mirror filled by hand, a CRM to push it to, and small records of each kind.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use chrono::{DateTime, Duration, Utc};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use storemirror::api::{Client, Connection, CrmApi};
use storemirror::config::{AnswerLimits, Credentials, CrmConfig, CrmRules};
use storemirror::db::{Db, RunRow};
use storemirror::model::Kind;
use storemirror::push::{self, Options, Summary};
use storemirror::sim::{self, Running};
use tempfile::TempDir;

use crate::support::{NOW, empty_world, subscription};

/// A mirror filled by hand and a CRM to push it to.
pub(super) struct Desk {
    pub(super) sim: Running,
    folder: TempDir,
    pub(super) db: Db,
    pub(super) crm: CrmConfig,
    pub(super) stores: Vec<String>,
    pub(super) now: Cell<DateTime<Utc>>,
    pub(super) said: Rc<RefCell<Vec<String>>>,
}

impl Desk {
    pub(super) fn new(stores: &[&str]) -> Self {
        let sim = sim::start(empty_world()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("mirror.db")).unwrap();
        for store in stores {
            db.register_store(store, "com", "http://127.0.0.1", &Kind::ALL).unwrap();
        }
        let base: url::Url = sim.base_url().parse().unwrap();
        let client_id = sim.connection()["crm"]["client_id"].as_str().unwrap().to_owned();
        let module = |kind: Kind| kind.table().module_label.unwrap().replace(' ', "_");
        let crm = CrmConfig {
            data_center: "com".to_owned(),
            api_url: base.clone(),
            accounts_url: base,
            client_id,
            daily_credits: None,
            throttle_wait_seconds: 0,
            timeout_seconds: 10,
            answer: AnswerLimits::default(),
            modules: Kind::pushed().map(|kind| (kind, module(kind))).collect(),
            fields: std::collections::BTreeMap::new(),
            rules: CrmRules::default(),
        };
        let stores = stores.iter().map(|store| (*store).to_owned()).collect();
        let now = Cell::new(NOW.parse().unwrap());
        Self { sim, folder, db, crm, stores, now, said: Rc::default() }
    }

    /// Receives records as an ingest would.
    pub(super) fn save(&self, store: &str, kind: Kind, bodies: &[String]) {
        let page = self.db.receive(store, kind, bodies.to_vec(), Some(NOW)).unwrap();
        self.db.save(page, None, NOW).unwrap();
    }

    pub(super) fn remove(&self, store: &str, kind: Kind, id: u64) {
        let gone = self.db.missing(store, kind, |listed| listed != id.to_string()).unwrap();
        let run = self.db.start_run(store, kind, NOW).unwrap();
        let row = RunRow { outcome: "complete".to_owned(), gone, ..RunRow::default() };
        self.db.finish_run(run, store, kind, &row, NOW, NOW).unwrap();
    }

    fn api(&self) -> CrmApi {
        let connection = self.sim.connection();
        let secret = |key: &str| SecretString::from(connection["crm"][key].as_str().unwrap());
        let connection = Connection {
            name: "CRM".to_owned(),
            connect_command: "connect crm".to_owned(),
            api_url: self.crm.api_url.clone(),
            accounts_url: self.crm.accounts_url.clone(),
            client_id: self.crm.client_id.clone(),
            credentials: Credentials { client_secret: secret("client_secret"), refresh_token: secret("refresh_token") },
            requests_per_minute: None,
            throttle_wait_seconds: self.crm.throttle_wait_seconds,
            timeout_seconds: self.crm.timeout_seconds,
            answer: self.crm.answer,
            verbose: false,
            state: &self.folder.path().join("state"),
        };
        CrmApi::new(Client::new(connection, Rc::new(|_: &str| {})).unwrap()).with_trigger(&self.crm.rules.trigger)
    }

    pub(super) fn run(&self, options: &Options) -> Summary {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let said = Rc::clone(&self.said);
        let talk: storemirror::api::Talk = Rc::new(move |line: &str| said.borrow_mut().push(line.to_owned()));
        let (clock, progress) = (|| self.now.get(), storemirror::progress::Progress::new(false, true));
        let push = push::run(&self.db, &self.crm, &self.stores, || Ok(self.api()), options, &clock, (&talk, &progress));
        runtime.block_on(push).unwrap()
    }

    pub(super) fn push(&self) -> Value {
        self.run(&Options::default()).json()
    }

    pub(super) fn later(&self, days: i64) {
        self.now.set(self.now.get() + Duration::days(days));
    }

    /// The field of the CRM record with that name.
    pub(super) fn value(&self, module: &str, name: &str, field: &str) -> Value {
        self.sim.with(|world| {
            let record = world.crm.record_named(module, name).unwrap_or_else(|| panic!("no {name} in {module}"));
            record.fields.get(field).cloned().unwrap_or(Value::Null)
        })
    }

    pub(super) fn crm_id(&self, module: &str, name: &str) -> String {
        self.sim.with(|world| world.crm.record_named(module, name).unwrap().id.clone())
    }

    pub(super) fn count(&self, module: &str) -> usize {
        self.sim.with(|world| world.crm.records(module).len())
    }

    pub(super) fn switch(&self, patch: &Value) {
        self.sim.with(|world| world.switches.merge(patch).unwrap());
    }

    /// Changes the file behind the program's back.
    pub(super) fn execute(&self, sql: &str) {
        rusqlite::Connection::open(self.db.path()).unwrap().execute_batch(sql).unwrap();
    }

    pub(super) fn row(&self, sql: &str) -> Vec<Value> {
        let connection = rusqlite::Connection::open(self.db.path()).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        let row = rows.next().unwrap().unwrap_or_else(|| panic!("no row: {sql}"));
        (0..columns)
            .map(|column| match row.get_ref(column).unwrap() {
                rusqlite::types::ValueRef::Null => Value::Null,
                rusqlite::types::ValueRef::Integer(number) => json!(number),
                other => json!(other.as_str().unwrap()),
            })
            .collect()
    }
}

pub(super) fn subscriptions(ids: impl IntoIterator<Item = u64>) -> Vec<String> {
    ids.into_iter().map(subscription).collect()
}

pub fn with(body: &str, changes: &Value) -> String {
    let mut object: Map<String, Value> = serde_json::from_str(body).unwrap();
    for (key, value) in changes.as_object().unwrap() {
        object.insert(key.clone(), value.clone());
    }
    Value::Object(object).to_string()
}

pub fn transaction(id: u64, subscription: u64) -> String {
    json!({
        "transaction_id": id, "subscription_id": subscription, "transaction_type": "recurring",
        "transaction_date": "2026-02-27 23:30:00", "date": 1_772_236_800_000_i64, "description": "Renewal",
        "amount": "12.5", "usd_amount": "12.5", "currency": "USD", "billing_frequency": "monthly",
        "service_id": 2, "service_name": "CRM", "plan_id": 3, "plan_name": "Standard", "pricing_type": "list_price",
    })
    .to_string()
}

pub fn commission(id: u64, subscription: u64, transaction: u64) -> String {
    json!({
        "commission_id": id, "type": "commission", "commission_type": "Base", "status": "open", "date": "2026-02-28",
        "payout_id": -1, "entity": "ZC", "currency": "USD", "payout_currency": "USD", "exchange_rate": "1.0",
        "commission": "2.25", "base_commission": "2.25", "payout_commission": "0", "balance_commission": "2.25",
        "eligible_txn_amount": "12.5",
        "subscription": {"subscription_id": subscription}, "transaction": {"transaction_id": transaction},
    })
    .to_string()
}

#[track_caller]
pub(super) fn expect(summary: &Value, place: usize, expected: &Value) {
    let kind = &summary["kinds"][place];
    for (key, value) in expected.as_object().unwrap() {
        let found = if kind["planned"][key].is_null() { &kind[key] } else { &kind["planned"][key] };
        assert_eq!(found, value, "{key} of {kind}");
    }
}
