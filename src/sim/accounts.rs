//! The accounts server: authorization codes, refresh tokens and access tokens of the three connections.
//!
//! Terms: a *connection* is one client at Zoho ("us", "eu", "crm"); an access token opens only the server of the
//! connection that minted it. Errors come with HTTP 200 unless a switch says otherwise, as the real server does it.
//! Expiry and throttle run on the monotonic clock, because that is what a client's cache is tested against.

use super::answer::{Answer, Call, find, pairs};
use super::switches::AccountsSwitches;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The connections, with the servers they open.
pub(super) const CONNECTIONS: [&str; 3] = ["us", "eu", "crm"];
/// Zoho keeps this many refresh tokens of a client; the next one drops the first.
const REFRESH_TOKENS: usize = 20;

struct Connection {
    name: &'static str,
    client_id: String,
    client_secret: String,
    code: Option<String>,
    refresh_tokens: Vec<String>,
}

struct AccessToken {
    text: String,
    connection: &'static str,
    refresh_token: String,
    expires: Instant,
}

/// Why a request is not let in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Missing,
    Invalid,
    OtherServer,
}

pub(super) struct Accounts {
    connections: Vec<Connection>,
    access_tokens: Vec<AccessToken>,
    /// When access tokens were minted, by refresh token (or client, for codes).
    minted: BTreeMap<String, Vec<Instant>>,
    random: fastrand::Rng,
}

impl Accounts {
    pub(super) fn new(seed: u64) -> Self {
        let connections = CONNECTIONS.into_iter().map(|name| Connection {
            name,
            client_id: format!("1000.SIM{}", name.to_uppercase()),
            client_secret: format!("sim-secret-{name}"),
            code: Some(format!("code-{name}")),
            refresh_tokens: vec![format!("1000.sim-refresh-{name}")],
        });
        Self {
            connections: connections.collect(),
            access_tokens: Vec::new(),
            minted: BTreeMap::new(),
            random: fastrand::Rng::with_seed(seed ^ 0x70_6b_65_6e),
        }
    }

    /// Client id, client secret and refresh token of a connection.
    pub(super) fn credentials(&self, name: &str) -> Value {
        let found = self.connections.iter().find(|connection| connection.name == name);
        found.map_or(Value::Null, |connection| {
            json!({
                "client_id": connection.client_id,
                "client_secret": connection.client_secret,
                "refresh_token": connection.refresh_tokens.first(),
            })
        })
    }

    pub(super) fn expire_all(&mut self) {
        self.access_tokens.clear();
    }

    /// Makes a one-use code valid (again).
    pub(super) fn offer_code(&mut self, name: &str, code: &str) {
        if let Some(connection) = self.connections.iter_mut().find(|connection| connection.name == name) {
            connection.code = Some(code.to_owned());
        }
    }

    /// Whether the request's token opens the server of `connection`.
    pub(super) fn admit(&self, call: &Call, connection: &str, now: Instant) -> Result<(), Refusal> {
        let header = call.header("authorization").ok_or(Refusal::Missing)?;
        let text = header.strip_prefix("Zoho-oauthtoken ").ok_or(Refusal::Missing)?.trim();
        let token = self.access_tokens.iter().find(|token| token.text == text && token.expires > now);
        match token {
            None => Err(Refusal::Invalid),
            Some(token) if token.connection == connection => Ok(()),
            // another store is another data centre, which has never seen the token
            Some(token) if token.connection != "crm" && connection != "crm" => Err(Refusal::Invalid),
            Some(_) => Err(Refusal::OtherServer),
        }
    }

    pub(super) fn answer(&mut self, call: &Call, switches: &AccountsSwitches, base: &str, now: Instant) -> Answer {
        let parameters = parameters(call);
        match (call.method.as_str(), call.path.as_str()) {
            ("POST", "/oauth/v2/token") => self.token(&parameters, switches, base, now),
            ("POST", "/oauth/v2/token/revoke") => self.revoke(find(&parameters, "token").unwrap_or_default()),
            _ => Answer::html(404, "<html><body>Invalid URL</body></html>"),
        }
    }

    fn token(
        &mut self,
        parameters: &[(String, String)],
        switches: &AccountsSwitches,
        base: &str,
        now: Instant,
    ) -> Answer {
        let value = |name| find(parameters, name).unwrap_or_default();
        let refused = |error: &str| Answer::json(switches.error_status, &json!({"error": error}));
        let client_id = value("client_id");
        let Some(at) = self.connections.iter().position(|connection| connection.client_id == client_id) else {
            return refused("invalid_client");
        };
        if self.connections[at].client_secret != value("client_secret") {
            return refused(&switches.wrong_secret_error);
        }
        match value("grant_type") {
            "refresh_token" => {
                let refresh_token = value("refresh_token");
                if !self.connections[at].refresh_tokens.iter().any(|known| known == refresh_token) {
                    return refused("invalid_code");
                }
                if self.is_throttled(refresh_token, switches, now) {
                    return throttled(switches.throttle_status);
                }
                let token = self.mint(at, refresh_token, switches, now);
                Answer::json(200, &reply(&token, None, switches, base))
            }
            "authorization_code" => {
                if self.connections[at].code.as_deref() != Some(value("code")) {
                    return refused("invalid_code");
                }
                if self.is_throttled(client_id, switches, now) {
                    return throttled(switches.throttle_status);
                }
                let refresh_token = self.grant(at);
                let token = self.mint(at, &refresh_token, switches, now);
                Answer::json(200, &reply(&token, Some(&refresh_token), switches, base))
            }
            _ => refused("unsupported_grant_type"),
        }
    }

    fn is_throttled(&mut self, key: &str, switches: &AccountsSwitches, now: Instant) -> bool {
        let minted = self.minted.entry(key.to_owned()).or_default();
        minted.retain(|at| now.duration_since(*at) < Duration::from_secs(switches.window_seconds));
        if switches.throttle && minted.len() >= switches.tokens_per_window {
            return true;
        }
        minted.push(now);
        false
    }

    fn grant(&mut self, at: usize) -> String {
        let refresh_token = format!("1000.{:032x}", self.random.u128(..));
        let connection = &mut self.connections[at];
        connection.code = None;
        connection.refresh_tokens.push(refresh_token.clone());
        if connection.refresh_tokens.len() > REFRESH_TOKENS {
            let first = connection.refresh_tokens.remove(0);
            self.access_tokens.retain(|token| token.refresh_token != first);
        }
        refresh_token
    }

    fn mint(&mut self, at: usize, refresh_token: &str, switches: &AccountsSwitches, now: Instant) -> String {
        let text = format!("1000.{:032x}.{:032x}", self.random.u128(..), self.random.u128(..));
        self.access_tokens.retain(|token| token.expires > now);
        let of_same = self.access_tokens.iter().filter(|token| token.refresh_token == refresh_token).count();
        if of_same >= switches.active_tokens
            && let Some(oldest) = self.access_tokens.iter().position(|token| token.refresh_token == refresh_token)
        {
            self.access_tokens.remove(oldest);
        }
        self.access_tokens.push(AccessToken {
            text: text.clone(),
            connection: self.connections[at].name,
            refresh_token: refresh_token.to_owned(),
            expires: now + Duration::from_secs(switches.expires_in),
        });
        text
    }

    fn revoke(&mut self, token: &str) -> Answer {
        let before = self.access_tokens.len();
        self.access_tokens.retain(|known| known.text != token && known.refresh_token != token);
        let mut is_known = self.access_tokens.len() < before;
        for connection in &mut self.connections {
            let before = connection.refresh_tokens.len();
            connection.refresh_tokens.retain(|known| known != token);
            is_known |= connection.refresh_tokens.len() < before;
        }
        if is_known {
            Answer::json(200, &json!({"status": "success"}))
        } else {
            Answer::json(400, &json!({"error": "invalid_token"}))
        }
    }
}

/// "You have made too many requests continuously", in the words of the real server.
pub(super) fn throttled(status: u16) -> Answer {
    let body = json!({
        "error_description": "You have made too many requests continuously. Please try again after some time.",
        "error": "Access Denied",
        "status": "failure",
    });
    Answer::json(status, &body)
}

fn reply(token: &str, refresh_token: Option<&str>, switches: &AccountsSwitches, base: &str) -> Value {
    let mut reply = json!({
        "access_token": token,
        "api_domain": base,
        "token_type": "Bearer",
        "expires_in": switches.expires_in,
    });
    if let Some(refresh_token) = refresh_token {
        reply["refresh_token"] = json!(refresh_token);
    }
    reply
}

/// Query, form and multipart parameters together; the three official clients use one each.
fn parameters(call: &Call) -> Vec<(String, String)> {
    let mut all = call.query.clone();
    if call.body.starts_with(b"--") {
        all.extend(multipart(&String::from_utf8_lossy(&call.body)));
    } else {
        all.extend(pairs(&call.body));
    }
    all
}

/// The plain fields of a multipart body; the boundary is its first line.
fn multipart(body: &str) -> Vec<(String, String)> {
    let boundary = body.lines().next().unwrap_or_default();
    body.split(boundary)
        .filter_map(|part| {
            let (head, value) = part.split_once("\r\n\r\n")?;
            let (_, name) = head.split_once("name=\"")?;
            let (name, _) = name.split_once('"')?;
            Some((name.to_owned(), value.trim_end_matches("\r\n").to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(path: &str, body: &str) -> Call {
        Call {
            method: "POST".to_owned(),
            path: path.to_owned(),
            query_text: String::new(),
            query: Vec::new(),
            headers: BTreeMap::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    fn refresh(accounts: &mut Accounts, now: Instant) -> (u16, Value) {
        let body = "grant_type=refresh_token&client_id=1000.SIMUS&client_secret=sim-secret-us\
                    &refresh_token=1000.sim-refresh-us&";
        let answer = accounts.answer(&post("/oauth/v2/token", body), &AccountsSwitches::default(), "http://x", now);
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    fn get(token: &str) -> Call {
        let mut call = post("/us", "");
        call.headers.insert("authorization".to_owned(), format!("Zoho-oauthtoken {token}"));
        call
    }

    #[test]
    fn a_token_opens_its_own_server_until_it_expires() {
        let (mut accounts, now) = (Accounts::new(1), Instant::now());
        let (_, reply) = refresh(&mut accounts, now);
        let call = get(reply["access_token"].as_str().unwrap());
        assert_eq!(accounts.admit(&call, "us", now), Ok(()));
        assert_eq!(accounts.admit(&call, "eu", now), Err(Refusal::Invalid));
        assert_eq!(accounts.admit(&call, "crm", now), Err(Refusal::OtherServer));
        assert_eq!(accounts.admit(&call, "us", now + Duration::from_secs(3_601)), Err(Refusal::Invalid));
    }

    #[test]
    fn the_eleventh_token_within_ten_minutes_is_denied() {
        let (mut accounts, now) = (Accounts::new(1), Instant::now());
        for _ in 0..10 {
            assert!(refresh(&mut accounts, now).1["access_token"].is_string());
        }
        let (status, reply) = refresh(&mut accounts, now);
        assert_eq!((status, reply["error"].as_str()), (400, Some("Access Denied")));
        assert_eq!(refresh(&mut accounts, now + Duration::from_secs(601)).0, 200);
    }

    #[test]
    fn the_sixteenth_token_kills_the_first() {
        let (mut accounts, now) = (Accounts::new(1), Instant::now());
        let first = refresh(&mut accounts, now).1["access_token"].as_str().unwrap().to_owned();
        for number in 0..15_u32 {
            refresh(&mut accounts, now + Duration::from_secs(70) * number);
        }
        assert_eq!(accounts.admit(&get(&first), "us", now), Err(Refusal::Invalid));
    }

    #[test]
    fn a_code_works_once_as_form_or_multipart_and_revoking_ends_it() {
        let (mut accounts, now) = (Accounts::new(1), Instant::now());
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", "code-eu"),
            ("client_id", "1000.SIMEU"),
            ("client_secret", "sim-secret-eu"),
        ];
        let part =
            |(name, value)| format!("--b1\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        let body = fields.map(part).concat() + "--b1--\r\n";
        let ask = |accounts: &mut Accounts| {
            let call = post("/oauth/v2/token", &body);
            let answer = accounts.answer(&call, &AccountsSwitches::default(), "http://x", now);
            serde_json::from_slice::<Value>(&answer.body).unwrap()
        };
        let reply = ask(&mut accounts);
        assert_eq!(ask(&mut accounts), json!({"error": "invalid_code"}));
        let token = reply["refresh_token"].as_str().unwrap();
        assert_eq!(accounts.revoke(token).status, 200);
        assert_eq!(accounts.revoke(token).status, 400);
        let access = get(reply["access_token"].as_str().unwrap());
        assert_eq!(accounts.admit(&access, "eu", now), Err(Refusal::Invalid));
    }
}
