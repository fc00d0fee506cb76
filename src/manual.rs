//! The manual pages, made from the same description of the command line as the help, with what help has no room for:
//! exit codes, files and the environment. Printed, or written to a folder, one page for each command.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::examples::{self, EXAMPLES};
use crate::failure::Failure;
use crate::files::{create_private_folder, write_atomically};
use crate::screen::counted;
use crate::session::Session;

const MANUAL: &str = "storemirror manual";

/// Term and explanation.
type Entries = &'static [(&'static str, &'static str)];

const EXIT_STATUS: Entries = &[
    ("0", "Done."),
    ("1", "Failed: the network after all retries, or an internal error."),
    ("2", "Wrong usage, configuration or SQL of yours; a missing secret."),
    ("3", "Finished, but not everything arrived: quarantined, rejected, waiting, possibly truncated, suspicious."),
    ("4", "Credentials or scope refused."),
    ("5", "Another process is writing."),
    ("130", "Stopped with Ctrl-C; the same command goes on from there."),
];

const FILES: Entries = &[
    (
        "~/.config/storemirror/config.toml",
        "The configuration ($XDG_CONFIG_HOME). storemirror init writes one with every key explained.",
    ),
    ("~/.config/storemirror/credentials.toml", "Secrets, for its owner alone (mode 0600)."),
    ("~/.config/storemirror/queries/*.sql", "Your own reports."),
    ("~/.local/share/storemirror/mirror.db", "The mirror ($XDG_DATA_HOME)."),
    ("~/.local/state/storemirror/", "Access tokens and request times, shared between processes ($XDG_STATE_HOME)."),
];

const ENVIRONMENT: Entries = &[
    ("STOREMIRROR_CONFIG, STOREMIRROR_DB", "The configuration and the database, where no flag names them."),
    ("STOREMIRROR_STORES_NAME_CLIENT_SECRET, STOREMIRROR_STORES_NAME_REFRESH_TOKEN", "The secrets of the store NAME."),
    ("STOREMIRROR_CRM_CLIENT_SECRET, STOREMIRROR_CRM_REFRESH_TOKEN", "The secrets of the CRM."),
    ("NO_COLOR", "No colours and no progress bars."),
];

/// One page: its file name and its text.
struct Page {
    name: String,
    text: Vec<u8>,
}

/// Prints the main page, or writes all pages to `folder`.
///
/// # Errors
/// `config` when the folder cannot be written to.
pub(crate) fn run(session: &Session, folder: Option<&Path>, out: &mut dyn Write) -> Result<u8> {
    let pages = pages()?;
    let Some(folder) = folder else {
        let main = pages.first().map_or(&[][..], |page| &page.text);
        if session.json {
            let text = String::from_utf8_lossy(main);
            writeln!(out, "{}", serde_json::json!({ "command": "man", "exit": 0, "page": text, "error": null }))?;
        } else {
            out.write_all(main)?;
        }
        return Ok(0);
    };
    create_private_folder(folder).map_err(Failure::config)?;
    for page in &pages {
        let path = folder.join(&page.name);
        write_atomically(&path, &page.text, false)
            .map_err(|error| Failure::config(format!("cannot write {}: {error}", path.display())))?;
    }
    let names: Vec<&str> = pages.iter().map(|page| page.name.as_str()).collect();
    let json = serde_json::json!({ "command": "man", "exit": 0, "folder": folder.display().to_string(), "pages": names, "error": null });
    session.answer(out, &json, || {
        let count = counted(names.len() as u64, "page", "pages");
        format!("wrote {count} to {}; read one with: man -l {}", folder.display(), folder.join(names[0]).display())
    })?;
    Ok(0)
}

/// The main page first, then every command's.
fn pages() -> Result<Vec<Page>> {
    let mut command = examples::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    collect(&command, &[], &mut pages)?;
    Ok(pages)
}

fn collect(command: &Command, path: &[&str], pages: &mut Vec<Page>) -> Result<()> {
    pages.push(page(command, path)?);
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        collect(subcommand, &[path, &[subcommand.get_name()]].concat(), pages)?;
    }
    Ok(())
}

fn page(command: &Command, path: &[&str]) -> Result<Page> {
    let man = Man::new(command.clone());
    // no date, so that the same version makes the same bytes; the crate's own title would lose the empty place
    let title = command.get_display_name().unwrap_or_else(|| command.get_name()).to_uppercase();
    let mut text =
        format!(".TH \"{title}\" \"1\" \"\" \"storemirror {}\" \"{MANUAL}\"\n", env!("CARGO_PKG_VERSION")).into_bytes();
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    examples_section(&path.join(" ")).to_writer(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    if path.is_empty() {
        for (title, entries) in [("EXIT STATUS", EXIT_STATUS), ("FILES", FILES), ("ENVIRONMENT", ENVIRONMENT)] {
            section(title, entries).to_writer(&mut text)?;
        }
    } else {
        let mut roff = Roff::new();
        roff.control("SH", ["SEE ALSO"]).text([bold("storemirror"), roman("(1)")]);
        roff.to_writer(&mut text)?;
    }
    Ok(Page { name: man.get_filename(), text })
}

fn examples_section(path: &str) -> Roff {
    let mut roff = Roff::new();
    let Some((_, examples)) = EXAMPLES.iter().find(|(command, _)| *command == path) else { return roff };
    roff.control("SH", ["EXAMPLES"]);
    for (typed, what) in *examples {
        roff.control("TP", []).text([bold(format!("storemirror {typed}").trim_end())]).text([roman(*what)]);
    }
    roff
}

fn section(title: &str, entries: Entries) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (term, explanation) in entries {
        roff.control("TP", []).text([bold(*term)]).text([roman(*explanation)]);
    }
    roff
}
