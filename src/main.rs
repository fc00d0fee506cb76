//! Parse, run, say what went wrong once, and end with the contract's exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::FromArgMatches;
use clap::error::{ContextKind, ContextValue};
use storemirror::cli::{self, Cli};
use storemirror::failure::{Code, Failure};
use storemirror::model::nearest::nearest;
use storemirror::screen::{fit, width};

fn main() -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    if storemirror::completions::answer(&mut stdout) {
        return ExitCode::SUCCESS;
    }
    let parsed = cli::examples::command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return usage(&mut stdout, &error),
    };
    let json = cli.global.json;
    let command = cli.command_name();
    let exit = match storemirror::run(cli, &mut stdout).and_then(|exit| Ok(stdout.flush().map(|()| exit)?)) {
        Ok(exit) => exit,
        // whoever reads has seen enough
        Err(error) if is_closed_pipe(&error) => 0,
        Err(error) => report(&mut stdout, command, json, &Failure::of(&error)),
    };
    ExitCode::from(exit)
}

/// Help and version are answers; anything else that cannot be parsed is wrong usage.
fn usage(stdout: &mut impl Write, error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        let typed: Vec<_> = std::env::args_os().skip(1).collect();
        let json = typed.iter().any(|argument| argument == "--json");
        // what was meant to run, where that much is clear
        let known = cli::examples::command();
        let command = typed.iter().find_map(|word| known.find_subcommand(word)).map_or("", clap::Command::get_name);
        return ExitCode::from(report(stdout, command, json, &usage_failure(error)));
    }
    // a closed pipe is no failure of ours
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// What clap says over several paragraphs, as a message and a hint like those of every other failure.
fn usage_failure(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let paragraphs: Vec<String> =
        text.split("\n\n").map(|lines| lines.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let message = paragraphs.first().map_or("", |first| first.trim_start_matches("error: "));
    let usage = paragraphs.iter().find_map(|paragraph| paragraph.strip_prefix("Usage: "));
    let meant = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let near = meant.into_iter().find_map(|kind| match error.get(kind)? {
        ContextValue::String(near) => Some(near.clone()),
        // the best one comes last
        ContextValue::Strings(near) => near.last().cloned(),
        _ => None,
    });
    let near = near.or_else(|| match (error.get(ContextKind::InvalidValue)?, error.get(ContextKind::ValidValue)?) {
        (ContextValue::String(typed), ContextValue::Strings(known)) => {
            nearest(typed, known.iter().map(String::as_str)).map(str::to_owned)
        }
        _ => None,
    });
    Failure::config(message).hint(match (near, usage) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, Some(usage)) => format!("usage: {usage}"),
        (None, None) => "see storemirror --help".to_owned(),
    })
}

#[expect(clippy::print_stderr, reason = "the one place where a failure is said")]
fn report(stdout: &mut impl Write, command: &str, json: bool, failure: &Failure) -> u8 {
    let exit = failure.code.exit();
    if json {
        let object =
            serde_json::json!({ "command": command, "exit": exit, "error": storemirror::failure::json(failure) });
        // a closed pipe is no failure of ours
        let _ = writeln!(stdout, "{object}");
    }
    if !json || failure.code == Code::Internal {
        let mut said = format!("storemirror: {failure}");
        if let Some(hint) = &failure.hint {
            said.push_str(&format!("\n  {hint}"));
        }
        // a log keeps each message in a line
        let screen = console::Term::stderr();
        eprintln!("{}", if screen.is_term() { fit(&said, width(&screen)) } else { said });
    }
    exit
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    use std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        let csv = cause.downcast_ref::<csv::Error>().and_then(|error| match error.kind() {
            csv::ErrorKind::Io(error) => Some(error.kind()),
            _ => None,
        });
        [io, json, csv].contains(&Some(BrokenPipe))
    })
}
