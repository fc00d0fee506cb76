//! JSON by the contract: every id a string, money with two decimals and rates with four in the very text, NULL null.

use std::io::Write;

use anyhow::Result;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;

use crate::model::Value;
use crate::report::catalog::{Catalog, Report};
use crate::report::freshness::Freshness;
use crate::report::table::{Column, ColumnKind, Table, cell_text};
use crate::report::{Parameter, Request};

/// Writes a report's answer as one object on one line.
///
/// # Errors
/// What `out` returns.
pub fn write_json(request: &Request<'_>, table: &Table, freshness: &Freshness, out: &mut dyn Write) -> Result<()> {
    #[derive(serde::Serialize)]
    struct Answer<'a> {
        report: &'a str,
        as_of: &'a str,
        parameters: serde_json::Value,
        columns: &'a [Column],
        rows: Rows<'a>,
        freshness: &'a Freshness,
    }
    let answer = Answer {
        report: &request.report.name,
        as_of: &freshness.as_of,
        parameters: parameters_json(&request.parameters),
        columns: &table.columns,
        rows: Rows(table),
        freshness,
    };
    serde_json::to_writer(&mut *out, &answer)?;
    writeln!(out)?;
    Ok(())
}

/// Parameters and their values, by name.
pub(in crate::report) fn parameters_json(parameters: &[(String, Value)]) -> serde_json::Value {
    parameters.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
}

/// `{"reports":[…]}`, what `report --json` answers without a name.
pub fn catalog_json(catalog: &Catalog) -> serde_json::Value {
    serde_json::json!({ "reports": catalog.reports().map(report_json).collect::<Vec<_>>() })
}

/// What `report NAME --describe --json` answers.
pub fn describe_json(report: &Report) -> serde_json::Value {
    let mut description = serde_json::json!({ "report": report.name, "description": super::describe(report) });
    if let (Some(all), serde_json::Value::Object(listed)) = (description.as_object_mut(), report_json(report)) {
        all.extend(listed);
        all.insert("file".to_owned(), report.file.as_str().into());
        all.insert("help".to_owned(), report.help.as_str().into());
    }
    description
}

fn report_json(report: &Report) -> serde_json::Value {
    serde_json::json!({
        "name": report.name,
        "title": report.title,
        "grain": report.grain,
        "parameters": report.parameters.iter().map(parameter_json).collect::<Vec<_>>(),
        "source": report.source,
    })
}

fn parameter_json(parameter: &Parameter) -> serde_json::Value {
    serde_json::json!({
        "name": parameter.name,
        "type": parameter.kind.name(),
        "default": parameter.default.as_ref().map(plain),
        "help": parameter.help,
    })
}

fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => (*number).into(),
        Value::Real(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
    }
}

/// Writes one row as an object, without an end of line.
pub(in crate::report) fn write_row(columns: &[Column], values: &[Value], out: &mut dyn Write) -> Result<()> {
    Ok(serde_json::to_writer(out, &Row { columns, values })?)
}

/// A table's rows as an array of objects.
pub(in crate::report) struct Rows<'a>(pub(in crate::report) &'a Table);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.rows.len()))?;
        for row in &self.0.rows {
            rows.serialize_element(&Row { columns: &self.0.columns, values: row })?;
        }
        rows.end()
    }
}

struct Row<'a> {
    columns: &'a [Column],
    values: &'a [Value],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut cells = serializer.serialize_map(Some(self.columns.len()))?;
        for (column, value) in self.columns.iter().zip(self.values) {
            cells.serialize_entry(&column.name, &Cell { kind: column.kind, value })?;
        }
        cells.end()
    }
}

/// One value, as its column is written.
pub(in crate::report) struct Cell<'a> {
    pub(in crate::report) kind: ColumnKind,
    pub(in crate::report) value: &'a Value,
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Null => serializer.serialize_none(),
            Value::Text(text) => serializer.serialize_str(text),
            // JSON has no infinity
            Value::Real(number) if !number.is_finite() => serializer.serialize_none(),
            Value::Integer(_) | Value::Real(_) => {
                let text = cell_text(self.kind, self.value);
                if self.kind == ColumnKind::Id {
                    return serializer.serialize_str(&text);
                }
                // the text itself, because a float would lose the zeros of 12.50
                RawValue::from_string(text.into_owned()).map_err(serde::ser::Error::custom)?.serialize(serializer)
            }
        }
    }
}
