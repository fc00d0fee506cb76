//! Client secrets and refresh tokens: from the environment, else from `credentials.toml` beside the configuration.
//! That file must be its owner's alone; one that others can read is refused before a secret in it is used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use secrecy::SecretString;
use serde::Deserialize;

use crate::failure::{Code, Failure};

/// What one connection needs to get an access token.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub client_secret: SecretString,
    pub refresh_token: SecretString,
}

/// Looks secrets up by the configuration's table names.
#[derive(Clone, Debug)]
pub struct SecretStore {
    path: PathBuf,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    stores: BTreeMap<String, Table>,
    crm: Table,
}

#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields, default)]
struct Table {
    client_secret: Option<SecretString>,
    refresh_token: Option<SecretString>,
}

impl SecretStore {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The credentials of a store.
    ///
    /// # Errors
    /// `config` when one is missing or the file can be read by others.
    pub fn store(&self, store_id: &str) -> Result<Credentials> {
        let table = self.read()?.stores.remove(store_id).unwrap_or_default();
        self.complete(&format!("STOREMIRROR_STORES_{}", store_id.to_uppercase()), table, &format!("stores.{store_id}"))
    }

    /// The credentials of the CRM.
    ///
    /// # Errors
    /// As for [`Self::store`].
    pub fn crm(&self) -> Result<Credentials> {
        self.complete("STOREMIRROR_CRM", self.read()?.crm, "crm")
    }

    fn complete(&self, prefix: &str, table: Table, name: &str) -> Result<Credentials> {
        let need = |key: &str, stored: Option<SecretString>| {
            let variable = format!("{prefix}_{}", key.to_uppercase());
            let given = std::env::var(&variable).ok().filter(|value| !value.is_empty()).map(SecretString::from);
            given.or(stored).ok_or_else(|| {
                Failure { code: Code::Config, ..Failure::config(format!("[{name}] has no {key}")) }
                    .hint(format!("set {variable}, or write it under [{name}] in {} (mode 0600)", self.path.display()))
            })
        };
        Ok(Credentials {
            client_secret: need("client_secret", table.client_secret)?,
            refresh_token: need("refresh_token", table.refresh_token)?,
        })
    }

    fn read(&self) -> Result<File> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(File::default());
            }
            Err(error) => {
                return Err(Failure::config(format!("cannot read {}: {error}", self.path.display())).into());
            }
        };
        refuse_if_shared(&self.path)?;
        // the parser's own message would quote the line, which may hold a secret
        toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| {
                text.as_bytes()[..span.start.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
            });
            Failure::config(format!("{}, line {line}: not a valid credentials file", self.path.display()))
                .hint("it holds [stores.NAME] and [crm] tables with client_secret and refresh_token")
                .into()
        })
    }
}

#[cfg(unix)]
fn refuse_if_shared(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::config(format!("{} can be read by others (mode {mode:04o})", path.display()))
            .hint(format!("run: chmod 600 {}", path.display()))
            .into());
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_if_shared(_path: &Path) -> Result<()> {
    Ok(())
}
