//! The data dictionary: what the command prints is what `docs/dictionary.md` holds, and nothing is left unexplained.

use std::path::Path;

use serde_json::Value;
use storemirror::model::objects;

use crate::support::{finish, program};

/// The command's answer, without any configuration or mirror.
fn dictionary(arguments: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    finish(program(home.path()).arg("dictionary").args(arguments)).exits(0).stdout
}

#[test]
fn the_file_in_docs_is_what_the_command_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dictionary.md");
    let printed = dictionary(&["--format", "markdown"]);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &printed).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (line, wanted)) in kept.lines().zip(printed.lines()).enumerate() {
        assert_eq!(line, wanted, "docs/dictionary.md line {}; UPDATE_GOLDEN=1 rewrites it", number + 1);
    }
    assert_eq!(kept.lines().count(), printed.lines().count(), "docs/dictionary.md; UPDATE_GOLDEN=1 rewrites it");
}

#[test]
fn every_object_and_column_is_explained() {
    let answer: Value = serde_json::from_str(&dictionary(&["--json"])).unwrap();
    assert_eq!(answer["command"], "dictionary");
    let objects = answer["objects"].as_array().unwrap();
    let mut columns = 0;
    for object in objects {
        assert_ne!(object["meaning"], "", "src/model/object_meanings.rs says nothing of {}", object["object"]);
        for column in object["columns"].as_array().unwrap() {
            assert_ne!(column["meaning"], "", "{} {}", object["object"], column["column"]);
            columns += 1;
        }
    }
    assert_eq!(columns, objects::dictionary().len());
    assert_eq!(serde_json::from_str::<Value>(&dictionary(&["--format", "json"])).unwrap(), answer);
}

#[test]
fn a_column_tells_where_it_comes_from_and_where_it_goes() {
    let markdown = dictionary(&["--format", "markdown"]);
    for line in [
        "## subscriptions",
        "| `next_recurring_amount_micros` | INTEGER | millionths of currency | `/next_recurring_amount` |  | the next amount |",
        "| `company_name` | TEXT |  | `/customer_company_name` | `Company_Name` |",
    ] {
        let start = line.split(" | ").take(5).collect::<Vec<_>>().join(" | ");
        assert!(markdown.lines().any(|written| written.starts_with(&start)), "{start}");
    }
    let table = dictionary(&[]);
    assert!(table.starts_with("subscriptions: View for people"), "{}", &table[..200]);
    let words: Vec<&str> = table.split_whitespace().collect();
    let said = words.join(" ");
    assert!(said.contains("company_name the customer's company [TEXT; API /customer_company_name"), "{table}");
}
