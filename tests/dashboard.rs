//! The dashboard as a file: what its head promises, how large it gets, where and how it is written, and what the command
//! answers. What a browser makes of it is `browser.rs`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};
use storemirror::dashboard::Dashboard;
use storemirror::model::instant::parse_instant;
use storemirror::report::{Catalog, Moment};

use crate::given::{Given, NOW};
use crate::support::Bench;

fn small() -> Bench {
    let bench = Bench::empty();
    bench.put_subscriptions([1, 2]);
    bench.run(&["ingest", "--json"]).exits(0);
    bench
}

fn made(given: &Given) -> Dashboard {
    made_on(given, None)
}

fn made_on(given: &Given, day: Option<&str>) -> Dashboard {
    let moment = Moment::new(day, parse_instant(NOW).unwrap()).unwrap();
    Dashboard::make(&given.db(), &Catalog::bundled(), moment).unwrap()
}

/// What stands between two marks, the first time after `from`.
fn between<'a>(text: &'a str, from: &str, open: &str, close: &str) -> &'a str {
    let text = &text[text.find(from).unwrap()..];
    let start = text.find(open).unwrap() + open.len();
    &text[start..start + text[start..].find(close).unwrap()]
}

#[test]
fn the_head_allows_its_own_style_and_script_and_nothing_else() {
    let html = made(&Given::new()).html;
    let policy = between(&html, "Content-Security-Policy", "content=\"", "\">").replace("&#39;", "'");
    let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())));
    let style = between(&html, "<style>", "<style>", "</style>");
    let script = between(&html, "<script>", "<script>", "</script>");
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
            hash(style),
            hash(script)
        )
    );
    assert!(style.len() > 1000 && script.len() > 1000);
    // the policy comes before everything it is for, and nothing needs more than it allows
    assert!(html.find("Content-Security-Policy") < html.find("<style"));
    for refused in [" style=", " src=", " onclick=", "<link", "<iframe", "@import", "http://", "https://"] {
        assert!(!html.contains(refused), "{refused}");
    }
}

#[test]
fn it_is_private_and_keeps_the_permissions_it_was_given() {
    use std::os::unix::fs::PermissionsExt;
    let bench = small();
    let folder = bench.path("home");
    std::fs::create_dir(&folder).unwrap();
    let ran = crate::support::finish(bench.command(&["dashboard"]).current_dir(&folder)).exits(0);
    let path = folder.join("storemirror-dashboard.html");
    let mode = || path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((ran.stdout.as_str(), mode()), ("", 0o600));
    assert!(ran.stderr.contains("wrote ./storemirror-dashboard.html ("), "{}", ran.stderr);
    assert!(ran.stderr.contains("as of 2026-03-01; us completely listed"), "{}", ran.stderr);

    // put on a share, it stays readable there
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::write(&path, "old").unwrap();
    let ran = crate::support::finish(bench.command(&["dashboard", "-q"]).current_dir(&folder)).exits(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), mode()), ("", "", 0o644));
    assert!(std::fs::read_to_string(&path).unwrap().ends_with("</html>\n"));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn wrong_usage_names_the_fix_and_writes_nothing() {
    let bench = small();
    for (arguments, said) in [
        (vec!["dashboard", "--as-of", "yesterday"], "is not a day"),
        (vec!["dashboard", "-o", "/nowhere/page.html"], "a folder that exists"),
        (vec!["dashboard", "-o", "."], "a folder that exists"),
        (vec!["dashboard", "--db", "/nowhere/mirror.db"], "storemirror ingest"),
    ] {
        let ran = crate::support::finish(bench.command(&arguments).current_dir(bench.path(""))).exits(2);
        assert!(ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
    }
    let ran = bench.run(&["dashboard", "--json", "--as-of", "x"]).exits(2).json();
    assert_eq!((&ran["command"], &ran["error"]["code"]), (&json!("dashboard"), &json!("config")));
    assert!(!bench.path("storemirror-dashboard.html").exists());
}

#[test]
fn json_says_what_stands_where() {
    let bench = small();
    let page = bench.path("page.html").display().to_string();
    let answer = bench.run(&["dashboard", "-o", &page, "--as-of", "2026-03-01", "--json"]).exits(0).json();
    assert_eq!((&answer["exit"], &answer["error"], &answer["file"]), (&json!(0), &json!(null), &json!(page)));
    assert_eq!(answer["bytes"], bench.path("page.html").metadata().unwrap().len());
    // two subscriptions of 12 dollars a month that renew on 15 March
    assert_eq!((&answer["headline"]["mrr_usd"], &answer["headline"]["due_30"]), (&json!(24.0), &json!(2)));
    let due = answer["blocks"].as_array().unwrap().iter().find(|block| block["id"] == "renewals-due").unwrap();
    assert_eq!(due["command"], "storemirror report renewals_due --param within=90 --as-of 2026-03-01");
    assert_eq!((&due["rows"], &due["shown"], &answer["customers"]), (&json!(2), &json!(2), &json!(2)));
    assert_eq!(answer["freshness"]["as_of"], "2026-03-01");
}

#[test]
fn open_hands_the_file_to_the_system() {
    use std::os::unix::fs::PermissionsExt;
    let bench = small();
    let page = bench.path("page.html").display().to_string();
    let tools = bench.path("tools");
    std::fs::create_dir(&tools).unwrap();
    let opener = tools.join("xdg-open");
    std::fs::write(&opener, format!("#!/bin/sh\necho \"$1\" > {}\n", bench.path("opened").display())).unwrap();
    std::fs::set_permissions(&opener, PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let arguments = ["dashboard", "-o", &page, "--open"];
    crate::support::finish(bench.command(&arguments).env("PATH", path)).exits(0);
    assert_eq!(std::fs::read_to_string(bench.path("opened")).unwrap().trim(), page);

    // where nothing opens it, it is written all the same, and that is said
    std::fs::remove_file(&page).unwrap();
    let ran = crate::support::finish(bench.command(&arguments).env("PATH", "")).exits(1);
    assert!(ran.stderr.contains("open it in a browser") && bench.path("page.html").exists(), "{}", ran.stderr);
}

#[test]
fn without_a_months_history_nothing_is_compared() {
    // both stores were first listed on 1 January, so 1 February is known and 15 January's month before is not
    let given = Given::new();
    given.subscription(1, json!({}));
    let on = |day| made_on(&given, Some(day));
    assert_eq!(on("2026-03-01").compared_with.as_deref(), Some("2026-02-01"));
    assert!(!on("2026-03-01").html.contains("no history yet"));
    let early = on("2026-01-15");
    assert_eq!((early.compared_with, early.html.matches("no history yet").count()), (None, 10));
    // a store that joined later has no month behind it, so the whole has none
    given.sql("insert into stores values ('in', 'in', '', null, '2026-02-20T00:00:00Z')");
    assert_eq!(on("2026-03-01").compared_with, None);
    given.sql("update stores set first_complete_at = null where store_id = 'in'");
    assert_eq!(on("2026-03-31").compared_with, None);
}

#[test]
fn an_empty_mirror_makes_a_page_that_says_so() {
    let given = Given::new();
    given.sql("delete from stores; delete from coverage");
    let page = made(&given);
    for said in ["nothing has been listed yet", "There is nothing to draw yet.", "Nothing renews in the next 90 days."]
    {
        assert!(page.html.contains(said), "{said}");
    }
    assert_eq!(page.compared_with, None);
}

#[test]
fn a_long_report_is_cut_and_says_so() {
    // commissions whose sale is not in the mirror: each is a mismatch
    let given = Given::new();
    for id in 1..=501 {
        given.commission(id, json!({ "transaction_id": 9_000_000 + id }));
    }
    let page = made(&given);
    let block = page.blocks.iter().find(|block| block.id == "mismatches").unwrap();
    assert_eq!(block.shown, 500);
    assert!(block.rows > 500, "{}", block.rows);
    let said = format!("Only the first 500 of {} rows are on this page", block.rows);
    assert!(page.html.contains(&said.replace("1002", "1,002")), "{said}");
}

#[test]
fn statements_that_do_not_fit_begin_on_a_day_that_is_named() {
    // 40,000 events on 2,000 days, twenty a day
    let given = Given::new();
    given.subscription(1, json!({})).transaction(1, json!({}));
    let columns: Vec<String> = {
        let connection = rusqlite::Connection::open(given.path()).unwrap();
        let mut names = connection.prepare("select name from pragma_table_info('transaction_records')").unwrap();
        names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let values = columns.iter().map(|name| match name.as_str() {
        "transaction_id" => "100000000000 + n".to_owned(),
        "transaction_day" => "date('2020-01-01', (n % 2000) || ' days')".to_owned(),
        other => other.to_owned(),
    });
    given.sql(&format!(
        "with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 40000)
         insert into transaction_records ({}) select {} from transaction_records, numbers",
        columns.join(", "),
        values.collect::<Vec<_>>().join(", ")
    ));
    let page = made(&given);
    let since = page.statements_since.unwrap();
    assert!(("2021-01-01".."2025-06-01").contains(&since.as_str()), "{since}");
    assert!(page.html.contains(&format!("Events since {since} are here")));
    assert!((1_200_000..1_500_000).contains(&page.html.len()), "{} bytes", page.html.len());
}

#[test]
fn a_report_of_ones_own_takes_no_part_and_that_is_said() {
    let bench = small();
    let queries = bench.path("queries");
    std::fs::create_dir(&queries).unwrap();
    std::fs::write(queries.join("mrr_by_service.sql"), "-- Mine.\nselect 1.0 as mrr_usd").unwrap();
    std::fs::write(queries.join("renewals_due.sql"), "-- Mine.\nselect 1 as days_left").unwrap();
    let (page, queries) = (bench.path("page.html").display().to_string(), queries.display().to_string());
    let ran = bench.run(&["dashboard", "-o", &page, "--queries", &queries, "--json"]).exits(0);
    assert_eq!((&ran.json()["headline"]["mrr_usd"], &ran.json()["headline"]["due_30"]), (&json!(24.0), &json!(2)));
    for report in ["mrr_by_service", "renewals_due"] {
        let said = format!("{report} is the bundled report there, not your own");
        assert!(ran.stderr.contains(&said), "{}", ran.stderr);
    }
}
