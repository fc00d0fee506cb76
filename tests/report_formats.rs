//! How a report's answer looks: NDJSON, Markdown, a page, a spreadsheet's CSV; where it is written; and that Ctrl-C stops
//! it. What a record says is never more than text.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::{Value, json};
use storemirror::model::instant::parse_instant;
use storemirror::report::{
    Catalog, Freshness, Moment, Reader, Request, Screen, write_html, write_markdown, write_table,
};

use crate::given::{Given, NOW};
use crate::support::{Ran, finish, program};

const NASTY: &str = "<script>alert(1)</script> | \"a\" & 'b'\u{1b}[2J\n=1+1";

/// A mirror whose one customer has a name that means harm.
fn nasty() -> Given {
    let given = Given::new();
    given.subscription(1, json!({ "company_name": NASTY, "email": "=cmd@example.test", "plan_name": "-12.50" }));
    given
}

/// A report in a format of the library's.
fn written(given: &Given, write: impl Fn(&Request<'_>, &storemirror::db::Db, &mut Vec<u8>)) -> String {
    let catalog = Catalog::bundled();
    let moment = Moment::new(None, parse_instant(NOW).unwrap()).unwrap();
    let request = Request::new(catalog.find("renewals_due").unwrap(), &[], moment).unwrap();
    let mut bytes = Vec::new();
    write(&request, &given.db(), &mut bytes);
    String::from_utf8(bytes).unwrap()
}

fn freshness(request: &Request<'_>, db: &storemirror::db::Db) -> Freshness {
    Freshness::read(db, request.moment).unwrap()
}

/// Runs the program on a mirror.
fn run(given: &Given, arguments: &[&str]) -> Ran {
    finish(&mut command(given, arguments))
}

fn command(given: &Given, arguments: &[&str]) -> std::process::Command {
    let mut command = program(given.path().parent().unwrap());
    command.arg("--db").arg(given.path()).args(["--now", NOW]).args(arguments);
    command.current_dir(given.path().parent().unwrap());
    command
}

#[test]
fn ndjson_is_an_object_on_each_line() {
    let given = Given::new();
    given.subscription(1, json!({})).subscription(2, json!({ "next_recurring_amount": "0.5", "email": null }));
    let ran = run(&given, &["report", "renewals_due", "--format", "ndjson"]).exits(0);
    let rows: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((rows.len(), &rows[0]["subscription_id"], &rows[1]["email"]), (2, &json!("1"), &Value::Null));
    assert!(ran.stdout.contains(r#""next_recurring_amount":0.50,"#), "{}", ran.stdout);
    assert!(ran.stderr.starts_with("as of 2026-03-01; "), "{}", ran.stderr);
}

#[test]
fn a_spreadsheet_gets_its_mark_its_line_ends_and_no_formula() {
    let text = written(&nasty(), |request, db, out| request.stream_csv(db, Reader::Spreadsheet, out).unwrap());
    let text = text.strip_prefix('\u{feff}').expect("a byte order mark");
    assert!(text.lines().count() == 3 && text.matches("\r\n").count() == 2 && text.ends_with("\r\n"), "{text:?}");
    assert!(text.contains(",'=cmd@example.test,One,-12.50,"), "{text}");
    let ran = run(&nasty(), &["report", "renewals_due", "--excel"]).exits(0);
    assert_eq!(ran.stdout.strip_prefix('\u{feff}'), Some(text));
    for format in ["table", "json", "ndjson", "html"] {
        let ran = run(&nasty(), &["report", "renewals_due", "--excel", "--format", format]).exits(2);
        assert!(ran.stderr.contains("--excel is for CSV alone"), "{}", ran.stderr);
    }
}

#[test]
fn markdown_is_one_table_and_the_freshness_line() {
    let text = written(&nasty(), |request, db, out| {
        write_markdown(&request.run(db).unwrap(), &freshness(request, db), out).unwrap();
    });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "{text}");
    assert!(lines[0].starts_with("| store_id | subscription_id |"));
    assert!(lines[1].contains("| ---: |") && lines[1].starts_with("| --- |"));
    assert!(lines[2].contains(r"| \<script\>alert(1)\</script\> \| "), "{text}");
    assert!(lines[2].contains("| 1,200.00 |") && !text.contains('\u{1b}'), "{text}");
    assert!(lines[3].is_empty() && lines[4].starts_with("as of 2026-03-01; eu completely listed"), "{text}");
}

#[test]
fn the_page_is_whole_in_itself_and_shows_text_as_text() {
    let text = written(&nasty(), |request, db, out| {
        write_html(request, &request.run(db).unwrap(), &freshness(request, db), out).unwrap();
    });
    assert!(text.starts_with("<!doctype html>\n") && text.ends_with("</p></body></html>\n"));
    assert!(text.contains("<td>&lt;script&gt;alert(1)&lt;/script&gt; | &quot;a&quot; &amp; &#39;b&#39; [2J =1+1</td>"));
    assert!(text.contains("<td class=\"n\">1,200.00</td>") && text.contains("<th scope=\"col\">store_id</th>"));
    assert!(text.lines().last().unwrap().contains("as of 2026-03-01; eu completely listed"), "{text}");
    for outside in ["<script", "<link", "<img", "src=", "href", "url(", "http://", "https://", "@import"] {
        assert!(!text.contains(outside), "{outside}");
    }
}

#[test]
fn a_table_lets_nothing_steer_the_terminal() {
    let given = nasty();
    for width in [None, Some(60)] {
        let text = written(&given, |request, db, out| {
            let screen = Screen { width, color: false };
            write_table(&request.run(db).unwrap(), &freshness(request, db), screen, out).unwrap();
        });
        assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()), "{text:?}");
    }
    let folder = given.path().with_file_name("queries");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("own.sql"), "select 1 as \"a\u{1b}[2Jb\"").unwrap();
    let ran = run(&given, &["--queries", &folder.display().to_string(), "report", "own"]).exits(0);
    assert!(!ran.stdout.contains('\u{1b}') && ran.stdout.starts_with("a [2Jb"), "{:?}", ran.stdout);
}

#[test]
fn a_file_is_replaced_in_one_step_or_not_at_all() {
    let given = Given::new();
    given.subscription(1, json!({}));
    let folder = given.path().with_file_name("queries");
    fs::create_dir(&folder).unwrap();
    // fails after its first row
    fs::write(folder.join("own.sql"), "select 1 as n union all select abs(-9223372036854775807 - 1)").unwrap();
    let target = given.path().with_file_name("out.csv");
    fs::write(&target, "before").unwrap();
    let own = ["report", "own", "--queries", "queries", "--format", "csv", "-o", "out.csv"];
    let ran = run(&given, &own).exits(2);
    assert!(ran.stderr.contains("own.sql: integer overflow"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(&target).unwrap(), "before");
    let count = || fs::read_dir(target.parent().unwrap()).unwrap().count();
    let files = count();
    std::os::unix::fs::symlink("out.csv", target.with_file_name("link.csv")).unwrap();
    run(&given, &["report", "renewals_due", "--format", "csv", "-o", "link.csv"]).exits(0);
    assert!(fs::read_to_string(&target).unwrap().starts_with("store_id,"));
    assert!(target.with_file_name("link.csv").is_symlink());
    assert_eq!(count(), files + 1, "no half file is left");
    let ran = run(&given, &["report", "renewals_due", "-o", "nowhere/out.csv"]).exits(2);
    assert!(ran.stderr.contains("cannot write nowhere/out.csv"), "{}", ran.stderr);
    run(&given, &["report", "renewals_due", "-o", "queries"]).exits(2);
}

#[test]
fn an_export_takes_what_is_asked_for() {
    let given = Given::new();
    given.subscription(1, json!({}));
    let arguments = ["export", "out", "--only", "renewals_due", "commission_ageing", "--param", "within=5", "--json"];
    let manifest = run(&given, &arguments).exits(0).json();
    let names: Vec<&Value> = manifest["reports"].as_array().unwrap().iter().map(|report| &report["name"]).collect();
    assert_eq!(names, ["renewals_due", "commission_ageing"]);
    assert_eq!((&manifest["parameters"], &manifest["reports"][0]["rows"]), (&json!({ "within": 5 }), &json!(0)));
    assert_eq!(fs::read_dir(given.path().with_file_name("out")).unwrap().count(), 3);
    run(&given, &["export", "out", "--only", "nothing"]).exits(2);
    run(&given, &["export", "out", "--only", "freshness", "--param", "within=5"]).exits(2);
}

#[test]
fn a_description_says_all_that_is_known_of_a_report() {
    let given = Given::new();
    let json = run(&given, &["report", "renewals_due", "--describe", "--json"]).exits(0).json();
    assert_eq!(json["report"], "renewals_due");
    assert_eq!(
        json["parameters"][0],
        json!({ "name": "within", "type": "integer", "default": 90,
                                               "help": "days ahead of as_of" })
    );
    assert_eq!((&json["grain"], &json["file"]), (&json!("renewing subscription"), &json!("queries/renewals_due.sql")));
    assert!(json["help"].as_str().unwrap().contains("partner_price"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_a_runaway_query() {
    let given = Given::new();
    let folder = given.path().with_file_name("queries");
    fs::create_dir(&folder).unwrap();
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n";
    fs::write(folder.join("own.sql"), endless).unwrap();
    for output in [&[][..], &["-o", "out.csv"]] {
        let arguments = [&["report", "own", "--queries", "queries", "--format", "csv"], output].concat();
        let mut child = command(&given, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        if output.is_empty() {
            let mut first = String::new();
            stdout.read_line(&mut first).unwrap();
            assert_eq!(first, "i\n");
        } else {
            // its half file shows that it is at work, once there are rows in it
            let begun = || {
                fs::read_dir(folder.parent().unwrap()).unwrap().any(|entry| {
                    let entry = entry.unwrap();
                    let size = entry.metadata().map_or(0, |found| found.len());
                    entry.file_name().to_string_lossy().starts_with(".tmp") && size > 0
                })
            };
            while !begun() {
                std::thread::yield_now();
            }
        }
        let interrupt = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(interrupt.success());
        std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(
            (child.wait().unwrap().code(), said.as_str()),
            (Some(130), "storemirror: own was stopped\n  nothing was changed; the same command begins anew\n")
        );
        let names = || fs::read_dir(folder.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(names().all(|name| name != "out.csv" && !name.to_string_lossy().starts_with(".tmp")));
    }
}
