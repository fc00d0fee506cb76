//! The files of `queries/` as files: each is in the bundle, has a header by the grammar whose defaults are those of its
//! SQL, runs unchanged in the plain `sqlite3` shell, and never walks through the payloads.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use serde_json::json;
use storemirror::model::Value;
use storemirror::model::instant::parse_instant;
use storemirror::report::{BUNDLED, Catalog, ColumnKind, Moment, Request};

use crate::given::{Given, NOW};

/// One record of each kind, enough for every report to have something to do.
fn small_mirror() -> Given {
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .subscription(2, json!({ "next_recurring_date": "2026-02-20", "subscription_start_date": "2026-01-20" }))
        .subscription(3, json!({}))
        .transaction(1, json!({}))
        .transaction(3, json!({ "subscription_id": 3, "transaction_type": "cancel", "amount": "0" }))
        .commission(1, json!({}))
        .then("subscription", 3, "2026-02-10", json!({ "status": "inactive", "mrr_usd": null }))
        .then("commission", 1, "2026-02-10", json!({ "state": "paid", "payout_id": 7, "payout_amount": "18" }))
        .commission(2, json!({ "type": "commission_reversal", "sign": -1 }))
        .commission(3, json!({}))
        .sql("insert into crm_rejections values ('crm', 'us', 'commissions', '1', 'X', '', '', '', 1, '', '', '', '')");
    given.sql("insert into sync_runs (store_id, kind, started_at, outcome) values ('us', 'leads', '', 'complete')");
    given
}

#[test]
fn every_file_is_in_the_bundle() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(BUNDLED.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>(), files);
}

#[test]
fn every_header_says_what_a_row_is_and_gives_the_defaults_of_the_sql() {
    let catalog = Catalog::bundled();
    assert_eq!(catalog.problems().count(), 0);
    for report in catalog.reports() {
        let name = &report.name;
        assert!(report.title.ends_with('.') && !report.grain.is_empty(), "{name}");
        for parameter in &report.parameters {
            let default = match parameter.default.as_ref() {
                Some(Value::Integer(number)) => number.to_string(),
                Some(Value::Real(number)) => number.to_string(),
                Some(other) => panic!("{name}: {other:?}"),
                None => continue,
            };
            let fallback = format!("coalesce(:{0}, {default}) as {0}", parameter.name);
            assert!(report.sql.contains(&fallback), "{name}: {fallback}");
        }
        let body = report.sql.lines().find(|line| !line.starts_with("--")).unwrap_or_default();
        assert!(["with params as (", "with recursive params as ("].contains(&body), "{name}: {body}");
        assert!(report.sql.contains("\norder by "), "{name}");
    }
}

#[test]
fn every_column_is_of_the_kind_its_name_says() {
    let given = small_mirror();
    let db = given.db();
    let catalog = Catalog::bundled();
    for report in catalog.reports() {
        let moment = Moment::new(None, parse_instant(NOW).unwrap()).unwrap();
        let table = Request::new(report, &[], moment).unwrap().run(&db).unwrap();
        for row in &table.rows {
            for (column, value) in table.columns.iter().zip(row) {
                let fits = match value {
                    Value::Null => true,
                    Value::Integer(_) => matches!(column.kind, ColumnKind::Integer | ColumnKind::Id),
                    Value::Real(_) => matches!(column.kind, ColumnKind::Money | ColumnKind::Rate | ColumnKind::Hours),
                    Value::Text(_) => matches!(column.kind, ColumnKind::Text | ColumnKind::Id),
                };
                assert!(fits, "{} {}: {value:?} is no {:?}", report.name, column.name, column.kind);
            }
        }
    }
}

#[test]
fn no_report_scans_the_payloads() {
    let given = small_mirror();
    let connection = Connection::open(given.path()).unwrap();
    for (name, sql) in BUNDLED {
        let mut statement = connection.prepare(&format!("explain query plan {sql}")).unwrap();
        // with unbound parameters, as the shell would
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().unwrap() {
            let step: String = row.get(3).unwrap();
            // an alias hides the table's name, so `payloads` is only ever called so, or by its index
            assert!(!(step.starts_with("SCAN") && step.contains("payloads")), "{name}: {step}");
        }
    }
}

#[test]
fn every_file_runs_in_the_plain_shell() {
    if Command::new("sqlite3").arg("--version").output().is_err() {
        eprintln!("skipped: sqlite3 is not installed");
        return;
    }
    let given = small_mirror();
    let day =
        ".parameter init\n.parameter set :as_of \"'2026-03-01'\"\n.parameter set :now \"'2026-03-01T06:00:00Z'\"\n";
    for (name, sql) in BUNDLED {
        for preamble in ["", day] {
            let answer = shell(&given.path(), &format!("{preamble}{sql}"));
            assert!(!preamble.is_empty() || answer.is_ok(), "{name}: {answer:?}");
            if !preamble.is_empty() {
                assert_eq!(answer.map(|rows| rows.is_empty()), Ok(false), "{name}");
            }
        }
    }
}

/// What the shell prints, or its complaint.
fn shell(database: &Path, script: &str) -> Result<String, String> {
    let mut child = Command::new("sqlite3")
        .arg("-bail")
        .arg(database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() && complaint.is_empty() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(complaint)
    }
}
