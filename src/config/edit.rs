//! Changes to the user's two files: a connection's table in `config.toml`, its secrets in `credentials.toml`. All the
//! rest of both stays as it is, comments included. `credentials.toml` is never readable by others, not for a moment.

use std::fs::File;
use std::path::Path;

use anyhow::Result;
use secrecy::{ExposeSecret, SecretString};
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use crate::config::{Credentials, Party};
use crate::failure::Failure;
use crate::files::{create_private_folder, rewrite, write_atomically};

/// The text of a file; one that is not there is empty.
pub fn read_text(path: &Path) -> Result<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Failure::config(format!("cannot read {}: {error}", path.display())).into()),
    }
}

/// The configuration with a table for a new connection at its end, the rest byte for byte as it was.
pub fn add_table(text: &str, party: &Party, data_center: &str, client_id: &str) -> String {
    let mut text = text.to_owned();
    if !text.is_empty() {
        text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
    }
    let quoted = |value: &str| Value::from(value).to_string();
    let (data_center, client_id) = (quoted(data_center), quoted(client_id));
    text + &format!("[{}]\ndata_center = {data_center}\nclient_id = {client_id}\n", party.table())
}

/// The configuration with another data centre in a connection's table.
pub fn set_data_center(path: &Path, text: &str, party: &Party, data_center: &str) -> Result<String> {
    let mut document = parse(path, text)?;
    set(table(path, &mut document, party)?, "data_center", data_center);
    Ok(document.to_string())
}

/// Puts a text into the configuration file; makes it, and its folder for its owner alone, where it is missing.
pub fn write_config(path: &Path, text: &str) -> Result<()> {
    make_folder(path)?;
    rewrite(path, text.as_bytes()).map_err(|error| cannot_write(path, &error).into())
}

/// Fails when the folder of a file cannot be written to: better known before a one-use code is spent.
pub fn check_writable(path: &Path) -> Result<()> {
    make_folder(path)?;
    tempfile::tempfile_in(folder_of(path)).map(|_| ()).map_err(|error| cannot_write(path, &error).into())
}

/// Keeps a connection's secrets in `credentials.toml`.
pub fn keep_secrets(path: &Path, party: &Party, credentials: &Credentials) -> Result<()> {
    make_folder(path)?;
    let _alone = hold(path);
    let mut document = parse(path, &read_text(path)?)?;
    let table = table(path, &mut document, party)?;
    let mut keep = |key: &str, secret: &SecretString| set(table, key, secret.expose_secret());
    keep("client_secret", &credentials.client_secret);
    keep("refresh_token", &credentials.refresh_token);
    write_credentials(path, &document)
}

/// Takes a connection's refresh token out of `credentials.toml`; false when there was none.
pub fn forget_refresh_token(path: &Path, party: &Party) -> Result<bool> {
    let _alone = hold(path);
    let mut document = parse(path, &read_text(path)?)?;
    let is_known = table(path, &mut document, party)?.remove("refresh_token").is_some();
    if is_known {
        write_credentials(path, &document)?;
    }
    Ok(is_known)
}

fn write_credentials(path: &Path, document: &DocumentMut) -> Result<()> {
    // behind a symbolic link the file itself is replaced, not the link
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    write_atomically(&path, document.to_string().as_bytes(), true).map_err(|error| cannot_write(&path, &error).into())
}

/// Two connections made at once must not write over each other: the folder is held while the file is read and
/// replaced. Where a folder cannot be locked, nothing is lost but that.
fn hold(path: &Path) -> Option<File> {
    File::open(folder_of(path)).ok().filter(|folder| folder.lock().is_ok())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn make_folder(path: &Path) -> Result<()> {
    create_private_folder(folder_of(path)).map_err(|error| Failure::config(error).into())
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    crate::files::cannot_write(path, error.kind(), error)
}

/// The parser's own message would quote the line, which may hold a secret.
fn parse(path: &Path, text: &str) -> Result<DocumentMut> {
    text.parse().map_err(|_| Failure::config(format!("{} is not valid TOML", path.display())).into())
}

/// The party's table, made where it is missing.
fn table<'a>(path: &Path, document: &'a mut DocumentMut, party: &Party) -> Result<&'a mut dyn TableLike> {
    let mut here: &mut dyn TableLike = document.as_table_mut();
    let mut missing = Table::new();
    missing.set_implicit(true);
    if let Party::Store(_) = party {
        here = child(here, "stores", missing).ok_or_else(|| no_table(path, "stores"))?;
    }
    let key = party.store_id().unwrap_or("crm");
    child(here, key, Table::new()).ok_or_else(|| no_table(path, &party.table()).into())
}

fn child<'a>(parent: &'a mut dyn TableLike, key: &str, missing: Table) -> Option<&'a mut dyn TableLike> {
    parent.entry(key).or_insert(Item::Table(missing)).as_table_like_mut()
}

fn no_table(path: &Path, name: &str) -> Failure {
    Failure::config(format!("{}: {name} is not a table", path.display()))
}

/// Sets a text, keeping the comment that stands behind the old one.
fn set(table: &mut dyn TableLike, key: &str, text: &str) {
    let mut value = Value::from(text);
    if let Some(old) = table.get(key).and_then(Item::as_value) {
        *value.decor_mut() = old.decor().clone();
    }
    table.insert(key, Item::Value(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us() -> Party {
        Party::Store("us".to_owned())
    }

    fn credentials(secret: &str, token: &str) -> Credentials {
        Credentials { client_secret: secret.into(), refresh_token: token.into() }
    }

    #[test]
    fn a_new_table_comes_last_and_leaves_the_rest_alone() {
        let added = "[stores.us]\ndata_center = \"eu\"\nclient_id = \"1000.A\"\n";
        let cases = [
            ("", added.to_owned()),
            ("# mine\n[crm] # odd\n", format!("# mine\n[crm] # odd\n\n{added}")),
            ("# no end of line", format!("# no end of line\n\n{added}")),
        ];
        for (text, expected) in cases {
            assert_eq!(add_table(text, &us(), "eu", "1000.A"), expected);
        }
        assert_eq!(
            add_table("", &Party::Crm, "com", "1000.D"),
            "[crm]\ndata_center = \"com\"\nclient_id = \"1000.D\"\n"
        );
    }

    #[test]
    fn another_data_centre_changes_one_value() {
        let text = "# mine\n[stores.us] # the first\ndata_center = \"com\" # where?\nclient_id='x'\n[crm]\n# end\n";
        let changed = set_data_center(Path::new("x"), text, &us(), "eu").unwrap();
        assert_eq!(changed, text.replace("\"com\"", "\"eu\""));
    }

    #[test]
    fn secrets_are_kept_beside_others_and_forgotten_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/credentials.toml");
        keep_secrets(&path, &us(), &credentials("s1", "t1")).unwrap();
        assert_eq!(read_text(&path).unwrap(), "[stores.us]\nclient_secret = \"s1\"\nrefresh_token = \"t1\"\n");
        keep_secrets(&path, &Party::Crm, &credentials("s2", "t2")).unwrap();
        keep_secrets(&path, &us(), &credentials("s1", "t3")).unwrap();
        assert!(forget_refresh_token(&path, &Party::Crm).unwrap());
        assert!(!forget_refresh_token(&path, &Party::Crm).unwrap());
        let text = read_text(&path).unwrap();
        assert!(text.contains("refresh_token = \"t3\"") && text.contains("s2") && !text.contains("t2"), "{text}");
    }

    #[test]
    fn connections_made_at_once_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (path, party) = (&path, Party::Store(format!("s{number}")));
                scope.spawn(move || keep_secrets(path, &party, &credentials("s", "t")).unwrap());
            }
        });
        assert_eq!(read_text(&path).unwrap().matches("refresh_token").count(), 8);
    }

    #[test]
    fn comments_and_inline_tables_of_credentials_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        std::fs::write(&path, "# from the safe\nstores = { eu = { client_secret = 'e' } } # one line\n").unwrap();
        keep_secrets(&path, &Party::Store("eu".to_owned()), &credentials("f", "t")).unwrap();
        let text = read_text(&path).unwrap();
        assert!(text.starts_with("# from the safe\n") && text.contains("# one line"), "{text}");
        let document: DocumentMut = text.parse().unwrap();
        assert_eq!(document["stores"]["eu"]["refresh_token"].as_str(), Some("t"));
    }

    #[test]
    fn what_is_no_credentials_file_is_refused_without_quoting_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        for text in ["[stores.us\nclient_secret = hush", "stores = \"hush\""] {
            std::fs::write(&path, text).unwrap();
            let error = keep_secrets(&path, &us(), &credentials("s", "t")).unwrap_err();
            assert!(!format!("{error:#}").contains("hush"), "{error:#}");
            assert_eq!(read_text(&path).unwrap(), text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_configuration_keeps_its_mode_and_its_link() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("dotfiles.toml"), folder.path().join("config.toml"));
        write_config(&real, "# one\n").unwrap();
        std::fs::set_permissions(&real, PermissionsExt::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_config(&link, "# two\n").unwrap();
        assert_eq!(read_text(&real).unwrap(), "# two\n");
        assert!(link.is_symlink());
        assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    }
}
