//! The `crm` commands: the real binary against the simulated CRM.

mod check;
mod link;
mod setup;
mod trace;
mod verify;

use serde_json::{Value, json};

use crate::support::Bench;

const SUBSCRIPTIONS: &str = "Partner_Subscriptions";

/// A bench whose store has subscriptions with these ids, ingested.
fn ingested(ids: impl IntoIterator<Item = u64>) -> Bench {
    let bench = Bench::empty();
    bench.put_subscriptions(ids);
    bench.run(&["ingest"]).exits(0);
    bench
}

fn crm_switch(bench: &Bench, patch: Value) {
    bench.sim.with(|world| world.switches.merge(&json!({ "crm": patch })).expect("a known switch"));
}

/// Adds a record to the CRM, as a user or the extension did; gives its id.
fn add_to_crm(bench: &Bench, module: &str, fields: Value) -> String {
    bench.sim.with(|world| {
        let now = world.now;
        world.crm.add_record(module, fields.as_object().expect("fields").clone(), now)
    })
}

fn crm_value(bench: &Bench, name: &str, field: &str) -> Value {
    bench.sim.with(|world| {
        let record = world.crm.record_named(SUBSCRIPTIONS, name).unwrap_or_else(|| panic!("no {name}"));
        record.fields.get(field).cloned().unwrap_or(Value::Null)
    })
}

/// Reads of records so far: lists, by ids, and queries.
fn lists(bench: &Bench) -> usize {
    bench.sim.with(|world| {
        let is_list = |path: &str| path.starts_with("/crm/v8/Partner_");
        world.requests().iter().filter(|request| request.method == "GET" && is_list(&request.path)).count()
    })
}
