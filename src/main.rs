//! Parse, run, say what went wrong once, and end with the contract's exit code.

use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use storemirror::cli::Cli;
use storemirror::failure::{Code, Failure, io_kind};
use storemirror::screen::{Shown, lines};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let json = cli.global.json;
    let command = cli.command.name();
    let mut stdout = stdout();
    let exit = match storemirror::run(cli, &mut stdout).and_then(|exit| Ok(stdout.flush().map(|()| exit)?)) {
        Ok(exit) => exit,
        // whoever reads has seen enough
        Err(error) if io_kind(&error) == Some(ErrorKind::BrokenPipe) => 0,
        Err(error) => report(&mut stdout, command, json, &Failure::of(&error)),
    };
    ExitCode::from(exit)
}

/// Where data goes. On a terminal nothing in it steers what is shown; a pipe or a file gets every byte as it is.
fn stdout() -> Box<dyn Write> {
    let stdout = std::io::stdout().lock();
    if stdout.is_terminal() { Box::new(Shown::new(stdout)) } else { Box::new(stdout) }
}

/// Help and version are answers; anything else that cannot be parsed is wrong usage.
fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args().any(|argument| argument == "--json") {
        let message = error.to_string();
        let first = message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let failure = Failure::config(first).hint("see storemirror --help");
        return ExitCode::from(report(&mut stdout(), "", true, &failure));
    }
    // a closed pipe is no failure of ours
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

#[expect(clippy::print_stderr, reason = "the one place where a failure is said")]
fn report(stdout: &mut dyn Write, command: &str, json: bool, failure: &Failure) -> u8 {
    let exit = failure.code.exit();
    if json {
        let object =
            serde_json::json!({ "command": command, "exit": exit, "error": storemirror::failure::json(failure) });
        // a closed pipe is no failure of ours
        let _ = writeln!(stdout, "{object}");
    }
    if !json || failure.code == Code::Internal {
        eprintln!("storemirror: {}", lines(&failure.message));
        if let Some(hint) = &failure.hint {
            eprintln!("  {}", lines(hint));
        }
    }
    exit
}
