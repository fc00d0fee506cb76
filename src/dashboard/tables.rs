//! The tables of the page: which columns of which report, in which order, under which words. A row says what the report
//! says; a long report is cut after its first rows, which its own order makes the ones that matter, and says so.

use anyhow::Result;

use super::source::{Answer, Reports, Row, Source, money, whole};
use crate::model::Value;
use crate::report::{ColumnKind, shown};

/// More rows than this nobody reads on a page, and every hundred cost some thirty kilobytes.
const MOST_ROWS: usize = 500;

/// Columns whose own name is not what a person calls them.
const LABELS: [(&str, &str); 32] = [
    ("store_id", "store"),
    ("mrr_usd", "MRR USD"),
    ("company_name", "company"),
    ("service_name", "service"),
    ("plan_name", "plan"),
    ("billing_frequency", "billed"),
    ("pricing_type", "pricing"),
    ("next_recurring_date", "renews on"),
    ("next_recurring_amount", "amount"),
    ("next_recurring_amount_usd", "amount USD"),
    ("expected_commission_usd", "expected USD"),
    ("expected_usd", "expected USD"),
    ("rate_source", "rate of"),
    ("transaction_day", "day"),
    ("transaction_type", "type"),
    ("transaction_id", "transaction"),
    ("transaction_amount", "sale"),
    ("transaction_currency", "currency"),
    ("subscription_id", "subscription"),
    ("commission_id", "commission"),
    ("commission_day", "day"),
    ("eligible_amount", "counted on"),
    ("eligible_currency", "currency"),
    ("previous_rate", "rate before"),
    ("invoice_number", "invoice"),
    ("usd_amount", "amount USD"),
    ("record_id", "record"),
    ("example_id", "for example"),
    ("hours_since", "hours since"),
    ("days_since", "days ago"),
    ("last_complete_at", "last complete (UTC)"),
    ("last_run_at", "last run (UTC)"),
];

pub(super) const RENEWALS_DUE: Spec = Spec {
    id: "renewals-due",
    report: "renewals_due",
    parameters: &["within=90"],
    title: "Renewals due in 90 days",
    lead: "What renews next, and the commission to expect from it.",
    nothing: "Nothing renews in the next 90 days.",
    columns: &[
        "company_name",
        "next_recurring_date",
        "days_left",
        "service_name",
        "next_recurring_amount",
        "currency",
        "next_recurring_amount_usd",
        "rate",
        "expected_commission_usd",
        "rate_source",
        "plan_name",
        "billing_frequency",
        "store_id",
        "subscription_id",
    ],
    totals: &["expected_commission_usd"],
};

pub(super) const AT_RISK: Spec = Spec {
    id: "at-risk",
    report: "subscriptions_at_risk",
    parameters: &[],
    title: "At risk",
    lead: "Live subscriptions that may leave: scheduled cancellations, failing payments, downgrades and overdue renewals.",
    nothing: "No live subscription is at risk.",
    columns: &[
        "company_name",
        "reason",
        "since",
        "service_name",
        "plan_name",
        "next_recurring_date",
        "mrr_usd",
        "expected_commission_usd",
        "store_id",
        "subscription_id",
    ],
    totals: &[],
};

pub(super) const MISSING: Spec = Spec {
    id: "missing",
    report: "commissions_missing",
    parameters: &[],
    title: "Missing commissions",
    lead: "Money that came in during the last year without any commission: what to ask the store about.",
    nothing: "Every sale of the last year has its commission.",
    columns: &[
        "company_name",
        "transaction_day",
        "days_since",
        "service_name",
        "transaction_type",
        "amount",
        "currency",
        "usd_amount",
        "rate",
        "expected_usd",
        "certainty",
        "invoice_number",
        "plan_name",
        "store_id",
        "transaction_id",
    ],
    totals: &["expected_usd"],
};

pub(super) const MISMATCHES: Spec = Spec {
    id: "mismatches",
    report: "commission_mismatches",
    parameters: &[],
    title: "Mismatches",
    lead: "Commissions of the last year that do not look right: paid twice, at another rate, on a part of the sale, or without it.",
    nothing: "No commission of the last year looks wrong.",
    columns: &[
        "company_name",
        "reason",
        "commission_day",
        "service_name",
        "rate",
        "previous_rate",
        "net_usd",
        "eligible_amount",
        "eligible_currency",
        "transaction_amount",
        "transaction_currency",
        "store_id",
        "commission_id",
        "transaction_id",
    ],
    totals: &[],
};

pub(super) const BY_STATE: Spec = Spec {
    id: "by-state",
    report: "commissions_by_state",
    parameters: &[],
    title: "Commissions by paying entity and state",
    lead: "All commissions ever, and what of them is still open, each in the currency it is paid in.",
    nothing: "There is no commission.",
    columns: &[
        "entity",
        "state",
        "payout_currency",
        "records",
        "net_payout",
        "balance_payout",
        "net_usd",
        "records_without_usd",
        "oldest_day",
        "store_id",
    ],
    totals: &[],
};

pub(super) const FRESHNESS: Spec = Spec {
    id: "freshness",
    report: "freshness",
    parameters: &[],
    title: "Freshness and coverage",
    lead: "When each kind was last listed, whether all of it came, and how many records there are.",
    nothing: "Nothing has been listed yet.",
    columns: &[
        "kind",
        "state",
        "last_outcome",
        "last_complete_at",
        "hours_since",
        "last_run_at",
        "records",
        "removed",
        "quarantined",
        "store_id",
    ],
    totals: &[],
};

pub(super) const DATA_QUALITY: Spec = Spec {
    id: "data-quality",
    report: "data_quality",
    parameters: &[],
    title: "What is incomplete",
    lead: "What the mirror holds but the numbers above may lack.",
    nothing: "Nothing is incomplete.",
    columns: &["finding", "kind", "pointer", "value", "records", "example_id", "store_id"],
    totals: &[],
};

pub(super) const REJECTIONS: Spec = Spec {
    id: "rejections",
    report: "crm_rejections",
    parameters: &[],
    title: "Rejected by the CRM",
    lead: "Records the CRM refused and has not accepted since.",
    nothing: "The CRM has refused nothing.",
    columns: &[
        "name", "kind", "code", "message", "field", "value", "attempts", "first_at", "last_at", "next_at", "store_id",
    ],
    totals: &[],
};

/// A table as it stands on the page.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) heads: Vec<Head>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// Rows of the report, shown or not.
    pub(super) all: usize,
    pub(super) has_totals: bool,
}

#[derive(Debug)]
pub(super) struct Head {
    /// The report's column.
    pub(super) name: String,
    pub(super) label: String,
    pub(super) is_number: bool,
    /// What all rows of the report add up to, for derived USD amounts.
    pub(super) total: Option<String>,
}

#[derive(Debug)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) is_number: bool,
    /// Whose statement it leads to.
    pub(super) customer: Option<String>,
}

/// What a table shows, and in which words.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) id: &'static str,
    pub(super) report: &'static str,
    /// `K=V`
    pub(super) parameters: &'static [&'static str],
    pub(super) title: &'static str,
    pub(super) lead: &'static str,
    /// What is said when the report has no row.
    pub(super) nothing: &'static str,
    /// The report's columns; the first one stays in sight when the table is scrolled.
    pub(super) columns: &'static [&'static str],
    /// Those whose sum is worth saying: whole cents, each record once.
    pub(super) totals: &'static [&'static str],
}

/// A table with everything that stands around it.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) spec: &'static Spec,
    pub(super) sheet: Sheet,
    pub(super) source: Source,
}

impl Spec {
    /// Runs the report.
    ///
    /// # Errors
    /// As [`Reports::ask`].
    pub(super) fn ask(&self, reports: &Reports<'_>) -> Result<Answer> {
        reports.ask(self.report, self.parameters)
    }

    pub(super) fn list(&'static self, answer: Answer) -> Listed {
        Listed { spec: self, sheet: Sheet::new(&answer, self.columns, self.totals), source: answer.source }
    }
}

impl Sheet {
    /// Some of an answer's columns; `totals` are those whose sum is worth saying.
    fn new(answer: &Answer, columns: &[&str], totals: &[&str]) -> Self {
        let places: Vec<usize> = columns
            .iter()
            .filter_map(|name| answer.table.columns.iter().position(|column| column.name == *name))
            .collect();
        let heads = places.iter().map(|place| {
            let column = &answer.table.columns[*place];
            let total = totals.contains(&column.name.as_str()).then(|| money(answer.cents(&column.name)));
            Head { name: column.name.clone(), label: label(&column.name), is_number: column.kind.is_number(), total }
        });
        let rows = answer.rows().zip(&answer.table.rows).take(MOST_ROWS);
        let rows =
            rows.map(|(row, cells)| places.iter().map(|place| cell(answer, row, *place, &cells[*place])).collect());
        Self {
            heads: heads.collect(),
            rows: rows.collect(),
            all: answer.table.rows.len(),
            has_totals: !totals.is_empty(),
        }
    }

    /// All columns of a chart's report.
    pub(super) fn behind(answer: &Answer) -> Self {
        let columns: Vec<&str> = answer.table.columns.iter().map(|column| column.name.as_str()).collect();
        Self::new(answer, &columns, &[])
    }

    pub(super) fn is_cut(&self) -> bool {
        self.rows.len() < self.all
    }

    /// `305 rows`, or `the first 500 of 2,345 rows`.
    pub(super) fn size(&self) -> String {
        if self.is_cut() {
            format!("the first {} of {} rows", self.rows.len(), whole(i64::try_from(self.all).unwrap_or(i64::MAX)))
        } else if self.all == 1 {
            "1 row".to_owned()
        } else {
            format!("{} rows", self.all)
        }
    }

    /// The different texts of a column.
    pub(super) fn distinct<'a>(&'a self, column: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let place = self.heads.iter().position(|head| head.name == column);
        place.into_iter().flat_map(|place| self.rows.iter().map(move |row| row[place].text.as_str()))
    }
}

fn label(column: &str) -> String {
    match LABELS.iter().find(|(name, _)| *name == column) {
        Some((_, label)) => (*label).to_owned(),
        None => column.replace("_usd", " USD").replace('_', " "),
    }
}

fn cell(answer: &Answer, row: Row<'_>, place: usize, value: &Value) -> Cell {
    let column = &answer.table.columns[place];
    let text = match (value, column.kind) {
        (Value::Real(fraction), ColumnKind::Rate) => percent(*fraction),
        _ => shown(column.kind, value),
    };
    let customer = (column.name == "company_name").then(|| row.text("customer_id").into_owned());
    Cell { text, is_number: column.kind.is_number(), customer: customer.filter(|id| !id.is_empty()) }
}

/// A fraction of four decimals is a percentage of two.
fn percent(fraction: f64) -> String {
    format!("{:.2} %", fraction * 100.0)
}
