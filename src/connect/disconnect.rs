//! `disconnect`: the refresh token is revoked at Zoho and forgotten here, the second even when the first fails.

use anyhow::Result;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::api::grant::{Accounts, GrantError, Revocation};
use crate::config::{Config, Party, SecretStore, edit};
use crate::connect::advice::not_revoked;
use crate::connect::{Settings, answer, host, with_warnings};
use crate::failure::Failure;

pub struct Disconnected {
    settings: Settings,
    was_connected: bool,
    revoked: bool,
    warnings: Vec<String>,
}

/// Revokes the refresh token at Zoho and forgets it here, in any case.
///
/// # Errors
/// `config` for a party that is not configured; `network` when Zoho did not revoke, after forgetting.
pub async fn disconnect(config: &Config, party: &Party) -> Result<Disconnected> {
    let settings = Settings::of(config, party).ok_or_else(|| {
        Failure::config(format!("no [{}] in {}", party.table(), config.paths.config.display()))
            .hint("`storemirror whoami` lists what is connected")
    })?;
    let refresh_token = SecretStore::new(config.paths.credentials.clone()).look_up(party)?.refresh_token;
    let mut tokens: Vec<&SecretString> = refresh_token.given.iter().chain(&refresh_token.stored).collect();
    tokens.dedup_by(|one, other| one.expose_secret() == other.expose_secret());
    let answers = revoke(&settings, &tokens).await;
    edit::forget_refresh_token(&config.paths.credentials, party)?;
    for token in &tokens {
        let forgotten = settings.cache(config, token).forget();
        forgotten.map_err(|error| Failure::config(format!("cannot delete the cached token: {error}")))?;
    }
    if let Some(Err(error)) = answers.iter().find(|answer| answer.is_err()) {
        return Err(not_revoked(&settings, error).into());
    }
    let mut warnings = Vec::new();
    if refresh_token.given.is_some() {
        warnings.push(format!("{} is still set in the environment; take it out there", refresh_token.variable));
    }
    let is_unknown = |answer: &Result<Revocation, GrantError>| *answer == Ok(Revocation::Unknown);
    if answers.iter().any(is_unknown) {
        warnings.push(format!(
            "{} does not know the token: it was revoked before, or belongs to another data centre",
            host(&settings.accounts_url)
        ));
    }
    Ok(Disconnected {
        was_connected: !tokens.is_empty(),
        revoked: !tokens.is_empty() && !answers.iter().any(is_unknown),
        settings,
        warnings,
    })
}

async fn revoke(settings: &Settings, tokens: &[&SecretString]) -> Vec<Result<Revocation, GrantError>> {
    let mut answers = Vec::new();
    for token in tokens {
        answers.push(match Accounts::new(settings.accounts_url.clone(), settings.timeout_seconds) {
            Ok(accounts) => accounts.revoke(token).await,
            Err(error) => Err(GrantError::Network(error.to_string())),
        });
    }
    answers
}

impl Disconnected {
    pub fn json(&self) -> Value {
        let mut object = answer("disconnect", &self.settings, &self.warnings);
        object["was_connected"] = json!(self.was_connected);
        object["revoked"] = json!(self.revoked);
        object
    }

    pub fn text(&self) -> String {
        let label = self.settings.party.label();
        let text = match (self.was_connected, self.revoked) {
            (false, _) => format!("{label} has no refresh token; there is nothing to revoke"),
            (true, true) => format!("{label} is disconnected: the refresh token is revoked and forgotten"),
            (true, false) => format!("{label} is disconnected: the refresh token is forgotten"),
        };
        with_warnings(text, &self.warnings)
    }
}
