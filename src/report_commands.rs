//! The commands that answer from the mirror alone: report, export, statement, dictionary. From arguments to what is
//! written where, and to Ctrl-C; what is asked and how it looks is the reports' own business.

use std::io::Write;
use std::path::Path;

use anyhow::Result;

use crate::cli::{self, DictionaryFormat, Format};
use crate::dashboard::Dashboard;
use crate::db::Db;
use crate::failure::{Code, Failure, io_kind};
use crate::report::{self, Catalog, Moment};
use crate::{Session, files, screen};

pub(crate) fn report(session: &Session, arguments: &cli::Report, out: &mut dyn Write) -> Result<u8> {
    let catalog = Catalog::load(&session.config.paths.queries)?;
    let format = report_format(session, arguments)?;
    let Some(name) = &arguments.name else {
        let json = report::catalog_json(&catalog);
        let width = screen::width(&console::Term::stdout());
        let text = || screen::fit(&screen::lines(&report::catalog_text(&catalog)), width);
        writeln!(out, "{}", if format == Format::Json { json.to_string() } else { text() })?;
        return Ok(0);
    };
    let report = catalog.find(name)?;
    if arguments.sql || arguments.describe {
        let text = if arguments.sql { report.sql.to_string() } else { report::describe(report) };
        let json = if arguments.sql {
            serde_json::json!({ "report": report.name, "sql": text.trim_end() })
        } else {
            report::describe_json(report)
        };
        if arguments.sql {
            session.answer_verbatim(out, &json, || text.trim_end().to_owned())?;
        } else {
            session.answer(out, &json, || text.trim_end().to_owned())?;
        }
        return Ok(0);
    }
    let moment = Moment::new(arguments.as_of.as_deref(), session.now())?;
    let given = arguments.parameters.iter().map(|text| report::assignment(text)).collect::<Result<Vec<_>>>()?;
    let request = report::Request::new(report, &given, moment)?;
    let db = session.open_reader()?;
    session.interrupt.stops(&db);
    write_to(arguments.output.as_deref(), out, |out| render(session, &db, &request, format, arguments.excel, out))?;
    Ok(0)
}

pub(crate) fn dictionary(session: &Session, format: Option<DictionaryFormat>, out: &mut dyn Write) -> Result<u8> {
    match format {
        Some(DictionaryFormat::Json) => writeln!(out, "{}", crate::dictionary::json())?,
        _ if session.json => writeln!(out, "{}", crate::dictionary::json())?,
        Some(DictionaryFormat::Markdown) => write!(out, "{}", crate::dictionary::markdown_text())?,
        Some(DictionaryFormat::Table) | None => {
            let width = screen::width(&console::Term::stdout());
            writeln!(out, "{}", screen::fit(&crate::dictionary::text(), width))?;
        }
    }
    Ok(0)
}

/// Prints a frozen month, freezing it first where it is not; only that needs the writer's lock.
pub(crate) fn statement(session: &Session, arguments: &cli::Statement, out: &mut dyn Write) -> Result<u8> {
    let month = report::Month::new(&arguments.month, session.now())?;
    let db = session.open_reader()?;
    session.interrupt.stops(&db);
    let file = arguments.output.as_deref();
    let frozen = report::Statement::frozen(&db, &month)?;
    if arguments.adjustments {
        let adjustments = report::Adjustments::read(&db, &month, frozen)?;
        write_to(file, out, |out| adjustments.write(session.json, out))?;
        adjustments.summary().iter().for_each(|line| (session.talk)(line));
        return Ok(0);
    }
    let statement = match frozen {
        Some(frozen) => frozen,
        None if arguments.partial => report::Statement::preview(&db, &month)?,
        None => {
            month.must_be_over()?;
            drop(db);
            let db = session.open_writer()?;
            session.interrupt.stops(&db);
            report::Statement::freeze(&db, &month, session.now())?
        }
    };
    write_to(file, out, |out| statement.write(session.json, out))?;
    statement.summary().iter().for_each(|line| (session.talk)(line));
    Ok(0)
}

/// A CSV for a spreadsheet needs no `--format csv` beside its `--excel`.
fn report_format(session: &Session, arguments: &cli::Report) -> Result<Format> {
    let format = match arguments.format {
        _ if session.json => Format::Json,
        None if arguments.excel => Format::Csv,
        format => format.unwrap_or(Format::Table),
    };
    if arguments.excel && format != Format::Csv {
        return Err(Failure::config("--excel is for CSV alone").hint("leave it out, or take --format csv").into());
    }
    Ok(format)
}

/// Has `write` write to a file, which is replaced in one step at its end, or else to `out`.
fn write_to(file: Option<&Path>, out: &mut dyn Write, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let Some(path) = file else { return write(out) };
    files::replace_with(path, write).map_err(|error| match io_kind(&error) {
        Some(kind) => files::cannot_write(path, kind, &error).into(),
        None => error,
    })
}

fn render(
    session: &Session,
    db: &Db,
    request: &report::Request,
    format: Format,
    excel: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let freshness = report::Freshness::read(db, request.moment)?;
    // rows that stream to a terminal show themselves that something happens
    let run = || {
        let _task = session.progress.task(&request.report.name, ("row", "rows"));
        request.run(db)
    };
    match format {
        Format::Table => report::write_table(&run()?, &freshness, terminal(), out),
        Format::Json => report::write_json(request, &run()?, &freshness, out),
        Format::Csv => {
            let reader = if excel { report::Reader::Spreadsheet } else { report::Reader::Program };
            request.stream_csv(db, reader, out)?;
            (session.talk)(&freshness.line());
            Ok(())
        }
        Format::Ndjson => {
            request.stream_ndjson(db, out)?;
            (session.talk)(&freshness.line());
            Ok(())
        }
        Format::Markdown => report::write_markdown(&run()?, &freshness, out),
        Format::Html => report::write_html(request, &run()?, &freshness, out),
    }
}

/// The screen a table is fitted to; a pipe or a file has no width and no colour.
fn terminal() -> report::Screen {
    let terminal = console::Term::stdout();
    if !terminal.is_term() {
        return report::Screen::default();
    }
    report::Screen {
        width: terminal.size_checked().map(|(_, columns)| columns),
        color: std::env::var_os("NO_COLOR").is_none(),
    }
}

/// Writes the page and, when asked to, has the system show it.
pub(crate) fn dashboard(session: &Session, arguments: &cli::Dashboard, out: &mut dyn Write) -> Result<u8> {
    let moment = Moment::new(arguments.as_of.as_deref(), session.now())?;
    let db = session.open_reader()?;
    session.interrupt.stops(&db);
    let task = session.progress.task("dashboard", ("report", "reports"));
    let catalog = Catalog::bundled();
    let dashboard = Dashboard::make(&db, &catalog, moment)?;
    drop(task);
    let path = &arguments.output;
    files::replace_private(path, dashboard.html.as_bytes())
        .map_err(|error| files::cannot_write(path, error.kind(), &error))?;
    let size = screen::bytes(dashboard.html.len() as u64);
    (session.talk)(&format!("wrote {} ({size})", path.display()));
    (session.talk)(&dashboard.freshness.line());
    let with_own = catalog.with_own(&session.config.paths.queries);
    for report in with_own.iter().flat_map(Catalog::reports).filter(|report| report.source == report::Source::User) {
        if dashboard.reports.contains(&report.name) {
            (session.talk)(&format!("{} is the bundled report there, not your own", report.name));
        }
    }
    if arguments.open {
        open::that(path).map_err(|error| {
            Failure::new(Code::Internal, format!("nothing here opens {}: {error}", path.display()))
                .hint("it is written; open it in a browser")
        })?;
    }
    if session.json {
        writeln!(out, "{}", dashboard.json(path)?)?;
    }
    Ok(0)
}

pub(crate) fn export(session: &Session, arguments: cli::Export, out: &mut dyn Write) -> Result<u8> {
    let catalog = Catalog::load(&session.config.paths.queries)?;
    let moment = Moment::new(arguments.as_of.as_deref(), session.now())?;
    let parameters = arguments.parameters.iter().map(|text| report::assignment(text)).collect::<Result<_>>()?;
    let db = session.open_reader()?;
    let options = report::ExportOptions { folder: arguments.folder, only: arguments.only, parameters, moment };
    session.interrupt.stops(&db);
    let task = session.progress.task("exporting", ("report", "reports"));
    let manifest = report::export(&db, &catalog, &options, &task)?;
    drop(task);
    session.answer(out, &serde_json::to_value(&manifest)?, || {
        let reports = screen::counted(manifest.reports.len() as u64, "report", "reports");
        format!("wrote {reports} as CSV and manifest.json to {}", options.folder.display())
    })?;
    Ok(0)
}
