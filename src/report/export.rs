//! Every report as a CSV file in one folder, and `manifest.json` last: whoever finds the manifest finds the files it
//! names. A file whose bytes would be the same is left alone, so that a backup or a sync sees only what changed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Map;
use sha2::{Digest, Sha256};

use crate::db::Db;
use crate::failure::Failure;
use crate::files::write_atomically;
use crate::model::instant::format_instant;
use crate::progress::Task;
use crate::report::render::{Reader, parameters_json, write_csv};
use crate::report::{Catalog, Column, Freshness, Moment, Report, Request};

#[derive(Clone, Debug)]
pub struct ExportOptions {
    pub folder: PathBuf,
    /// The reports to export; empty: all.
    pub only: Vec<String>,
    /// Given to every report that has a parameter of the name.
    pub parameters: Vec<(String, String)>,
    pub moment: Moment,
}

/// What `manifest.json` holds, and `export --json` answers.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    pub version: &'static str,
    pub created_at: String,
    pub as_of: String,
    pub parameters: serde_json::Value,
    pub reports: Vec<ExportedReport>,
    pub freshness: Freshness,
}

#[derive(Clone, Debug, Serialize)]
pub struct ExportedReport {
    pub name: String,
    pub file: String,
    pub rows: usize,
    pub columns: Vec<Column>,
    pub sha256: String,
}

/// Exports the reports.
///
/// # Errors
/// `config` for an unknown report or parameter, a folder that cannot be written, or wrong SQL of the user's.
pub fn export(db: &Db, catalog: &Catalog, options: &ExportOptions, task: &Task) -> Result<Manifest> {
    let reports = chosen(catalog, &options.only)?;
    let requests = requests(&reports, options)?;
    create_folder(&options.folder)?;
    let mut exported = Vec::new();
    task.expect(requests.len() as u64);
    for request in &requests {
        task.say(&request.report.name);
        exported.push(export_report(db, request, &options.folder)?);
        task.add(1);
    }
    let manifest = Manifest {
        version: env!("CARGO_PKG_VERSION"),
        created_at: format_instant(options.moment.now),
        as_of: options.moment.as_of.to_string(),
        parameters: given_parameters(&requests, &options.parameters),
        reports: exported,
        freshness: Freshness::read(db, options.moment)?,
    };
    let mut bytes = serde_json::to_vec_pretty(&manifest)?;
    bytes.push(b'\n');
    replace(&options.folder.join("manifest.json"), &bytes)?;
    Ok(manifest)
}

fn chosen<'a>(catalog: &'a Catalog, only: &[String]) -> Result<Vec<&'a Report>> {
    if only.is_empty() {
        // a report that cannot be run must not be missing in silence
        if let Some(problem) = catalog.problems().next() {
            return Err(problem.clone().into());
        }
        return Ok(catalog.reports().collect());
    }
    only.iter().map(|name| catalog.find(name)).collect()
}

/// One request per report, each with those of the given parameters that it has.
fn requests<'a>(reports: &[&'a Report], options: &ExportOptions) -> Result<Vec<Request<'a>>> {
    let has = |report: &Report, name: &str| report.parameters.iter().any(|parameter| parameter.name == name);
    for (name, _) in &options.parameters {
        if !reports.iter().any(|report| has(report, name)) {
            let failure = Failure::config(format!("no report has a parameter {name:?}"));
            return Err(failure.hint("`storemirror report NAME --describe` shows what a report takes").into());
        }
    }
    reports
        .iter()
        .map(|report| {
            let given: Vec<_> = options.parameters.iter().filter(|(name, _)| has(report, name)).cloned().collect();
            Request::new(report, &given, options.moment)
        })
        .collect()
}

/// The parameters that were given, with their values as they were read.
fn given_parameters(requests: &[Request<'_>], given: &[(String, String)]) -> serde_json::Value {
    let mut parameters = Map::new();
    for request in requests {
        let of_request =
            request.parameters.iter().filter(|(name, _)| given.iter().any(|(other, _)| other == name)).cloned();
        if let serde_json::Value::Object(values) = parameters_json(&of_request.collect::<Vec<_>>()) {
            parameters.extend(values);
        }
    }
    parameters.into()
}

fn create_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| {
        let message = match error.kind() {
            ErrorKind::AlreadyExists | ErrorKind::NotADirectory => "it is a file".to_owned(),
            _ => error.to_string(),
        };
        Failure::config(format!("cannot export to {}: {message}", folder.display()))
            .hint("name a folder, or one that can be made")
            .into()
    })
}

fn export_report(db: &Db, request: &Request<'_>, folder: &Path) -> Result<ExportedReport> {
    let table = request.run(db)?;
    let mut bytes = Vec::new();
    write_csv(&table, Reader::Program, &mut bytes)?;
    let file = format!("{}.csv", request.report.name);
    replace(&folder.join(&file), &bytes)?;
    Ok(ExportedReport {
        name: request.report.name.clone(),
        file,
        rows: table.rows.len(),
        columns: table.columns,
        sha256: hex::encode(Sha256::digest(&bytes)),
    })
}

/// Writes a file in one step, and only when it would change.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    match std::fs::read(path) {
        Ok(present) if present == bytes => Ok(()),
        _ => write_atomically(path, bytes, false).with_context(|| format!("cannot write {}", path.display())),
    }
}
