//! The back door for other processes under `/_sim`: switches, edits, time, log and the CRM's contents.
//!
//! It is no part of the simulated Zoho: no token is asked for, nothing is logged, no fault hits it.

use super::KINDS;
use super::answer::{Answer, Call};
use super::world::World;
use serde_json::{Value, json};

pub(super) fn answer(world: &mut World, call: &Call) -> Answer {
    let parts: Vec<&str> = call.path.trim_start_matches("/_sim").split('/').filter(|part| !part.is_empty()).collect();
    match (call.method.as_str(), parts.as_slice()) {
        ("GET", ["switches"]) => shown(&world.switches),
        ("PUT" | "POST", ["switches"]) => {
            let patch = call.json().unwrap_or(Value::Null);
            match world.switches.merge(&patch) {
                Ok(()) => shown(&world.switches),
                Err(error) => refused(&format!("{error:#}")),
            }
        }
        ("POST", ["edit"]) => match edit(world, &call.json().unwrap_or(Value::Null)) {
            Ok(edited) => Answer::json(200, &edited),
            Err(message) => refused(&message),
        },
        ("POST", ["advance"]) => advance(world, &call.json().unwrap_or(Value::Null)),
        ("POST", ["expire_tokens"]) => {
            world.expire_tokens();
            Answer::json(200, &json!({}))
        }
        ("GET", ["log"]) => Answer::json(200, &log(world)),
        ("DELETE", ["log"]) => {
            world.clear_requests();
            Answer::json(200, &json!({}))
        }
        ("GET", ["crm", module]) => crm_records(world, module),
        ("GET", ["records", store, kind]) if is_list(world, store, kind) => {
            let records = world.store(store).records(kind);
            let records: Vec<Value> =
                records.iter().map(|record| json!({"id": record.id, "json": record.json})).collect();
            Answer::json(200, &json!(records))
        }
        _ => refused(
            "known: GET and PUT switches, POST edit, POST advance, POST expire_tokens, GET and DELETE log, \
             GET crm/{module}, GET records/{store}/{kind}",
        ),
    }
}

fn shown(switches: &super::Switches) -> Answer {
    Answer::json(200, &serde_json::to_value(switches).unwrap_or(Value::Null))
}

fn refused(message: &str) -> Answer {
    Answer::json(400, &json!({ "error": message }))
}

fn is_list(world: &World, store: &str, kind: &str) -> bool {
    world.switches.stores.contains_key(store) && KINDS.contains(&kind)
}

/// `{"store","kind","put":[{"id","json"}],"remove":[id]}`; `json` is the exact text, or an object.
fn edit(world: &mut World, body: &Value) -> Result<Value, String> {
    let (store, kind) = (body["store"].as_str().unwrap_or_default(), body["kind"].as_str().unwrap_or_default());
    if !is_list(world, store, kind) {
        return Err(format!("no list {store}/{kind}; stores: us, eu; kinds: {}", KINDS.join(", ")));
    }
    let empty = Vec::new();
    let put = body["put"].as_array().unwrap_or(&empty);
    for record in put {
        let id = id_of(&record["id"]).ok_or("put: every record needs an id")?;
        let json = match &record["json"] {
            Value::String(text) => text.clone(),
            Value::Null => return Err("put: every record needs json".to_owned()),
            object => object.to_string(),
        };
        world.upsert_record(store, kind, &id, json);
    }
    let remove = body["remove"].as_array().unwrap_or(&empty);
    let removed = remove.iter().filter_map(id_of).filter(|id| world.remove_record(store, kind, id)).count();
    Ok(json!({"put": put.len(), "removed": removed}))
}

fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn advance(world: &mut World, body: &Value) -> Answer {
    let Some(days) = body["days"].as_u64().and_then(|days| u32::try_from(days).ok()) else {
        return refused("advance needs {\"days\": n}");
    };
    world.advance(days);
    Answer::json(200, &json!({"now": world.now.format("%Y-%m-%dT%H:%M:%SZ").to_string()}))
}

fn log(world: &World) -> Value {
    json!({
        "requests": world.requests(),
        "count": world.requests().len(),
        "writes": world.writes(),
        "write_credits": world.write_credits(),
        "credits_24h": world.credits_of_the_day(),
    })
}

fn crm_records(world: &World, name: &str) -> Answer {
    let Some(module) = world.crm.modules().iter().find(|module| module.api_name == name) else {
        return refused(&format!("no module {name}"));
    };
    let records: Vec<Value> =
        module.records().iter().map(|record| json!({"id": record.id, "fields": record.fields})).collect();
    Answer::json(200, &json!(records))
}
