//! The pages people read: every command in README.md and docs/ runs against the simulator or says why not, what is
//! quoted from the program stands in the program, and every link leads somewhere.
//!
//! A *page* is one Markdown file. Its `sh` blocks are read from top to bottom as one session in a fresh folder that
//! holds `config.toml`, and `mirror.db` unless the page begins with connecting. A comment `# exits with 3` says what a
//! line ends with, and `# not tested: REASON` that the line is left out.

mod extract;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use extract::{Line, Run, lines};
use stage::Stage;

use crate::support::has_sqlite3;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// README.md and docs/*.md: their names below the repository, and their texts.
fn pages() -> Vec<(String, String)> {
    let mut names = vec!["README.md".to_owned()];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            names.push(format!("docs/{name}"));
        }
    }
    names.sort();
    names.into_iter().map(|name| (name.clone(), fs::read_to_string(root().join(&name)).unwrap())).collect()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

#[test]
fn every_command_of_the_pages_runs_or_says_why_not() {
    let has_sqlite3 = has_sqlite3("every sqlite3 line of the docs");
    let (wrong, ran) = (Mutex::new(Vec::new()), Mutex::new(0));
    std::thread::scope(|scope| {
        for (name, text) in pages() {
            let (wrong, ran) = (&wrong, &ran);
            scope.spawn(move || {
                let lines = match lines(&text) {
                    Ok(lines) => lines,
                    Err(reason) => return wrong.lock().unwrap().push(format!("{name}, {reason}")),
                };
                let mut stage = None;
                for Line { number, text: line, run } in lines {
                    match run {
                        Run::NotTested(reason) => {
                            let command = line.split("  #").next().unwrap().trim_end();
                            eprintln!("not tested: {name}, line {number}: {command} ({reason})");
                        }
                        Run::Exits(_) if line.starts_with("sqlite3 ") && !has_sqlite3 => {}
                        Run::Exits(code) => {
                            let stage = stage.get_or_insert_with(|| Stage::of(&name, &text));
                            if let Err(reason) = stage.run(&line, code) {
                                wrong.lock().unwrap().push(format!("{name}, line {number}: {line}\n{reason}"));
                            }
                            *ran.lock().unwrap() += 1;
                        }
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let ran = ran.into_inner().unwrap();
    assert!(ran >= 40, "only {ran} commands were run");
}

/// A command or flag in running text is one that there is, though its placeholders cannot be run.
#[test]
fn what_the_text_calls_a_command_is_one() {
    let mut found = 0;
    for (name, text) in pages() {
        for span in extract::spans(&text).into_iter().filter(|span| extract::is_a_call(span)) {
            if let Some(reason) = extract::misspelt(&span) {
                panic!("{name}: `{span}`: {reason}");
            }
            found += 1;
        }
    }
    assert!(found >= 60, "only {found} commands in the text");
}

#[test]
fn the_cookbook_has_twenty_recipes_and_each_says_what_it_answers() {
    let text = page("cookbook.md");
    let recipes = lines(&text).unwrap();
    assert!(recipes.iter().filter(|line| line.text.starts_with("sqlite3 ")).count() >= 20, "{}", recipes.len());
    let all: Vec<&str> = text.lines().collect();
    for line in recipes {
        assert!(all[line.number - 2].starts_with("# "), "cookbook.md, line {}: no comment before it", line.number);
    }
}

/// What the cookbook adds up is what the reports add up, to the cent.
#[test]
fn the_cookbooks_sums_are_the_reports() {
    if !has_sqlite3("the_cookbooks_sums_are_the_reports") {
        return;
    }
    let text = page("cookbook.md");
    let stage = Stage::of("docs/cookbook.md", &text);
    let recipe = |question: &str| {
        let (_, rest) = text.split_once(question).unwrap_or_else(|| panic!("no recipe {question:?}"));
        let line = &lines(&format!("```sh\n{}", rest.split_once('\n').unwrap().1)).unwrap()[0].text;
        // aligned in its box; bare here
        stage.output(&line.replacen("sqlite3 -box", "sqlite3 -csv -noheader", 1)).replace(['"', ' '], "")
    };
    let report = |words: &str, columns: &[usize]| {
        let csv = stage.output(&format!("storemirror report {words} --format csv"));
        let rows = csv.lines().skip(1).map(|row| {
            let cells: Vec<&str> = row.split(',').collect();
            columns.iter().map(|column| cells[*column]).collect::<Vec<_>>().join(",")
        });
        rows.collect::<Vec<_>>()
    };
    let owed = recipe("# what is each entity going to pay me");
    // store, entity, payout currency, state, records, net payout, balance
    let mut states = std::collections::BTreeMap::new();
    for row in report("commissions_by_state", &[1, 2, 3, 6]) {
        let cells: Vec<&str> = row.split(',').collect();
        if ["active", "requested"].contains(&cells[2]) {
            let cents: i64 = cells[3].replace('.', "").parse().unwrap();
            *states.entry(format!("{},{}", cells[0], cells[1])).or_insert(0_i64) += cents;
        }
    }
    assert!(!states.is_empty());
    for (who, cents) in states {
        let sign = if cents < 0 { "-" } else { "" };
        let wanted = format!("{},{sign}{}.{:02}", who.replace(' ', ""), cents.abs() / 100, cents.abs() % 100);
        assert!(owed.lines().any(|line| line == wanted), "{wanted} is not in {owed}");
    }
}

/// Whether every fixed part of a quoted message stands in one file of the sources, whatever fills its `…`.
fn is_said(message: &str, sources: &[String]) -> bool {
    let parts: Vec<&str> = message.split('…').map(str::trim).filter(|part| part.len() > 2).collect();
    !parts.is_empty() && sources.iter().any(|source| parts.iter().all(|part| source.contains(part)))
}

/// The sources' texts with their string literals as they are said: joined over lines, quotes unescaped.
fn said() -> Vec<String> {
    fn files(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("sim") {
                files(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(joined(&fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    files(&root().join("src"), &mut found);
    found
}

fn joined(source: &str) -> String {
    let mut text = String::new();
    let mut continues = false;
    for line in source.lines() {
        let line = if continues { line.trim_start() } else { line };
        continues = line.ends_with('\\');
        text += line.strip_suffix('\\').unwrap_or(line);
        if !continues {
            text.push('\n');
        }
    }
    text.replace("\\\"", "\"")
}

#[test]
fn every_message_in_troubleshooting_is_said_by_the_program() {
    let sources = said();
    let text = page("troubleshooting.md");
    let mut count = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("### ")) {
        let quoted: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        assert!(!quoted.is_empty(), "troubleshooting.md: {line:?} quotes nothing");
        for message in quoted {
            assert!(is_said(message, &sources), "troubleshooting.md: nothing in src/ says {message:?}");
            count += 1;
        }
    }
    assert!(count >= 30, "only {count} messages");
}

#[test]
fn a_message_that_nobody_says_is_noticed() {
    let source = joined("hint(\"wait until \\\n     it is {} \\\"over\\\" now\")");
    assert!(is_said("wait until it is … \"over\" now", std::slice::from_ref(&source)));
    assert!(!is_said("wait until … tomorrow", std::slice::from_ref(&source)));
    assert!(!is_said("…", &[source]));
}

#[test]
fn every_link_of_the_pages_leads_to_a_file() {
    for (name, text) in pages() {
        let folder = root().join(&name).parent().unwrap().to_path_buf();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let file = link.split('#').next().unwrap();
            let elsewhere = link.contains("://") || file.is_empty();
            assert!(elsewhere || folder.join(file).exists(), "{name} links to {link}, which is not there");
        }
    }
}

#[test]
fn the_readme_leads_to_every_page() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for name in ["getting-started", "migration", "cookbook", "tools", "troubleshooting"] {
        assert!(readme.contains(&format!("(docs/{name}.md)")), "README.md has no link to docs/{name}.md");
    }
}
