//! Client secrets and refresh tokens: from the environment, else from `credentials.toml` beside the configuration.
//! That file must be its owner's alone; one that others can read is refused before a secret in it is used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::config::Party;
use crate::failure::Failure;

/// What one connection needs to get an access token.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub client_secret: SecretString,
    pub refresh_token: SecretString,
}

/// A party's secrets, each wherever it is.
#[derive(Clone, Debug)]
pub struct Secrets {
    pub client_secret: Secret,
    pub refresh_token: Secret,
}

/// One secret: the environment beats the file.
#[derive(Clone, Debug)]
pub struct Secret {
    /// The environment variable that may hold it.
    pub variable: String,
    pub given: Option<SecretString>,
    /// In `credentials.toml`.
    pub stored: Option<SecretString>,
}

impl Secret {
    fn found(variable: String, stored: Option<SecretString>) -> Self {
        let given = std::env::var(&variable).ok().filter(|value| !value.is_empty()).map(SecretString::from);
        Self { variable, given, stored: stored.filter(|value| !value.expose_secret().is_empty()) }
    }

    pub fn value(&self) -> Option<&SecretString> {
        self.given.as_ref().or(self.stored.as_ref())
    }

    /// Where its value comes from: `environment`, `credentials.toml` or `missing`.
    pub fn source(&self) -> &'static str {
        match (&self.given, &self.stored) {
            (Some(_), _) => "environment",
            (None, Some(_)) => "credentials.toml",
            (None, None) => "missing",
        }
    }
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
        self.complete(&Party::Store(store_id.to_owned()))
    }

    /// The credentials of the CRM.
    ///
    /// # Errors
    /// As for [`Self::store`].
    pub fn crm(&self) -> Result<Credentials> {
        self.complete(&Party::Crm)
    }

    /// What there is of a party's secrets, and where; nothing need be there.
    ///
    /// # Errors
    /// `config` when the file is no credentials file or can be read by others.
    pub fn look_up(&self, party: &Party) -> Result<Secrets> {
        let mut file = self.read()?;
        let table = match party {
            Party::Store(store_id) => file.stores.remove(store_id).unwrap_or_default(),
            Party::Crm => file.crm,
        };
        Ok(Secrets {
            client_secret: Secret::found(party.variable("client_secret"), table.client_secret),
            refresh_token: Secret::found(party.variable("refresh_token"), table.refresh_token),
        })
    }

    fn complete(&self, party: &Party) -> Result<Credentials> {
        let secrets = self.look_up(party)?;
        let need = |key: &str, secret: &Secret| {
            secret.value().cloned().ok_or_else(|| {
                Failure::config(format!("[{}] has no {key}", party.table())).hint(format!(
                    "run `storemirror connect {}`, or set {}, or write it under [{}] in {} (mode 0600)",
                    party.argument(),
                    secret.variable,
                    party.table(),
                    self.path.display()
                ))
            })
        };
        Ok(Credentials {
            client_secret: need("client_secret", &secrets.client_secret)?,
            refresh_token: need("refresh_token", &secrets.refresh_token)?,
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
