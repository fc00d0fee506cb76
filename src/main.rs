//! Parse, run, say what went wrong once, and end with the contract's exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use storemirror::cli::Cli;
use storemirror::failure::{Code, Failure};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let json = cli.global.json;
    let command = cli.command.name();
    let mut stdout = std::io::stdout().lock();
    let exit = match storemirror::run(cli, &mut stdout).and_then(|exit| Ok(stdout.flush().map(|()| exit)?)) {
        Ok(exit) => exit,
        // whoever reads has seen enough
        Err(error) if is_closed_pipe(&error) => 0,
        Err(error) => report(&mut stdout, command, json, &Failure::of(&error)),
    };
    ExitCode::from(exit)
}

/// Help and version are answers; anything else that cannot be parsed is wrong usage.
fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args().any(|argument| argument == "--json") {
        let message = error.to_string();
        let first = message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let failure = Failure::config(first).hint("see storemirror --help");
        return ExitCode::from(report(&mut std::io::stdout(), "", true, &failure));
    }
    // a closed pipe is no failure of ours
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
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
        eprintln!("storemirror: {failure}");
        if let Some(hint) = &failure.hint {
            eprintln!("  {hint}");
        }
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
