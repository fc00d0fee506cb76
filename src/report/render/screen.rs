//! What a person reads on a terminal: the table, the list of reports, and one report's description.

use std::fmt::Write as _;
use std::io::Write;
use std::ops::RangeInclusive;

use anyhow::Result;
use comfy_table::{Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, TableStyle, Width};

use crate::model::Value;
use crate::model::instant::parse_instant;
use crate::report::catalog::{Catalog, Report, Source};
use crate::report::freshness::Freshness;
use crate::report::table::{Column, ColumnKind, Table, cell_text};
use crate::screen::plain;

/// What is known of where a table is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// In characters; None: as wide as it needs.
    pub width: Option<u16>,
    pub color: bool,
}

/// Spaces between two columns; one is enough where two do not fit.
const GAPS: [u16; 2] = [2, 1];
/// A text may be wrapped to the width of its longest word, within these bounds: no day is broken, and no mail address
/// makes the whole table too wide. An amount or an id is never broken.
const WRAPPED_TEXT: RangeInclusive<usize> = 10..=14;

/// Writes the rows with aligned columns, and the freshness line last. When even the narrowest columns do not fit the
/// screen, each row is written as a block of lines.
///
/// # Errors
/// What `out` returns.
pub fn write_table(table: &Table, freshness: &Freshness, screen: Screen, out: &mut dyn Write) -> Result<()> {
    let rows: Vec<Vec<String>> = table
        .rows
        .iter()
        .map(|row| table.columns.iter().zip(row).map(|(column, value)| shown(column.kind, value)).collect())
        .collect();
    let layouts: Vec<Layout> =
        table.columns.iter().enumerate().map(|(index, column)| Layout::new(column, index, &rows)).collect();
    let fits = |gap: u16| match screen.width {
        Some(width) => narrowest(&layouts, gap) <= usize::from(width),
        None => true,
    };
    match GAPS.into_iter().find(|gap| fits(*gap)) {
        Some(gap) => write_grid(&layouts, &rows, screen, gap, out)?,
        None => write_blocks(table, &rows, screen.width.unwrap_or(0), out)?,
    }
    let line = freshness.line();
    writeln!(out, "{}", screen.width.map_or_else(|| line.clone(), |width| crate::screen::fit(&line, width.into())))?;
    Ok(())
}

/// The width below which a column would have to be broken where it must not.
fn narrowest(layouts: &[Layout], gap: u16) -> usize {
    layouts.iter().map(|layout| layout.narrowest + usize::from(gap)).sum::<usize>().saturating_sub(usize::from(gap))
}

/// How one column stands on the screen.
struct Layout {
    header: String,
    right: bool,
    narrowest: usize,
    wraps: bool,
}

impl Layout {
    fn new(column: &Column, index: usize, rows: &[Vec<String>]) -> Self {
        let widest = |width: fn(&str) -> usize| rows.iter().map(|row| width(&row[index])).max().unwrap_or(0);
        let content = widest(|cell| cell.chars().count());
        let longest_word = column.name.split('_').map(|word| word.chars().count()).max().unwrap_or(0);
        let wraps = column.kind == ColumnKind::Text && content > *WRAPPED_TEXT.start();
        let narrowest = longest_word.max(if wraps {
            widest(|cell| cell.split(' ').map(|word| word.chars().count()).max().unwrap_or(0))
                .clamp(*WRAPPED_TEXT.start(), *WRAPPED_TEXT.end())
        } else {
            content
        });
        let header = wrapped_name(&plain(&column.name), narrowest);
        Self { header, right: column.kind.is_number(), narrowest, wraps }
    }
}

/// A name broken at its underscores into lines of at most `width` characters.
fn wrapped_name(name: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in name.split('_') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push('_');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

fn write_grid(layouts: &[Layout], rows: &[Vec<String>], screen: Screen, gap: u16, out: &mut dyn Write) -> Result<()> {
    let mut grid = comfy_table::Table::new();
    grid.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─')));
    match screen.width {
        // the last column's gap is not printed
        Some(width) => grid.set_width(width.saturating_add(gap)).set_content_arrangement(ContentArrangement::Dynamic),
        None => grid.set_content_arrangement(ContentArrangement::Disabled),
    };
    if screen.color {
        grid.enforce_styling();
    } else {
        grid.force_no_tty();
    }
    grid.set_header(layouts.iter().map(|layout| {
        let cell = Cell::new(&layout.header);
        if screen.color { cell.add_attribute(Attribute::Bold) } else { cell }
    }));
    grid.add_rows(rows.iter().map(|row| row.iter().map(Cell::new)));
    for (column, layout) in grid.column_iter_mut().zip(layouts) {
        column.set_padding((0, gap));
        column.set_cell_alignment(if layout.right { CellAlignment::Right } else { CellAlignment::Left });
        // a boundary counts the gap in
        let narrowest = u16::try_from(layout.narrowest).unwrap_or(u16::MAX).saturating_add(gap);
        column.set_constraint(if layout.wraps {
            ColumnConstraint::LowerBoundary(Width::Fixed(narrowest))
        } else {
            ColumnConstraint::ContentWidth
        });
    }
    let widest = screen.width.map_or(usize::MAX, usize::from);
    for line in grid.lines() {
        // the separator runs under the last column's gap as well
        let line: String = if line.starts_with('─') { line.chars().take(widest).collect() } else { line };
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// One line per cell, names to the left.
fn write_blocks(table: &Table, rows: &[Vec<String>], width: u16, out: &mut dyn Write) -> Result<()> {
    let names = table.columns.iter().map(|column| column.name.chars().count()).max().unwrap_or(0);
    for (index, row) in rows.iter().enumerate() {
        let title = format!("── {} ", index + 1);
        writeln!(out, "{title}{}", "─".repeat(usize::from(width).saturating_sub(title.chars().count())))?;
        for (column, cell) in table.columns.iter().zip(row) {
            writeln!(out, "{}", format!("{:names$}  {cell}", plain(&column.name)).trim_end())?;
        }
    }
    Ok(())
}

/// A cell for the eye: thousands apart, the day of an instant by itself, and nothing in it that could steer the terminal.
pub(crate) fn shown(kind: ColumnKind, value: &Value) -> String {
    let text = cell_text(kind, value);
    match value {
        Value::Integer(_) | Value::Real(_) if kind.is_number() => separated(&text),
        _ if parse_instant(&text).is_some() => text.replace('T', " "),
        _ => plain(&text),
    }
}

/// `-1234567.50` as `-1,234,567.50`.
pub(crate) fn separated(number: &str) -> String {
    let digits_from = usize::from(number.starts_with('-'));
    let whole_until = number.find(['.', 'e']).unwrap_or(number.len());
    let mut text = number[..digits_from].to_owned();
    for (index, digit) in number[digits_from..whole_until].chars().enumerate() {
        if index > 0 && (whole_until - digits_from - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + &number[whole_until..]
}

/// The list of reports: name and what it answers; a user's own are marked.
pub fn catalog_text(catalog: &Catalog) -> String {
    let width = catalog.reports().map(|report| report.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for report in catalog.reports() {
        let own = if report.source == Source::User { " (your own)" } else { "" };
        let _ = writeln!(text, "{:width$}  {}{own}", report.name, report.title);
    }
    for problem in catalog.problems() {
        let _ = writeln!(text, "cannot be run: {problem}");
    }
    text.truncate(text.trim_end().len());
    text
}

/// What a report answers, its parameters, and where it comes from.
pub fn describe(report: &Report) -> String {
    let mut text = format!("{} ({})\n\n{}\n", report.name, report.file, report.help);
    if report.help.is_empty() {
        text = format!("{} ({})\n", report.name, report.file);
    }
    text.push_str("\n--as-of DAY  the day it speaks of (default: the UTC day of now)");
    for parameter in &report.parameters {
        let _ =
            write!(text, "\n--param {}={}  {}", parameter.name, parameter.kind.name().to_uppercase(), parameter.help);
        if let Some(default) = parameter.default_text() {
            let _ = write!(text, " (default: {default})");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, expected) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("-1234567.50", "-1,234,567.50"),
            ("-123.00", "-123.00"),
            ("1e16", "1e16"),
        ] {
            assert_eq!(separated(number), expected);
        }
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(shown(ColumnKind::Text, &Value::Text("a\u{1b}[2Jb\nc".to_owned())), "a [2Jb c");
    }
}
