//! `whoami`: every configured connection, where its secrets come from and until when its cached token lives. Offline,
//! and never a secret.

use anyhow::Result;
use serde_json::{Value, json};

use crate::api::auth::{Expiry, TokenCache};
use crate::config::{Config, SecretStore};
use crate::connect::Settings;
use crate::model::instant::format_instant;

pub struct Whoami {
    config: String,
    connections: Vec<Known>,
}

/// What is known of one connection.
struct Known {
    settings: Settings,
    client_secret_from: &'static str,
    refresh_token_from: &'static str,
    access_token: Option<Expiry>,
}

/// Reads configuration, secrets and token caches; contacts nobody.
///
/// # Errors
/// `config` when the credentials file is none, or others can read it.
pub fn whoami(config: &Config) -> Result<Whoami> {
    let secrets = SecretStore::new(config.paths.credentials.clone());
    let known = |settings: Settings| {
        let found = secrets.look_up(&settings.party)?;
        let cache = |token| TokenCache::new(&settings.accounts_url, &settings.client_id, token, &config.paths.state);
        Ok(Known {
            client_secret_from: found.client_secret.source(),
            refresh_token_from: found.refresh_token.source(),
            access_token: found.refresh_token.value().and_then(|token| cache(token).expiry()),
            settings,
        })
    };
    Ok(Whoami {
        config: config.paths.config.display().to_string(),
        connections: Settings::all(config).into_iter().map(known).collect::<Result<_>>()?,
    })
}

impl Whoami {
    pub fn json(&self) -> Value {
        json!({
            "command": "whoami", "version": env!("CARGO_PKG_VERSION"), "exit": 0, "config": self.config,
            "connections": self.connections.iter().map(Known::json).collect::<Vec<_>>(),
            "error": null,
        })
    }

    pub fn text(&self) -> String {
        if self.connections.is_empty() {
            return format!("nothing is configured in {}; begin with `storemirror connect store NAME`", self.config);
        }
        self.connections.iter().map(Known::text).collect::<Vec<_>>().join("\n\n")
    }
}

impl Known {
    fn json(&self) -> Value {
        let mut object = self.settings.json();
        object["client_secret_from"] = json!(self.client_secret_from);
        object["refresh_token_from"] = json!(self.refresh_token_from);
        object["access_token"] = json!({
            "is_valid": self.access_token.is_some_and(|expiry| expiry.is_valid),
            "expires_at": self.access_token.map(|expiry| format_instant(expiry.expires_at)),
        });
        object
    }

    fn text(&self) -> String {
        let token = match self.access_token {
            Some(Expiry { is_valid: true, expires_at }) => format!("valid until {}", format_instant(expires_at)),
            Some(Expiry { expires_at, .. }) => format!("expired at {}", format_instant(expires_at)),
            None => "none cached".to_owned(),
        };
        let settings = &self.settings;
        format!(
            "{}\n  data centre    {}\n  client id      {}\n  accounts       {}\n  API            {}\n  \
             client secret  {}\n  refresh token  {}\n  access token   {token}",
            settings.party.label(),
            settings.data_center,
            // a configuration may hold anything, and a terminal obeys some of it
            settings.client_id.escape_debug(),
            settings.accounts_url,
            settings.api_url,
            self.client_secret_from,
            self.refresh_token_from,
        )
    }
}
