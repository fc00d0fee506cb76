//! `[notify]`: whom to tell, and of what.

use std::fmt;

use chrono::{NaiveTime, Timelike};
use serde::Deserialize;
use url::Url;

use crate::config::is_loopback;

/// Where notices go and what is among them.
#[derive(Clone, Debug, Default)]
pub struct NotifyConfig {
    /// A program and its arguments.
    pub command: Option<Vec<String>>,
    pub webhook: Option<Webhook>,
    /// The local minute of the day from which on the day's digest may be sent.
    pub digest_from: Option<u32>,
    /// Whether the digest names customers.
    pub names: bool,
    /// How long a program or a webhook may take for one notice.
    pub timeout_seconds: u64,
}

/// Mail and chat clients need a second or two; a run should not hang much longer on one that does not answer.
const DEFAULT_TIMEOUT_SECONDS: u64 = 30;

/// The address of a webhook. Whoever knows it can write there, so it prints as its host alone.
#[derive(Clone)]
pub struct Webhook(Url);

impl Webhook {
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.host_str().unwrap_or_default())
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Webhook({self})")
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Table {
    command: Option<toml::Value>,
    webhook: Option<String>,
    digest: Option<toml::Value>,
    names: bool,
    timeout_seconds: Option<u64>,
}

/// # Errors
/// What is wrong with a key, without the value of `webhook`.
pub(super) fn read(table: Table) -> Result<NotifyConfig, String> {
    Ok(NotifyConfig {
        command: table.command.map(command).transpose()?,
        webhook: table.webhook.map(|text| webhook(&text)).transpose()?,
        digest_from: table.digest.map_or(Ok(None), digest)?,
        names: table.names,
        timeout_seconds: table.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS).max(1),
    })
}

/// A line of words, quoted as for a shell, or a list of them. No shell ever sees it.
fn command(value: toml::Value) -> Result<Vec<String>, String> {
    let refuse =
        || "command is a program with its arguments: \"mail -s storemirror me\" or [\"mail\", \"-s\", …]".to_owned();
    let words = match value {
        toml::Value::String(line) => {
            shlex::split(&line).ok_or_else(|| format!("command {line:?} has an open quote"))?
        }
        toml::Value::Array(words) => {
            let word = |word: toml::Value| word.as_str().map(str::to_owned).ok_or_else(refuse);
            words.into_iter().map(word).collect::<Result<_, _>>()?
        }
        _ => return Err(refuse()),
    };
    if words.first().is_none_or(String::is_empty) { Err(refuse()) } else { Ok(words) }
}

/// An address may well have a query here: some services keep their key in it.
fn webhook(text: &str) -> Result<Webhook, String> {
    let url = Url::parse(text).map_err(|error| format!("webhook is not an address: {error}"))?;
    match url.scheme() {
        "https" => Ok(Webhook(url)),
        "http" if is_loopback(&url) => Ok(Webhook(url)),
        "http" => Err("webhook: plain http is allowed to loopback only; use https".to_owned()),
        other => Err(format!("webhook: {other} is not https")),
    }
}

fn digest(value: toml::Value) -> Result<Option<u32>, String> {
    match value {
        toml::Value::Boolean(wanted) => Ok(wanted.then_some(0)),
        toml::Value::String(text) => match NaiveTime::parse_from_str(&text, "%H:%M") {
            Ok(time) => Ok(Some(time.hour() * 60 + time.minute())),
            Err(_) => Err(format!("digest {text:?} is not a time of day such as \"08:00\"")),
        },
        _ => Err("digest is true, false or a time of day such as \"08:00\"".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<NotifyConfig, String> {
        read(toml::from_str(text).map_err(|error| error.to_string())?)
    }

    #[test]
    fn a_command_is_words() {
        let words = |text: &str| parsed(text).map(|config| config.command.unwrap());
        assert_eq!(words("command = \"mail -s 'a b' me\"").unwrap(), ["mail", "-s", "a b", "me"]);
        assert_eq!(words("command = [\"mail\", \"$x; y\"]").unwrap(), ["mail", "$x; y"]);
        for wrong in ["command = \"mail 'x\"", "command = \"\"", "command = []", "command = 5", "command = [1]"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_webhook_keeps_to_https_and_is_not_printed() {
        let config = parsed("webhook = \"https://hooks.example.com/hidden-word?key=hidden-word\"").unwrap();
        assert_eq!(format!("{config:?}").matches("hidden-word").count(), 0);
        assert!(parsed("webhook = \"http://127.0.0.1:1/x\"").is_ok());
        for wrong in ["http://example.com/hidden-word", "ftp://hidden-word", "hidden-word"] {
            let error = parsed(&format!("webhook = \"{wrong}\"")).unwrap_err();
            assert!(!error.contains("hidden-word"), "{error}");
        }
    }

    #[test]
    fn a_digest_has_a_time() {
        let from = |text: &str| parsed(text).map(|config| config.digest_from);
        assert_eq!(from("digest = true"), Ok(Some(0)));
        assert_eq!(from("digest = false"), Ok(None));
        assert_eq!(from("digest = \"08:30\""), Ok(Some(510)));
        assert!(from("digest = \"8 o'clock\"").is_err() && from("digest = 8").is_err());
    }
}
