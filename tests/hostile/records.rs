//! Single records: huge, deep, wide, out of range, full of odd characters. One such record spoils no other.

use serde_json::{Value, json};

use super::rude::measured;
use crate::push::desk::{commission, transaction, with};
use crate::support::{Bench, subscription};

/// Peak memory for a page with one huge record, in MiB.
const MEMORY_MIB: u64 = 400;

/// A store with a good subscription and a hostile one.
fn bench(hostile_id: u64, body: &str) -> Bench {
    let bench = Bench::empty();
    bench.put_subscriptions([1]);
    bench.sim.with(|world| world.upsert_record("us", "subscriptions", &hostile_id.to_string(), body.to_owned()));
    bench
}

/// Ingests, and gives the exit code with how many payloads, rows and quarantined records there are.
fn ingest(bench: &Bench) -> (i32, i64, i64, i64) {
    let (ran, peak) = measured(&mut bench.command(&["ingest", "subscriptions"]));
    assert!(peak < MEMORY_MIB, "{peak} MiB");
    let count = |table: &str| bench.value::<i64>(&format!("select count(*) from {table}"));
    (ran.exit, count("payloads"), count("subscription_records"), count("quarantine"))
}

/// Every command that reads the mirror ends well, and says nothing a terminal would obey.
fn is_readable(bench: &Bench, id: &str) {
    let out = bench.path("out").display().to_string();
    let commands: [&[&str]; 5] =
        [&["status"], &["explain", "subscriptions", id], &["report", "data_quality"], &["export", &out], &["rebuild"]];
    for command in commands {
        let ran = bench.run(command);
        assert!(matches!(ran.exit, 0 | 3), "{command:?}: {}", ran.stderr);
        assert!(!ran.stdout.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{command:?}: {}", ran.stdout);
    }
}

#[test]
fn a_record_of_ten_mebibytes_is_kept_as_it_came() {
    let filler = "x".repeat(10 << 20);
    let body = with(&subscription(2), &json!({ "description": filler, "customer_company_name": filler }));
    let bench = bench(2, &body);
    assert_eq!(ingest(&bench), (0, 2, 2, 0));
    assert_eq!(bench.value::<String>("select body from payloads where record_id = '2'"), body);
    is_readable(&bench, "2");
    // a push leaves out or cuts what is too long for its field
    let ran = bench.run(&["push", "--json"]);
    assert!(matches!(ran.exit, 0 | 3), "{}", ran.stderr);
}

#[test]
fn a_hundred_thousand_levels_are_survived() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    for nested in [&deep, &objects] {
        // in an unknown field, in a known one, in the add-ons, in the id
        let unknown = format!(r#"{},"new_field":{nested}}}"#, subscription(2).trim_end_matches('}'));
        let bench = bench(2, &unknown);
        assert_eq!(ingest(&bench), (0, 2, 2, 0));
        is_readable(&bench, "2");
        bench.run(&["push"]).exits(0);
        for field in ["status", "addons", "next_recurring_amount"] {
            let known = subscription(2).replacen('{', &format!(r#"{{"{field}":{nested},"#), 1);
            let known =
                if field == "addons" { known } else { known.replace(&format!(r#","{field}":"#), r#","other":"#) };
            let bench = self::bench(2, &known);
            let (exit, payloads, ..) = ingest(&bench);
            assert!(matches!(exit, 0 | 3) && payloads == 2, "{field}: {exit} {payloads}");
            is_readable(&bench, "2");
        }
        let id =
            subscription(2).replace(r#""id":2"#, &format!(r#""id":{nested}"#)).replace(r#""subscription_id":2,"#, "");
        let bench = self::bench(2, &id);
        assert_eq!(ingest(&bench), (3, 1, 1, 1));
    }
}

#[test]
fn a_million_unknown_fields_fill_neither_memory_nor_the_file() {
    let mut body = subscription(2);
    body.pop();
    for number in 0..1_000_000 {
        body.push_str(&format!(",\"u{number}\":{number}"));
    }
    body.push('}');
    let bench = bench(2, &body);
    assert_eq!(ingest(&bench), (0, 2, 2, 0));
    assert_eq!(bench.value::<i64>("select count(*) from unknown_values"), 100);
    is_readable(&bench, "2");
}

#[test]
fn a_store_that_names_every_field_anew_fills_no_table() {
    let bench = Bench::empty();
    bench.sim.with(|world| {
        for id in 1..=60 {
            let mut body = subscription(id);
            body.pop();
            for number in 0..100 {
                body.push_str(&format!(",\"u{id}_{number}_{}\":1", "n".repeat(300)));
            }
            body.push('}');
            world.upsert_record("us", "subscriptions", &id.to_string(), body);
        }
    });
    assert_eq!(ingest(&bench), (0, 60, 60, 0));
    let kept: i64 = bench.value("select count(*) from unknown_values");
    assert_eq!(kept, 1_000);
    let longest: i64 = bench.value("select max(length(pointer)) from unknown_values");
    assert!(longest <= 200, "{longest}");
    is_readable(&bench, "2");
}

#[test]
fn odd_characters_are_kept_and_never_reach_the_terminal() {
    let odd = r"\u0000nul\u001b[2J\u009b31m\u202eevil\ud800half \\u0000";
    let body = subscription(2).replace("Company 2", "Company \\u0000\\u001b[2J\\u009b31m\\u202e2").replacen(
        '{',
        &format!(r#"{{"new\u001b[31m\u202e":"{odd}","#),
        1,
    );
    let bench = bench(2, &body);
    assert_eq!(ingest(&bench), (0, 2, 2, 0));
    assert_eq!(bench.value::<String>("select body from payloads where record_id = '2'"), body);
    is_readable(&bench, "2");
}

#[test]
fn numbers_out_of_range_are_quarantined_with_their_field_and_reason() {
    for (field, value) in [
        ("next_recurring_amount", "1e400"),
        ("next_recurring_amount", "-1e400"),
        ("next_recurring_amount", "\"99999999999999999999\""),
        ("next_recurring_amount_usd", "9223372036855"),
        ("next_recurring_amount", "1e99999999999999999999"),
        ("service_id", "1180591620717411303424"),
        ("plan_id", "1.5"),
        ("next_recurring_date", "\"99999-01-01\""),
        ("next_recurring_date", "\"2026-02-30\""),
        ("subscription_start_date", "\"-0001-01-01\""),
    ] {
        let mut body = subscription(2);
        let from = body.find(&format!("\"{field}\":")).unwrap() + field.len() + 3;
        let until = from + body[from..].find(",\"").or_else(|| body[from..].find('}')).unwrap();
        body.replace_range(from..until, value);
        let bench = bench(2, &body);
        assert_eq!(ingest(&bench), (3, 2, 1, 1), "{field} {value}");
        let (pointer, reason): (String, String) = bench
            .database()
            .query_row("select pointer, reason from quarantine", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert!(pointer == format!("/{field}") && !reason.is_empty(), "{pointer}: {reason}");
        is_readable(&bench, "2");
    }
}

#[test]
fn ids_that_are_none_are_quarantined_alone() {
    for id in ["1180591620717411303424", "-5", "0", "1e400", "1.5", "null", "true", "\"\"", "{}", "\"x\""] {
        let body = subscription(2).replace(r#""id":2"#, &format!(r#""id":{id}"#));
        let body = body.replace(r#""subscription_id":2"#, &format!(r#""subscription_id":{id}"#));
        let bench = bench(2, &body);
        assert_eq!(ingest(&bench), (3, 1, 1, 1), "{id}");
        assert_eq!(bench.value::<String>("select body from quarantine"), body);
    }
}

/// Amounts that a record may just hold, so that sums over a few of them do not fit.
#[test]
fn sums_of_the_largest_amounts_are_told_and_not_guessed() {
    let bench = Bench::empty();
    let largest = "9223372036854.775807";
    bench.sim.with(|world| {
        for id in 1..=3_u64 {
            let body = with(
                &subscription(id),
                &json!({"next_recurring_amount": largest, "next_recurring_amount_usd": largest}),
            );
            world.upsert_record("us", "subscriptions", &id.to_string(), body);
            let body = with(&transaction(id, id), &json!({"amount": largest, "usd_amount": largest}));
            world.upsert_record("us", "transactions", &id.to_string(), body);
            let amounts = ["commission", "base_commission", "balance_commission", "eligible_txn_amount"];
            let amounts: serde_json::Map<String, Value> =
                amounts.iter().map(|name| ((*name).to_owned(), json!(largest))).collect();
            world.upsert_record(
                "us",
                "commissions",
                &id.to_string(),
                with(&commission(id, id, id), &Value::Object(amounts)),
            );
        }
    });
    let exit = bench.run(&["ingest"]).exit;
    assert!(matches!(exit, 0 | 3), "{exit}");
    for (name, _) in storemirror::report::BUNDLED {
        let ran = bench.run(&["report", name, "--json"]);
        if ran.exit != 0 {
            assert_eq!(ran.exit, 1, "{name}: {ran:?}");
            assert!(
                ran.json()["error"]["message"].as_str().unwrap().contains("too large to be added up"),
                "{name}: {ran:?}"
            );
        }
    }
    let ran = bench.run(&["push", "--json"]);
    assert!(matches!(ran.exit, 0 | 3), "{}", ran.stderr);
}
