//! Inserting, updating, upserting and deleting records: whole-request refusals first, then one answer per record in
//! the order of the request.

use super::super::answer::{Answer, Call, error_object};
use super::super::switches::CrmSwitches;
use super::validate::{self, Rules};
use super::{Crm, CrmRecord, Deleted, Module, Note, someone, time, too_many_requests, unknown_url};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Records one call may bring.
const RECORDS_PER_CALL: usize = 100;
/// Records a credit pays for.
const RECORDS_PER_CREDIT: usize = 10;

#[derive(Clone, Copy, PartialEq)]
enum Verb {
    Insert,
    Update,
    Upsert,
}

/// A write that passed the whole-request checks.
struct Batch<'a> {
    verb: Verb,
    records: Vec<Map<String, Value>>,
    /// `duplicate_check_fields` as base names; None when absent.
    keys: Option<Vec<String>>,
    switches: &'a CrmSwitches,
    now: DateTime<Utc>,
}

impl Crm {
    pub(super) fn write(
        &mut self,
        at: usize,
        call: &Call,
        parts: &[&str],
        switches: &CrmSwitches,
        now: DateTime<Utc>,
    ) -> (Answer, Note) {
        let body = call.json().unwrap_or(Value::Null);
        let mut note = Note { is_write: true, trigger: body.get("trigger").cloned(), ..Note::default() };
        let verb = match (call.method.as_str(), parts) {
            ("POST", []) => Verb::Insert,
            ("POST", ["upsert"]) => Verb::Upsert,
            ("PUT", [] | [_]) => Verb::Update,
            ("DELETE", [] | [_]) => {
                let ids = parts.first().copied().unwrap_or_else(|| call.parameter("ids").unwrap_or_default());
                note.trigger = (call.parameter("wf_trigger") == Some("false")).then(|| json!([]));
                let ids: Vec<String> = ids.split(',').map(str::to_owned).collect();
                return self.delete(at, &ids, note, switches, now);
            }
            _ => return (unknown_url(), Note::default()),
        };
        let mut records = match records_of(&body) {
            Ok(records) => records,
            Err(answer) => return (answer, note),
        };
        if let ("PUT", [id], [record]) = (call.method.as_str(), parts, records.as_mut_slice()) {
            record.insert("id".to_owned(), json!(id));
        }
        note.records = records.len();
        let keys = match keys_of(&body, &self.modules[at], switches) {
            Ok(keys) => keys,
            Err(answer) => return (answer, note),
        };
        if let Err(answer) = self.pay(&mut note, switches, now) {
            return (answer, note);
        }
        let batch = Batch { verb, records, keys, switches, now };
        let items: Vec<Value> = (0..batch.records.len()).map(|index| self.write_one(at, &batch, index)).collect();
        (summary(&items, if verb == Verb::Insert { 201 } else { 200 }, switches), note)
    }

    /// Takes the credits of a call from the day's budget, or refuses the call.
    fn pay(&mut self, note: &mut Note, switches: &CrmSwitches, now: DateTime<Utc>) -> Result<(), Answer> {
        let credits = u64::try_from(note.records.div_ceil(RECORDS_PER_CREDIT)).unwrap_or(u64::MAX);
        if switches.daily_limit.is_some_and(|limit| self.spent(now) + credits > limit) {
            return Err(too_many_requests(switches.too_many_requests, None));
        }
        note.credits = credits;
        while self.spent.front().is_some_and(|(at, _)| now - *at >= Duration::hours(24)) {
            self.spent.pop_front();
        }
        self.spent.push_back((now, credits));
        Ok(())
    }

    fn write_one(&mut self, at: usize, batch: &Batch, index: usize) -> Value {
        let record = &batch.records[index];
        let found = match self.target(at, batch, index) {
            Ok(found) => found,
            Err(error) => return error,
        };
        let is_create = found.is_none();
        let checked = {
            let exists = |module: &str, id: u64| {
                let target = self.modules.iter().find(|known| known.api_name == module);
                target.is_some_and(|module| module.place(id).is_some())
            };
            let fields = &self.modules[at].fields;
            let rules = Rules { fields, switches: batch.switches, is_create, exists: &exists };
            validate::record(&rules, record, index)
        };
        let values = match checked {
            Ok(values) => values,
            Err(error) => return error,
        };
        let module = &mut self.modules[at];
        if let Some(error) = module.conflict(&values, found.as_ref().map(|(id, _)| *id), batch, index) {
            return error;
        }
        let is_upsert = batch.verb == Verb::Upsert;
        if let Some((id, key)) = found {
            let saved = module.change(id, values, batch);
            return success("record updated", is_upsert.then_some("update"), key.as_deref(), saved);
        }
        let id = self.new_id();
        let saved = self.modules[at].create(id, values, batch.now);
        success("record added", is_upsert.then_some("insert"), None, saved)
    }

    /// The record an item means: none for a new one, else its id and the key that found it.
    fn target(&mut self, at: usize, batch: &Batch, index: usize) -> Result<Option<(u64, Option<String>)>, Value> {
        let record = &batch.records[index];
        let module = &mut self.modules[at];
        let path = format!("$.data[{index}].id");
        if let (Some(id), true) = (record.get("id"), batch.verb != Verb::Insert) {
            let number = id.as_u64().or_else(|| id.as_str()?.parse().ok());
            let known = number.filter(|id| module.place(*id).is_some());
            return known.map(|id| Some((id, None))).ok_or_else(|| {
                let details = json!({"id": id, "api_name": "id", "json_path": path});
                error_object("INVALID_DATA", "the id given seems to be invalid", &details)
            });
        }
        match batch.verb {
            Verb::Insert => Ok(None),
            Verb::Update => Err(validate::missing("id", index)),
            Verb::Upsert => Ok(module.keys_for(batch).into_iter().find_map(|key| {
                let seen = module.field(&key)?.seen_name(&batch.switches.prefix);
                let value = record.get(&seen)?.as_str()?.to_owned();
                module.ids_with(&key, &value).first().map(|id| (*id, Some(seen)))
            })),
        }
    }

    fn delete(
        &mut self,
        at: usize,
        ids: &[String],
        mut note: Note,
        switches: &CrmSwitches,
        now: DateTime<Utc>,
    ) -> (Answer, Note) {
        note.records = ids.len();
        if ids.len() > RECORDS_PER_CALL {
            return (too_many_records(), note);
        }
        if let Err(answer) = self.pay(&mut note, switches, now) {
            return (answer, note);
        }
        let module = &mut self.modules[at];
        let items = ids.iter().map(|id| {
            if id.parse().is_ok_and(|number| module.remove(number, now)) {
                json!({"code": "SUCCESS", "details": {"id": id}, "message": "record deleted", "status": "success"})
            } else {
                error_object("INVALID_DATA", "record not deleted", &json!({ "id": id }))
            }
        });
        (summary(&items.collect::<Vec<_>>(), 200, switches), note)
    }

    /// Removes a record behind the pusher's back, as a user of the CRM would.
    pub fn remove_record(&mut self, base_name: &str, id: &str) -> bool {
        let now = DateTime::UNIX_EPOCH;
        id.parse().is_ok_and(|number| self.module_mut(base_name).remove(number, now))
    }

    /// Sets a field behind the pusher's back.
    pub fn set_value(&mut self, base_name: &str, id: &str, field: &str, value: Value) -> bool {
        let module = self.module_mut(base_name);
        let Some(place) = id.parse().ok().and_then(|number| module.place(number)) else {
            return false;
        };
        module.records[place].fields.insert(field.to_owned(), value);
        module.index.clear();
        true
    }

    /// Adds a record without any check, as users and other programs do; returns its id.
    pub fn add_record(&mut self, base_name: &str, fields: Map<String, Value>, now: DateTime<Utc>) -> String {
        let id = self.new_id();
        let values = fields.into_iter().collect();
        self.module_mut(base_name).create(id, values, now);
        id.to_string()
    }
}

impl Module {
    /// The key fields of an upsert in the order Zoho asks them: the given ones, then every other unique field; with
    /// none given, the system field first.
    fn keys_for(&self, batch: &Batch) -> Vec<String> {
        let mut keys = batch.keys.clone().unwrap_or_else(|| vec![self.system_field().to_owned()]);
        for field in self.fields.iter().filter(|field| field.is_unique) {
            if !keys.contains(&field.api_name) {
                keys.push(field.api_name.clone());
            }
        }
        keys
    }

    /// The ids of the records with that value in a key field, oldest first.
    fn ids_with(&mut self, key: &str, value: &str) -> &[u64] {
        if !self.index.contains_key(key) {
            let mut of_key: HashMap<String, Vec<u64>> = HashMap::new();
            for record in &self.records {
                if let Some(text) = record.fields.get(key).and_then(Value::as_str) {
                    of_key.entry(text.to_lowercase()).or_default().push(record.number());
                }
            }
            self.index.insert(key.to_owned(), of_key);
        }
        self.index.get(key).and_then(|of_key| of_key.get(&value.to_lowercase())).map_or(&[], Vec::as_slice)
    }

    /// `DUPLICATE_DATA` when another record already has the value of a unique field.
    fn conflict(&mut self, values: &[(String, Value)], own: Option<u64>, batch: &Batch, index: usize) -> Option<Value> {
        for (name, value) in values {
            let Some(text) = value.as_str() else { continue };
            let Some(field) = self.field(name).filter(|field| field.is_unique) else {
                continue;
            };
            let seen = field.seen_name(&batch.switches.prefix);
            let Some(other) = self.ids_with(name, text).iter().find(|id| Some(**id) != own).copied() else {
                continue;
            };
            let details = json!({
                "api_name": seen,
                "json_path": format!("$.data[{index}].{seen}"),
                "id": other.to_string(),
                "duplicate_record": {
                    "id": other.to_string(),
                    "Owner": someone(),
                    "module": {"api_name": self.seen_name(&batch.switches.prefix), "id": self.id},
                },
            });
            return Some(error_object("DUPLICATE_DATA", "duplicate data", &details));
        }
        None
    }

    fn create(&mut self, id: u64, values: Vec<(String, Value)>, now: DateTime<Utc>) -> &CrmRecord {
        let fields: Map<String, Value> = values.into_iter().filter(|(_, value)| !value.is_null()).collect();
        for (key, of_key) in &mut self.index {
            if let Some(text) = fields.get(key).and_then(Value::as_str) {
                of_key.entry(text.to_lowercase()).or_default().push(id);
            }
        }
        self.records.push(CrmRecord { id: id.to_string(), fields, created_at: now, modified_at: now });
        &self.records[self.records.len() - 1]
    }

    fn change(&mut self, id: u64, values: Vec<(String, Value)>, batch: &Batch) -> &CrmRecord {
        let place = self.place(id).unwrap_or_default();
        for (name, value) in values {
            self.reindex(place, &name, &value);
            let fields = &mut self.records[place].fields;
            if !value.is_null() {
                fields.insert(name, value);
            } else if batch.switches.null_clears {
                fields.shift_remove(&name);
            }
        }
        self.records[place].modified_at = batch.now;
        &self.records[place]
    }

    fn reindex(&mut self, place: usize, name: &str, new: &Value) {
        let record = &self.records[place];
        let Some(of_key) = self.index.get_mut(name) else {
            return;
        };
        let old = record.fields.get(name).and_then(Value::as_str);
        if old == new.as_str() {
            return;
        }
        if let Some(ids) = old.and_then(|old| of_key.get_mut(&old.to_lowercase())) {
            ids.retain(|id| *id != record.number());
        }
        if let Some(new) = new.as_str() {
            of_key.entry(new.to_lowercase()).or_default().push(record.number());
        }
    }

    fn remove(&mut self, id: u64, now: DateTime<Utc>) -> bool {
        let Some(place) = self.place(id) else {
            return false;
        };
        let record = self.records.remove(place);
        self.index.clear();
        let name = record.value(self.system_field());
        self.deleted.push(Deleted { id: record.id, name, at: now });
        true
    }
}

/// The records of a body, or the refusal of the whole request.
fn records_of(body: &Value) -> Result<Vec<Map<String, Value>>, Answer> {
    let refuse = |code: &str, message: &str, details: Value| Err(Answer::error(400, code, message, &details));
    let Some(object) = body.as_object() else {
        return refuse("INVALID_DATA", "body", json!({"expected_data_type": "jsonobject"}));
    };
    let Some(data) = object.get("data") else {
        return refuse("MANDATORY_NOT_FOUND", "required field not found", json!({"api_name": "data"}));
    };
    let records: Option<Vec<Map<String, Value>>> =
        data.as_array().and_then(|records| records.iter().map(|record| record.as_object().cloned()).collect());
    match records {
        Some(records) if records.is_empty() => {
            refuse("MANDATORY_NOT_FOUND", "required field not found", json!({"api_name": "data"}))
        }
        Some(records) if records.len() > RECORDS_PER_CALL => Err(too_many_records()),
        Some(records) => Ok(records),
        None => refuse("INVALID_DATA", "invalid data", json!({"api_name": "data", "expected_data_type": "jsonarray"})),
    }
}

fn too_many_records() -> Answer {
    let details = json!({"api_name": "data", "maximum_length": RECORDS_PER_CALL});
    Answer::error(400, "LIMIT_EXCEEDED", "The number of records exceeds the limit", &details)
}

/// `duplicate_check_fields` as base names; a field that is neither the system field nor unique is refused.
fn keys_of(body: &Value, module: &Module, switches: &CrmSwitches) -> Result<Option<Vec<String>>, Answer> {
    let Some(names) = body.get("duplicate_check_fields").and_then(Value::as_array) else {
        return Ok(None);
    };
    let mut keys = Vec::new();
    for name in names {
        let known = module.fields.iter().find(|field| {
            name.as_str() == Some(&field.seen_name(&switches.prefix))
                && (field.is_unique || field.api_name == module.system_field())
        });
        let Some(field) = known else {
            let details = json!({"api_name": "duplicate_check_fields", "json_path": "$.duplicate_check_fields"});
            return Err(Answer::error(400, "INVALID_DATA", "invalid data", &details));
        };
        keys.push(field.api_name.clone());
    }
    Ok(Some(keys))
}

fn success(message: &str, action: Option<&str>, duplicate_field: Option<&str>, record: &CrmRecord) -> Value {
    let mut item = json!({
        "code": "SUCCESS",
        "details": {
            "Modified_Time": time(record.modified_at),
            "Modified_By": someone(),
            "Created_Time": time(record.created_at),
            "id": record.id,
            "Created_By": someone(),
        },
        "message": message,
        "status": "success",
    });
    if let Some(action) = action {
        item["action"] = json!(action);
        item["duplicate_field"] = json!(duplicate_field);
    }
    if message == "record added" {
        item["details"]["$approval_state"] = json!("approved");
    }
    item
}

/// The status follows from the items: all good, all bad, or mixed.
fn summary(items: &[Value], good: u16, switches: &CrmSwitches) -> Answer {
    let failed = items.iter().filter(|item| item["status"] == "error").count();
    let status = match failed {
        0 => good,
        all if all == items.len() => 400,
        _ => switches.mixed_status,
    };
    Answer::json(status, &json!({ "data": items }))
}
