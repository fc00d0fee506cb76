//! The commented configuration that `init` writes: every key there is, with its default and what it means. It is never
//! put over a file that is there already.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::files::{create_new, create_private_folder};

/// Comments alone, so that it changes nothing as it stands.
pub const TEMPLATE: &str = include_str!("template.toml");

/// What `init` did.
pub struct Initialized {
    /// The file it wrote; None when it was to be printed.
    path: Option<PathBuf>,
}

/// Writes the template to `path`, in a folder that is its owner's alone.
///
/// # Errors
/// `config` when the file is there already or cannot be written.
pub fn write(path: &Path) -> Result<Initialized> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_private_folder(folder).map_err(Failure::config)?;
    create_new(path, TEMPLATE.as_bytes()).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::config(format!("{} is there already", path.display()))
            .hint("it is left as it is; `storemirror init --print` shows every key, --config FILE names another file"),
        _ => Failure::config(format!("cannot write {}: {error}", path.display())),
    })?;
    Ok(Initialized { path: Some(path.to_owned()) })
}

/// Nothing is written; the text is the answer.
pub fn print() -> Initialized {
    Initialized { path: None }
}

impl Initialized {
    pub fn json(&self) -> Value {
        let mut json = json!({
            "command": "init", "exit": 0, "config": self.path.as_ref().map(|path| path.display().to_string()), "error": null,
        });
        if self.path.is_none() {
            json["text"] = TEMPLATE.into();
        }
        json
    }

    pub fn text(&self) -> String {
        match &self.path {
            None => TEMPLATE.trim_end().to_owned(),
            Some(path) => format!(
                "wrote {}\n\nNext:\n  storemirror connect store us   connect your Partner Store; us is a name of your choice",
                path.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, PathFlags};

    /// The template with every key in force.
    fn uncommented() -> String {
        let keys = TEMPLATE.lines().filter_map(|line| line.strip_prefix('#'));
        keys.filter(|key| !key.starts_with(' ')).map(|key| format!("{key}\n")).collect()
    }

    fn empty() -> (tempfile::TempDir, Config) {
        let folder = tempfile::tempdir().unwrap();
        let flags =
            PathFlags { config: Some(folder.path().join("config.toml")), may_be_missing: true, ..PathFlags::default() };
        let config = Config::load(flags).unwrap();
        (folder, config)
    }

    #[test]
    fn as_it_stands_it_changes_nothing() {
        let (_folder, config) = empty();
        let read = config.with_text(TEMPLATE).unwrap();
        assert!(read.stores.is_empty() && read.crm.is_none());
    }

    #[test]
    fn its_values_are_the_defaults() {
        let (_folder, config) = empty();
        let all = config.with_text(&uncommented()).unwrap();
        let least = "[stores.us]\ndata_center = \"com\"\nclient_id = \"1000.ABC\"\n\
                     [crm]\ndata_center = \"com\"\nclient_id = \"1000.DEF\"\ndaily_credits = 5000\n\
                     [crm.fields.subscriptions]\ncompany_name = \"Company_Name\"\npayload = false\n\
                     email = { field = \"Email\", policy = \"create_only\" }\n\
                     [notify]\ncommand = \"/home/me/bin/tell\"\nwebhook = \"https://hooks.example.com/key\"\n\
                     digest = \"08:00\"\n";
        let least = config.with_text(least).unwrap();
        assert_eq!(format!("{:?}", all.stores), format!("{:?}", least.stores));
        assert_eq!(format!("{:?}", all.crm), format!("{:?}", least.crm));
        assert_eq!(format!("{:?}", all.notify), format!("{:?}", least.notify));
    }

    /// The parser names every key of a table when it meets one that is none.
    #[test]
    fn it_has_every_key_there_is() {
        let (_folder, config) = empty();
        let all: toml::Table = toml::from_str(&uncommented()).unwrap();
        let mut tables = vec![Vec::new()];
        let mut keys = 0;
        while let Some(path) = tables.pop() {
            let mut wrong = all.clone();
            let table = path.iter().fold(&mut wrong, |table: &mut toml::Table, key: &String| {
                table.get_mut(key).and_then(toml::Value::as_table_mut).unwrap()
            });
            let children: Vec<String> =
                table.iter().filter(|(_, value)| value.is_table()).map(|(key, _)| key.clone()).collect();
            table.insert("zzz".to_owned(), true.into());
            // the names of stores, columns and modules are data; their tables are checked elsewhere
            if path.first().is_none_or(|first| first != "crm" || path.len() == 1) && path != ["stores"] {
                let error = config.with_text(&toml::to_string(&wrong).unwrap()).unwrap_err().to_string();
                let table = path.iter().fold(&all, |table, key| table[key].as_table().unwrap());
                for key in error.split('`').skip(3).step_by(2) {
                    assert!(table.contains_key(key), "[{}] lacks {key}: {error}", path.join("."));
                    keys += 1;
                }
            }
            tables.extend(children.into_iter().map(|child| [path.clone(), vec![child]].concat()));
        }
        assert!(keys >= 24, "only {keys} keys were met");
    }
}
