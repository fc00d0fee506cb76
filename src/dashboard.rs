//! The dashboard: one self-contained page for a person who does not run SQL, made from the bundled reports alone, so that
//! each of its numbers is one of a report or a sum over its rows. Nothing here reads a clock, prints, or writes a file.
//!
//! `source` asks the reports; `cards`, `figures`, `tables` and `statements` turn answers into what is shown, `chart` into
//! drawings; `page` puts all of it into `templates/`.

mod cards;
mod chart;
mod figures;
mod page;
mod source;
mod statements;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use askama::Template;
use chrono::Months;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::db::Db;
use crate::model::instant::format_instant;
use crate::report::{Catalog, Freshness, Moment};

use cards::{Answers, Earlier};
use page::{Page, Section};
use source::{Reports, Source};
use statements::Statements;

/// A page that can be mailed and that a phone opens at once. Everything but the statements takes about a third of it
/// with 600 subscriptions; the statements get what is left.
const MOST_BYTES: usize = 1_450_000;

/// The page, and what a program wants to know of it.
pub struct Dashboard {
    pub html: String,
    pub as_of: String,
    /// The day that the headline numbers are held against; None when the mirror was not there then.
    pub compared_with: Option<String>,
    /// Amounts with two decimals, counts whole.
    pub headline: BTreeMap<&'static str, Box<RawValue>>,
    /// The reports it is made of.
    pub reports: BTreeSet<String>,
    pub blocks: Vec<Block>,
    pub customers: usize,
    /// The first day of the statements' events, when not all of them fit.
    pub statements_since: Option<String>,
    pub freshness: Freshness,
}

impl Dashboard {
    /// Makes the page of a moment from the bundled reports.
    ///
    /// # Errors
    /// When a report fails or is interrupted.
    pub fn make(db: &Db, bundled: &Catalog, moment: Moment) -> Result<Self> {
        let reports = Reports { db, catalog: bundled, moment };
        let now = Answers::ask(&reports)?;
        let earlier = earlier(&reports)?;
        let year = moment.as_of.format("%Y").to_string();
        let cards = cards::cards(&now, &earlier, &year);
        let sections = sections(&reports, now)?;
        let statements = Statements::ask(&reports)?;
        let freshness = Freshness::read(db, moment)?;

        let figures = cards.iter().flat_map(|card| &card.figures);
        let headline = figures.map(|figure| Ok((figure.key, RawValue::from_string(figure.value.replace(',', ""))?)));
        let headline = headline.collect::<Result<_>>()?;
        let blocks = blocks(&sections);
        let named = cards.iter().map(|card| &card.source).chain(statements.sources()).map(|source| &source.report);
        let reports = named.chain(blocks.iter().map(|block| &block.report)).cloned().collect();
        let (stores, services) = (distinct(&sections, "store_id"), distinct(&sections, "service_name"));
        let mut page = Page {
            as_of: moment.as_of.to_string(),
            made_at: format_instant(moment.now),
            version: env!("CARGO_PKG_VERSION"),
            freshness: freshness.line(),
            warnings: freshness.warnings.clone(),
            stores,
            services,
            compared_with: earlier.answers.is_some().then_some(earlier.day),
            cards,
            sections,
            statement_sources: statements.sources().map(Source::clone),
            customers: 0,
            statements_since: None,
            statements: String::new(),
        };
        let without_statements = page.render().context("cannot fill the page's template")?;
        let (packed, block) = statements.pack(MOST_BYTES.saturating_sub(without_statements.len()))?;
        page.customers = packed.customers.len();
        page.statements_since.clone_from(&packed.since);
        page.statements = block;
        Ok(Self {
            html: page.render().context("cannot fill the page's template")?,
            as_of: page.as_of,
            compared_with: page.compared_with,
            headline,
            reports,
            blocks,
            customers: page.customers,
            statements_since: packed.since,
            freshness,
        })
    }

    /// What `dashboard --json` answers: one object, on one line.
    ///
    /// # Errors
    /// Never with numbers as this page makes them.
    pub fn json(&self, file: &Path) -> Result<String> {
        Ok(serde_json::to_string(&Told {
            command: "dashboard",
            version: env!("CARGO_PKG_VERSION"),
            exit: 0,
            file: file.display().to_string(),
            bytes: self.html.len(),
            as_of: &self.as_of,
            compared_with: self.compared_with.as_deref(),
            headline: &self.headline,
            reports: &self.reports,
            blocks: &self.blocks,
            customers: self.customers,
            statements_since: self.statements_since.as_deref(),
            freshness: &self.freshness,
            error: None,
        })?)
    }
}

#[derive(Serialize)]
struct Told<'a> {
    command: &'static str,
    version: &'static str,
    exit: u8,
    file: String,
    bytes: usize,
    as_of: &'a str,
    compared_with: Option<&'a str>,
    headline: &'a BTreeMap<&'static str, Box<RawValue>>,
    reports: &'a BTreeSet<String>,
    blocks: &'a [Block],
    customers: usize,
    statements_since: Option<&'a str>,
    freshness: &'a Freshness,
    error: Option<()>,
}

/// A chart or table of the page.
#[derive(Serialize)]
pub struct Block {
    pub id: &'static str,
    pub report: String,
    pub command: String,
    /// Rows of the report, and how many of them the page shows.
    pub rows: usize,
    pub shown: usize,
}

/// The headline's answers of a month ago, if every store was mirrored by then: before that, states are not known and a
/// change would be made up.
fn earlier(reports: &Reports<'_>) -> Result<Earlier> {
    let moment = reports.moment;
    let as_of = moment.as_of.checked_sub_months(Months::new(1)).unwrap_or(moment.as_of);
    let day = as_of.to_string();
    let is_known = reports.db.history_day()?.is_some_and(|first_day| first_day <= day);
    let then = Reports { moment: Moment { as_of, ..moment }, ..*reports };
    let answers = is_known.then(|| Answers::ask(&then)).transpose()?;
    Ok(Earlier { day, answers })
}

fn sections(reports: &Reports<'_>, answers: Answers) -> Result<Vec<Section>> {
    let ask = |spec: &'static tables::Spec| spec.ask(reports).map(|answer| spec.list(answer));
    Ok(vec![
        Section {
            id: "revenue",
            short: "Revenue",
            title: "Recurring revenue",
            figures: vec![figures::mrr_movements(reports)?, figures::revenue_by_service(reports)?],
            tables: Vec::new(),
        },
        Section {
            id: "renewals",
            short: "Renewals",
            title: "Renewals",
            figures: vec![figures::renewals_by_month(reports)?, figures::forecast(reports)?],
            tables: vec![tables::RENEWALS_DUE.list(answers.due), tables::AT_RISK.list(answers.at_risk)],
        },
        Section {
            id: "commissions",
            short: "Commissions",
            title: "Commissions",
            figures: vec![figures::commissions_by_month(&answers.commissions), figures::ageing(reports)?],
            tables: vec![tables::MISSING.list(answers.missing), ask(&tables::MISMATCHES)?, ask(&tables::BY_STATE)?],
        },
        Section {
            id: "trust",
            short: "Trust",
            title: "Can it be trusted?",
            figures: Vec::new(),
            tables: vec![ask(&tables::FRESHNESS)?, ask(&tables::DATA_QUALITY)?, ask(&tables::REJECTIONS)?],
        },
    ])
}

fn blocks(sections: &[Section]) -> Vec<Block> {
    let block = |id, sheet: &tables::Sheet, source: &Source| Block {
        id,
        report: source.report.clone(),
        command: source.command.clone(),
        rows: sheet.all,
        shown: sheet.rows.len(),
    };
    let of_section = |section: &Section| {
        let figures = section.figures.iter().map(|figure| block(figure.id, &figure.sheet, &figure.source));
        let tables = section.tables.iter().map(|table| block(table.spec.id, &table.sheet, &table.source));
        figures.chain(tables).collect::<Vec<_>>()
    };
    sections.iter().flat_map(of_section).collect()
}

/// What the tables can be filtered by.
fn distinct(sections: &[Section], column: &str) -> Vec<String> {
    let tables = sections.iter().flat_map(|section| &section.tables);
    let texts: BTreeSet<&str> = tables.flat_map(|table| table.sheet.distinct(column)).collect();
    texts.into_iter().filter(|text| !text.is_empty()).map(str::to_owned).collect()
}
