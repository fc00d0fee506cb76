//! How a report is asked for and how its answer is written: parameters, a user's own files, the formats, the freshness
//! line, and the export.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use storemirror::db::Db;
use storemirror::failure::{Code, Failure};
use storemirror::model::instant::parse_instant;
use storemirror::progress::Progress;
use storemirror::report::{
    Catalog, ExportOptions, Freshness, Manifest, Moment, Reader, Request, Screen, Source, assignment, catalog_json,
    describe, write_json, write_table,
};
use tempfile::TempDir;

use crate::given::{Given, NOW};

fn moment(as_of: Option<&str>) -> Moment {
    Moment::new(as_of, parse_instant(NOW).unwrap()).unwrap()
}

/// The failure a person sees.
fn failure<T>(result: anyhow::Result<T>) -> Failure {
    Failure::of(&result.err().expect("a failure"))
}

fn user_folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, sql) in files {
        fs::write(folder.path().join(name), sql).unwrap();
    }
    folder
}

/// Runs a report of the user's and gives its CSV.
fn run_own(given: &Given, folder: &Path, name: &str) -> anyhow::Result<String> {
    let catalog = Catalog::load(folder)?;
    let request = Request::new(catalog.find(name)?, &[], moment(None))?;
    let mut csv = Vec::new();
    request.stream_csv(&given.db(), Reader::Program, &mut csv)?;
    Ok(String::from_utf8(csv)?)
}

#[test]
fn a_wrong_parameter_names_itself_its_type_and_the_known_ones() {
    let catalog = Catalog::bundled();
    let report = catalog.find("commissions_missing").unwrap();
    for (typed, message, hint) in [
        ("gracee=1", "has no parameter \"gracee\"", "did you mean grace? it has grace (integer), days (integer)"),
        ("xyz=1", "has no parameter \"xyz\"", "it has grace (integer), days (integer)"),
        ("as_of=2026-01-01", "has no parameter \"as_of\"", "that is given with --as-of"),
        ("grace=two", "grace=two is not a whole number", "of type integer: days a commission may take to appear"),
        ("grace=2.5", "grace=2.5 is not a whole number", "of type integer"),
        ("grace=", "grace= is not a whole number", "of type integer"),
    ] {
        let failure = failure(Request::new(report, &[assignment(typed).unwrap()], moment(None)));
        assert_eq!(failure.code, Code::Config);
        assert!(failure.message.contains(message), "{}", failure.message);
        assert!(failure.hint.as_ref().unwrap().contains(hint), "{:?}", failure.hint);
    }
    assert!(failure(assignment("grace")).message.contains("\"grace\" is no parameter"));
}

#[test]
fn an_unknown_report_and_a_day_that_is_none_are_wrong_usage() {
    let unknown = failure(Catalog::bundled().find("renewal_due").cloned());
    assert_eq!(unknown.code, Code::Config);
    assert!(unknown.hint.unwrap().contains("did you mean renewals_due?"));
    for day in ["2026-02-30", "01.03.2026", "2026-3-1", ""] {
        assert_eq!(failure(Moment::new(Some(day), parse_instant(NOW).unwrap())).code, Code::Config, "{day}");
    }
    assert_eq!(moment(None).as_of.to_string(), "2026-03-01");
}

#[test]
fn a_users_report_stands_beside_the_bundle_and_wins() {
    let given = Given::new();
    given.subscription(1, json!({}));
    let folder = user_folder(&[
        (
            "live.sql",
            "select subscription_id, mrr_usd, 3 as amount, 0.5 as churn, null as x from subscriptions;\n-- end",
        ),
        (
            "freshness.sql",
            "-- My own.\n-- One row per thing.\n-- :n integer = 4  how many\nselect :n as n, :as_of as day",
        ),
        ("notes.txt", "no report"),
    ]);
    assert_eq!(
        run_own(&given, folder.path(), "live").unwrap(),
        "subscription_id,mrr_usd,amount,churn,x\n1,100.00,3,0.5,\n"
    );
    assert_eq!(run_own(&given, folder.path(), "freshness").unwrap(), "n,day\n4,2026-03-01\n");
    let catalog = Catalog::load(folder.path()).unwrap();
    assert_eq!(catalog.find("freshness").unwrap().source, Source::User);
    assert_eq!(catalog.find("live").unwrap().title, "live");
    assert!(catalog.find("notes").is_err());
}

#[test]
fn wrong_sql_names_file_line_and_sqlites_words() {
    let given = Given::new();
    for (sql, line, part) in [
        ("-- T\nselect 1,\n  from stores", Some(3), "near \"from\": syntax error"),
        ("select 1\nfrom nowhere", Some(2), "no such table: nowhere"),
        ("select 1;\n\n-- and\nselect 2", Some(4), "a second statement begins here"),
        ("delete from stores", None, "would write"),
        ("create table x (y)", None, "would write"),
        ("pragma user_version = 7", None, "would write"),
        ("attach 'x.db' as x", None, "there is no select in it"),
        ("-- nothing\n", None, "there is no select in it"),
        ("select abs(-9223372036854775807 - 1)", None, "integer overflow"),
    ] {
        let folder = user_folder(&[("own.sql", sql)]);
        let failure = failure(run_own(&given, folder.path(), "own"));
        assert_eq!(failure.code, Code::Config, "{sql}");
        let file = folder.path().join("own.sql").display().to_string();
        let place = line.map_or(format!("{file}: "), |line| format!("{file} line {line}: "));
        assert!(failure.message.starts_with(&place) && failure.message.contains(part), "{}", failure.message);
    }
}

#[test]
fn a_broken_header_stops_only_its_own_report() {
    let folder = user_folder(&[("own.sql", "-- Mine.\n-- :n days  what\nselect 1")]);
    let catalog = Catalog::load(folder.path()).unwrap();
    let failure = failure(catalog.find("own").cloned());
    assert!(failure.message.contains("own.sql line 2: \"days\" is no type"), "{}", failure.message);
    assert!(catalog.find("renewals_due").is_ok());
    assert_eq!(catalog.problems().count(), 1);
}

#[test]
fn json_writes_ids_as_strings_and_money_with_its_decimals() {
    let given = Given::new();
    given.subscription(9_007_199_254_740_993, json!({})).commission(1, json!({ "subscription_id": 2 }));
    let catalog = Catalog::bundled();
    let parameters = [assignment("within=30").unwrap()];
    let request = Request::new(catalog.find("renewals_due").unwrap(), &parameters, moment(None)).unwrap();
    let db = given.db();
    let (table, freshness) = (request.run(&db).unwrap(), Freshness::read(&db, request.moment).unwrap());
    let mut bytes = Vec::new();
    write_json(&request, &table, &freshness, &mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    for part in [
        r#"{"report":"renewals_due","as_of":"2026-03-01","parameters":{"within":30},"columns":[{"name":"store_id","type":"text"}"#,
        r#""subscription_id":"9007199254740993","customer_id":"c9007199254740993""#,
        r#""days_left":19,"currency":"USD","next_recurring_amount":1200.00,"#,
        r#""rate":0.1800,"rate_source":"service","expected_commission_usd":216.00}"#,
        r#"{"name":"next_recurring_amount","type":"money"}"#,
        r#"{"name":"rate","type":"rate"}"#,
        r#"{"store_id":"eu","kind":"subscriptions","state":"complete","last_complete_at":"2026-03-01T00:00:00Z"}"#,
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["freshness"]["warnings"], json!([]));
    assert_eq!(text.matches('\n').count(), 1);
}

#[test]
fn csv_quotes_what_needs_it_and_ends_lines_in_lf() {
    let given = Given::new();
    given.subscription(1, json!({ "company_name": "A \"B\", C\nD", "email": null }));
    let csv = run_own(&given, Path::new("/nowhere"), "renewals_due").unwrap();
    assert!(csv.starts_with("store_id,subscription_id,customer_id,"));
    assert!(csv.contains("us,1,c1,\"A \"\"B\"\", C\nD\",,One,"), "{csv}");
    assert!(csv.ends_with(",none,\n") && !csv.contains('\r'), "{csv}");
}

#[test]
fn a_table_is_aligned_and_ends_with_the_freshness_line() {
    let given = Given::new();
    given.commission(1, json!({ "net_payout": "1234567.5" })).commission(2, json!({ "state": "paid" }));
    let catalog = Catalog::bundled();
    let request = Request::new(catalog.find("commissions_by_state").unwrap(), &[], moment(Some("2025-12-31"))).unwrap();
    let db = given.db();
    let freshness = Freshness::read(&db, request.moment).unwrap();
    let mut bytes = Vec::new();
    write_table(&request.run(&db).unwrap(), &freshness, Screen::default(), &mut bytes).unwrap();
    let empty = String::from_utf8(bytes).unwrap();
    assert!(
        empty.ends_with(
            "\nas of 2025-12-31; eu completely listed 2026-03-01 00:00 UTC (subscriptions, transactions, commissions); \
         us completely listed 2026-03-01 00:00 UTC (subscriptions, transactions, commissions); \
         warning: states before 2026-01-01 are not known\n"
        ),
        "{empty}"
    );

    let request = Request { moment: moment(None), ..request };
    let table = request.run(&db).unwrap();
    let mut bytes = Vec::new();
    write_table(&table, &freshness, Screen { width: Some(100), color: false }, &mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("1,234,567.50"), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[..lines.len() - 1].iter().all(|line| line.chars().count() <= 100), "{text}");
    // too narrow even for that: a line per cell
    let mut bytes = Vec::new();
    write_table(&table, &freshness, Screen { width: Some(50), color: false }, &mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("\nnet_payout           1,234,567.50\n"), "{text}");
}

#[test]
fn the_catalog_and_a_description_tell_the_parameters() {
    let catalog = Catalog::bundled();
    let reports = catalog_json(&catalog)["reports"].as_array().unwrap().clone();
    let renewals = reports.iter().find(|report| report["name"] == "renewals_due").unwrap();
    assert_eq!(
        *renewals,
        json!({ "name": "renewals_due",
                "title": "What renews in the coming days, and the commission to expect from it.",
                "grain": "renewing subscription", "source": "bundled",
                "parameters": [{ "name": "within", "type": "integer", "default": 90, "help": "days ahead of as_of" }] })
    );
    let description = describe(catalog.find("renewals_due").unwrap());
    assert!(description.contains("--param within=INTEGER  days ahead of as_of (default: 90)"), "{description}");
}

fn export(db: &Db, catalog: &Catalog, options: &ExportOptions) -> anyhow::Result<Manifest> {
    let task = Progress::new(false, true).task("exporting", ("report", "reports"));
    storemirror::report::export(db, catalog, options, &task)
}

#[test]
fn an_export_rewrites_only_what_changed_and_its_manifest_ties() {
    let given = Given::new();
    given.subscription(1, json!({}));
    let target = TempDir::new().unwrap();
    let folder = target.path().join("out");
    let options = ExportOptions {
        folder: folder.clone(),
        only: Vec::new(),
        parameters: vec![assignment("within=10").unwrap()],
        moment: moment(None),
    };
    let catalog = Catalog::bundled();
    let manifest = export(&given.db(), &catalog, &options).unwrap();
    assert_eq!(manifest.parameters, json!({ "within": 10 }));
    let written: Value = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(written, serde_json::to_value(&manifest).unwrap());
    for report in &manifest.reports {
        let bytes = fs::read(folder.join(&report.file)).unwrap();
        assert_eq!(hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes)), report.sha256);
        assert_eq!(csv::Reader::from_reader(&bytes[..]).records().count(), report.rows, "{}", report.name);
    }

    let before = modified(&folder, "renewals_due.csv");
    given.commission(1, json!({}));
    export(&given.db(), &catalog, &options).unwrap();
    assert_eq!(modified(&folder, "renewals_due.csv"), before);
    assert!(fs::read_to_string(folder.join("commissions_by_state.csv")).unwrap().contains("active"));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), manifest.reports.len() + 1);
}

fn modified(folder: &Path, file: &str) -> std::time::SystemTime {
    fs::metadata(folder.join(file)).unwrap().modified().unwrap()
}

#[test]
fn an_export_refuses_a_file_and_what_nobody_knows() {
    let given = Given::new();
    let target = TempDir::new().unwrap();
    let file = target.path().join("file");
    fs::write(&file, "").unwrap();
    let options = |folder: &Path| ExportOptions {
        folder: folder.to_owned(),
        only: Vec::new(),
        parameters: Vec::new(),
        moment: moment(None),
    };
    let catalog = Catalog::bundled();
    assert!(failure(export(&given.db(), &catalog, &options(&file))).message.contains("it is a file"));
    let unknown = ExportOptions { parameters: vec![assignment("nobody=1").unwrap()], ..options(target.path()) };
    assert!(failure(export(&given.db(), &catalog, &unknown)).message.contains("no report has a parameter \"nobody\""));
    let one = ExportOptions { only: vec!["freshness".to_owned()], ..options(target.path()) };
    assert_eq!(export(&given.db(), &catalog, &one).unwrap().reports.len(), 1);
    assert_eq!(count_csv(target.path()), 1);
}

fn count_csv(folder: &Path) -> usize {
    fs::read_dir(folder)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "csv"))
        .count()
}
