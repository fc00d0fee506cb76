//! Where the page's numbers come from: the bundled reports, run for a moment. Every answer knows the report's name and
//! the command that prints the same, so that whoever doubts a number can ask for it. A user's own reports take no part.

use std::borrow::Cow;

use anyhow::{Context, Result};

use crate::db::Db;
use crate::model::Value;
use crate::report::{Catalog, Moment, Request, Table, assignment, cell_text, separated};

pub(super) struct Reports<'a> {
    pub(super) db: &'a Db,
    /// The bundled reports.
    pub(super) catalog: &'a Catalog,
    pub(super) moment: Moment,
}

/// A report's name, and what to type for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) report: String,
    pub(super) command: String,
}

pub(super) struct Answer {
    pub(super) source: Source,
    pub(super) table: Table,
}

impl Reports<'_> {
    /// Runs a report; `parameters` are `K=V`.
    ///
    /// # Errors
    /// As [`Request::run`].
    pub(super) fn ask(&self, report: &str, parameters: &[&str]) -> Result<Answer> {
        let given = parameters.iter().map(|text| assignment(text)).collect::<Result<Vec<_>>>()?;
        let request = Request::new(self.catalog.find(report)?, &given, self.moment)?;
        let table = request.run(self.db).with_context(|| format!("the report {report} failed"))?;
        let mut command = format!("storemirror report {report}");
        for parameter in parameters {
            command.push_str(&format!(" --param {parameter}"));
        }
        command.push_str(&format!(" --as-of {}", self.moment.as_of));
        Ok(Answer { source: Source { report: report.to_owned(), command }, table })
    }
}

/// A row of an answer, its cells by column name; a column that is not there reads as empty.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    table: &'a Table,
    cells: &'a [Value],
}

impl Answer {
    pub(super) fn rows(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        self.table.rows.iter().map(|cells| Row { table: &self.table, cells })
    }

    /// The sum of a money column as it is printed, in cents.
    pub(super) fn cents(&self, column: &str) -> i64 {
        self.rows().filter_map(|row| row.cents(column)).sum()
    }

    /// The sum of a column of counts.
    pub(super) fn count(&self, column: &str) -> i64 {
        self.rows().filter_map(|row| row.integer(column)).sum()
    }

    /// A column's different texts, in the order in which they first come; empty ones left out.
    pub(super) fn distinct(&self, column: &str) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for text in self.rows().map(|row| row.text(column)).filter(|text| !text.is_empty()) {
            if !texts.iter().any(|known| *known == text) {
                texts.push(text.into_owned());
            }
        }
        texts
    }
}

impl<'a> Row<'a> {
    fn cell(&self, column: &str) -> Option<(usize, &'a Value)> {
        let place = self.table.columns.iter().position(|known| known.name == column)?;
        Some((place, &self.cells[place]))
    }

    /// The cell as CSV has it.
    pub(super) fn text(&self, column: &str) -> Cow<'a, str> {
        self.cell(column).map_or(Cow::Borrowed(""), |(place, value)| cell_text(self.table.columns[place].kind, value))
    }

    pub(super) fn integer(&self, column: &str) -> Option<i64> {
        self.cell(column)?.1.as_integer()
    }

    /// An amount as it is printed, in cents.
    pub(super) fn cents(&self, column: &str) -> Option<i64> {
        match self.cell(column)?.1 {
            Value::Real(amount) => Some(whole_cents(*amount)),
            _ => None,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "sums of money stay far below 2^63 cents")]
fn whole_cents(amount: f64) -> i64 {
    (amount * 100.0).round() as i64
}

/// Cents as `-1,234.50`.
pub(super) fn money(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    separated(&format!("{sign}{}.{:02}", cents / 100, cents % 100))
}

/// A count as `1,234`.
pub(super) fn whole(count: i64) -> String {
    separated(&count.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_read_as_money() {
        assert_eq!(
            [0, 5, -5, 123_450, -123_456_789].map(money),
            ["0.00", "0.05", "-0.05", "1,234.50", "-1,234,567.89"]
        );
    }
}
