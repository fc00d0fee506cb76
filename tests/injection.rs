//! Text from outside is text: in SQL, in a spreadsheet, on a page, on a terminal, in a path. Each is tried where it would
//! hurt.

use std::io::Write;
use std::process::Command;

use serde_json::json;

use crate::canned::{Canned, Reply};
use crate::push::desk::with;
use crate::support::{Bench, Ran, finish, subscription};

/// Everything a terminal obeys or is confused by: escape sequences in C0 and C1, titles, links, bells, carriage returns,
/// backspaces, bidirectional overrides and isolates, line separators.
const STEERING: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\u{1b}]8;;http://x\u{1b}\\\u{9b}31m\u{90}q\u{7f}\r\u{8}\u{202e}evil\u{2066}x\u{2069}\u{2028}\u{85}";
/// What would be reckoned with, run or shown as markup.
const ACTIVE: &str = "=HYPERLINK(\"http://x\")<script>alert(1)</script>' or 1=1; drop table payloads; --";

fn steers(character: char) -> bool {
    (character.is_control() && !"\n\t".contains(character))
        || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[track_caller]
fn steers_nothing(what: &str, ran: &Ran) {
    for text in [&ran.stdout, &ran.stderr] {
        let found: Vec<char> = text.chars().filter(|character| steers(*character)).collect();
        assert!(found.is_empty(), "{what}: {found:?} in {text:?}");
    }
}

/// A mirror whose every text is hostile, pushed to a CRM once.
fn hostile_mirror() -> Bench {
    let bench = Bench::empty();
    let mean = format!("{ACTIVE}{STEERING}");
    let fields =
        ["customer_company_name", "org_name", "email_id", "plan_name", "service_name", "status", "billing_frequency"];
    let mean_fields = |id: u64| {
        let changes = fields.iter().map(|name| ((*name).to_owned(), json!(mean))).collect();
        let mut body = with(&subscription(id), &serde_json::Value::Object(changes));
        body.insert_str(1, &format!("{}:1,", json!(mean)));
        body
    };
    bench.sim.with(|world| {
        world.upsert_record("us", "subscriptions", "1", mean_fields(1));
        world.upsert_record("us", "subscriptions", "2", mean_fields(2).replace("2026-03-15", "never"));
        world.upsert_record(
            "us",
            "subscriptions",
            "3",
            with(&subscription(3), &json!({"customer_company_name": mean})),
        );
    });
    let exit = bench.run(&["ingest"]).exit;
    assert_eq!(exit, 3);
    bench
}

#[test]
fn nothing_a_record_says_steers_the_terminal() {
    let bench = hostile_mirror();
    let page = bench.path("page.html").display().to_string();
    let commands: [&[&str]; 14] = [
        &["ingest", "-v"],
        &["verify"],
        &["status"],
        &["push", "--dry-run"],
        &["push"],
        &["crm", "trace", "subscriptions", "1"],
        &["crm", "verify"],
        &["explain", "subscriptions", "1"],
        &["explain", "subscriptions", "2"],
        &["doctor"],
        &["doctor", "--first-contact"],
        &["forget", "subscriptions", "1", "--dry-run"],
        &["dashboard", "-o", &page],
        &["report", "data_quality"],
    ];
    for command in commands {
        steers_nothing(&format!("{command:?}"), &bench.run(command));
    }
    for (name, _) in storemirror::report::BUNDLED {
        for format in ["table", "markdown", "html"] {
            steers_nothing(name, &bench.run(&["report", name, "--format", format]));
        }
    }
    let subscriptions = "-- Every text.\nselect * from subscriptions";
    let queries = bench.path("queries");
    std::fs::create_dir(&queries).unwrap();
    std::fs::write(queries.join("mine.sql"), subscriptions).unwrap();
    let queries = queries.display().to_string();
    for format in ["table", "markdown", "html"] {
        let ran = bench.run(&["report", "mine", "--queries", &queries, "--format", format]).exits(0);
        steers_nothing("mine", &ran);
        assert!(ran.stdout.contains("HYPERLINK"), "the text itself is shown: {}", ran.stdout);
    }
}

#[test]
fn nothing_a_server_says_steers_the_terminal() {
    let body = format!("{{\"code\":\"INVALID\",\"message\":{}}}", json!(STEERING));
    for (status, body) in [(400, STEERING), (403, STEERING), (404, &body), (200, &body), (401, STEERING)] {
        let canned = Canned::saying(&[Reply(status, "X-Odd: \u{9b}31m\r\n", body.to_owned())]);
        steers_nothing("ingest", &canned.ingest());
        let text = canned.ingest_as_text();
        assert!(!text.stdout.is_empty(), "{text:?}");
        steers_nothing("ingest", &text);
    }
}

#[test]
fn nothing_a_users_own_report_says_steers_the_terminal() {
    let bench = Bench::empty();
    bench.run(&["ingest"]).exits(0);
    let queries = bench.path("queries");
    std::fs::create_dir(&queries).unwrap();
    let sql = format!(
        "-- {STEERING}\n-- One row per {STEERING}.\n-- :x text = {STEERING}  {STEERING}\nselect :x as \"{STEERING}\""
    );
    std::fs::write(
        queries.join("mine.sql"),
        sql.replace(['\n', '\r'], " ").replace(" -- ", "\n-- ").replace(" select", "\nselect"),
    )
    .unwrap();
    std::fs::write(queries.join("a\u{1b}[2Jb.sql"), "-- :broken").unwrap();
    let folder = queries.display().to_string();
    for arguments in [
        &["report"][..],
        &["report", "mine"],
        &["report", "mine", "--describe"],
        &["report", "mine", "--format", "markdown"],
        &["report", "\u{1b}[2J"],
        &["report", "mine", "--param", "x=\u{1b}[2J"],
        &["report", "mine", "--param", "\u{1b}[2J=x"],
        &["explain", "subscriptions", "\u{1b}[2J"],
    ] {
        steers_nothing(&format!("{arguments:?}"), &bench.run(&[arguments, &["--queries", &folder]].concat()));
    }
}

/// Data as it is, CSV and JSON, goes to a pipe unchanged and to a terminal harmless.
#[test]
fn data_on_a_terminal_is_harmless_and_in_a_pipe_unchanged() {
    let bench = hostile_mirror();
    let queries = bench.path("queries");
    std::fs::create_dir(&queries).unwrap();
    std::fs::write(queries.join("mine.sql"), "select company_name from subscriptions where subscription_id = 3")
        .unwrap();
    let folder = queries.display().to_string();
    for format in ["csv", "ndjson", "json"] {
        let arguments = ["report", "mine", "--queries", &folder, "--format", format];
        let piped = bench.run(&arguments).exits(0).stdout;
        assert!(piped.contains('\u{9b}') && piped.contains('\u{202e}'), "{format}: {piped:?}");
        let Some(shown) = on_a_terminal(&bench, &arguments) else { return };
        assert!(shown.contains("HYPERLINK"), "{shown:?}");
        let found: Vec<char> = shown.chars().filter(|it| steers(*it) && *it != '\r').collect();
        assert!(found.is_empty(), "{format}: {found:?} in {shown:?}");
    }
}

/// What the program prints when its stdout is a terminal; None, saying so, where there is no `script` to make one.
fn on_a_terminal(bench: &Bench, arguments: &[&str]) -> Option<String> {
    if !Command::new("script").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: data_on_a_terminal_is_harmless needs `script`");
        return None;
    }
    let command = bench.command(arguments);
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let mut script = Command::new("script");
    script.args(["-qec", &words.join(" "), "/dev/null"]).env_clear();
    for (name, value) in command.get_envs() {
        script.env(name, value.unwrap_or_default());
    }
    let output = script.output().expect("script runs");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_spreadsheet_reckons_with_nothing() {
    let bench = Bench::empty();
    for (id, name) in
        ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0"].iter().enumerate()
    {
        let id = id as u64 + 1;
        let body = with(&subscription(id), &json!({ "customer_company_name": name }));
        bench.sim.with(|world| world.upsert_record("us", "subscriptions", &id.to_string(), body));
    }
    bench.run(&["ingest"]).exits(0);
    let queries = bench.path("queries");
    std::fs::create_dir(&queries).unwrap();
    std::fs::write(queries.join("mine.sql"), "select company_name as \"=head\" from subscriptions").unwrap();
    let csv = bench.run(&["report", "mine", "--queries", &queries.display().to_string(), "--excel"]).exits(0).stdout;
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).from_reader(csv.trim_start_matches('\u{feff}').as_bytes());
    let cells: Vec<String> =
        reader.records().flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()).collect();
    assert_eq!(cells.len(), 9);
    for cell in cells {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{cell:?}");
    }
}

#[test]
fn a_page_runs_nothing_and_loads_nothing() {
    let bench = hostile_mirror();
    for (name, _) in storemirror::report::BUNDLED {
        let html = bench.run(&["report", name, "--format", "html"]).exits(0).stdout;
        let tags: Vec<&str> =
            html.match_indices('<').map(|(at, _)| html[at..].split(['>', ' ', '\n']).next().unwrap()).collect();
        for tag in tags {
            let name = tag.trim_start_matches(['<', '/']);
            let known = [
                "!doctype", "html", "head", "meta", "style", "title", "body", "h1", "p", "table", "thead", "tbody",
                "tr", "th", "td",
            ];
            assert!(known.contains(&name), "{tag} in {html}");
        }
        assert!(html.contains("default-src 'none'"));
        assert!(!html.contains("src=") && !html.contains("href=") && !html.contains("url("), "{html}");
    }
}

#[test]
fn a_parameter_is_a_value_and_never_sql() {
    let bench = hostile_mirror();
    let before: i64 = bench.value("select count(*) from payloads");
    for (report, name) in
        [("customer_statement", "customer"), ("renewals_due", "within"), ("revenue_by_customer", "from")]
    {
        for value in [ACTIVE, "1; drop table payloads", "x' union select body from payloads --", "%", "\u{0}"] {
            let Ok(assignment) = std::ffi::CString::new(format!("{name}={value}")) else { continue };
            let ran = bench.run(&["report", report, "--param", assignment.to_str().unwrap(), "--json"]);
            assert!(matches!(ran.exit, 0 | 2), "{report} {value}: {ran:?}");
            if ran.exit == 0 {
                assert_eq!(ran.json()["parameters"][name], value, "bound as it was given");
            }
        }
    }
    for as_of in ["2026-01-01'; drop table payloads; --", "now", "2026-01-01 00:00"] {
        bench.run(&["report", "renewals_due", "--as-of", as_of]).exits(2);
    }
    for id in ["1 or 1=1", "1'; drop table payloads; --", "us:1' --", "*"] {
        bench.run(&["explain", "subscriptions", id]).exits(2);
        bench.run(&["crm", "trace", "subscriptions", id]).exits(2);
    }
    bench.run(&["statement", "2026-01'; drop table payloads; --"]).exits(2);
    assert_eq!(bench.value::<i64>("select count(*) from payloads"), before);
}

#[test]
fn a_users_report_only_reads() {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=3);
    bench.run(&["ingest"]).exits(0);
    let (queries, elsewhere) = (bench.path("queries"), bench.path("elsewhere.db"));
    std::fs::create_dir(&queries).unwrap();
    let attach = format!("attach '{}' as x", elsewhere.display());
    let vacuum = format!("vacuum into '{}'", elsewhere.display());
    for sql in [
        "delete from payloads",
        "drop table payloads",
        "select 1; delete from payloads",
        "pragma user_version = 7",
        "pragma writable_schema = on",
        &attach,
        &vacuum,
        "begin",
        "select load_extension('x')",
        "select writefile('x', 'y')",
        "insert into payloads select * from payloads returning body",
    ] {
        std::fs::write(queries.join("mine.sql"), sql).unwrap();
        let ran = bench.run(&["report", "mine", "--queries", &queries.display().to_string(), "--json"]);
        assert_eq!(ran.exit, 2, "{sql}: {ran:?}");
        assert!(!elsewhere.exists(), "{sql}");
    }
    assert_eq!(bench.value::<i64>("select count(*) from payloads"), 3);
    assert_eq!(bench.value::<i64>("select user_version from pragma_user_version"), 0);
}

#[test]
fn no_name_leads_out_of_its_folder() {
    let bench = Bench::empty();
    bench.run(&["ingest"]).exits(0);
    let outside = bench.path("secret.sql");
    std::fs::write(&outside, "select 'outside'").unwrap();
    let queries = bench.path("queries");
    std::fs::create_dir(&queries).unwrap();
    let folder = queries.display().to_string();
    let absolute = outside.with_extension("").display().to_string();
    for name in ["../secret", "../secret.sql", "./../secret", &absolute, "queries/../../secret", "..", "", "."] {
        let ran = bench.run(&["report", name, "--queries", &folder]);
        assert_eq!(ran.exit, 2, "{name}: {ran:?}");
        let out = bench.path("out").display().to_string();
        bench.run(&["export", &out, "--only", name, "--queries", &folder]).exits(2);
    }
    // names that a file system allows and that mean something elsewhere
    for name in ["...sql", "-rf.sql", " .sql", "con.sql", "a b.sql", "manifest.json.sql", "%2e%2e%2fx.sql"] {
        std::fs::write(queries.join(name), "select 1 as x").unwrap();
    }
    let out = bench.path("out");
    // whoever may write to the folder could lead a file elsewhere
    std::fs::create_dir(&out).unwrap();
    let victim = bench.path("victim");
    std::fs::write(&victim, "untouched").unwrap();
    std::os::unix::fs::symlink(&victim, out.join("freshness.csv")).unwrap();
    bench.run(&["export", &out.display().to_string(), "--queries", &folder]).exits(0);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched");
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("manifest.json")).unwrap()).unwrap();
    let reports = manifest["reports"].as_array().unwrap();
    assert!(reports.len() > storemirror::report::BUNDLED.len());
    for report in reports {
        let file = report["file"].as_str().unwrap();
        assert!(!file.contains(['/', '\\']) && out.join(file).is_file(), "{file}");
    }
    let beside: Vec<_> = std::fs::read_dir(bench.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(beside.iter().all(|name| !name.to_string_lossy().ends_with(".csv")), "{beside:?}");
}

#[test]
fn a_stores_name_is_no_path_and_no_sql() {
    for name in ["../x", "a/b", "A", "1a", "a-b", "a.b", "a'b", "a\\u0000", "", &"a".repeat(33)] {
        let bench = Bench::empty();
        let config = std::fs::read_to_string(bench.path("config.toml")).unwrap();
        let renamed = config.replace("[stores.us]", &format!("[stores.\"{name}\"]"));
        std::fs::write(bench.path("config.toml"), renamed).unwrap();
        let ran = bench.run(&["ingest", "--json"]).exits(2);
        assert!(ran.json()["error"]["message"].as_str().unwrap().contains("a store's name is"), "{ran:?}");
    }
    for (table, line) in
        [("crm.modules", "subscriptions = \"../Contacts\""), ("crm.fields.subscriptions", "email = \"a&b=c\"")]
    {
        let bench = Bench::empty();
        let mut config = std::fs::OpenOptions::new().append(true).open(bench.path("config.toml")).unwrap();
        writeln!(config, "[{table}]\n{line}").unwrap();
        let ran = bench.run(&["push", "--json"]).exits(2);
        assert!(ran.json()["error"]["message"].as_str().unwrap().contains("API name"), "{ran:?}");
    }
}

/// Ids that the CRM hands out stand in the addresses of later requests.
#[test]
fn an_id_of_the_crms_is_no_part_of_an_address() {
    use crate::hostile::rude::{Rude, answer, ok};
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let page = format!("[{}]", subscription(1));
    let rude = Rude::serving(move |request, stream| {
        if request.contains("page=1&") && request.contains("/api/subscriptions") {
            stream.write_all(&ok(page.as_bytes()))
        } else if request.contains("/upsert") {
            let body = r#"{"data":[{"code":"SUCCESS","status":"success","details":{"id":"1&fields=All/../x?y"}}]}"#;
            let is_enough = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0;
            stream.write_all(&if is_enough { answer(404, "", b"{}") } else { ok(body.as_bytes()) })
        } else if request.contains("/settings/fields") {
            stream.write_all(&ok(br#"{"fields":[{"api_name":"Name","data_type":"text","length":120}]}"#))
        } else {
            stream.write_all(&answer(204, "", b""))
        }
    });
    rude.run(&["ingest"]).exits(0);
    let ran = rude.run(&["push", "--json"]);
    assert_ne!(ran.exit, 0, "{ran:?}");
    let links: i64 = rude.database().query_row("select count(*) from crm_links", [], |row| row.get(0)).unwrap();
    assert_eq!(links, 0);
    let _ = finish;
}
