//! The CRM server: modules with typed fields, records, and the calls a delta pusher makes.
//!
//! Terms: a *base name* is an API name without the extension's prefix; records are kept under base names and a caller
//! of the HTTP side sees names with the prefix. A *write* is insert, update, upsert or delete; only writes cost
//! credits here. `write` changes records, `read` and `coql` read them, `meta` shows modules and fields, `validate`
//! judges values.

mod coql;
mod fields;
mod meta;
mod read;
mod validate;
mod write;

pub use fields::Field;

use super::accounts::Refusal;
use super::answer::{Answer, Call, error_object};
use super::switches::{CrmSwitches, InvalidModule, Payload, TooManyBody};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, VecDeque};

/// A record of a module; `fields` holds what was set, by base name.
#[derive(Clone, Debug)]
pub struct CrmRecord {
    pub id: String,
    pub fields: Map<String, Value>,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
}

impl CrmRecord {
    fn number(&self) -> u64 {
        self.id.parse().unwrap_or(0)
    }

    /// The value of a column, system columns included.
    fn value(&self, base_name: &str) -> Value {
        match base_name {
            "id" => json!(self.id),
            "Created_Time" => json!(time(self.created_at)),
            "Modified_Time" => json!(time(self.modified_at)),
            _ => self.fields.get(base_name).cloned().unwrap_or(Value::Null),
        }
    }
}

struct Deleted {
    id: String,
    name: Value,
    at: DateTime<Utc>,
}

/// A module, its fields and its records.
pub struct Module {
    pub id: String,
    /// Without the extension's prefix.
    pub api_name: String,
    pub singular: String,
    pub plural: String,
    pub is_custom: bool,
    pub has_prefix: bool,
    pub fields: Vec<Field>,
    /// In the order of their ids, which is the order of their creation.
    records: Vec<CrmRecord>,
    deleted: Vec<Deleted>,
    /// Key field → value in lower case → ids, for the fields records are found by.
    index: HashMap<String, HashMap<String, Vec<u64>>>,
}

impl Module {
    pub fn records(&self) -> &[CrmRecord] {
        &self.records
    }

    pub fn field_mut(&mut self, base_name: &str) -> Option<&mut Field> {
        self.fields.iter_mut().find(|field| field.api_name == base_name)
    }

    fn field(&self, base_name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.api_name == base_name)
    }

    fn seen_name(&self, prefix: &str) -> String {
        if self.has_prefix { format!("{prefix}{}", self.api_name) } else { self.api_name.clone() }
    }

    /// The field Zoho checks for duplicates by itself: `Name` in custom modules.
    fn system_field(&self) -> &'static str {
        if self.is_custom { "Name" } else { "Account_Name" }
    }

    fn place(&self, id: u64) -> Option<usize> {
        self.records.binary_search_by_key(&id, CrmRecord::number).ok()
    }
}

/// What one call did, for the log.
#[derive(Default)]
pub(super) struct Note {
    pub(super) is_write: bool,
    pub(super) records: usize,
    pub(super) credits: u64,
    /// The call's `trigger`; None when it was absent, which starts every automation.
    pub(super) trigger: Option<Value>,
}

/// The whole CRM.
pub struct Crm {
    modules: Vec<Module>,
    next_id: u64,
    /// Credits spent by writes, with their time.
    spent: VecDeque<(DateTime<Utc>, u64)>,
    payload: Payload,
}

/// Record ids begin here: 19 digits, as in the real organisations.
const FIRST_ID: u64 = 4_150_868_000_000_000_001;

impl Crm {
    pub(super) fn new() -> Self {
        let mut crm = Self { modules: Vec::new(), next_id: FIRST_ID, spent: VecDeque::new(), payload: Payload::Large };
        crm.add_module(("Accounts", "Account", "Accounts"), "Account Name", &[("Org ID", "text", &[])]);
        let partner = [
            (("Partner_Subscriptions", "Partner Subscription", "Partner Subscriptions"), fields::SUBSCRIPTIONS),
            (("Partner_Transactions", "Partner Transaction", "Partner Transactions"), fields::TRANSACTIONS),
            (("Partner_Commissions", "Partner Commission", "Partner Commissions"), fields::COMMISSIONS),
        ];
        for (names, lines) in partner {
            crm.add_module(names, "Name", lines);
        }
        crm
    }

    fn add_module(
        &mut self,
        (api_name, singular, plural): (&str, &str, &str),
        name_label: &str,
        lines: &[(&'static str, &'static str, &'static [&'static str])],
    ) {
        let id = self.new_id().to_string();
        let mut fields = vec![fields::name_field(self.new_id().to_string(), name_label)];
        for line in lines {
            fields.push(fields::field_of(self.new_id().to_string(), line));
        }
        let is_custom = api_name != "Accounts";
        if !is_custom {
            for field in &mut fields {
                field.has_prefix = false;
            }
        }
        self.modules.push(Module {
            id,
            api_name: api_name.to_owned(),
            singular: singular.to_owned(),
            plural: plural.to_owned(),
            is_custom,
            has_prefix: is_custom,
            fields,
            records: Vec::new(),
            deleted: Vec::new(),
            index: HashMap::new(),
        });
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 3;
        self.next_id
    }

    /// The module of a base name. Panics on an unknown one: it is the tests' typo.
    pub fn module(&self, base_name: &str) -> &Module {
        let found = self.modules.iter().find(|module| module.api_name == base_name);
        found.unwrap_or_else(|| panic!("the simulated CRM has no module {base_name}"))
    }

    pub fn module_mut(&mut self, base_name: &str) -> &mut Module {
        let found = self.modules.iter_mut().find(|module| module.api_name == base_name);
        found.unwrap_or_else(|| panic!("the simulated CRM has no module {base_name}"))
    }

    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    pub fn records(&self, base_name: &str) -> &[CrmRecord] {
        self.module(base_name).records()
    }

    /// The first record with that Name (`Account_Name` in Accounts).
    pub fn record_named(&self, base_name: &str, name: &str) -> Option<&CrmRecord> {
        let module = self.module(base_name);
        module.records.iter().find(|record| record.fields.get(module.system_field()) == Some(&json!(name)))
    }

    pub fn remove_module(&mut self, base_name: &str) {
        self.modules.retain(|module| module.api_name != base_name);
    }

    pub fn remove_field(&mut self, base_name: &str, field: &str) {
        self.module_mut(base_name).fields.retain(|known| known.api_name != field);
    }

    /// Credits spent in the 24 hours before `now`.
    pub(super) fn spent(&self, now: DateTime<Utc>) -> u64 {
        self.spent.iter().filter(|(at, _)| now - *at < Duration::hours(24)).map(|(_, credits)| credits).sum()
    }

    pub(super) fn answer(&mut self, call: &Call, switches: &CrmSwitches, now: DateTime<Utc>) -> (Answer, Note) {
        self.fit_payload(switches.payload);
        let rest = call.path.strip_prefix("/crm/v8/").unwrap_or_default().trim_end_matches('/');
        let parts: Vec<&str> = rest.split('/').collect();
        let method = call.method.as_str();
        let answer = match (method, parts.as_slice()) {
            ("GET", ["org"]) => meta::organisation(),
            ("GET", ["users"]) => meta::users(),
            ("GET", ["settings", "profiles"]) => meta::profiles(),
            ("GET", ["settings", "modules"]) => self.list_modules(switches),
            ("GET", ["settings", "modules", name]) => self.show_module(name, switches),
            ("POST", ["settings", "modules"]) => self.create_modules(call, switches),
            ("GET", ["settings", "fields"]) => self.list_fields(call, switches),
            ("POST", ["settings", "fields"]) => self.create_fields(call, switches),
            ("POST", ["coql"]) => self.coql(call, switches),
            (_, ["settings" | "org" | "users" | "coql", ..] | []) => unknown_url(),
            (_, [name, ..]) => return self.in_module(call, name, &parts[1..], switches, now),
        };
        (answer, Note::default())
    }

    fn in_module(
        &mut self,
        call: &Call,
        name: &str,
        parts: &[&str],
        switches: &CrmSwitches,
        now: DateTime<Utc>,
    ) -> (Answer, Note) {
        let Some(at) = self.modules.iter().position(|module| module.seen_name(&switches.prefix) == name) else {
            return (invalid_module(call, switches), Note::default());
        };
        let answer = match (call.method.as_str(), parts) {
            ("GET", []) => self.list(at, call, switches),
            ("GET", ["deleted"]) => self.list_deleted(at, call),
            ("GET", ["actions", "count"]) => Answer::json(200, &json!({"count": self.modules[at].records.len()})),
            ("GET", [id]) => self.show(at, id, switches),
            ("POST" | "PUT" | "DELETE", _) => return self.write(at, call, parts, switches, now),
            _ => unknown_url(),
        };
        (answer, Note::default())
    }

    /// The switch for small text areas acts on the payload fields of all modules.
    fn fit_payload(&mut self, payload: Payload) {
        if self.payload == payload {
            return;
        }
        self.payload = payload;
        for module in &mut self.modules {
            for field in module.fields.iter_mut().filter(|field| field.data_type == "textarea") {
                field.length = payload.length();
            }
        }
    }

    /// The place of a module a caller named, or the refusal.
    fn find_module(&self, name: &str, switches: &CrmSwitches) -> Option<usize> {
        self.modules.iter().position(|module| module.seen_name(&switches.prefix) == name)
    }
}

/// Times carry an offset and no fraction.
fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

fn someone() -> Value {
    json!({"name": "Sam Simulated", "id": "4150868000000000999"})
}

fn unknown_url() -> Answer {
    let message = "Please check if the URL trying to access is a correct one";
    Answer::error(404, "INVALID_URL_PATTERN", message, &json!({}))
}

fn invalid_module(call: &Call, switches: &CrmSwitches) -> Answer {
    let details = json!({"resource_path_index": 0});
    let error = error_object("INVALID_MODULE", "the module name given seems to be invalid", &details);
    let is_wrapped = switches.invalid_module == InvalidModule::Wrapped && call.method != "GET";
    Answer::json(400, &if is_wrapped { json!({"data": [error]}) } else { error })
}

pub(super) fn refused(refusal: &Refusal) -> Answer {
    let (code, message) = match refusal {
        Refusal::Missing => ("AUTHENTICATION_FAILURE", "Authentication failed"),
        Refusal::Invalid => ("INVALID_TOKEN", "invalid oauth token"),
        Refusal::OtherServer => ("OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL"),
    };
    Answer::error(401, code, message, &json!({}))
}

/// A 429 in one of the bodies that are in circulation.
pub(super) fn too_many_requests(body: TooManyBody, seconds: Option<u64>) -> Answer {
    let body = match body {
        TooManyBody::Plain => {
            error_object("TOO_MANY_REQUESTS", "too many requests. please try again after some time", &json!({}))
        }
        TooManyBody::RetryAfter => error_object(
            "TOO_MANY_REQUESTS",
            "Rate limit exceeded. Please retry after the specified time.",
            &json!({"trace_id": "sim", "retry_after": seconds.unwrap_or(60), "limit": 100, "window": 60}),
        ),
        TooManyBody::Old => json!({
            "code": 429,
            "error": "TOO_MANY_REQUESTS",
            "error_info": "Many requests fired than the allowed limit for the past 24 hours.",
            "details": [],
        }),
    };
    let answer = Answer::json(429, &body);
    match seconds {
        Some(seconds) => answer.with_header("Retry-After", &seconds.to_string()),
        None => answer,
    }
}
