//! CSV as RFC 4180 has it, in UTF-8, with a header row and lines that end in LF; or as a spreadsheet program wants it: with
//! a byte order mark, lines that end in CRLF, and no cell that it would take for a formula.

use std::borrow::Cow;
use std::io::Write;

use anyhow::Result;

use crate::model::Value;
use crate::report::table::{Column, Table, cell_text};

/// By this mark a spreadsheet program knows UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Who reads the CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    Program,
    Spreadsheet,
}

/// Writes rows while they come.
pub(in crate::report) struct Writer<'a, W: Write> {
    writer: csv::Writer<W>,
    columns: &'a [Column],
    reader: Reader,
}

impl<'a, W: Write> Writer<'a, W> {
    pub(in crate::report) fn new(mut out: W, columns: &'a [Column], reader: Reader) -> Result<Self> {
        let terminator = match reader {
            Reader::Program => csv::Terminator::Any(b'\n'),
            Reader::Spreadsheet => {
                out.write_all(BYTE_ORDER_MARK)?;
                csv::Terminator::CRLF
            }
        };
        let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(out);
        writer.write_record(columns.iter().map(|column| text(&column.name, reader).into_owned()))?;
        Ok(Self { writer, columns, reader })
    }

    pub(in crate::report) fn row(&mut self, row: &[Value]) -> Result<()> {
        for (column, value) in self.columns.iter().zip(row) {
            let cell = cell_text(column.kind, value);
            let cell = if matches!(value, Value::Text(_)) { text(&cell, self.reader) } else { cell };
            self.writer.write_field(cell.as_bytes())?;
        }
        self.writer.write_record(None::<&[u8]>)?;
        Ok(())
    }

    pub(in crate::report) fn finish(mut self) -> Result<()> {
        self.writer.flush()?;
        Ok(())
    }
}

fn text(text: &str, reader: Reader) -> Cow<'_, str> {
    match reader {
        Reader::Program => Cow::Borrowed(text),
        Reader::Spreadsheet => defused(text),
    }
}

/// A text that a spreadsheet program would reckon with, behind an apostrophe; a plain number is left as one.
fn defused(text: &str) -> Cow<'_, str> {
    let risky = text.starts_with(|first: char| "=+-@".contains(first) || first.is_control());
    if risky && !is_number(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// `-12`, `+3.50`: digits with a sign and a point at most.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Writes a whole table.
///
/// # Errors
/// What `out` returns.
pub fn write_csv(table: &Table, reader: Reader, out: &mut dyn Write) -> Result<()> {
    let mut writer = Writer::new(out, &table.columns, reader)?;
    table.rows.iter().try_for_each(|row| writer.row(row))?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_reckoned_with_is_defused_and_numbers_stay_numbers() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("\u{7}x", "'\u{7}x"),
            ("-12.50", "-12.50"),
            ("+3", "+3"),
            ("-", "'-"),
            ("-1.", "'-1."),
            ("-1e9", "'-1e9"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(defused(text), expected);
        }
    }
}
