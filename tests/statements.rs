//! Statements: a frozen month is printed the same for ever, and what changed since is told row by row.

use std::fs;

use serde_json::{Value, json};
use storemirror::db::Db;

use crate::given::Given;
use crate::support::{Ran, finish, program};

/// Runs the program on a mirror, on a day of March 2026.
fn run_on(given: &Given, day: &str, arguments: &[&str]) -> Ran {
    let mut command = program(given.path().parent().unwrap());
    command.current_dir(given.path().parent().unwrap());
    command.arg("--db").arg(given.path()).args(["--now", &format!("{day}T06:00:00Z"), "statement"]);
    finish(command.args(arguments))
}

fn run(given: &Given, arguments: &[&str]) -> Ran {
    run_on(given, "2026-03-01", arguments)
}

fn sha256(text: &str) -> String {
    hex::encode(<sha2::Sha256 as sha2::Digest>::digest(text.as_bytes()))
}

/// Two commissions of February, one of January and one of March.
fn february() -> Given {
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .commission(1, json!({ "company_name": "Fjord, Ltd" }))
        .commission(
            2,
            json!({ "commission_day": "2026-02-28", "type": "commission_reversal", "sign": -1,
                               "net_payout": "-10", "net_usd": null, "balance_payout": "-5" }),
        )
        .commission(3, json!({ "commission_day": "2026-01-31" }))
        .commission(4, json!({ "commission_day": "2026-03-01" }));
    given
}

#[test]
fn a_month_is_frozen_once_and_printed_the_same_ever_after() {
    let given = february();
    let first = run(&given, &["2026-02"]).exits(0);
    let lines: Vec<&str> = first.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", first.stdout);
    assert!(lines[0].starts_with("store_id,commission_id,commission_day,type,commission_type,state,payout_id,entity,"));
    assert!(lines[1].starts_with("us,1,2026-02-01,commission,Base,active,-1,Zoho US,USD,18.00,18.00,,18.00,USD,1,"));
    assert!(lines[1].ends_with(",0.1800,1,900001,c1,\"Fjord, Ltd\",One,"), "{}", lines[1]);
    let hash = sha256(&first.stdout);
    assert!(first.stderr.contains(&format!("frozen 2026-03-01T06:00:00Z\nsha256 {hash}")), "{}", first.stderr);

    given.then("commission", 1, "2026-03-02", json!({ "state": "paid", "balance_payout": "0" }));
    given.commission(5, json!({}));
    let json = run_on(&given, "2026-03-03", &["2026-02", "--json"]).exits(0).json();
    assert_eq!((&json["frozen_at"], &json["sha256"]), (&json!("2026-03-01T06:00:00Z"), &json!(hash)));
    assert_eq!((&json["newly_frozen"], &json["records"], &json["error"]), (&json!(false), &json!(2), &Value::Null));
    // 18 earned, 10 reversed, 8 together; 18 − 5 = 13 are open
    assert_eq!(
        json["totals"][0],
        json!({ "store_id": "us", "entity": "Zoho US", "payout_currency": "USD", "records": 2, "earned": 18.0,
                "reversed": -10.0, "net_payout": 8.0, "balance_payout": 13.0, "net_usd": 18.0,
                "records_without_usd": 1 })
    );
    assert_eq!((&json["rows"][0]["commission_id"], &json["rows"][0]["state"]), (&json!("1"), &json!("active")));
    assert_eq!(run_on(&given, "2026-03-03", &["2026-02"]).exits(0).stdout, first.stdout);
    run_on(&given, "2026-03-03", &["2026-02", "-o", "february.csv"]).exits(0);
    let file = given.path().with_file_name("february.csv");
    assert_eq!(fs::read_to_string(file).unwrap(), first.stdout);
}

#[test]
fn what_changed_since_is_told_row_by_row() {
    // 1 was paid, 2 is listed no more, 5 is new, 6 came to be of January, 7 was away and is back
    let given = february();
    given
        .commission(6, json!({}))
        .commission(7, json!({ "state": "paid", "balance_payout": "0" }))
        .removed("commission", 7, "2026-02-20")
        .commission(8, json!({ "payout_currency": "EUR", "net_usd": null }));
    run(&given, &["2026-02"]).exits(0);
    let ran = run(&given, &["2026-02", "--adjustments"]).exits(0);
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
    assert_eq!(ran.stderr, "nothing changed since 2026-02 was frozen 2026-03-01T06:00:00Z\n");

    given
        .then("commission", 1, "2026-03-02", json!({ "state": "paid", "payout_id": 7, "balance_payout": "0" }))
        .removed("commission", 2, "2026-03-02")
        .commission(5, json!({ "net_payout": "3" }))
        .then("commission", 7, "2026-03-02", json!({ "state": "paid" }));
    given.sql("update commission_records set commission_day = '2026-01-31' where commission_id = 6");
    given.sql("update commission_records set state = 'paid', payout_id = 7, balance_payout_micros = 0 where commission_id = 1");
    let ran = run(&given, &["2026-02", "--adjustments"]).exits(0);
    let shown = "2026-02-01,Zoho US,USD,Company 1";
    let expected = [
        "change,store_id,commission_id,commission_day,entity,payout_currency,company_name,field,frozen_value,present_value",
        "changed,us,1,2026-02-01,Zoho US,USD,\"Fjord, Ltd\",state,active,paid",
        "changed,us,1,2026-02-01,Zoho US,USD,\"Fjord, Ltd\",payout_id,-1,7",
        "changed,us,1,2026-02-01,Zoho US,USD,\"Fjord, Ltd\",balance_payout,18.00,0.00",
        &format!("changed,us,6,{shown},commission_day,2026-02-01,2026-01-31"),
        &format!("returned,us,7,{shown},removed_at,2026-02-20T01:00:00Z,"),
        "changed,us,2,2026-02-28,Zoho US,USD,Company 1,state,active,removed",
        "changed,us,2,2026-02-28,Zoho US,USD,Company 1,balance_payout,-5.00,",
        "removed,us,2,2026-02-28,Zoho US,USD,Company 1,removed_at,,2026-03-02T01:00:00Z",
        &format!("new,us,5,{shown},net_payout,,3.00"),
    ];
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), expected);

    let json = run(&given, &["2026-02", "--adjustments", "--json"]).exits(0).json();
    assert_eq!(
        json["adjustments"][2],
        json!({ "change": "changed", "store_id": "us", "commission_id": "1", "commission_day": "2026-02-01",
                "entity": "Zoho US", "payout_currency": "USD", "company_name": "Fjord, Ltd", "field": "balance_payout",
                "frozen": 18.0, "present": 0.0 })
    );
    // USD: 18 − 10 + 18 + 18 = 44 were frozen; without 6 and with 5 it is 44 − 18 + 3 = 29
    assert_eq!(
        json["totals"],
        json!([
            { "store_id": "us", "entity": "Zoho US", "payout_currency": "EUR", "frozen_amount": 18.0,
              "present_amount": 18.0, "difference_amount": 0.0 },
            { "store_id": "us", "entity": "Zoho US", "payout_currency": "USD", "frozen_amount": 44.0,
              "present_amount": 29.0, "difference_amount": -15.0 },
        ])
    );
}

#[test]
fn a_month_is_frozen_when_it_is_over() {
    let given = february();
    for (arguments, message, hint) in [
        (&["2026-03"][..], "2026-03 is not over yet", "freeze it from 2026-04-01 on"),
        (&["2026-04"], "2026-04 has not begun", "a month that is over"),
        (&["2026-04", "--partial"], "2026-04 has not begun", "a month that is over"),
        (&["2026-2"], "\"2026-2\" is not a month", "write it as 2026-03"),
        (&["2026-13"], "\"2026-13\" is not a month", "write it as 2026-03"),
        (&["2026-02", "--adjustments"], "2026-02 is not frozen", "`storemirror statement 2026-02` freezes it"),
    ] {
        let ran = run(&given, arguments).exits(2);
        assert!(ran.stderr.contains(message) && ran.stderr.contains(hint), "{}", ran.stderr);
        assert!(ran.stdout.is_empty());
    }
    run_on(&given, "2026-02-28", &["2026-02"]).exits(2);
    let ran = run(&given, &["2026-03", "--partial"]).exits(0);
    assert!(ran.stdout.lines().nth(1).unwrap().starts_with("us,4,2026-03-01,"), "{}", ran.stdout);
    assert!(ran.stderr.starts_with("2026-03 with 1 commission so far; nothing is frozen\n"), "{}", ran.stderr);
    // a month without commissions is a statement too
    assert_eq!(run(&given, &["2025-12"]).exits(0).stdout.lines().count(), 1);
    let db = given.db();
    assert!(db.frozen_statement("2026-03").unwrap().is_none() && db.frozen_statement("2025-12").unwrap().is_some());
}

#[test]
fn a_listing_from_before_its_end_is_warned_of() {
    let given = february();
    given.sql("update coverage set last_complete_at = '2026-02-20T06:00:00Z' where store_id = 'us'");
    given.sql("update coverage set last_complete_at = null where store_id = 'eu'");
    let json = run(&given, &["2026-02", "--json"]).exits(0).json();
    assert_eq!(
        json["warnings"],
        json!([
            "eu commissions were never completely listed",
            "us commissions were last completely listed 2026-02-20T06:00:00Z, before 2026-02 was over"
        ])
    );
}

#[test]
fn only_freezing_needs_the_writers_lock() {
    let given = february();
    let writer = Db::open(&given.path()).unwrap();
    run(&given, &["2026-02"]).exits(5);
    run(&given, &["2026-02", "--partial"]).exits(0);
    drop(writer);
    run(&given, &["2026-02"]).exits(0);
    let writer = Db::open(&given.path()).unwrap();
    run(&given, &["2026-02"]).exits(0);
    run(&given, &["2026-02", "--adjustments"]).exits(0);
    drop(writer);
}

#[test]
fn nothing_changes_what_is_frozen() {
    let given = february();
    let first = run(&given, &["2026-02"]).exits(0).stdout;
    let connection = rusqlite::Connection::open(given.path()).unwrap();
    for statement in [
        "update statement_rows set net_payout_micros = 0",
        "delete from statement_rows where commission_id = 1",
        "insert into statement_rows (month, store_id, commission_id, commission_day) values ('2026-02', 'us', 9, '2026-02-03')",
        "update statements set sha256 = ''",
        "delete from statements",
    ] {
        let error = connection.execute_batch(statement).unwrap_err().to_string();
        assert!(error.contains("a frozen statement never changes"), "{statement}: {error}");
    }
    Db::open(&given.path()).unwrap().rebuild(&|_| ()).unwrap();
    assert_eq!(run(&given, &["2026-02"]).exits(0).stdout, first);
    // and who changes it all the same is found out
    connection
        .execute_batch(
            "drop trigger statement_rows_stay; update statement_rows set state = 'paid' where commission_id = 1",
        )
        .unwrap();
    let ran = run(&given, &["2026-02"]).exits(2);
    assert!(ran.stderr.contains("is not the one that was frozen") && ran.stdout.is_empty(), "{}", ran.stderr);
}
