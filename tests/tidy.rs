//! The house checks itself: boundaries between rooms, sizes, headers, and that the README tells of what is there.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The path below `src/`, for rules and messages.
fn room(path: &Path) -> String {
    path.strip_prefix(root().join("src")).unwrap().to_string_lossy().replace('\\', "/")
}

/// What only certain rooms may name: (text, the rooms' path prefixes).
const BOUNDARIES: [(&str, &[&str]); 8] = [
    ("reqwest::", &["api/"]),
    ("rusqlite::", &["db/"]),
    ("refinery::", &["db/"]),
    ("clap::", &["cli", "completions.rs", "main.rs", "manual.rs"]),
    ("hyper::", &["sim/"]),
    ("Utc::now", &["lib.rs", "api/"]),
    ("SystemTime::now", &["lib.rs", "api/"]),
    (
        "crate::db",
        &[
            "lib.rs",
            "crm.rs",
            "dashboard",
            "db/",
            "ingest",
            "notify",
            "push",
            "report",
            "status.rs",
            "explain.rs",
            "demo.rs",
            "interrupt.rs",
            "next.rs",
            "session.rs",
            "report_commands.rs",
            "keep.rs",
            "forget.rs",
            "doctor",
        ],
    ),
];

#[test]
fn each_room_keeps_to_itself() {
    for path in sources(&root().join("src")) {
        let room = room(&path);
        let text = fs::read_to_string(&path).unwrap();
        for (name, rooms) in BOUNDARIES {
            let allowed = rooms.iter().any(|allowed| room.starts_with(allowed));
            assert!(allowed || !text.contains(name), "src/{room} must not name {name}");
        }
        let crosses = (room.starts_with("api/") && text.contains("crate::db"))
            || (room.starts_with("db/") && text.contains("crate::api"));
        assert!(!crosses, "src/{room}: api and db never name each other");
        let deeper = ["crate::api", "crate::db", "crate::config", "crate::sim"];
        assert!(
            !room.starts_with("model/") || deeper.iter().all(|name| !text.contains(name)),
            "src/{room}: the model rests on nothing"
        );
        if room.starts_with("sim/") {
            assert!(
                !["crate::api", "crate::db", "crate::model"].iter().any(|name| text.contains(name)),
                "src/{room}: the simulator stands alone"
            );
        }
    }
}

#[test]
fn kinds_are_told_apart_in_one_file() {
    for path in sources(&root().join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let matches = text.contains("match kind") || text.contains("match self.kind");
        assert!(
            !matches || room(&path) == "model/kind.rs" || room(&path).starts_with("sim/"),
            "{} matches on the kind",
            room(&path)
        );
    }
}

#[test]
fn files_have_a_header_and_a_size() {
    for folder in ["src", "tests"] {
        for path in sources(&root().join(folder)) {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("//!"), "{} opens without a //! header", path.display());
            let lines = text.lines().count();
            assert!(lines <= 600, "{} has {lines} lines", path.display());
        }
    }
}

#[test]
fn migrations_open_with_their_reason() {
    for entry in fs::read_dir(root().join("migrations")).unwrap() {
        let path = entry.unwrap().path();
        assert!(fs::read_to_string(&path).unwrap().starts_with("-- "), "{} has no opening comment", path.display());
    }
}

/// A release without a word about it cannot be built.
#[test]
fn the_changelog_knows_the_current_version() {
    let text = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let sections: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(sections.first(), Some(&"[Unreleased]"), "what comes next is noted at the top");
    let of_version = |section: &&&str| section.starts_with(&format!("[{version}]"));
    assert!(sections.iter().find(of_version).is_some(), "CHANGELOG.md has no section [{version}]: {sections:?}");
    for section in &sections[1..] {
        let (name, day) = section.split_once(" - ").unwrap_or((section, "2026-01-01"));
        assert!(name.starts_with('[') && name.ends_with(']'), "{section}");
        assert!(chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").is_ok(), "{section}: its day");
    }
    let kinds = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
    for heading in text.lines().filter_map(|line| line.strip_prefix("### ")) {
        assert!(kinds.contains(&heading), "{heading} is none of Keep a Changelog's kinds");
    }
}

/// What the package is made of is there, or is made by its script.
#[test]
fn the_packages_files_exist() {
    let manifest: toml::Table = toml::from_str(&fs::read_to_string(root().join("Cargo.toml")).unwrap()).unwrap();
    let script = fs::read_to_string(root().join("packaging/deb.sh")).unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    for asset in assets {
        let source = asset[0].as_str().unwrap();
        let (folder, name) = source.rsplit_once('/').unwrap_or((".", source));
        match folder.strip_prefix("target/packaging/") {
            Some(made) if name.starts_with('*') => assert!(script.contains(&format!("\"$made/{made}\"")), "{source}"),
            Some(made) => assert!(script.contains(&format!("\"$made/{made}/{name}\"")), "{source}"),
            None if folder == "target/release" => assert_eq!(name, env!("CARGO_PKG_NAME")),
            None if name.starts_with('*') => assert!(root().join(folder).is_dir(), "{source}"),
            None => assert!(root().join(source).is_file(), "{source}"),
        }
    }
    assert!(assets.len() >= 10, "{assets:?}");
}

/// Units that start what is no command would fail every night.
#[test]
fn the_packages_units_run_commands_that_there_are() {
    let folder = root().join("packaging/systemd");
    let mut services = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "timer") {
            assert!(path.with_extension("service").is_file(), "{}", path.display());
            assert!(text.contains("OnCalendar=") && text.contains("WantedBy=timers.target"), "{text}");
            continue;
        }
        assert!(path.with_extension("timer").is_file(), "{}", path.display());
        let command = text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/storemirror ")).unwrap();
        let home = tempfile::tempdir().unwrap();
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        crate::support::finish(crate::support::program(home.path()).args(&arguments)).exits(0);
        services += 1;
    }
    assert_eq!(services, 2);
}
