//! CSV as RFC 4180 has it, in UTF-8, with a header row and lines that end in LF.

use std::io::Write;

use anyhow::Result;

use crate::model::Value;
use crate::report::table::{Column, Table, cell_text};

/// Writes rows while they come.
pub(in crate::report) struct Writer<'a, W: Write> {
    writer: csv::Writer<W>,
    columns: &'a [Column],
}

impl<'a, W: Write> Writer<'a, W> {
    pub(in crate::report) fn new(out: W, columns: &'a [Column]) -> Result<Self> {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(out);
        writer.write_record(columns.iter().map(|column| column.name.as_str()))?;
        Ok(Self { writer, columns })
    }

    pub(in crate::report) fn row(&mut self, row: &[Value]) -> Result<()> {
        for (column, value) in self.columns.iter().zip(row) {
            self.writer.write_field(cell_text(column.kind, value).as_bytes())?;
        }
        self.writer.write_record(None::<&[u8]>)?;
        Ok(())
    }

    pub(in crate::report) fn finish(mut self) -> Result<()> {
        self.writer.flush()?;
        Ok(())
    }
}

/// Writes a whole table.
///
/// # Errors
/// What `out` returns.
pub fn write_csv(table: &Table, out: &mut dyn Write) -> Result<()> {
    let mut writer = Writer::new(out, &table.columns)?;
    table.rows.iter().try_for_each(|row| writer.row(row))?;
    writer.finish()
}
