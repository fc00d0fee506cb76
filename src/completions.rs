//! What a shell shows when TAB is pressed. `completions SHELL` prints a script that asks this program, through an
//! environment variable, what may stand at the cursor; so reports, their parameters and the stores are always those of
//! this moment and this machine. Answering contacts nobody, writes nothing and fails silently.
//!
//! The words come from clap's own description of the command line; what clap cannot know is in `SOURCES`. bash and
//! zsh have scripts of ours: theirs split at `=` (bash) or do nothing the first time (zsh), and neither completes `~`.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::{Arg, Command, ValueHint};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, complete};
use clap_complete::env::{Elvish, EnvCompleter, Fish, Powershell};

use crate::cli::{self, Shell};
use crate::config::{Config, DATA_CENTERS, PathFlags};
use crate::model::Kind;
use crate::report::{Catalog, Parameter, Report};
use crate::session::Session;

/// Set by the scripts to the name of the shell that asks.
const VARIABLE: &str = "STOREMIRROR_COMPLETE";
/// bash: the line up to the cursor, and the characters at which it cuts words.
const LINE: &str = "STOREMIRROR_COMPLETE_LINE";
const BREAKS: &str = "STOREMIRROR_COMPLETE_BREAKS";
/// The place of the word at the cursor; the scripts of clap and ours agree on it.
const INDEX: &str = "_CLAP_COMPLETE_INDEX";
const PROGRAM: &str = "storemirror";
/// Stands for "files, as the shell itself completes them".
const FILES: &str = "\u{1}files";

/// Where the values of an argument come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Kinds,
    Stores,
    Reports,
    Parameters,
    DataCenters,
    Files,
    Folders,
    /// Only the person knows.
    Free,
}

/// Argument → source; for one that means different things, behind the last word of its command.
const SOURCES: &[(&str, &str, Source)] = &[
    ("", "kind", Source::Kinds),
    ("", "kinds", Source::Kinds),
    ("", "except", Source::Kinds),
    ("", "stores", Source::Stores),
    ("store", "name", Source::Stores),
    ("report", "name", Source::Reports),
    ("", "only", Source::Reports),
    ("", "parameters", Source::Parameters),
    ("", "data_center", Source::DataCenters),
    ("", "config", Source::Files),
    ("", "db", Source::Files),
    ("", "file", Source::Files),
    ("", "output", Source::Files),
    ("", "switches", Source::Files),
    ("", "queries", Source::Folders),
    ("", "folder", Source::Folders),
    ("", "as_of", Source::Free),
    ("", "at", Source::Free),
    ("", "wait", Source::Free),
    ("", "client_id", Source::Free),
    ("", "commissions", Source::Free),
    ("", "email", Source::Free),
    ("", "id", Source::Free),
    ("", "max_age", Source::Free),
    ("", "max_credits", Source::Free),
    ("", "month", Source::Free),
    ("", "now", Source::Free),
    ("", "port", Source::Free),
    ("", "seed", Source::Free),
    ("", "show", Source::Free),
    ("", "subscriptions", Source::Free),
    ("", "transactions", Source::Free),
];

/// Prints the script for a shell.
pub(crate) fn print(session: &Session, shell: Shell, out: &mut dyn Write) -> Result<u8> {
    let script = script(shell)?;
    if session.json {
        let name = shell.name();
        writeln!(
            out,
            "{}",
            serde_json::json!({ "command": "completions", "exit": 0, "shell": name, "script": script, "error": null })
        )?;
    } else {
        write!(out, "{script}")?;
    }
    Ok(0)
}

fn script(shell: Shell) -> Result<String> {
    let theirs = |completer: &dyn EnvCompleter| {
        let mut text = Vec::new();
        completer.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut text)?;
        Ok(format!("{}\n", String::from_utf8(text)?.trim()))
    };
    match shell {
        Shell::Bash => Ok(include_str!("completions/bash.sh").to_owned()),
        Shell::Zsh => Ok(include_str!("completions/zsh.zsh").to_owned()),
        Shell::Fish => theirs(&Fish),
        Shell::Powershell => theirs(&Powershell),
        Shell::Elvish => theirs(&Elvish),
    }
}

/// The words before and at the cursor.
#[derive(Clone, Debug, Default)]
struct Words {
    all: Vec<String>,
    /// The place of the word at the cursor.
    index: usize,
}

impl Words {
    fn current(&self) -> &str {
        self.all.get(self.index).map_or("", String::as_str)
    }

    /// The value of an option, the last one given.
    fn value_of(&self, option: &str) -> Option<String> {
        let before = &self.all[..self.index.min(self.all.len())];
        let apart = before.windows(2).filter(|pair| pair[0] == option).map(|pair| pair[1].clone());
        let joined = before.iter().filter_map(|word| word.strip_prefix(option)?.strip_prefix('=').map(str::to_owned));
        apart.chain(joined).last()
    }
}

/// Answers a shell that asks what may stand at the cursor; false when none asks.
pub fn answer(out: &mut dyn Write) -> bool {
    let Some(shell) = std::env::var(VARIABLE).ok().filter(|shell| !shell.is_empty()) else { return false };
    // a shell that gets no answer shows nothing, which is all that can be done about an error here
    let _ = write_answer(&shell, out);
    true
}

fn write_answer(shell: &str, out: &mut dyn Write) -> Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip_while(|argument| argument != "--").skip(1).collect();
    let theirs: Option<&dyn EnvCompleter> =
        [&Fish as &dyn EnvCompleter, &Powershell, &Elvish].into_iter().find(|completer| completer.is(shell));
    let words = match shell {
        "bash" => words_of_line(&std::env::var(LINE)?),
        _ => words_of_arguments(&arguments),
    };
    let mut command = dressed(cli::examples::command(), &[], &Arc::new(words.clone()), theirs.is_none());
    let folder = std::env::current_dir().ok();
    if let Some(completer) = theirs {
        return Ok(completer.write_complete(&mut command, arguments, folder.as_deref(), out)?);
    }
    let candidates =
        complete(&mut command, words.all.iter().map(OsString::from).collect(), words.index, folder.as_deref())?;
    let answer = if shell == "bash" {
        let breaks = std::env::var(BREAKS).unwrap_or_default();
        for_bash(&candidates, cut(words.current(), &breaks))
    } else {
        for_zsh(&candidates)
    };
    Ok(out.write_all(answer.as_bytes())?)
}

fn words_of_arguments(arguments: &[OsString]) -> Words {
    let mut all: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let last = all.len().saturating_sub(1);
    let index = std::env::var(INDEX).ok().and_then(|index| index.parse().ok()).unwrap_or(last);
    if all.len() == index {
        all.push(String::new());
    }
    Words { all, index }
}

/// The words of what stands before the cursor, without what bash cut them into. A word may be quoted and unfinished.
fn words_of_line(line: &str) -> Words {
    let split = |end: &str| shlex::split(&format!("{line}{end}"));
    let mut all = split("").or_else(|| split("\"")).or_else(|| split("'")).unwrap_or_default();
    if line.ends_with(char::is_whitespace) {
        all.push(String::new());
    }
    // variables may be set before the program's name
    let is_program = |word: &String| PathBuf::from(word).file_name().is_some_and(|name| name == PROGRAM);
    all.drain(..all.iter().position(is_program).unwrap_or(0));
    Words { index: all.len().saturating_sub(1), all }
}

/// The part of a word that stays when bash puts a candidate in: it replaces only what stands behind a break.
fn cut<'a>(current: &'a str, breaks: &str) -> &'a str {
    let is_break = |character: char| matches!(character, '=' | ':') && breaks.contains(character);
    current.rfind(is_break).map_or("", |at| &current[..=at])
}

/// How the shell is to go on (`files`, `nospace` or `words`), then one candidate a line.
fn for_bash(candidates: &[CompletionCandidate], kept: &str) -> String {
    let values: Vec<String> = candidates.iter().map(|one| one.get_value().to_string_lossy().into_owned()).collect();
    if values.iter().any(|value| value == FILES) {
        return "files\n".to_owned();
    }
    let mode = if values.iter().any(|value| value.ends_with('=')) { "nospace" } else { "words" };
    let lines = values.iter().map(|value| {
        let value = value.strip_prefix(kept).unwrap_or(value);
        // a sign that quoting would add must not hide that the word ends in =
        let is_plain = value.chars().all(|one| one.is_ascii_alphanumeric() || "_-=:./".contains(one));
        if is_plain { format!("{value}\n") } else { format!("{}\n", shlex::try_quote(value).unwrap_or_default()) }
    });
    std::iter::once(format!("{mode}\n")).chain(lines).collect()
}

/// `files`, or `words` and one candidate a line with its help behind a colon.
fn for_zsh(candidates: &[CompletionCandidate]) -> String {
    if candidates.iter().any(|candidate| candidate.get_value() == FILES) {
        return "files\n".to_owned();
    }
    let escaped = |text: &str| text.replace('\\', "\\\\").replace(':', "\\:");
    let lines = candidates.iter().map(|candidate| {
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.lines().next().unwrap_or_default().replace('\\', "\\\\");
        format!("{}:{help}\n", escaped(&candidate.get_value().to_string_lossy()))
    });
    std::iter::once("words\n".to_owned()).chain(lines).collect()
}

/// The command line with a source of values at each argument. Options are offered when one is begun, or when there is
/// nothing else. `native`: the shell completes files better than we can.
fn dressed(command: Command, path: &[&str], words: &Arc<Words>, native: bool) -> Command {
    let wants_option = words.current().starts_with('-');
    let command = if wants_option { command } else { command.disable_help_flag(true).disable_version_flag(true) };
    let command = command.mut_args(|arg| {
        let hidden = arg.is_hide_set() || !wants_option && arg.get_long().is_some();
        let source = source_of(path, &arg);
        with_values(arg, source, path, words, native).hide(hidden)
    });
    command.mut_subcommands(|subcommand| {
        let name = subcommand.get_name().to_owned();
        dressed(subcommand, &[path, &[name.as_str()]].concat(), words, native)
    })
}

fn source_of(path: &[&str], arg: &Arg) -> Option<Source> {
    let last = path.last().copied().unwrap_or_default();
    let fits =
        |entry: &&(&str, &str, Source)| (entry.0.is_empty() || entry.0 == last) && entry.1 == arg.get_id().as_str();
    SOURCES.iter().find(fits).map(|(_, _, source)| *source)
}

fn with_values(arg: Arg, source: Option<Source>, path: &[&str], words: &Arc<Words>, native: bool) -> Arg {
    let values: fn(&Words, &str) -> Vec<CompletionCandidate> = match source {
        None | Some(Source::Free) => return arg,
        Some(Source::Files | Source::Folders) if native => |_, _| vec![CompletionCandidate::new(FILES)],
        Some(Source::Files) => return arg.value_hint(ValueHint::FilePath),
        Some(Source::Folders) => return arg.value_hint(ValueHint::DirPath),
        Some(Source::Kinds) if matches!(path.first(), Some(&("push" | "crm"))) => {
            |_, _| names(Kind::pushed().map(Kind::name))
        }
        Some(Source::Kinds) => |_, _| names(Kind::ALL.into_iter().map(Kind::name)),
        Some(Source::DataCenters) => |_, _| names(DATA_CENTERS.iter().map(|center| center.name)),
        Some(Source::Stores) => |words, _| {
            let config = config(words);
            config.map(|config| names(config.stores.iter().map(|store| store.store_id.as_str()))).unwrap_or_default()
        },
        Some(Source::Reports) => |words, _| {
            let candidate = |report: &Report| described(report.name.clone(), &report.title);
            catalog(words).reports().map(candidate).collect()
        },
        Some(Source::Parameters) => parameters,
    };
    let words = Arc::clone(words);
    arg.add(ArgValueCompleter::new(move |current: &std::ffi::OsStr| {
        let current = current.to_string_lossy();
        let mut candidates = values(&words, &current);
        candidates.retain(|candidate| {
            candidate.get_value() == FILES || candidate.get_value().to_string_lossy().starts_with(current.as_ref())
        });
        candidates
    }))
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<CompletionCandidate> {
    names.map(CompletionCandidate::new).collect()
}

fn described(value: String, help: &str) -> CompletionCandidate {
    CompletionCandidate::new(value).help(Some(help.to_owned().into()))
}

/// `name=` of each parameter of the reports that the line names (all reports, when it names none); behind the `=`, the
/// default.
fn parameters(words: &Words, current: &str) -> Vec<CompletionCandidate> {
    let catalog = catalog(words);
    let named: Vec<&Report> = catalog.reports().filter(|report| words.all.contains(&report.name)).collect();
    let reports = if named.is_empty() { catalog.reports().collect() } else { named };
    let mut known: Vec<&Parameter> = Vec::new();
    for parameter in reports.into_iter().flat_map(|report| &report.parameters) {
        if known.iter().all(|other| other.name != parameter.name) {
            known.push(parameter);
        }
    }
    let candidate = |parameter: &&Parameter| {
        let default = parameter.default_text().unwrap_or_default();
        let value = if current.contains('=') { default } else { String::new() };
        described(format!("{}={value}", parameter.name), &parameter.help)
    };
    known.iter().map(candidate).collect()
}

/// The reports of this machine; the bundled ones when a user's own cannot be read.
fn catalog(words: &Words) -> Catalog {
    let own = config(words).and_then(|config| Catalog::load(&config.paths.queries).ok());
    own.unwrap_or_else(Catalog::bundled)
}

fn config(words: &Words) -> Option<Config> {
    let named = words.value_of("--config").map(OsString::from).or_else(|| std::env::var_os("STOREMIRROR_CONFIG"));
    let flags = PathFlags {
        config: named.map(PathBuf::from),
        queries: words.value_of("--queries").map(PathBuf::from),
        may_be_missing: true,
        ..PathFlags::default()
    };
    Config::load(flags).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_has_a_source_or_a_list() {
        fn visit(command: &Command, path: &[&str], seen: &mut usize) {
            for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
                let listed = !arg.get_possible_values().is_empty();
                assert!(listed || source_of(path, arg).is_some(), "{path:?} {}: no source", arg.get_id());
                *seen += 1;
            }
            for subcommand in command.get_subcommands() {
                visit(subcommand, &[path, &[subcommand.get_name()]].concat(), seen);
            }
        }
        let mut seen = 0;
        visit(&cli::examples::command(), &[], &mut seen);
        assert!(seen > 30, "{seen}");
    }

    #[test]
    fn a_line_is_read_as_the_shell_reads_it() {
        let words = |line: &str| words_of_line(line).all;
        assert_eq!(words("storemirror report x "), ["storemirror", "report", "x", ""]);
        assert_eq!(words("storemirror report --param=wi"), ["storemirror", "report", "--param=wi"]);
        assert_eq!(words("A=1 /usr/bin/storemirror 'rep"), ["/usr/bin/storemirror", "rep"]);
        assert_eq!(words_of_line("storemirror ").index, 1);
        let words = words_of_line("storemirror --config a report --config=b ");
        assert_eq!(words.value_of("--config").as_deref(), Some("b"));
    }

    #[test]
    fn bash_replaces_only_what_stands_behind_a_break() {
        for (word, breaks, kept) in
            [("within=9", "=:", "within="), ("within=9", " ", ""), ("us:1", "=:", "us:"), ("us", "=:", "")]
        {
            assert_eq!(cut(word, breaks), kept);
        }
        let candidates = [CompletionCandidate::new("within=90")];
        assert_eq!(for_bash(&candidates, "within="), "words\n90\n");
    }
}
