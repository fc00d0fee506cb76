//! The charts of the page: which report each is drawn from, how its rows become columns or lines, and what it says in
//! words. USD amounts of several stores are one currency and are added; payout currencies each have a drawing or a line
//! of their own.

use std::collections::BTreeMap;

use anyhow::Result;

use super::chart::{Chart, Item};
use super::source::{Answer, Reports, Source, money, whole};
use super::tables::Sheet;

/// A chart with everything that stands around it.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// What it shows, in a sentence; also its description for those who do not see it.
    pub(super) lead: String,
    pub(super) legend: Vec<Legend>,
    /// The drawings to choose from; most figures have one.
    pub(super) drawings: Vec<Drawing>,
    pub(super) notes: Vec<String>,
    /// The report's rows.
    pub(super) sheet: Sheet,
    pub(super) source: Source,
}

#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) label: String,
    pub(super) chart: Chart,
}

#[derive(Debug)]
pub(super) struct Legend {
    pub(super) class: &'static str,
    pub(super) label: String,
}

/// Lines of a bar chart beside the one that adds up the rest.
const MOST_LINES: usize = 8;

impl Figure {
    pub(super) fn is_empty(&self) -> bool {
        self.drawings.iter().all(|drawing| drawing.chart.bars.is_empty())
    }
}

fn legend(series: &[(&'static str, &str)]) -> Vec<Legend> {
    series.iter().map(|(class, label)| Legend { class, label: (*label).to_owned() }).collect()
}

fn one(chart: Chart) -> Vec<Drawing> {
    vec![Drawing { label: String::new(), chart }]
}

fn classes(series: &[(&'static str, &str)]) -> Vec<&'static str> {
    series.iter().map(|(class, _)| *class).collect()
}

/// `title`, and under it one line per value.
fn told(title: &str, lines: impl IntoIterator<Item = (String, String)>) -> String {
    lines.into_iter().fold(title.to_owned(), |text, (label, value)| text + "\n" + &label + ": " + &value)
}

fn usd(cents: i64) -> String {
    format!("{} USD", money(cents))
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The year and the month of `2026-03`.
fn parts(month: &str) -> Option<(i64, usize)> {
    let (year, number) = month.split_once('-')?;
    Some((year.parse().ok()?, number.parse().ok().filter(|number| (1..=12).contains(number))?))
}

/// Every month from the first to the last key, each with its name, its item's labels and its sums; a month without a row
/// has zeros.
fn each_month(months: &BTreeMap<String, Vec<i64>>) -> Vec<(String, Item, Vec<i64>)> {
    let ends = months.keys().next().zip(months.keys().next_back());
    let Some(((mut year, mut number), last)) = ends.and_then(|(first, last)| parts(first).zip(parts(last))) else {
        return Vec::new();
    };
    let zeros = vec![0; months.values().next().map_or(0, Vec::len)];
    let mut all = Vec::new();
    while (year, number) <= last {
        let name = MONTHS[number - 1];
        let item = Item { label: name[..3].to_owned(), sublabel: year.to_string(), ..Item::default() };
        let sums = months.get(&format!("{year:04}-{number:02}")).unwrap_or(&zeros).clone();
        all.push((format!("{name} {year}"), item, sums));
        (year, number) = if number == 12 { (year + 1, 1) } else { (year, number + 1) };
    }
    all
}

/// The sums of some columns, by month; the rows of one month are those of several stores.
fn by_month(answer: &Answer, columns: &[&str]) -> BTreeMap<String, Vec<i64>> {
    let mut months: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for row in answer.rows() {
        let sums = months.entry(row.text("month").into_owned()).or_insert_with(|| vec![0; columns.len()]);
        for (sum, column) in sums.iter_mut().zip(columns) {
            *sum += row.cents(column).or_else(|| row.integer(column)).unwrap_or(0);
        }
    }
    months
}

pub(super) fn mrr_movements(reports: &Reports<'_>) -> Result<Figure> {
    const SERIES: [(&str, &str); 6] = [
        ("c-blue", "new"),
        ("c-sky", "expansion"),
        ("c-green", "reactivation"),
        ("c-orange", "contraction"),
        ("c-red", "churn"),
        ("c-grey", "fx"),
    ];
    const SPOKEN: [&str; 9] =
        ["opening", "baseline", "new", "expansion", "reactivation", "contraction", "churn", "fx", "closing"];
    let answer = reports.ask("mrr_movements", &[])?;
    let columns: Vec<&str> =
        SERIES.iter().map(|(_, column)| *column).chain(["baseline", "opening", "closing"]).collect();
    let months = by_month(&answer, &columns);
    let place = |column: &str| columns.iter().position(|known| *known == column).unwrap_or_default();
    let items = |shown: &dyn Fn(&[i64]) -> Vec<i64>| -> Vec<Item> {
        each_month(&months)
            .into_iter()
            .map(|(name, item, sums)| {
                let lines = SPOKEN.map(|column| (column.to_owned(), usd(sums[place(column)])));
                Item { text: told(&name, lines), values: shown(&sums), ..item }
            })
            .collect()
    };
    let movements = Chart::stacked(&items(&|sums| sums[..SERIES.len()].to_vec()), &classes(&SERIES));
    let closing = Chart::stacked(&items(&|sums| vec![sums[place("closing")]]), &["c-blue"]);
    let mut notes = Vec::new();
    if answer.cents("baseline") != 0 {
        notes.push("The month in which a store's history begins has it as baseline, which is not drawn.".to_owned());
    }
    if answer.rows().any(|row| row.integer("observed") == Some(0)) {
        notes.push("Months without a complete listing show their changes in the next one that has one.".to_owned());
    }
    Ok(Figure {
        id: "mrr-movements",
        title: "MRR movements by month",
        lead: "How monthly recurring revenue moved, in USD: what came stands above the line, what went hangs below."
            .to_owned(),
        legend: legend(&SERIES.map(|(class, label)| (class, if label == "fx" { "exchange rates" } else { label }))),
        drawings: vec![
            Drawing { label: "movements".to_owned(), chart: movements },
            Drawing { label: "MRR at each month's end".to_owned(), chart: closing },
        ],
        notes,
        sheet: Sheet::behind(&answer),
        source: answer.source,
    })
}

pub(super) fn renewals_by_month(reports: &Reports<'_>) -> Result<Figure> {
    const SERIES: [(&str, &str); 2] = [("c-sky", "renewing amount"), ("c-blue", "expected commission")];
    let answer = reports.ask("renewals_by_month", &[])?;
    let months = by_month(&answer, &["amount_usd", "expected_commission_usd", "renewals", "without_rate"]);
    let items: Vec<Item> = each_month(&months)
        .into_iter()
        .map(|(name, item, sums)| {
            let lines = [
                ("renewals", whole(sums[2])),
                ("amount", usd(sums[0])),
                ("expected commission", usd(sums[1])),
                ("without a known rate", whole(sums[3])),
            ];
            let text = told(&name, lines.map(|(label, value)| (label.to_owned(), value)));
            Item { text, values: sums[..2].to_vec(), ..item }
        })
        .collect();
    Ok(Figure {
        id: "renewals-by-month",
        title: "Renewals by month",
        lead: format!(
            "What renews in each month, and within it the commission to expect: {} renewals in all, {} expected.",
            whole(answer.count("renewals")),
            usd(answer.cents("expected_commission_usd"))
        ),
        legend: legend(&SERIES),
        drawings: one(Chart::nested(&items, &classes(&SERIES))),
        notes: Vec::new(),
        sheet: Sheet::behind(&answer),
        source: answer.source,
    })
}

pub(super) fn forecast(reports: &Reports<'_>) -> Result<Figure> {
    const SERIES: [(&str, &str); 2] = [
        ("c-blue", "at the subscription's own rate"),
        ("unsure", "uncertain: at a rate borrowed from the service or store"),
    ];
    let answer = reports.ask("commission_forecast", &[])?;
    let columns =
        ["from_subscription_rate", "from_service_rate", "from_store_rate", "expected_usd", "renewals", "without_rate"];
    let months = by_month(&answer, &columns);
    let items: Vec<Item> = each_month(&months)
        .into_iter()
        .map(|(name, item, sums)| {
            let lines = [
                ("expected", usd(sums[3])),
                ("from the subscription's own rate", usd(sums[0])),
                ("from the service's rate", usd(sums[1])),
                ("from the store's rate", usd(sums[2])),
                ("renewals", whole(sums[4])),
                ("of them without a rate, not counted", whole(sums[5])),
            ];
            let text = told(&name, lines.map(|(label, value)| (label.to_owned(), value)));
            Item { text, values: vec![sums[0], sums[1] + sums[2]], ..item }
        })
        .collect();
    let without = answer.count("without_rate");
    Ok(Figure {
        id: "forecast",
        title: "Commission forecast",
        lead: format!(
            "What the coming renewals should earn: {} in all, of which {} is uncertain.",
            usd(answer.cents("expected_usd")),
            usd(answer.cents("from_service_rate") + answer.cents("from_store_rate"))
        ),
        legend: legend(&SERIES),
        drawings: one(Chart::stacked(&items, &classes(&SERIES))),
        notes: (without > 0)
            .then(|| format!("{} renewals have no known rate and are not in it.", whole(without)))
            .into_iter()
            .collect(),
        sheet: Sheet::behind(&answer),
        source: answer.source,
    })
}

/// The states in the order in which they stand on each other; a state nobody knows comes last, in grey.
const STATES: [(&str, &str); 5] =
    [("c-green", "paid"), ("c-sky", "requested"), ("c-orange", "active"), ("c-purple", "offset"), ("c-red", "removed")];

pub(super) fn commissions_by_month(answer: &Answer) -> Figure {
    let found = answer.distinct("state");
    let known = STATES.iter().filter(|(_, state)| found.iter().any(|one| one == state)).copied();
    let unknown = found.iter().filter(|state| STATES.iter().all(|(_, known)| known != state));
    let series: Vec<(&'static str, &str)> = known.chain(unknown.map(|state| ("c-grey", state.as_str()))).collect();

    let mut drawings = vec![Drawing {
        label: "USD equivalent".to_owned(),
        chart: states_by_month(answer, &series, "net_usd", "USD", None),
    }];
    let mut currencies = answer.distinct("payout_currency");
    currencies.sort();
    for currency in currencies {
        let chart = states_by_month(answer, &series, "net_payout", &currency, Some(&currency));
        drawings.push(Drawing { label: format!("paid in {currency}"), chart });
    }
    let (records, without) = (answer.count("records"), answer.count("records_without_usd"));
    let notes = (without > 0).then(|| {
        format!(
            "{} of {} commissions came without a USD value and are missing from the USD view; the payout currencies have all.",
            whole(without),
            whole(records)
        )
    });
    Figure {
        id: "commissions-by-month",
        title: "Commissions by month and state",
        lead: "What became of each month's commissions, reversals taken off.".to_owned(),
        legend: legend(&series),
        drawings,
        notes: notes.into_iter().collect(),
        sheet: Sheet::behind(answer),
        source: answer.source.clone(),
    }
}

/// One drawing of the states: an amount column of the rows of one payout currency, or of all.
fn states_by_month(
    answer: &Answer,
    series: &[(&'static str, &str)],
    column: &str,
    unit: &str,
    currency: Option<&str>,
) -> Chart {
    let mut months: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for row in answer.rows() {
        // every drawing has the same months, so that they can be compared
        let sums = months.entry(row.text("month").into_owned()).or_insert_with(|| vec![0; series.len()]);
        let state = row.text("state");
        if currency.is_none_or(|currency| row.text("payout_currency") == currency)
            && let Some(place) = series.iter().position(|(_, known)| *known == state)
        {
            sums[place] += row.cents(column).unwrap_or(0);
        }
    }
    let items: Vec<Item> = each_month(&months)
        .into_iter()
        .map(|(name, item, values)| {
            let lines = series.iter().zip(&values).filter(|(_, value)| **value != 0);
            let lines = lines.map(|((_, state), value)| ((*state).to_owned(), format!("{} {unit}", money(*value))));
            Item { text: told(&name, lines), values, ..item }
        })
        .collect();
    Chart::stacked(&items, &classes(series))
}

pub(super) fn ageing(reports: &Reports<'_>) -> Result<Figure> {
    const BUCKETS: [(&str, &str); 4] =
        [("c-sky", "0-30"), ("c-blue", "31-60"), ("c-orange", "61-90"), ("c-red", "91+")];
    let answer = reports.ask("commission_ageing", &[])?;
    let mut currencies: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut without_day = 0;
    for row in answer.rows() {
        let bucket = row.text("bucket");
        let Some(place) = BUCKETS.iter().position(|(_, known)| *known == bucket) else {
            without_day += row.integer("records").unwrap_or(0);
            continue;
        };
        let sums = currencies.entry(row.text("payout_currency").into_owned()).or_insert_with(|| vec![0; BUCKETS.len()]);
        sums[place] += row.cents("balance_payout").unwrap_or(0);
    }
    let items: Vec<Item> = currencies
        .into_iter()
        .map(|(currency, values)| {
            let lines = BUCKETS.iter().zip(&values);
            let lines =
                lines.map(|((_, bucket), value)| (format!("{bucket} days"), format!("{} {currency}", money(*value))));
            let lines = lines.chain([("in all".to_owned(), format!("{} {currency}", money(values.iter().sum())))]);
            Item { text: told(&format!("Owed in {currency}"), lines), label: currency, values, ..Item::default() }
        })
        .collect();
    let heads = BUCKETS.map(|(_, bucket)| format!("{bucket} days"));
    let mut notes =
        vec!["Each currency has a scale of its own. A waiting reversal counts against what is owed.".to_owned()];
    if without_day > 0 {
        notes.push(format!("{} commissions without a day have no age; they are in the table.", whole(without_day)));
    }
    Ok(Figure {
        id: "ageing",
        title: "What is owed, and for how long",
        lead: "Open balances of active and requested commissions by their age, per payout currency.".to_owned(),
        legend: Vec::new(),
        drawings: one(Chart::grid(&items, &heads.each_ref().map(String::as_str), &classes(&BUCKETS), money)),
        notes,
        sheet: Sheet::behind(&answer),
        source: answer.source,
    })
}

pub(super) fn revenue_by_service(reports: &Reports<'_>) -> Result<Figure> {
    const SERIES: [(&str, &str); 2] = [("c-sky", "revenue"), ("c-blue", "commission")];
    let answer = reports.ask("revenue_by_service", &[])?;
    let mut services: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for row in answer.rows() {
        let (revenue, commission) = services.entry(row.text("service_name").into_owned()).or_default();
        *revenue += row.cents("revenue_usd").unwrap_or(0);
        *commission += row.cents("commission_usd").unwrap_or(0);
    }
    let mut services: Vec<(String, (i64, i64))> = services.into_iter().collect();
    services.sort_by_key(|(_, sums)| std::cmp::Reverse(*sums));
    if services.len() > MOST_LINES + 1 {
        let rest = services.split_off(MOST_LINES);
        let sums = rest.iter().fold((0, 0), |sums, (_, (revenue, commission))| (sums.0 + revenue, sums.1 + commission));
        services.push((format!("{} others", rest.len()), sums));
    }
    let items: Vec<Item> = services
        .into_iter()
        .map(|(name, (revenue, commission))| {
            let name = if name.is_empty() { "without a service".to_owned() } else { name };
            let lines = [("revenue".to_owned(), usd(revenue)), ("commission".to_owned(), usd(commission))];
            Item { text: told(&name, lines), label: name, values: vec![revenue, commission], ..Item::default() }
        })
        .collect();
    let without = answer.count("records_without_usd");
    Ok(Figure {
        id: "revenue-by-service",
        title: "Revenue by service, last 365 days",
        lead: format!(
            "{} of revenue less refunds, and {} of commission from it.",
            usd(answer.cents("revenue_usd")),
            usd(answer.cents("commission_usd"))
        ),
        legend: legend(&SERIES),
        drawings: one(Chart::bars(&items, &classes(&SERIES), |item| usd(item.values[0]))),
        notes: (without > 0)
            .then(|| format!("{} records came without a USD value and are not in it.", whole(without)))
            .into_iter()
            .collect(),
        sheet: Sheet::behind(&answer),
        source: answer.source,
    })
}
