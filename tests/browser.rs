//! The dashboard in a real browser: what it shows is what the exported CSVs say, it can be filtered, sorted and walked by
//! keyboard, and nothing leaves it. Where there is no Chromium, the tests say that they are skipped.

mod chrome;
mod looks; // at every width, in print, in light and dark
mod numbers; // against the CSVs

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use chrome::Chrome;
use serde_json::Value;
use storemirror::model::instant::parse_instant;
use storemirror::sim::Options;
use tempfile::TempDir;

use crate::support::Bench;

/// When the mirror looks in: often enough for movements and for a month to compare with.
const LOOKS: [&str; 10] = [
    "2025-06-30T21:00:00Z",
    "2025-07-31T21:00:00Z",
    "2025-08-31T21:00:00Z",
    "2025-09-30T21:00:00Z",
    "2025-10-31T21:00:00Z",
    "2025-11-30T21:00:00Z",
    "2025-12-31T21:00:00Z",
    "2026-01-31T21:00:00Z",
    "2026-02-28T21:00:00Z",
    "2026-03-01T06:00:00Z",
];
const DESK: (u32, u32) = (1280, 900);

/// The page of a partner with two stores and some months of history, and the CSVs of the same moment.
struct Made {
    folder: TempDir,
}

impl Made {
    fn page(&self) -> PathBuf {
        self.folder.path().join("page.html")
    }

    /// A report's exported rows.
    fn csv(&self, report: &str) -> Vec<BTreeMap<String, String>> {
        let mut reader = csv::Reader::from_path(self.folder.path().join(format!("{report}.csv"))).unwrap();
        reader.deserialize().map(|row| row.unwrap()).collect()
    }

    /// The exported rows as they were a month ago.
    fn csv_before(&self, report: &str) -> Vec<BTreeMap<String, String>> {
        self.csv(&format!("before/{report}"))
    }

    /// What `--json` answered.
    fn answer(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("answer.json")).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.answer()).unwrap()
    }
}

fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let start = parse_instant(LOOKS[0]).unwrap();
        let options =
            Options { now: start, subscriptions: 200, transactions: 2000, commissions: 1600, ..Options::default() };
        let bench = Bench::new(&["us", "eu"], options);
        for now in LOOKS {
            bench.sim.with(|world| world.set_now(parse_instant(now).unwrap()));
            bench.run_at(now, &["ingest", "--json"]).exits(0);
        }
        let folder = tempfile::tempdir().unwrap();
        let text = |path: &Path| path.display().to_string();
        let before = folder.path().join("before");
        bench.run(&["export", &text(folder.path())]).exits(0);
        bench.run(&["export", &text(&before), "--as-of", "2026-02-01"]).exits(0);
        let made = Made { folder };
        let ran = bench.run(&["dashboard", "-o", &text(&made.page()), "--json"]).exits(0);
        std::fs::write(made.folder.path().join("answer.json"), ran.stdout).unwrap();
        made
    })
}

/// The page in a browser, or None where there is none.
fn opened(test: &str) -> Option<Chrome> {
    let mut chrome = Chrome::start(test)?;
    chrome.open(&made().page(), DESK);
    Some(chrome)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The texts of one column's shown rows.
fn shown(chrome: &mut Chrome, table: &str, column: &str) -> Vec<String> {
    texts(&chrome.eval(&format!(
        "(() => {{ const table = document.querySelector('#{table} table');
           const place = [...table.tHead.rows[0].cells].findIndex((head) => head.dataset.column === '{column}');
           return [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[place].textContent); }})()"
    )))
}

fn cents(text: &str) -> i64 {
    let digits: String = text.chars().filter(|letter| letter.is_ascii_digit() || *letter == '-').collect();
    digits.parse().unwrap_or_else(|_| panic!("{text:?} is no amount"))
}

#[test]
fn the_page_opens_without_a_complaint_and_asks_for_nothing() {
    let Some(mut chrome) = opened("the_page_opens_without_a_complaint_and_asks_for_nothing") else { return };
    let page = format!("file://{}", made().page().display());
    // every part of the script has run
    chrome.click("#renewals-due [data-customer]");
    chrome.click("#theme");
    chrome.click("#renewals-due thead button");
    assert_eq!(chrome.complaints(), Vec::<String>::new());
    assert_eq!(chrome.requests(), [page]);

    // the policy stops what a name might try: to load, to run, to dress
    let tried = chrome.eval(
        "(async () => {
           const violated = [];
           document.addEventListener('securitypolicyviolation', (event) => violated.push(event.effectiveDirective));
           const image = new Image();
           image.src = 'http://127.0.0.1:9/leak';
           document.body.append(image);
           const script = document.createElement('script');
           script.textContent = 'window.ran = true';
           document.body.append(script);
           document.body.setAttribute('style', 'color: red');
           try { await fetch('http://127.0.0.1:9/leak'); } catch {}
           await new Promise((done) => setTimeout(done, 50));
           return [...new Set(violated)].sort().concat(String(window.ran));
         })()",
    );
    assert_eq!(texts(&tried), ["connect-src", "img-src", "script-src-elem", "style-src-attr", "undefined"]);
    assert_ne!(
        chrome.complaints(),
        Vec::<String>::new(),
        "what is stopped is said, so the silence before meant something"
    );
}

#[test]
fn filters_reach_every_table_that_has_their_column() {
    let Some(mut chrome) = opened("filters_reach_every_table_that_has_their_column") else { return };
    let due = made().csv("renewals_due");
    let of = |store: &str, text: &str| {
        let rows = due.iter().filter(|row| store.is_empty() || row["store_id"] == store);
        rows.filter(|row| row["company_name"].contains(text)).cloned().collect::<Vec<_>>()
    };
    let total = |rows: &[BTreeMap<String, String>]| -> i64 {
        rows.iter()
            .filter(|row| !row["expected_commission_usd"].is_empty())
            .map(|row| cents(&row["expected_commission_usd"]))
            .sum()
    };
    let choose = |chrome: &mut Chrome, control: &str, value: &str| {
        chrome.eval(&format!(
            "(() => {{ const select = document.querySelector('{control}'); select.value = '{value}';
               select.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()"
        ));
    };
    let foot = "document.querySelector('#renewals-due [data-total]').textContent";
    assert_eq!(cents(chrome.eval(foot).as_str().unwrap()), total(&due));

    choose(&mut chrome, "#filter-store", "eu");
    assert!(!of("eu", "").is_empty() && of("eu", "").len() < due.len());
    assert_eq!(shown(&mut chrome, "renewals-due", "company_name").len(), of("eu", "").len());
    assert_eq!(cents(chrome.eval(foot).as_str().unwrap()), total(&of("eu", "")));
    for table in ["at-risk", "missing", "mismatches", "by-state", "freshness", "data-quality", "forecast", "ageing"] {
        assert!(shown(&mut chrome, table, "store_id").iter().all(|store| store == "eu"), "{table}");
    }
    assert_eq!(
        chrome.eval("document.querySelector('#renewals-due .size').textContent"),
        format!("{} of {} rows", of("eu", "").len(), due.len())
    );

    // typed by keyboard, on top of the store
    let word = of("eu", "")[0]["company_name"].split(' ').next().unwrap().to_owned();
    chrome.click("#filter-text");
    chrome.type_text(&word.to_uppercase());
    let expected: Vec<String> = of("eu", &word).iter().map(|row| row["company_name"].clone()).collect();
    let found = shown(&mut chrome, "renewals-due", "company_name");
    assert!(expected.iter().all(|name| found.contains(name)) && found.len() < of("eu", "").len());

    chrome.eval("document.querySelector('#filter-text').value = ''");
    choose(&mut chrome, "#filter-store", "");
    let service = due[0]["service_name"].clone();
    choose(&mut chrome, "#filter-service", &service);
    let of_service = due.iter().filter(|row| row["service_name"] == service).count();
    assert_eq!(shown(&mut chrome, "renewals-due", "service_name").len(), of_service);
    assert!(shown(&mut chrome, "missing", "service_name").iter().all(|name| *name == service));
    // what has no such column is left whole
    assert_eq!(shown(&mut chrome, "freshness", "kind").len(), made().csv("freshness").len());
    chrome.click("#clear");
    assert_eq!(
        chrome.eval("document.querySelector('#filter-service').value + document.querySelector('#clear').hidden"),
        "true"
    );
    assert_eq!(shown(&mut chrome, "renewals-due", "company_name").len(), due.len());
    assert_eq!(cents(chrome.eval(foot).as_str().unwrap()), total(&due));
}

#[test]
fn a_column_is_sorted_by_mouse_and_by_keyboard() {
    let Some(mut chrome) = opened("a_column_is_sorted_by_mouse_and_by_keyboard") else { return };
    let head = "#renewals-due th[data-column=next_recurring_amount_usd]";
    let order = format!("document.querySelector('{head}').getAttribute('aria-sort')");
    let amounts = |chrome: &mut Chrome| -> Vec<i64> {
        shown(chrome, "renewals-due", "next_recurring_amount_usd").iter().map(|text| cents(text)).collect()
    };
    let given = amounts(&mut chrome);
    let mut rising = given.clone();
    rising.sort_unstable();
    let falling: Vec<i64> = rising.iter().rev().copied().collect();
    assert!(given != rising && given != falling);

    chrome.click(&format!("{head} button"));
    assert_eq!((chrome.eval(&order), amounts(&mut chrome)), ("descending".into(), falling.clone()));
    // the button has the focus: the keyboard goes on from there
    chrome.press("Enter");
    assert_eq!((chrome.eval(&order), amounts(&mut chrome)), ("ascending".into(), rising));

    // another column takes over; texts rise first, and what is empty comes last
    chrome.click("#missing th[data-column=invoice_number] button");
    let invoices = shown(&mut chrome, "missing", "invoice_number");
    let filled = invoices.iter().take_while(|text| !text.is_empty()).count();
    assert!(filled > 0 && invoices[..filled].is_sorted() && invoices[filled..].iter().all(String::is_empty));
    assert_eq!(chrome.eval("document.querySelectorAll('#renewals-due th[aria-sort]').length"), 1);
}

#[test]
fn everything_is_reached_by_keyboard() {
    let Some(mut chrome) = opened("everything_is_reached_by_keyboard") else { return };
    chrome.press("Tab");
    assert_eq!(chrome.eval("document.activeElement.textContent"), "To the numbers");
    // a chart is one stop however many columns it has; each drawing that is not shown is none
    assert_eq!(
        chrome.eval(
            "[...document.querySelectorAll('svg.chart')].every((chart) => chart.querySelectorAll('.hit[tabindex=\"0\"]').length === 1)"
        ),
        true
    );
    let first = "document.querySelector('#renewals-by-month .hit')";
    chrome.eval(&format!("{first}.focus()"));
    let months = made().csv("renewals_by_month");
    let expected = |month: &str| -> i64 {
        months.iter().filter(|row| row["month"] == month).map(|row| cents(&row["expected_commission_usd"])).sum()
    };
    let tip = "document.querySelector('#tip').hidden ? '' : document.querySelector('#tip').textContent";
    let line = |text: &Value| {
        let text = text.as_str().unwrap().to_owned();
        text.lines().find_map(|line| line.strip_prefix("expected commission: ").map(cents))
    };
    assert!(chrome.eval(tip).as_str().unwrap().starts_with("March 2026\n"));
    assert_eq!(line(&chrome.eval(tip)), Some(expected("2026-03")));
    chrome.press("ArrowRight");
    assert_eq!(line(&chrome.eval(tip)), Some(expected("2026-04")));
    chrome.press("End");
    assert_eq!(line(&chrome.eval(tip)), Some(expected("2027-02")));
    chrome.press("Escape");
    assert_eq!(chrome.eval(tip), "");
    // what scrolls can be scrolled by keyboard, and says what it is
    assert_eq!(
        chrome.eval(
            "[...document.querySelectorAll('.scroll')].every((box) => box.tabIndex === 0 && document.getElementById(box.getAttribute('aria-labelledby')))"
        ),
        true
    );
    let unnamed = "[...document.querySelectorAll('input, select, button')].filter((control) =>
        !(control.labels?.length || control.textContent.trim() || control.getAttribute('aria-label'))).map((control) => control.outerHTML)";
    assert_eq!(chrome.eval(unnamed), serde_json::json!([]));
}

#[test]
fn a_customers_statement_is_the_reports() {
    let Some(mut chrome) = opened("a_customers_statement_is_the_reports") else { return };
    let customer = made().csv("renewals_due")[0]["customer_id"].clone();
    let rows = |chrome: &mut Chrome| -> Vec<Vec<String>> {
        let rows = chrome.eval(
            "[...document.querySelectorAll('#statement tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))",
        );
        rows.as_array().unwrap().iter().map(texts).collect()
    };
    let columns =
        ["day", "event", "store_id", "record_id", "service_name", "detail", "currency", "amount", "amount_usd"];
    let of = |id: &str| -> Vec<Vec<String>> {
        let events = made().csv("customer_statement");
        let events = events.into_iter().filter(|row| row["customer_id"] == id);
        events.map(|row| columns.map(|column| row[column].clone()).to_vec()).collect()
    };
    let plain = |rows: Vec<Vec<String>>| -> Vec<Vec<String>> {
        rows.into_iter()
            .map(|row| {
                row.into_iter()
                    .enumerate()
                    .map(|(place, text)| if place > 6 { text.replace(',', "") } else { text })
                    .collect()
            })
            .collect()
    };
    chrome.click(&format!("#renewals-due [data-customer=\"{customer}\"]"));
    assert!(!of(&customer).is_empty());
    assert_eq!(plain(rows(&mut chrome)), of(&customer));

    // another one, typed; an id is enough
    let mut others = made().csv("revenue_by_customer").into_iter().map(|row| row["customer_id"].clone());
    let other = others.rfind(|id| !id.is_empty() && *id != customer && of(id).len() > 3).unwrap();
    chrome.eval("document.querySelector('#customer').value = ''; document.querySelector('#customer').focus()");
    chrome.type_text(&other);
    assert_eq!(plain(rows(&mut chrome)), of(&other));
    chrome.type_text("no such customer");
    assert!(rows(&mut chrome).is_empty());
    assert_eq!(chrome.eval("document.querySelector('#statement-body').textContent"), "No customer matches.");
    assert_eq!(made().json()["statements_since"], Value::Null);
}

#[test]
fn a_name_brings_no_markup_and_no_script() {
    const NAME: &str = "</script><img src=x onerror=alert(1)>\"'&amp;<!--{{7*7}}";
    let Some(mut chrome) = Chrome::start("a_name_brings_no_markup_and_no_script") else { return };
    let bench = Bench::empty();
    bench.put_subscriptions([1, 2]);
    let hostile =
        crate::support::subscription(3).replace("Company 3", &NAME.replace('"', "\\\"").replace('&', "&amp;"));
    bench.sim.with(|world| world.upsert_record("us", "subscriptions", "3", hostile.replace("CRM", "<b>CRM</b>")));
    bench.run(&["ingest", "--json"]).exits(0);
    let page = bench.path("page.html");
    bench.run(&["dashboard", "-o", &page.display().to_string()]).exits(0);
    chrome.open(&page, DESK);
    assert!(shown(&mut chrome, "renewals-due", "company_name").contains(&NAME.to_owned()));
    chrome.click("#renewals-due tbody tr:last-child [data-customer]");
    assert_eq!(chrome.eval("document.querySelector('#statement h4').textContent"), NAME);
    assert_eq!(chrome.eval("document.querySelectorAll('img, main b b, td b').length"), 0);
    assert_eq!(chrome.complaints(), Vec::<String>::new());
    assert_eq!(chrome.requests().len(), 1);
}
