//! Every number of the page against the CSVs of the same moment.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{cents, made, opened, texts};

/// A chart, its report, and what its columns say with the report's column that is added up.
type Told = (&'static str, &'static str, &'static [(&'static str, &'static str)]);
type Rows = Vec<BTreeMap<String, String>>;

fn sum(rows: &Rows, column: &str) -> i64 {
    rows.iter().filter(|row| !row[column].is_empty()).map(|row| cents(&row[column])).sum()
}

fn only(rows: &Rows, keep: impl Fn(&BTreeMap<String, String>) -> bool) -> Rows {
    rows.iter().filter(|row| keep(row)).cloned().collect()
}

/// The headline as the exported rows say it.
fn headline(csv: &dyn Fn(&str) -> Rows) -> BTreeMap<&'static str, i64> {
    let services = csv("mrr_by_service");
    let due = csv("renewals_due");
    let months = only(&csv("commissions_by_month_and_state"), |row| row["month"].starts_with("2026"));
    let missing = only(&csv("commissions_missing"), |row| row["certainty"] == "missing");
    let mut seen = BTreeSet::new();
    let mut at_risk = csv("subscriptions_at_risk");
    at_risk.retain(|row| seen.insert((row["store_id"].clone(), row["subscription_id"].clone())));
    let within = |days: i64| due.iter().map(|row| i64::from(cents(&row["days_left"]) <= days)).sum();
    let state = |name: &str| sum(&only(&months, |row| row["state"] == name), "net_usd");
    BTreeMap::from([
        ("mrr_usd", sum(&services, "mrr_usd")),
        ("arr_usd", sum(&services, "arr_usd")),
        ("due_30", within(30)),
        ("due_60", within(60)),
        ("due_90", within(90)),
        ("active_usd", state("active")),
        ("requested_usd", state("requested")),
        ("paid_usd", state("paid")),
        ("missing_usd", sum(&missing, "expected_usd")),
        ("at_risk_usd", sum(&at_risk, "mrr_usd")),
    ])
}

#[test]
fn the_headline_is_the_sum_of_the_csvs() {
    let expected = headline(&|report| made().csv(report));
    let before = headline(&|report| made().csv_before(report));
    let answer = made().answer();
    for (key, value) in &expected {
        // as it is written: an amount has two decimals, a count none
        let number =
            if key.ends_with("_usd") { format!("{}.{:02}", value / 100, value % 100) } else { value.to_string() };
        assert!(answer.contains(&format!("\"{key}\":{number}")), "{key} {number}: {answer}");
        assert!(*value != 0, "{key} says nothing");
    }
    assert_eq!(made().json()["headline"].as_object().unwrap().len(), expected.len());
    assert_eq!(made().json()["compared_with"], "2026-02-01");

    let Some(mut chrome) = opened("the_headline_is_the_sum_of_the_csvs") else { return };
    for (key, value) in &expected {
        let figure = format!("document.querySelector('[data-key={key}]')");
        let text = chrome.eval(&format!("{figure}.querySelector('b').textContent"));
        assert_eq!(cents(text.as_str().unwrap()), *value, "{key}");
        let change = chrome.eval(&format!("{figure}.parentElement.querySelector('.change').textContent"));
        let change = change.as_str().unwrap().replace('−', "-");
        let told = match change.split_whitespace().nth(1) {
            Some(amount) => cents(amount),
            None => 0,
        };
        assert_eq!(told, value - before[key], "{key}: {change}");
    }
}

#[test]
fn every_table_holds_the_rows_of_its_csv() {
    let Some(mut chrome) = opened("every_table_holds_the_rows_of_its_csv") else { return };
    let answer = made().json();
    let blocks = answer["blocks"].as_array().unwrap();
    assert!(blocks.len() > 12);
    for block in blocks {
        let (id, report) = (block["id"].as_str().unwrap(), block["report"].as_str().unwrap());
        let expected = made().csv(report);
        assert_eq!(block["rows"], expected.len(), "{id}");
        let named = chrome.eval(&format!("document.querySelector('#{id} .source').textContent"));
        assert!(named.as_str().unwrap().contains(report), "{id}");
        let table = chrome.eval(&format!(
            "(() => {{ const table = document.querySelector('#{id} table');
               return table && {{ heads: [...table.tHead.rows[0].cells].map((head) => head.dataset.column),
                 rows: [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent)) }}; }})()"
        ));
        if expected.is_empty() {
            assert_eq!(table, Value::Null, "{id}");
            continue;
        }
        let (heads, rows) = (texts(&table["heads"]), table["rows"].as_array().unwrap());
        assert_eq!(rows.len(), expected.len(), "{id}");
        for (row, expected) in rows.iter().zip(&expected) {
            for (column, text) in heads.iter().zip(texts(row)) {
                let wanted = &expected[column];
                let same = text == *wanted
                    || text.replace(',', "") == *wanted
                    || text.strip_suffix(" %").is_some_and(|percent| cents(percent) == cents(wanted))
                    || text.replace(' ', "T") == *wanted;
                assert!(same, "{id} {column}: {text:?} is not {wanted:?}");
            }
        }
    }
}

const CHARTS: [Told; 3] = [
    (
        "renewals-by-month",
        "renewals_by_month",
        &[("renewals", "renewals"), ("amount", "amount_usd"), ("expected commission", "expected_commission_usd")],
    ),
    (
        "forecast",
        "commission_forecast",
        &[("expected", "expected_usd"), ("from the service's rate", "from_service_rate")],
    ),
    ("mrr-movements", "mrr_movements", &[("new", "new"), ("churn", "churn"), ("closing", "closing")]),
];

#[test]
fn every_column_of_a_chart_tells_the_sum_of_its_rows() {
    let Some(mut chrome) = opened("every_column_of_a_chart_tells_the_sum_of_its_rows") else { return };
    for (id, report, says) in CHARTS {
        let rows = made().csv(report);
        let months: BTreeSet<&String> = rows.iter().map(|row| &row["month"]).collect();
        let told = texts(&chrome.eval(&format!(
            "[...document.querySelector('#{id} svg.chart').querySelectorAll('.hit')].map((hit) => hit.getAttribute('aria-label'))"
        )));
        assert_eq!(told.len(), months.len(), "{id}");
        for (month, told) in months.into_iter().zip(told) {
            let of_month = only(&rows, |row| row["month"] == *month);
            for (label, column) in says {
                let value = told.lines().find_map(|line| line.strip_prefix(&format!("{label}: ")).map(str::to_owned));
                let value = value.unwrap_or_else(|| panic!("{id} {month} does not tell {label}: {told}"));
                assert_eq!(cents(&value), sum(&of_month, column), "{id} {month} {label}");
            }
        }
    }
    // each drawing of the commissions is of one currency
    let rows = made().csv("commissions_by_month_and_state");
    let names = texts(
        &chrome
            .eval("[...document.querySelectorAll('#commissions-by-month option')].map((option) => option.textContent)"),
    );
    for (place, name) in names.iter().enumerate() {
        let (column, of_currency) = match name.strip_prefix("paid in ") {
            Some(currency) => ("net_payout", only(&rows, |row| row["payout_currency"] == currency)),
            None => ("net_usd", rows.clone()),
        };
        let told = texts(&chrome.eval(&format!(
            "[...document.querySelectorAll('#commissions-by-month svg.chart')[{place}].querySelectorAll('.hit')].map((hit) => hit.getAttribute('aria-label'))"
        )));
        let told: i64 = told
            .iter()
            .flat_map(|text| text.lines())
            .filter_map(|line| line.split_once(": "))
            .map(|(_, value)| cents(value))
            .sum();
        assert_eq!(told, sum(&of_currency, column), "{name}");
    }
    // the other one is drawn when it is chosen
    let drawn = "[...document.querySelectorAll('#commissions-by-month svg.chart')].findIndex((svg) => svg.getBoundingClientRect().height > 0)";
    assert_eq!(chrome.eval(drawn), 0);
    chrome.eval("(() => { const select = document.querySelector('#commissions-by-month select'); select.value = '1'; select.dispatchEvent(new Event('input')); })()");
    assert_eq!(chrome.eval(drawn), 1);
}

#[test]
fn what_is_owed_is_told_by_currency_and_age() {
    let Some(mut chrome) = opened("what_is_owed_is_told_by_currency_and_age") else { return };
    let rows = made().csv("commission_ageing");
    let told = texts(
        &chrome.eval("[...document.querySelectorAll('#ageing .hit')].map((hit) => hit.getAttribute('aria-label'))"),
    );
    let currencies: BTreeSet<&String> = rows.iter().map(|row| &row["payout_currency"]).collect();
    assert_eq!(told.len(), currencies.len());
    for (currency, told) in currencies.into_iter().zip(told) {
        let of_currency = only(&rows, |row| row["payout_currency"] == *currency);
        for bucket in ["0-30", "31-60", "61-90", "91+"] {
            let value = told.lines().find_map(|line| line.strip_prefix(&format!("{bucket} days: ")).map(cents));
            let expected = sum(&only(&of_currency, |row| row["bucket"] == bucket), "balance_payout");
            assert_eq!(value, Some(expected), "{currency} {bucket}");
        }
    }
}
