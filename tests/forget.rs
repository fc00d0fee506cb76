//! Forgetting: a customer's personal data leaves the file to the last byte, amounts stay, and nothing brings it back.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Bench, finish};

/// What must never be found again: in the records of the customer below, in every place a person could stand.
const TRACES: [&str; 9] = [
    "ann@bakery.test",
    "ANN@BAKERY.TEST",
    "Ann Bakery",
    "Bakery Holding",
    "12 Flour Road",
    "770001",
    "RPUS0001",
    "for Ann by the baker",
    "knows a secret",
];

fn subscription(id: u64, changes: &Value) -> String {
    let mut record = json!({
        "id": id, "subscription_id": id, "profile_id": "RPUS0001", "email_id": "ann@bakery.test", "zuid": "660001",
        "org_id": "770001", "custom_id": "770001", "org_name": "Ann Bakery Org", "customer_company_name": "Ann Bakery",
        "customer_address": { "address": "12 Flour Road", "city": "Breadford", "country": "Norway", "phone": "-" },
        "service_id": 2, "service_name": "CRM", "plan_id": 3, "plan_name": "Standard", "billing_frequency": "monthly",
        "pricing_type": "list_price", "subscription_type": "online", "status": "active", "currency": "USD",
        "next_recurring_amount": "12.0", "next_recurring_amount_usd": "12.0", "next_recurring_date": "2026-03-15",
        "subscription_start_date": "2025-01-15", "remark": "knows a secret",
    });
    merge(&mut record, changes);
    record.to_string()
}

fn transaction(id: u64, changes: &Value) -> String {
    let mut record = json!({
        "id": id, "transaction_id": id, "transaction_date": "2026-02-10 01:00:00", "date": 1_770_714_000_000_u64,
        "transaction_type": "recurring", "description": "for Ann by the baker", "amount": "12.0", "usd_amount": "12.0",
        "currency": "USD", "subscription_id": 1, "profile_id": "RPUS0001", "service_id": 2, "service_name": "CRM",
    });
    merge(&mut record, changes);
    record.to_string()
}

fn commission(id: u64, changes: &Value) -> String {
    let mut record = json!({
        "commission_id": id, "type": "commission", "commission_type": "Base", "status": "open", "date": "2026-02-10",
        "allotted_date": "2026-02-10", "payout_id": -1, "entity": "Zoho US", "currency": "USD",
        "payout_currency": "USD", "exchange_rate": 1, "commission": "2.0", "base_commission": "2.0",
        "payout_commission": "0.0", "balance_commission": "2.0", "eligible_txn_amount": "12.0",
        "subscription": { "subscription_id": 1, "email_id": "ann@bakery.test", "profile_id": "RPUS0001",
                          "customer_company_name": "Ann Bakery" },
        "transaction": { "transaction_id": 11, "transaction_date": "2026-02-10 01:00:00", "country": "Norway",
                         "amount": "12.0", "currency": "USD", "service_name": "CRM", "service_id": 2,
                         "transaction_description": "for Ann by the baker" },
    });
    merge(&mut record, changes);
    record.to_string()
}

fn merge(record: &mut Value, changes: &Value) {
    for (key, value) in changes.as_object().expect("an object") {
        record[key] = value.clone();
    }
}

/// Another customer, of whom everything must stay.
fn other(changes: &Value) -> Value {
    let mut other = json!({
        "email_id": "bob@mill.test", "org_id": "880002", "custom_id": "880002", "org_name": "Bob Mill",
        "customer_company_name": "Bob Mill", "profile_id": "RPUS0002", "zuid": "660002", "remark": "bakes no bread",
        "customer_address": { "address": "9 Mill Lane", "country": "Norway" },
    });
    merge(&mut other, changes);
    other
}

fn put(bench: &Bench, kind: &str, id: u64, record: String) {
    bench.sim.with(|world| world.upsert_record("us", kind, &id.to_string(), record));
}

/// Ann's two subscriptions, a transaction and a commission, and Bob's subscription; listed twice, because Ann moved.
fn bakery() -> Bench {
    let bench = Bench::empty();
    put(&bench, "subscriptions", 1, subscription(1, &json!({ "org_name": "Bakery Holding" })));
    put(&bench, "subscriptions", 2, subscription(2, &json!({ "email_id": "ANN@BAKERY.TEST", "status": "inactive" })));
    put(&bench, "subscriptions", 3, subscription(3, &other(&json!({}))));
    put(&bench, "transactions", 11, transaction(11, &json!({})));
    put(
        &bench,
        "transactions",
        13,
        transaction(
            13,
            &json!({ "subscription_id": 3, "profile_id": "RPUS0002",
                                                           "description": "for Bob" }),
        ),
    );
    put(&bench, "commissions", 21, commission(21, &json!({})));
    ingest(&bench);
    put(&bench, "subscriptions", 1, subscription(1, &json!({ "customer_company_name": "Ann Bakery &amp; Sons" })));
    bench.run_at("2026-03-02T06:00:00Z", &["ingest"]).exits(0);
    bench
}

#[track_caller]
fn ingest(bench: &Bench) -> Value {
    bench.run(&["ingest", "--json"]).exits(0).json()
}

/// Which of the texts stand in the bytes of the mirror or of what SQLite keeps beside it.
fn found(bench: &Bench, texts: &[&'static str]) -> Vec<&'static str> {
    let files = ["mirror.db", "mirror.db-wal", "mirror.db-shm", "mirror.db-journal"].map(|name| bench.path(name));
    let bytes: Vec<u8> = files.iter().filter_map(|file| std::fs::read(file).ok()).flatten().collect();
    let holds = |text: &&&str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    texts.iter().filter(holds).copied().collect()
}

/// What money says, whoever it came from.
fn amounts(bench: &Bench) -> Vec<String> {
    let sums = [
        "select group_concat(subscription_id || ' ' || status || ' ' || next_recurring_amount || ' ' || mrr_usd) from subscriptions",
        "select group_concat(transaction_id || ' ' || amount || ' ' || usd_amount || ' ' || transaction_day) from transactions",
        "select group_concat(commission_id || ' ' || state || ' ' || net_payout || ' ' || balance_payout || ' ' || rate) from commissions",
        "select count(*) || ' ' || sum(mrr_usd_micros) from subscription_versions",
        "select count(distinct customer_id) from subscriptions",
    ];
    sums.iter().map(|sql| bench.value(sql)).map(|value: rusqlite::types::Value| format!("{value:?}")).collect()
}

#[track_caller]
fn rests(bench: &Bench) {
    let again = ingest(bench);
    let changed = ["new", "changed", "returned", "removed", "quarantined"].map(|count| again["totals"][count].clone());
    assert!(changed.iter().all(|count| *count == 0), "{again}");
    bench.run(&["verify"]).exits(0);
    assert_eq!(bench.run(&["rebuild", "--json"]).exits(0).json()["changed"], json!([]));
}

#[test]
fn a_forgotten_customer_is_gone_to_the_last_byte_and_stays_gone() {
    let bench = bakery();
    assert_eq!(found(&bench, &TRACES), TRACES, "the traces are there before");
    let before = amounts(&bench);
    let ran = bench.run(&["forget", "subscriptions", "1", "--yes", "--json"]).exits(0);
    let answer = ran.json();
    assert_eq!(answer["records"].as_array().unwrap().len(), 4, "{answer}");
    assert_eq!((&answer["done"]["payload_versions"], &answer["purged"]), (&json!(5), &json!(true)));
    for trace in TRACES {
        assert!(!ran.stdout.contains(trace), "{trace} in {}", ran.stdout);
    }
    assert_eq!(found(&bench, &TRACES), [""; 0]);
    assert_eq!(amounts(&bench), before);
    rests(&bench);
    assert_eq!(found(&bench, &TRACES), [""; 0]);
    let kept = ["bob@mill.test", "Bob Mill", "9 Mill Lane", "for Bob", "880002"];
    assert_eq!(found(&bench, &kept), kept, "another customer is left alone");
    let customers: String =
        bench.value("select group_concat(customer_id, ' ') from (select customer_id from customers order by 1)");
    assert!(
        customers.starts_with("880002 forgotten-") && customers.len() == "880002 forgotten-".len() + 12,
        "{customers}"
    );
    let when: String =
        bench.value("select group_concat(kind || ' ' || record_id || ' ' || forgotten_at, '; ') from forgotten");
    let at = "2026-03-01T06:00:00Z";
    let expected = ["commissions 21", "subscriptions 1", "subscriptions 2", "transactions 11"];
    assert_eq!(when, expected.map(|record| format!("{record} {at}")).join("; "));
}

#[test]
fn a_new_record_of_a_forgotten_customer_is_kept_without_its_person() {
    let bench = bakery();
    bench.run(&["forget", "transactions", "us:11", "--yes"]).exits(0);
    put(&bench, "subscriptions", 4, subscription(4, &json!({ "email_id": "new@bakery.test" })));
    put(&bench, "transactions", 12, transaction(12, &json!({ "subscription_id": 4, "amount": "30.0" })));
    put(
        &bench,
        "commissions",
        22,
        commission(
            22,
            &json!({ "subscription": { "subscription_id": 4,
        "email_id": "new@bakery.test", "customer_company_name": "Ann Bakery" } }),
        ),
    );
    // what the store changes about a forgotten record arrives without the person too
    put(&bench, "subscriptions", 2, subscription(2, &json!({ "email_id": "ann.new@bakery.test", "status": "active" })));
    let listed = ingest(&bench);
    assert_eq!((&listed["totals"]["new"], &listed["totals"]["changed"]), (&json!(3), &json!(1)), "{listed}");
    let traces = [&TRACES[..], &["new@bakery.test", "ann.new@bakery.test"]].concat();
    assert_eq!(found(&bench, &traces), [""; 0]);
    assert_eq!(bench.value::<i64>("select count(*) from forgotten"), 7);
    assert_eq!(bench.value::<i64>("select count(distinct customer_id) from subscriptions"), 2);
    assert_eq!(bench.value::<f64>("select amount from transactions where transaction_id = 12"), 30.0);
    rests(&bench);
}

#[test]
fn an_address_finds_its_customers_whatever_their_records() {
    let bench = bakery();
    let refused = bench.run(&["forget", "--email", "nobody@bakery.test", "--yes", "--json"]).exits(2);
    assert_eq!(refused.json()["error"]["code"], "config");
    let plan = bench.run(&["forget", "--email", " Ann@Bakery.test ", "--dry-run"]).exits(0);
    assert!(
        plan.stdout.starts_with("would forget 1 customer: 2 subscriptions, 1 transaction, 1 commission\n"),
        "{}",
        plan.stdout
    );
    assert!(plan.stdout.contains("Ann Bakery & Sons"), "who decides is told who it is: {}", plan.stdout);
    assert_eq!(found(&bench, &TRACES), TRACES, "a dry run changes nothing");
    bench.run(&["forget", "--email", "Ann@Bakery.test", "--yes"]).exits(0);
    assert_eq!(found(&bench, &TRACES), [""; 0]);
    let again = bench.run(&["forget", "--email", "ann@bakery.test", "--yes"]).exits(0);
    assert!(again.stdout.starts_with("forgotten already, 2026-03-01T06:00:00Z\n"), "{}", again.stdout);
    // the same address under another organisation
    put(&bench, "subscriptions", 5, subscription(5, &json!({ "org_id": "990009", "custom_id": "990009" })));
    ingest(&bench);
    assert_eq!(found(&bench, &[&TRACES[..], &["990009"]].concat()), [""; 0]);
    rests(&bench);
}

#[test]
fn what_could_not_be_read_is_forgotten_too() {
    let bench = Bench::empty();
    put(&bench, "subscriptions", 1, subscription(1, &json!({ "service_id": "knows a secret" })));
    bench.sim.with(|world| {
        world.upsert_record("us", "subscriptions", "x", subscription(0, &json!({ "subscription_id": null })));
    });
    put(&bench, "subscriptions", 2, subscription(2, &json!({ "email_id": { "ann@bakery.test": 1 } })));
    bench.run(&["ingest"]).exits(3);
    assert_eq!(bench.value::<i64>("select count(*) from quarantine"), 3);
    bench.run(&["forget", "--email", "ann@bakery.test", "--yes"]).exits(0);
    // an enumerated field that holds a person is not known to be personal; everything else is
    let traces: Vec<&str> = TRACES.into_iter().filter(|trace| *trace != "knows a secret").collect();
    assert_eq!(found(&bench, &traces), [""; 0]);
    assert_eq!(bench.value::<i64>("select count(*) from quarantine"), 2, "without its address the third can be read");
    bench.run(&["ingest"]).exits(3);
    assert_eq!(found(&bench, &traces), [""; 0]);
    assert_eq!(bench.value::<i64>("select max(version) from payloads"), 1);
    assert_eq!(bench.run(&["rebuild", "--json"]).exits(3).json()["changed"], json!([]));
}

#[test]
fn a_lead_keeps_its_key_and_nothing_else() {
    let bench = Bench::empty().with("us", "leads = true");
    let lead = subscription(1, &json!({ "id": null, "subscription_id": null }));
    bench.sim.with(|world| world.upsert_record("us", "leads", "RPUS0001", lead));
    ingest(&bench);
    bench.run(&["forget", "leads", "RPUS0001", "--yes"]).exits(0);
    let traces: Vec<&str> = TRACES.into_iter().filter(|trace| *trace != "RPUS0001").collect();
    assert_eq!(found(&bench, &traces), [""; 0]);
    rests(&bench);
    assert_eq!(bench.value::<String>("select lead_id from leads"), "RPUS0001");
}

#[test]
fn it_asks_first() {
    let bench = bakery();
    for arguments in [&["forget", "subscriptions", "1"][..], &["forget", "--email", "ann@bakery.test"]] {
        let ran = bench.run(arguments).exits(2);
        assert!(ran.stderr.contains("--dry-run"), "{}", ran.stderr);
        bench.run(&[arguments, &["--json"]].concat()).exits(2);
    }
    bench.run(&["forget", "subscriptions", "99", "--yes"]).exits(2);
    bench.run(&["forget", "subscriptions", "--yes"]).exits(2);
    bench.run(&["forget", "--email", "ann", "--yes"]).exits(2);
    assert_eq!(found(&bench, &TRACES), TRACES);
    let _lock = bench.writers_lock();
    bench.run(&["forget", "subscriptions", "1", "--yes"]).exits(5);
}

#[test]
fn the_crm_is_left_alone_and_pushed_to_without_the_person() {
    let bench = bakery();
    bench.run(&["push"]).exits(0);
    let crm = |field: &str| -> Value {
        bench.sim.with(|world| {
            let records = world.crm.records("Partner_Subscriptions");
            let record = records.iter().find(|record| record.fields["Subscription_ID"] == "1").expect("pushed");
            record.fields[field].clone()
        })
    };
    assert_eq!(crm("Email"), "ann@bakery.test");
    bench.run(&["forget", "subscriptions", "1", "--yes"]).exits(0);
    assert_eq!(found(&bench, &TRACES), [""; 0]);
    let plan = bench.run(&["push", "--dry-run", "--json"]).exits(0).json();
    for kind in plan["kinds"].as_array().unwrap() {
        assert_eq!((&kind["planned"]["create"], &kind["planned"]["update"]), (&json!(0), &json!(0)), "{plan}");
    }
    bench.run(&["crm", "verify"]).exits(0);
    put(&bench, "subscriptions", 1, subscription(1, &json!({ "status": "inactive", "email_id": "ann2@bakery.test" })));
    ingest(&bench);
    bench.run(&["push"]).exits(0);
    assert_eq!(
        (crm("Status"), crm("Email"), crm("Org_ID")),
        (json!("inactive"), json!("ann@bakery.test"), json!("770001"))
    );
    assert_eq!(found(&bench, &TRACES), [""; 0]);
}

/// The lines of a CSV by their commission, without who it was earned on.
fn without_customers(csv: &str) -> BTreeMap<String, Vec<String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let names = reader.headers().unwrap().clone();
    let kept = |name: &str| name != "customer_id" && name != "company_name";
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        let cells = names.iter().zip(&row).filter(|(name, _)| kept(name)).map(|(_, cell)| cell.to_owned()).collect();
        (row[1].to_owned(), cells)
    });
    rows.collect()
}

#[test]
fn a_frozen_statement_keeps_its_amounts_and_both_its_hashes() {
    let bench = bakery();
    let frozen = bench.run(&["statement", "2026-02", "--json"]).exits(0).json();
    let csv = bench.run(&["statement", "2026-02"]).exits(0).stdout;
    assert!(csv.contains("Ann Bakery"));
    let change = "update statement_rows set company_name = null, customer_id = 'forgotten-1'";
    assert!(bench.database().execute_batch(change).is_err(), "who was not forgotten stays on it");
    bench.run(&["forget", "subscriptions", "1", "--yes"]).exits(0);
    let after = bench.run(&["statement", "2026-02", "--json"]).exits(0).json();
    assert_eq!(after["sha256"], frozen["sha256"]);
    assert_eq!(after["totals"], frozen["totals"]);
    let left = bench.run(&["statement", "2026-02"]).exits(0);
    assert_eq!(without_customers(&left.stdout), without_customers(&csv));
    assert!(left.stderr.contains("who 1 of them were earned on was forgotten 2026-03-01T06:00:00Z"), "{}", left.stderr);
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(left.stdout.as_bytes()));
    assert_eq!((&after["redaction"]["sha256"], &after["redaction"]["rows"]), (&json!(hash), &json!(1)));
    let adjustments = bench.run(&["statement", "2026-02", "--adjustments"]).exits(0);
    assert!(adjustments.stderr.starts_with("nothing changed since"), "{}", adjustments.stderr);
    for change in [
        "update statement_rows set net_payout_micros = 1",
        "update statement_rows set customer_id = '770001'",
        "update statement_rows set company_name = 'Another'",
        "delete from statement_rows",
        "update statements set sha256 = ''",
    ] {
        assert!(bench.database().execute_batch(change).is_err(), "{change}");
    }
}

#[test]
fn bytes_that_a_reader_holds_are_removed_by_the_same_command_again() {
    let bench = bakery();
    let reader = bench.database();
    reader.execute_batch("begin; select count(*) from payloads").unwrap();
    let mut command = bench.command(&["forget", "subscriptions", "1", "--yes", "--json"]);
    let answer = finish(&mut command).exits(3).json();
    assert_eq!(answer["purged"], false);
    reader.execute_batch("commit").unwrap();
    drop(reader);
    let answer = bench.run(&["forget", "subscriptions", "1", "--yes", "--json"]).exits(0).json();
    assert_eq!((&answer["purged"], &answer["forgotten_before"]), (&json!(true), &json!("2026-03-01T06:00:00Z")));
    assert_eq!(found(&bench, &TRACES), [""; 0]);
}

#[test]
fn a_killed_forget_is_finished_by_the_same_command() {
    let bench = bakery();
    let original = bench.path("original.db");
    bench.run(&["backup", &original.to_string_lossy()]).exits(0);
    for trial in 0..12_u64 {
        put_back(&original, &bench.path("mirror.db"));
        let mut child = bench.start(&["forget", "subscriptions", "1", "--yes"]);
        std::thread::sleep(std::time::Duration::from_millis(4 * trial));
        // it may be done already
        let _ = child.kill();
        child.wait().unwrap();
        bench.run(&["forget", "subscriptions", "1", "--yes"]).exits(0);
        assert_eq!(found(&bench, &TRACES), [""; 0], "killed after {} ms", 4 * trial);
    }
    rests(&bench);
}

fn put_back(original: &Path, mirror: &Path) {
    for companion in ["-wal", "-shm", "-journal"] {
        let _ = std::fs::remove_file(format!("{}{companion}", mirror.display()));
    }
    std::fs::copy(original, mirror).unwrap();
}

#[test]
fn an_older_backup_does_not_bring_anybody_back() {
    let bench = bakery();
    let backup = bench.path("before.db");
    let backup = backup.to_string_lossy();
    bench.run(&["backup", &backup]).exits(0);
    bench.run(&["forget", "--email", "ann@bakery.test", "--yes"]).exits(0);
    bench.run(&["restore", &backup, "--force"]).exits(0);
    assert_eq!(found(&bench, &TRACES), [""; 0]);
    rests(&bench);
}

#[test]
fn the_page_names_every_personal_column() {
    use storemirror::model::Kind;
    use storemirror::model::tables::Personal;
    let page = include_str!("../docs/personal-data.md");
    for kind in Kind::ALL {
        let line =
            page.lines().find(|line| line.starts_with('|') && line.split('|').nth(1).unwrap().contains(kind.name()));
        let cells: Vec<&str> = line.unwrap_or_else(|| panic!("no line of {kind}")).split('|').collect();
        for (cell, how) in [(2, Personal::Removed), (3, Personal::Pseudonym)] {
            let mut named: Vec<&str> = cells[cell].split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
            let declared = kind.table().columns().filter(|column| column.personal == how).map(|column| column.name);
            let mut declared: Vec<&str> = declared.collect();
            named.sort_unstable();
            declared.sort_unstable();
            assert_eq!(named, declared, "{kind}");
        }
    }
}

#[test]
fn a_mirror_in_which_nobody_was_forgotten_writes_nothing_of_it() {
    let bench = bakery();
    let rows = "select (select count(*) from forgotten) + (select count(*) from forgotten_marks)
                + (select count(*) from settings where name like 'forg%')";
    assert_eq!(bench.value::<i64>(rows), 0);
    // the plain shell opens it all
    if crate::support::has_sqlite3("a_mirror_in_which_nobody_was_forgotten_writes_nothing_of_it") {
        let shell = Command::new("sqlite3").arg(bench.path("mirror.db")).arg("select count(*) from forgotten").output();
        assert!(shell.unwrap().status.success());
    }
}
