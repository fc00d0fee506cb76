//! The reports there are: the bundled ones, and a user's own beside them, which win over a bundled one of the same name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::failure::Failure;
use crate::model::nearest::nearest;
use crate::report::header::{self, Header};
use crate::report::parameters::Parameter;

macro_rules! bundled {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../queries/", $name, ".sql")))),*]
    };
}

/// Every file of `queries/`, by name.
pub const BUNDLED: &[(&str, &str)] = bundled!(
    "commission_ageing",
    "commission_forecast",
    "commission_mismatches",
    "commission_rates",
    "commission_reversals",
    "commission_state_changes",
    "commissions_by_customer",
    "commissions_by_month",
    "commissions_by_month_and_state",
    "commissions_by_service",
    "commissions_by_state",
    "commissions_missing",
    "crm_rejections",
    "customer_retention",
    "customer_statement",
    "data_quality",
    "freshness",
    "mrr_by_service",
    "mrr_movements",
    "payouts",
    "renewal_outcomes",
    "renewals_by_month",
    "renewals_due",
    "renewals_overdue",
    "revenue_by_country",
    "revenue_by_customer",
    "revenue_by_service",
    "subscription_changes",
    "subscriptions_at_risk",
    "subscriptions_lost",
    "subscriptions_new",
);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Bundled,
    User,
}

#[derive(Clone, Debug)]
pub struct Report {
    pub name: String,
    /// What it answers: the first line of its file.
    pub title: String,
    /// One row per …
    pub grain: String,
    pub parameters: Vec<Parameter>,
    /// The leading comment, as text.
    pub help: String,
    pub source: Source,
    /// How errors name it.
    pub file: String,
    pub sql: Cow<'static, str>,
}

impl Report {
    fn new(name: &str, source: Source, file: String, sql: Cow<'static, str>) -> Result<Self, Failure> {
        let Header { title, grain, parameters, help } = header::parse(&sql).map_err(|(line, message)| {
            Failure::config(format!("{file} line {line}: {message}"))
                .hint("a parameter is declared as `-- :name integer = 90  what it means`")
        })?;
        let title = if title.is_empty() { name.to_owned() } else { title };
        Ok(Self { name: name.to_owned(), title, grain, parameters, help, source, file, sql })
    }
}

/// The reports by name. A user's file whose header cannot be read stands in it with what is wrong, so that it stops
/// nobody from running the others.
pub struct Catalog {
    reports: BTreeMap<String, Result<Report, Failure>>,
}

impl Catalog {
    /// The bundled reports alone.
    pub fn bundled() -> Self {
        let bundled = |(name, sql): &(&str, &'static str)| {
            let file = format!("queries/{name}.sql");
            ((*name).to_owned(), Report::new(name, Source::Bundled, file, Cow::Borrowed(sql)))
        };
        Self { reports: BUNDLED.iter().map(bundled).collect() }
    }

    /// The bundled reports and those of the user's folder.
    ///
    /// # Errors
    /// As [`Catalog::with_own`].
    pub fn load(folder: &Path) -> Result<Self> {
        Self::bundled().with_own(folder)
    }

    /// Adds the reports of the user's folder; a folder that is not there holds none.
    ///
    /// # Errors
    /// `config` when the folder or a file in it cannot be read.
    pub fn with_own(mut self, folder: &Path) -> Result<Self> {
        for (name, file, sql) in user_files(folder)? {
            let report = Report::new(&name, Source::User, file, Cow::Owned(sql));
            self.reports.insert(name, report);
        }
        Ok(self)
    }

    /// # Errors
    /// `config` when there is no report of that name, or its header cannot be read.
    pub fn find(&self, name: &str) -> Result<&Report> {
        match self.reports.get(name) {
            Some(Ok(report)) => Ok(report),
            Some(Err(failure)) => Err(failure.clone().into()),
            None => {
                let hint = match nearest(name, self.reports.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean {near}? `storemirror report` lists all of them"),
                    None => "`storemirror report` lists all of them".to_owned(),
                };
                Err(Failure::config(format!("there is no report {name:?}")).hint(hint).into())
            }
        }
    }

    /// The reports that can be run, by name.
    pub fn reports(&self) -> impl Iterator<Item = &Report> {
        self.reports.values().filter_map(|report| report.as_ref().ok())
    }

    /// What is wrong with the user's files that cannot be run.
    pub fn problems(&self) -> impl Iterator<Item = &Failure> {
        self.reports.values().filter_map(|report| report.as_ref().err())
    }
}

/// (name, file, text) of each `.sql` file in a folder.
fn user_files(folder: &Path) -> Result<Vec<(String, String, String)>> {
    let unreadable = |what: &Path, error: std::io::Error| {
        Failure::config(format!("cannot read {}: {error}", what.display())).hint("it should hold your own .sql reports")
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(folder, error).into()),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        if path.extension().is_some_and(|extension| extension == "sql") && path.is_file() {
            let sql = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            files.push((name, path.display().to_string(), sql));
        }
    }
    Ok(files)
}
