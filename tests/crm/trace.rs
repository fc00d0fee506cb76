//! `crm trace`: one record before, after and between pushes.

use serde_json::{Value, json};

use super::ingested;
use crate::support::subscription;

#[test]
fn a_record_is_told_from_its_name_to_its_next_try() {
    let bench = ingested([1, 2]);
    let trace = |id: &str| bench.run(&["crm", "trace", "subscriptions", id, "--json"]).exits(0).json();
    let new = trace("1");
    assert_eq!((&new["name"], &new["link"], &new["next"]), (&json!("1"), &Value::Null, &json!("create")));
    assert_eq!(new["fields"]["Status"], json!({ "from": null, "to": "active" }));
    assert!(bench.sim.with(|world| world.requests().iter().all(|request| request.host != "crm")));

    bench.run(&["push"]).exits(0);
    let same = trace("us:1");
    assert_eq!((&same["next"], &same["fields"]), (&json!("unchanged"), &json!({})));
    assert_eq!(same["acknowledged"]["Company_Name"], "Company 1");
    assert_eq!(same["link"]["state"], "linked");

    bench.sim.with(|world| {
        let bad = subscription(1).replace("c1@example.test", "nobody").replace("\"active\"", "\"inactive\"");
        world.upsert_record("us", "subscriptions", "1", bad);
    });
    bench.run(&["sync"]).exits(3);
    let held = trace("1");
    assert_eq!(held["next"], "held");
    assert_eq!(held["fields"]["Status"], json!({ "from": "active", "to": "inactive" }));
    assert_eq!(held["rejection"]["field"], "Email");
    assert_eq!(held["rejection"]["value"], "nobody");
    assert_eq!(held["rejection"]["next_at"], "2026-03-02T06:00:00Z");
    let text = bench.run(&["crm", "trace", "subscriptions", "1"]).exits(0).stdout;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in ["Status: active → inactive", "refused: INVALID_DATA in Email", "next try 2026-03-02T06:00:00Z"] {
        assert!(text.contains(line), "{line:?} is not in {text}");
    }
}

#[test]
fn a_child_says_whether_it_waits() {
    let bench = crate::support::Bench::empty();
    bench.sim.with(|world| {
        let bad = subscription(1).replace("c1@example.test", "nobody");
        world.upsert_record("us", "subscriptions", "1", bad);
        world.upsert_record("us", "subscriptions", "2", subscription(2));
        for (id, parent) in [(1001, 1), (1002, 2)] {
            world.upsert_record("us", "transactions", &id.to_string(), crate::push::desk::transaction(id, parent));
        }
    });
    bench.run(&["ingest"]).exits(0);
    let next = |id: &str| bench.run(&["crm", "trace", "transactions", id, "--json"]).exits(0).json();
    assert_eq!(next("1001")["next"], "create", "its parent is made first");
    assert_eq!(next("1001")["fields"]["Subscription"], json!({ "from": null, "to": { "name": "1" } }));
    bench.run(&["push"]).exits(3);
    assert_eq!((next("1001")["next"].clone(), next("1002")["next"].clone()), (json!("waiting"), json!("unchanged")));
    bench.run(&["crm", "trace", "transactions", "77"]).exits(2);
    bench.run(&["crm", "trace", "leads", "1"]).exits(2);
}
