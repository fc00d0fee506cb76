//! The commands that answer from the mirror alone: report, export, statement, dictionary. From arguments to what is
//! written where, and to Ctrl-C; what is asked and how it looks is the reports' own business.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::cli::{self, DictionaryFormat, Format};
use crate::dashboard::Dashboard;
use crate::db::Db;
use crate::failure::{Code, Failure, io_kind};
use crate::report::{self, Catalog, Moment};
use crate::{Session, files, screen};

/// How often Ctrl-C is passed on to the database while a command ends: a report may be between two queries.
const STOP_AGAIN_AFTER: Duration = Duration::from_millis(50);

pub(crate) fn report(session: &Session, arguments: &cli::Report, out: &mut dyn Write) -> Result<u8> {
    let catalog = Catalog::load(Some(&session.config.paths.queries))?;
    let format = report_format(session, arguments)?;
    let Some(name) = &arguments.name else {
        let json = report::catalog_json(&catalog);
        return match format {
            Format::Json => writeln!(out, "{json}"),
            _ => writeln!(out, "{}", screen::lines(&report::catalog_text(&catalog))),
        }
        .map(|()| Ok(0))?;
    };
    let report = catalog.find(name)?;
    if arguments.sql || arguments.describe {
        let text = if arguments.sql { report.sql.to_string() } else { report::describe(report) };
        let json = if arguments.sql {
            serde_json::json!({ "report": report.name, "sql": text.trim_end() })
        } else {
            report::describe_json(report)
        };
        session.answer(out, &json, || text.trim_end().to_owned())?;
        return Ok(0);
    }
    let moment = Moment::new(arguments.as_of.as_deref(), session.now())?;
    let given = arguments.parameters.iter().map(|text| report::assignment(text)).collect::<Result<Vec<_>>>()?;
    let request = report::Request::new(report, &given, moment)?;
    let db = Db::open_reader(&session.config.paths.database)?;
    stop_at_ctrl_c(&db);
    write_to(arguments.output.as_deref(), out, |out| render(session, &db, &request, format, arguments.excel, out))?;
    Ok(0)
}

pub(crate) fn dictionary(session: &Session, format: Option<DictionaryFormat>, out: &mut dyn Write) -> Result<u8> {
    match format {
        Some(DictionaryFormat::Json) => writeln!(out, "{}", crate::dictionary::json())?,
        _ if session.json => writeln!(out, "{}", crate::dictionary::json())?,
        Some(DictionaryFormat::Markdown) => write!(out, "{}", crate::dictionary::markdown_text())?,
        Some(DictionaryFormat::Table) | None => writeln!(out, "{}", crate::dictionary::text())?,
    }
    Ok(0)
}

/// Prints a frozen month, freezing it first where it is not; only that needs the writer's lock.
pub(crate) fn statement(session: &Session, arguments: &cli::Statement, out: &mut dyn Write) -> Result<u8> {
    let month = report::Month::new(&arguments.month, session.now())?;
    let path = &session.config.paths.database;
    let db = Db::open_reader(path)?;
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
            report::Statement::freeze(&Db::open(path)?, &month, session.now())?
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

/// From here on Ctrl-C stops what the database is asked: a report is one long call that leaves no room for anything
/// else on this thread. Whatever is asked after that is stopped too, so that no query slips through.
fn stop_at_ctrl_c(db: &Db) {
    let interrupt = db.interrupter();
    let (listening, listens) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let pressed = async {
            let mut pressed = std::pin::pin!(tokio::signal::ctrl_c());
            // it listens from its first poll on
            tokio::select! {
                biased;
                result = &mut pressed => return result,
                () = std::future::ready(()) => {}
            }
            // nobody waits any more: then nobody needs to know
            let _ = listening.send(());
            pressed.await
        };
        // without a runtime Ctrl-C ends the process as it ends any other
        if runtime.is_ok_and(|runtime| runtime.block_on(pressed).is_ok()) {
            loop {
                interrupt();
                std::thread::sleep(STOP_AGAIN_AFTER);
            }
        }
    });
    // an error says that the thread is gone already
    let _ = listens.recv();
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
    match format {
        Format::Table => report::write_table(&request.run(db)?, &freshness, terminal(), out),
        Format::Json => report::write_json(request, &request.run(db)?, &freshness, out),
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
        Format::Markdown => report::write_markdown(&request.run(db)?, &freshness, out),
        Format::Html => report::write_html(request, &request.run(db)?, &freshness, out),
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
    let db = Db::open_reader(&session.config.paths.database)?;
    stop_at_ctrl_c(&db);
    let dashboard = Dashboard::make(&db, moment)?;
    let path = &arguments.output;
    files::replace_private(path, dashboard.html.as_bytes()).map_err(|error| {
        Failure::config(format!("cannot write {}: {error}", path.display())).hint("name a file in a folder that exists")
    })?;
    let size = screen::bytes(dashboard.html.len() as u64);
    (session.talk)(&format!("wrote {} ({size})", path.display()));
    (session.talk)(&dashboard.freshness.line());
    let own = Catalog::load(Some(&session.config.paths.queries));
    for report in own.iter().flat_map(Catalog::reports).filter(|report| report.source == report::Source::User) {
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
    let catalog = Catalog::load(Some(&session.config.paths.queries))?;
    let moment = Moment::new(arguments.as_of.as_deref(), session.now())?;
    let parameters = arguments.parameters.iter().map(|text| report::assignment(text)).collect::<Result<_>>()?;
    let db = Db::open_reader(&session.config.paths.database)?;
    let options = report::ExportOptions { folder: arguments.folder, only: arguments.only, parameters, moment };
    stop_at_ctrl_c(&db);
    let manifest = report::export(&db, &catalog, &options)?;
    session.answer(out, &serde_json::to_value(&manifest)?, || {
        let reports = screen::counted(manifest.reports.len() as u64, "report", "reports");
        format!("wrote {reports} as CSV and manifest.json to {}", options.folder.display())
    })?;
    Ok(0)
}
