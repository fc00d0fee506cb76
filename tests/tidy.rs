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
    ("clap::", &["cli.rs", "cli/", "main.rs"]),
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
