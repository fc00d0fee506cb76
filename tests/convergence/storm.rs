//! What a store's records go through: random edits of their JSON, and the plan of one disturbed run.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Map, Value, json};
use storemirror::sim::{Drift, FaultKind, Faults, Put, Record};

use super::pager::pick;

/// Everything that is done to one list at one moment.
#[derive(Default)]
pub struct Edit {
    pub put: Vec<Put>,
    pub remove: Vec<String>,
}

/// A few edits of a list. `gone` are records that are not in it: some come (back), others join them.
pub fn random_edit(random: &mut Rng, kind: &str, current: &[Record], gone: &mut Vec<Record>) -> Edit {
    let mut edit = Edit::default();
    if random.u8(..30) == 0 {
        // so many at once that the removal brake may hold
        edit.remove = current.iter().filter(|_| random.u8(..3) == 0).map(|record| record.id.clone()).collect();
        gone.extend(current.iter().filter(|record| edit.remove.contains(&record.id)).cloned());
        return edit;
    }
    for _ in 0..=random.usize(..4) {
        let place = random.usize(..current.len().max(1));
        match (random.u8(..100), current.get(place)) {
            (0..35, Some(record)) => put(&mut edit, &record.id, &changed(random, kind, &record.json)),
            (35..45, Some(record)) => put(&mut edit, &record.id, &rearranged(random, &record.json)),
            (45..65, Some(record)) => {
                gone.push(record.clone());
                edit.remove.push(record.id.clone());
            }
            (65..70, Some(record)) => put(&mut edit, &record.id, &unreadable(kind, &record.json)),
            (70..72, _) => put(&mut edit, NAMELESS, r#"{"org_name":"Nobody","status":"active"}"#),
            _ if !gone.is_empty() => {
                // mostly what went last, so that records come back and do not only come
                let place = if random.u8(..3) > 0 { gone.len() - 1 } else { random.usize(..gone.len()) };
                let record = gone.swap_remove(place);
                let json = if random.bool() { record.json } else { changed(random, kind, &record.json) };
                put(&mut edit, &record.id, &json);
            }
            _ => {}
        }
    }
    edit
}

/// The simulator's key of the record without a usable id.
pub const NAMELESS: &str = "nameless";

fn put(edit: &mut Edit, id: &str, json: &str) {
    edit.put.push(Put { id: id.to_owned(), json: json.to_owned() });
}

/// Another value in a field that is shown, summed or counted.
fn changed(random: &mut Rng, kind: &str, json: &str) -> String {
    let mut record: Map<String, Value> = serde_json::from_str(json).expect("the simulator's JSON");
    let amount = format!("{}.{}", random.u16(..900), random.u8(..10));
    let name = format!("Name {}", random.u8(..20));
    let status = pick(random, &["active", "inactive", "open", "requested", "closed"]).to_owned();
    let (field, value) = match kind {
        "transactions" => pick(
            random,
            &[
                ("description", name.clone()),
                ("usd_amount", amount),
                ("service_name", name.clone()),
                ("plan_name", name),
            ],
        ),
        "commissions" => {
            pick(random, &[("status", status), ("base_commission", amount.clone()), ("balance_commission", amount)])
        }
        _ => pick(
            random,
            &[
                ("status", status),
                ("customer_company_name", name.clone()),
                ("org_name", name.clone()),
                ("plan_name", name),
                ("next_recurring_amount_usd", amount),
            ],
        ),
    };
    record.insert(field.to_owned(), json!(value));
    if random.u8(..8) == 0 {
        record.insert("novelty".to_owned(), json!(random.u8(..3)));
    }
    Value::Object(record).to_string()
}

/// The same content in another order or with other white space: no new version.
fn rearranged(random: &mut Rng, json: &str) -> String {
    let record: Map<String, Value> = serde_json::from_str(json).expect("the simulator's JSON");
    if random.bool() {
        return format!("{:#}", Value::Object(record));
    }
    let fields: Vec<(String, Value)> = record.into_iter().collect();
    Value::Object(fields.into_iter().rev().collect()).to_string()
}

/// A field of another type than it ever had.
fn unreadable(kind: &str, json: &str) -> String {
    let mut record: Map<String, Value> = serde_json::from_str(json).expect("the simulator's JSON");
    let field = match kind {
        "transactions" => "transaction_date",
        "commissions" => "date",
        _ => "next_recurring_date",
    };
    record.insert(field.to_owned(), json!({ "day": 15 }));
    Value::Object(record).to_string()
}

/// When a run is killed.
#[derive(Clone, Copy, Debug)]
pub enum Kill {
    Never,
    /// As soon as the simulator has seen so many requests of it.
    AfterRequests(usize),
    AfterMilliseconds(u64),
}

pub fn random_kill(random: &mut Rng) -> Kill {
    match random.u8(..10) {
        0..4 => Kill::Never,
        4..8 => Kill::AfterRequests(1 + random.usize(..45)),
        _ => Kill::AfterMilliseconds(random.u64(5..250)),
    }
}

/// A fault plan of up to three spoiled answers, so that a run ends within seconds: the first retry waits for half a
/// second to a second, and a stalled answer for the time-out before that.
pub fn random_faults(random: &mut Rng) -> Faults {
    let mut per_mille = BTreeMap::new();
    for _ in 0..random.usize(..4) {
        per_mille.insert(pick(random, &FaultKind::ALL), 20 + random.u32(..60));
    }
    // only the few token requests can meet it, so it must be likely among them
    if let Some(share) = per_mille.get_mut(&FaultKind::TokenThrottle) {
        *share = 500;
    }
    Faults {
        seed: random.u64(..),
        per_mille,
        path: String::new(),
        limit: Some(1 + random.u64(..3)),
        stall_ms: 1_200,
        retry_after_seconds: 0,
        slow_body_ms: 60,
    }
}

/// The edit scheduled before a random request of a kind.
pub fn as_drift(random: &mut Rng, kind: &str, requests: u64, edit: Edit) -> Drift {
    Drift { kind: kind.to_owned(), before_request: 1 + random.u64(..=requests), put: edit.put, remove: edit.remove }
}
