//! Parameters: what a report declares and what a person gives, checked before anything runs.

use std::str::FromStr;

use anyhow::Result;

use crate::failure::Failure;
use crate::model::Value;
use crate::model::instant::parse_day;
use crate::model::nearest::nearest;
use crate::report::Report;
use crate::report::table::{ColumnKind, cell_text};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterType {
    Integer,
    Number,
    Day,
    Text,
}

impl ParameterType {
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Day => "day",
            Self::Text => "text",
        }
    }

    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Day => "a day such as 2026-03-01",
            Self::Text => "a text",
        }
    }

    /// The value as it is bound: a number bound as text would compare wrongly.
    pub(super) fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::Integer => text.parse().ok().map(Value::Integer),
            Self::Number => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Real),
            Self::Day => parse_day(text).map(|day| Value::Text(day.to_string())),
            Self::Text => Some(Value::Text(text.to_owned())),
        }
    }
}

impl FromStr for ParameterType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Integer, Self::Number, Self::Day, Self::Text].into_iter().find(|kind| kind.name() == text).ok_or(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub kind: ParameterType,
    /// None: left out it is NULL.
    pub default: Option<Value>,
    pub help: String,
}

impl Parameter {
    /// The default as it is typed; nothing where there is none.
    pub fn default_text(&self) -> Option<String> {
        self.default.as_ref().map(|default| cell_text(ColumnKind::Text, default).into_owned())
    }
}

/// Splits `name=value` as typed.
///
/// # Errors
/// `config` when there is no `=`.
pub fn assignment(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err(Failure::config(format!("{text:?} is no parameter")).hint("write it as --param name=value").into()),
    }
}

/// Every declared parameter with the value given, or else its default. Given twice, the last one counts.
pub(super) fn resolve(report: &Report, given: &[(String, String)]) -> Result<Vec<(String, Value)>> {
    for (name, _) in given {
        if !report.parameters.iter().any(|parameter| parameter.name == *name) {
            return Err(unknown(report, name).into());
        }
    }
    report
        .parameters
        .iter()
        .map(|parameter| {
            let value = match given.iter().rev().find(|(name, _)| *name == parameter.name) {
                Some((_, text)) => parameter.kind.read(text).ok_or_else(|| {
                    Failure::config(format!("{}={text} is not {}", parameter.name, parameter.kind.noun()))
                        .hint(format!("{} of {} is {}", parameter.name, report.name, described(parameter)))
                })?,
                None => parameter.default.clone().unwrap_or(Value::Null),
            };
            Ok((parameter.name.clone(), value))
        })
        .collect()
}

fn described(parameter: &Parameter) -> String {
    match parameter.help.as_str() {
        "" => format!("of type {}", parameter.kind.name()),
        help => format!("of type {}: {help}", parameter.kind.name()),
    }
}

fn unknown(report: &Report, name: &str) -> Failure {
    let failure = Failure::config(format!("{} has no parameter {name:?}", report.name));
    if name == "as_of" || name == "now" {
        return failure.hint(format!("that is given with --{}", name.replace('_', "-")));
    }
    let known: Vec<String> =
        report.parameters.iter().map(|known| format!("{} ({})", known.name, known.kind.name())).collect();
    let names = report.parameters.iter().map(|known| known.name.as_str());
    failure.hint(match (nearest(name, names), known.is_empty()) {
        (Some(near), _) => format!("did you mean {near}? it has {}", known.join(", ")),
        (None, true) => "it has no parameters but --as-of".to_owned(),
        (None, false) => format!("it has {}", known.join(", ")),
    })
}
