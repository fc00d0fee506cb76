//! Commands as a page shows them: the lines of its `sh` blocks, and the calls in its text.

use clap::Parser as _;
use clap::error::ErrorKind;

/// One command of a page.
#[derive(Debug, PartialEq)]
pub struct Line {
    /// Where it begins, from 1.
    pub number: usize,
    /// As the shell gets it, also over several lines.
    pub text: String,
    pub run: Run,
}

#[derive(Debug, PartialEq)]
pub enum Run {
    /// It is run, and ends with this.
    Exits(i32),
    /// It is not, and why.
    NotTested(String),
}

/// What the tests run; a line that begins with another program says why it is not run.
const RUN: [&str; 3] = ["storemirror", "sqlite3", "cd"];

/// Programs that need no word of their own: they build and test this project, and `.ci/run` runs them.
const BUILD: [(&str, &str); 2] = [("cargo", "builds the project"), ("rustup", "fetches a compiler")];

const NOT_TESTED: &str = "# not tested: ";
const EXITS: &str = "# exits with ";

/// The commands of all `sh` blocks, in order.
///
/// # Errors
/// Names the line that neither can be run nor says why, or whose quotes do not close.
pub fn lines(page: &str) -> Result<Vec<Line>, String> {
    let mut found = Vec::new();
    let mut block: Option<&str> = None;
    let mut open: Option<(usize, String)> = None;
    for (at, line) in page.lines().enumerate() {
        let number = at + 1;
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            if let Some((begun, text)) = open {
                return Err(format!("line {begun}: a quote stays open in {text}"));
            }
            block = if block.is_some() { None } else { Some(kind) };
            continue;
        }
        match block {
            Some("sh") => {
                let (begun, text) = match open.take() {
                    Some((begun, before)) => (begun, format!("{before}\n{line}")),
                    None => (number, line.to_owned()),
                };
                match shlex::split(&text) {
                    None => open = Some((begun, text)),
                    Some(words) if words.is_empty() => {}
                    Some(words) => found.push(command(begun, text, &words)?),
                }
            }
            Some(_) if line.trim_start_matches("$ ").starts_with("storemirror ") => {
                return Err(format!("line {number}: a command outside a `sh` block is not tested: {line}"));
            }
            _ => {}
        }
    }
    match open {
        Some((begun, text)) => Err(format!("line {begun}: a quote stays open in {text}")),
        None => Ok(found),
    }
}

fn command(number: usize, text: String, words: &[String]) -> Result<Line, String> {
    let program = words.iter().find(|word| !is_variable(word)).map_or("", String::as_str);
    let build = BUILD.iter().find(|(name, _)| *name == program).map(|(_, reason)| (*reason).to_owned());
    let marked = text.split_once(NOT_TESTED).map(|(_, reason)| reason.trim().to_owned());
    let run = match marked.or(build) {
        Some(reason) if reason.is_empty() => return Err(format!("line {number}: not tested for no reason: {text}")),
        Some(reason) => Run::NotTested(reason),
        None if !RUN.contains(&program) => {
            return Err(format!(
                "line {number}: the tests do not run {program}; write why behind it (\"{NOT_TESTED}needs …\"): {text}"
            ));
        }
        None => match text.split_once(EXITS) {
            Some((_, code)) => {
                let digits: String = code.chars().take_while(char::is_ascii_digit).collect();
                Run::Exits(digits.parse().map_err(|_| format!("line {number}: no exit code in {text}"))?)
            }
            None => Run::Exits(0),
        },
    };
    Ok(Line { number, text, run })
}

/// `NAME=value` before a program.
fn is_variable(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
}

/// The inline code of a page, without its blocks.
pub fn spans(page: &str) -> Vec<String> {
    let mut outside = String::new();
    let mut in_block = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            outside.push_str(line);
            outside.push(' ');
        }
    }
    outside.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A call that can be parsed: of this program, and not a form with brackets, dots or any COMMAND, nor work for a shell.
pub fn is_a_call(span: &str) -> bool {
    span.starts_with("storemirror ") && !span.contains(['…', '[', '|', '$']) && !span.contains(" COMMAND")
}

/// What the command line has against a call, other than that placeholders such as `HOURS` are no values or that
/// something is left out.
pub fn misspelt(span: &str) -> Option<String> {
    let words = shlex::split(span)?;
    let error = storemirror::cli::Cli::try_parse_from(words).err()?;
    let unknown = [ErrorKind::UnknownArgument, ErrorKind::InvalidSubcommand, ErrorKind::ArgumentConflict];
    unknown.contains(&error.kind()).then(|| error.to_string())
}

#[test]
fn a_page_gives_its_commands_in_order() {
    let page = "`storemirror x`\n```sh\n# all of it\nstoremirror ingest\nsqlite3 a.db \"select 1,\n  2\"  # two\n\n\
        storemirror push  # exits with 3: something waits\nX_Y=1 cargo test\n```\n```text\nstoremirror: it is so\n```\n\
        ```sh\nnpm install  # not tested: needs npm\n```\n";
    let found = lines(page).unwrap();
    let told: Vec<(usize, &Run)> = found.iter().map(|line| (line.number, &line.run)).collect();
    let not = |reason: &str| Run::NotTested(reason.to_owned());
    assert_eq!(
        told,
        [
            (4, &Run::Exits(0)),
            (5, &Run::Exits(0)),
            (8, &Run::Exits(3)),
            (9, &not("builds the project")),
            (15, &not("needs npm"))
        ]
    );
    assert_eq!(found[1].text, "sqlite3 a.db \"select 1,\n  2\"  # two");
}

#[test]
fn what_can_neither_be_run_nor_says_why_is_refused() {
    for (block, reason) in [
        ("```sh\ncurl https://example.com\n```", "do not run curl"),
        ("```sh\nsystemctl --user list-timers\n```", "do not run systemctl"),
        ("```sh\npip install x  # not tested: \n```", "for no reason"),
        ("```sh\nsqlite3 a.db \"select 1\n```\n", "stays open"),
        ("```sh\nsqlite3 a.db \"select 1\n", "stays open"),
        ("```sh\nstoremirror push  # exits with some code\n```", "no exit code"),
        ("```console\n$ storemirror push\n```", "outside a `sh` block"),
    ] {
        let error = lines(block).unwrap_err();
        assert!(error.contains(reason), "{reason}: {error}");
    }
}

#[test]
fn a_call_in_the_text_is_held_against_the_command_line() {
    for good in ["storemirror ingest --no-resume", "storemirror status --max-age HOURS", "storemirror explain KIND ID"]
    {
        assert_eq!(misspelt(good), None, "{good}");
    }
    for bad in
        ["storemirror ingest --no-resum", "storemirror ingst", "storemirror crm chek", "storemirror push --as-of x"]
    {
        assert!(misspelt(bad).is_some(), "{bad}");
    }
    assert!(!is_a_call("storemirror ingest [KIND…]") && is_a_call("storemirror ingest"));
    assert_eq!(spans("a `b` c\n```sh\n`d`\n```\n`e`"), ["b", "e"]);
}
