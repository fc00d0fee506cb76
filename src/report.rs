//! The reports: one SQL file each, found in the catalog, run with checked parameters, and printed. A report is asked for
//! a moment (the day it speaks of, and now); nothing here reads a clock, prints, or exits.

mod catalog;
mod export;
mod freshness;
mod header;
mod parameters;
mod render;
mod statement;
mod table;

use std::io::{BufWriter, Write};

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};

use crate::db::Db;
use crate::db::query::{Blame, Query, QueryError};
use crate::failure::{Code, Failure};
use crate::model::Value;
use crate::model::instant::{format_instant, parse_day};

pub use catalog::{BUNDLED, Catalog, Report, Source};
pub use export::{ExportOptions, ExportedReport, Manifest, export};
pub use freshness::{Freshness, Listing};
pub use parameters::{Parameter, ParameterType, assignment};
use render::{CsvWriter, write_row};
pub use render::{
    Reader, Screen, catalog_json, catalog_text, describe, describe_json, write_csv, write_html, write_json,
    write_markdown, write_table,
};
pub(crate) use render::{markdown, separated, shown};
pub use statement::{Adjustments, Month, Statement};
pub(crate) use table::cell_text;
pub use table::{Column, ColumnKind, Table};

/// The title, the grain and the parameters that a report's leading comment declares, or the line that is wrong and why.
///
/// # Errors
/// For a declaration that cannot be read.
pub fn read_header(sql: &str) -> Result<(String, String, Vec<Parameter>), (usize, String)> {
    header::parse(sql).map(|header| (header.title, header.grain, header.parameters))
}

/// What a report is asked for: the day it speaks of, and the instant it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub as_of: NaiveDate,
    pub now: DateTime<Utc>,
}

impl Moment {
    /// The day given with `--as-of`, or else the UTC day of now.
    ///
    /// # Errors
    /// `config` when the text is no day.
    pub fn new(as_of: Option<&str>, now: DateTime<Utc>) -> Result<Self> {
        let as_of = match as_of {
            None => now.date_naive(),
            Some(text) => parse_day(text).ok_or_else(|| {
                Failure::config(format!("--as-of {text:?} is not a day"))
                    .hint(format!("write it as {}", now.format("%Y-%m-%d")))
            })?,
        };
        Ok(Self { as_of, now })
    }
}

/// A report with everything it needs to run.
pub struct Request<'a> {
    pub report: &'a Report,
    /// The report's own parameters, defaults included.
    pub parameters: Vec<(String, Value)>,
    pub moment: Moment,
}

impl<'a> Request<'a> {
    /// Checks the parameters a person gave (`name`, `value`) against those the report declares.
    ///
    /// # Errors
    /// `config` for an unknown parameter or a value that is not of its type.
    pub fn new(report: &'a Report, given: &[(String, String)], moment: Moment) -> Result<Self> {
        Ok(Self { report, parameters: parameters::resolve(report, given)?, moment })
    }

    /// Runs the report and keeps its rows.
    ///
    /// # Errors
    /// `config` when a user's own SQL is wrong or would write; `interrupted` when it was stopped.
    pub fn run(&self, db: &Db) -> Result<Table> {
        let mut query = self.prepare(db)?;
        let mut table = Table { columns: self.columns(&query), rows: Vec::new() };
        self.each(&mut query, |row| {
            table.rows.push(row);
            Ok(())
        })?;
        table.settle_kinds();
        Ok(table)
    }

    /// Runs the report and writes its rows as CSV while they come.
    ///
    /// # Errors
    /// As [`Request::run`], and what `out` returns.
    pub fn stream_csv(&self, db: &Db, reader: Reader, out: &mut dyn Write) -> Result<()> {
        let mut query = self.prepare(db)?;
        let columns = self.columns(&query);
        let mut writer = CsvWriter::new(out, &columns, reader)?;
        self.each(&mut query, |row| writer.row(&row))?;
        writer.finish()
    }

    /// Runs the report and writes its rows while they come, each as a JSON object on a line of its own.
    ///
    /// # Errors
    /// As [`Request::run`], and what `out` returns.
    pub fn stream_ndjson(&self, db: &Db, out: &mut dyn Write) -> Result<()> {
        let mut query = self.prepare(db)?;
        let columns = self.columns(&query);
        // the writer behind may flush at every line end
        let mut out = BufWriter::new(out);
        self.each(&mut query, |row| {
            write_row(&columns, &row, &mut out)?;
            Ok(out.write_all(b"\n")?)
        })?;
        Ok(out.flush()?)
    }

    fn prepare<'db>(&self, db: &'db Db) -> Result<Query<'db>> {
        db.prepare_query(&self.report.file, &self.report.sql).map_err(|error| failure_of(self.report, error))
    }

    fn columns(&self, query: &Query<'_>) -> Vec<Column> {
        query.columns().iter().map(|name| Column::named(name, self.report.source)).collect()
    }

    fn each(&self, query: &mut Query<'_>, on_row: impl FnMut(Vec<Value>) -> Result<()>) -> Result<()> {
        query.each(&self.bindings(), on_row).map_err(|error| match error.downcast::<QueryError>() {
            Ok(error) => failure_of(self.report, error),
            Err(other) => other,
        })
    }

    /// The parameters as they are bound: the report's own, and the moment.
    fn bindings(&self) -> Vec<(String, Value)> {
        let mut bindings = self.parameters.clone();
        bindings.push(("as_of".to_owned(), Value::Text(self.moment.as_of.to_string())));
        bindings.push(("now".to_owned(), Value::Text(format_instant(self.moment.now))));
        bindings
    }
}

/// A bundled report that fails is our mistake; a user's own is theirs.
fn failure_of(report: &Report, error: QueryError) -> anyhow::Error {
    match (error.blame, report.source) {
        (Blame::Interrupted, _) => Failure::new(Code::Interrupted, format!("{} was stopped", report.name)).into(),
        (Blame::Statement, Source::User) => Failure::config(error.to_string())
            .hint(format!("see what stands there with `storemirror report {} --sql`", report.name))
            .into(),
        _ => error.into(),
    }
}
