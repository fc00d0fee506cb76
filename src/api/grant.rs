//! The accounts server as `connect` and `disconnect` use it: a one-use code becomes a refresh token, and a refresh token
//! is revoked (store contract §10, CRM contract §9). Secrets travel in form bodies, never in an address. What the server
//! says is made harmless for a terminal before it leaves this room.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::api::Error;
use crate::api::client::{
    Answer, Client, Reading, Request, Unread, build_http, is_throttle_text, read_body, transport_error,
};
use crate::api::mask::masked;
use crate::api::retry::{Attempts, Decision, Fault};

/// A person is waiting, and a code lives for minutes: a broken answer is worth three tries, not more.
const TRIES: u32 = 3;
/// A reply of the accounts server is a few hundred bytes …
pub(super) const REPLY_LIMIT_BYTES: usize = 64 * 1024;
/// … and comes in one piece.
pub(super) const REPLY_TIME: Duration = Duration::from_secs(60);
/// The server's own word for a refusal is one word; what is longer is cut.
const LONGEST_WORD: usize = 80;

/// What an authorization code was exchanged for.
pub struct Grant {
    pub refresh_token: SecretString,
    pub access_token: SecretString,
    pub expires_in: Option<u64>,
    /// The host of the API address in the reply. It is compared and never contacted.
    pub api_host: Option<String>,
}

/// Why there is no grant, one variant per reaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantError {
    /// The server's own word, such as `invalid_code`.
    Refused(String),
    /// The code was accepted and spent, but no refresh token came.
    NoRefreshToken,
    Throttled,
    /// Unreachable or broken, after all tries.
    Network(String),
}

/// What came of asking Zoho to revoke a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    Revoked,
    /// Zoho does not know the token: it was revoked before, or belongs to another data centre.
    Unknown,
}

/// The code and what it is offered with.
pub struct Offer<'a> {
    pub client_id: &'a str,
    pub client_secret: &'a SecretString,
    pub code: &'a SecretString,
}

/// One accounts server.
pub struct Accounts {
    http: reqwest::Client,
    url: Url,
    tries: u32,
}

/// An answer below 500: its status, its JSON and whether it is a throttle.
struct Reply {
    status: u16,
    json: Option<Value>,
    is_throttle: bool,
}

impl Accounts {
    pub fn new(url: Url, timeout_seconds: u64) -> Result<Self, Error> {
        let http = build_http(timeout_seconds, crate::config::is_loopback(&url))?;
        Ok(Self { http, url, tries: TRIES })
    }

    /// Asks once only: for a search over many servers, of which some may not exist.
    #[must_use]
    pub fn impatient(self) -> Self {
        Self { tries: 1, ..self }
    }

    /// Exchanges a one-use code for a refresh token.
    pub async fn exchange(&self, offer: &Offer<'_>) -> Result<Grant, GrantError> {
        let (secret, code) = (offer.client_secret.expose_secret(), offer.code.expose_secret());
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", offer.client_id),
            ("client_secret", secret),
            ("code", code),
        ];
        judge_grant(&self.post("/oauth/v2/token", &form, &[offer.client_secret, offer.code]).await?)
    }

    /// Revokes a refresh token, and with it its access tokens.
    pub async fn revoke(&self, token: &SecretString) -> Result<Revocation, GrantError> {
        let reply = self.post("/oauth/v2/token/revoke", &[("token", token.expose_secret())], &[token]).await?;
        judge_revocation(&reply)
    }

    /// `secrets`: those of the form, which no reply may repeat.
    async fn post(&self, path: &str, form: &[(&str, &str)], secrets: &[&SecretString]) -> Result<Reply, GrantError> {
        let mut attempts = Attempts::new(Duration::ZERO);
        let mut tries = 0;
        loop {
            let message = match self.post_once(path, form, secrets).await {
                Ok(reply) => return Ok(reply),
                Err(message) => message,
            };
            tries += 1;
            match attempts.after(Fault::Broken) {
                Decision::Wait(wait) if tries < self.tries => tokio::time::sleep(wait).await,
                _ => return Err(GrantError::Network(message)),
            }
        }
    }

    async fn post_once(&self, path: &str, form: &[(&str, &str)], secrets: &[&SecretString]) -> Result<Reply, String> {
        let url = format!("{}{path}", self.url.as_str().trim_end_matches('/'));
        let response = self.http.post(url).form(form).send().await.map_err(|error| transport_error(&error))?;
        let status = response.status().as_u16();
        let body = read_body(response, REPLY_LIMIT_BYTES, REPLY_TIME).await.map_err(Unread::message)?;
        let body = masked(body, secrets.iter().copied());
        if status >= 500 {
            return Err(format!("HTTP {status}"));
        }
        Ok(Reply::new(status, &body))
    }
}

impl Reply {
    fn new(status: u16, body: &[u8]) -> Self {
        let json = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);
        // the words after it are translated; this one is not
        let is_denied = json.as_ref().is_some_and(|json| json["error"] == "Access Denied");
        Self { status, json, is_throttle: status == 429 || is_denied || is_throttle_text(body) }
    }

    fn without_json(&self) -> GrantError {
        GrantError::Network(format!("HTTP {} without a JSON object", self.status))
    }
}

/// The status says nothing: errors come with 200, 400 and 401.
fn judge_grant(reply: &Reply) -> Result<Grant, GrantError> {
    if reply.is_throttle {
        return Err(GrantError::Throttled);
    }
    let json = reply.json.as_ref().ok_or_else(|| reply.without_json())?;
    let text = |key: &str| json[key].as_str().filter(|text| !text.is_empty());
    let Some(access_token) = text("access_token") else {
        return Err(GrantError::Refused(refusal(json)));
    };
    let refresh_token = text("refresh_token").ok_or(GrantError::NoRefreshToken)?;
    Ok(Grant {
        refresh_token: refresh_token.into(),
        access_token: access_token.into(),
        expires_in: json["expires_in"].as_u64(),
        api_host: text("api_domain").and_then(|url| Some(Url::parse(url).ok()?.host_str()?.to_owned())),
    })
}

fn judge_revocation(reply: &Reply) -> Result<Revocation, GrantError> {
    if reply.is_throttle {
        return Err(GrantError::Throttled);
    }
    let json = reply.json.as_ref().ok_or_else(|| reply.without_json())?;
    let is_success = json["error"].is_null() && json["status"] != "failure" && json["status"] != "error";
    match reply.status {
        200..300 if is_success => Ok(Revocation::Revoked),
        200..300 | 400 | 401 => Ok(Revocation::Unknown),
        status => Err(GrantError::Network(format!("HTTP {status} {}", refusal(json)))),
    }
}

/// The server's own word, fit for a terminal.
fn refusal(json: &Value) -> String {
    let word = json["error"].as_str().or(json["code"].as_str()).unwrap_or("no access_token in the reply");
    printable(word)
}

/// A server's word, cut and without anything a terminal would obey.
pub(super) fn printable(word: &str) -> String {
    word.chars().take(LONGEST_WORD).collect::<String>().escape_debug().to_string()
}

/// Asks the CRM for its organisations: the smallest request that the scopes allow. Returns how many came.
pub async fn count_organisations(client: &Client) -> Result<usize, Error> {
    let request = Request::get("/crm/v8/org".to_owned());
    client.send(&request, |answer| read_organisations(client, answer)).await
}

fn read_organisations(client: &Client, answer: &Answer) -> Reading<usize> {
    let refused = || Reading::Refused(client.refusal("organisation", answer));
    if answer.status == 204 {
        return Reading::Good(0);
    }
    match serde_json::from_slice::<Value>(&answer.body) {
        _ if answer.status != 200 => refused(),
        Ok(json) => json["org"].as_array().map_or_else(refused, |found| Reading::Good(found.len())),
        Err(error) => Reading::Garbled(format!("organisation: the answer is not complete JSON ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(status: u16, body: &str) -> Result<Grant, GrantError> {
        judge_grant(&Reply::new(status, body.as_bytes()))
    }

    #[test]
    fn a_grant_needs_both_tokens() {
        let whole =
            r#"{"access_token":"a","refresh_token":"r","api_domain":"https://www.zohoapis.eu","expires_in":3600}"#;
        let granted = grant(200, whole).ok().unwrap();
        assert_eq!((granted.refresh_token.expose_secret(), granted.expires_in), ("r", Some(3600)));
        assert_eq!(granted.api_host.as_deref(), Some("www.zohoapis.eu"));
        assert_eq!(grant(200, r#"{"access_token":"a"}"#).err(), Some(GrantError::NoRefreshToken));
        assert_eq!(
            grant(200, r#"{"access_token":"a","refresh_token":""}"#).err(),
            Some(GrantError::NoRefreshToken),
            "an empty token is none"
        );
    }

    #[test]
    fn an_error_is_one_with_any_status() {
        for status in [200, 400, 401] {
            let refused = GrantError::Refused("invalid_code".to_owned());
            assert_eq!(grant(status, r#"{"error":"invalid_code"}"#).err(), Some(refused), "{status}");
        }
        let denied = r#"{"error_description":"Zu viele Anfragen","error":"Access Denied","status":"failure"}"#;
        for (status, body) in [(200, denied), (400, denied), (429, ""), (400, "Too many requests continuously")] {
            assert_eq!(grant(status, body).err(), Some(GrantError::Throttled), "{status} {body}");
        }
        for (status, body) in [(200, "<html>"), (404, ""), (302, ""), (200, "[]")] {
            assert!(matches!(grant(status, body).err(), Some(GrantError::Network(_))), "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_cannot_steer_the_terminal() {
        let body = format!(r#"{{"error":"\u001b[2Jbad\n{}"}}"#, "x".repeat(200));
        let Some(GrantError::Refused(word)) = grant(200, &body).err() else { panic!("not refused") };
        assert!(word.starts_with("\\u{1b}[2Jbad\\n") && word.len() < 120, "{word}");
    }

    #[test]
    fn a_revocation_is_proven_or_not_claimed() {
        let judge = |status, body: &str| judge_revocation(&Reply::new(status, body.as_bytes()));
        assert_eq!(judge(200, r#"{"status":"success"}"#), Ok(Revocation::Revoked));
        assert_eq!(judge(400, r#"{"error":"invalid_token"}"#), Ok(Revocation::Unknown));
        assert_eq!(judge(200, r#"{"error":"invalid_token"}"#), Ok(Revocation::Unknown));
        assert_eq!(judge(400, r#"{"error":"Access Denied","status":"failure"}"#), Err(GrantError::Throttled));
        assert!(matches!(judge(200, "<html>"), Err(GrantError::Network(_))));
        assert!(matches!(judge(403, "{}"), Err(GrantError::Network(_))));
    }
}
