//! The pages of `docs/` are true: every dependency has its reason, every promise its test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The first cells of a page's tables, where they are set in code.
fn named_first(page: &str) -> Vec<String> {
    page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_direct_dependency_has_its_reason() {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    let tables = sections.iter().filter_map(|name| manifest.get(*name)?.as_table());
    let needed: BTreeSet<String> = tables.flat_map(|table| table.keys().cloned()).collect();
    let page = fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let named = named_first(&page);
    let told: BTreeSet<String> = named.iter().cloned().collect();
    assert_eq!(named.len(), told.len(), "docs/dependencies.md names a crate twice");
    let without: Vec<_> = needed.difference(&told).collect();
    assert!(
        without.is_empty(),
        "docs/dependencies.md: add a line `| `crate` | why this one |` for each of {without:?}"
    );
    let gone: Vec<_> = told.difference(&needed).collect();
    assert!(gone.is_empty(), "docs/dependencies.md: take out {gone:?}, which Cargo.toml does not name");
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        assert!(line.split('|').nth(2).is_some_and(|why| why.trim().len() > 10), "no reason: {line}");
    }
}

/// Every test there is, as `cargo test` names it: module path and function.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["tests", "src"] {
        collect(&root().join(folder), &root().join(folder), folder == "src", &mut found);
    }
    found
}

fn collect(base: &Path, folder: &Path, in_source: bool, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(base, &path, in_source, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module =
                path.strip_prefix(base).unwrap().with_extension("").to_string_lossy().replace(['/', '\\'], "::");
            let module = if in_source { format!("{}::tests", module.trim_end_matches("::mod")) } else { module };
            let text = fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                if let Some(name) = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next()).filter(|_| is_test)
                {
                    found.insert(format!("{module}::{name}"));
                }
                is_test = line == "#[test]" || (is_test && (line.starts_with('#') || line.starts_with("//")));
            }
        }
    }
}

/// Words in code that look like the name of a test: `module::a_sentence`.
fn promised(page: &str) -> Vec<&str> {
    let is_test = |word: &&str| {
        word.contains("::")
            && word
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_:".contains(letter))
    };
    page.split('`').skip(1).step_by(2).filter(is_test).collect()
}

#[test]
fn every_promise_names_a_test_that_is_there() {
    let tests = tests();
    assert!(tests.contains("tidy_docs::every_promise_names_a_test_that_is_there"));
    for page in ["docs/reliability.md", "docs/fuzzing.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        for name in promised(&text) {
            assert!(tests.contains(name), "{page} names `{name}`, and no test is called so");
        }
    }
    let page = fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    let promises: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise")).collect();
    assert!(promises.len() > 20, "{} promises", promises.len());
    for line in promises {
        assert!(!promised(line).is_empty(), "docs/reliability.md: this promise names no test: {line}");
    }
}
