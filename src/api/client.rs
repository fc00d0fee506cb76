//! The one `send`: paced, authorised, retried, bounded. It follows no redirect, so no token travels to another host,
//! and it hands a body on only when the caller's `read` accepts it: a cut or garbled answer is asked for again.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, redirect};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::api::Error;
use crate::api::auth::{MintError, TokenSource};
use crate::api::mask::masked;
use crate::api::pace::Pace;
use crate::api::retry::{Attempts, Decision, Fault, http_date, retry_after};
use crate::config::{AnswerLimits, Credentials, is_loopback};
use crate::files::create_private_folder;
use crate::model::json::sha256_hex;
use crate::screen::plain;

/// A server that does not even accept within this is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// What is shown of an answer nobody expected (store contract §11).
const EXCERPT_BYTES: usize = 300;
/// Waits shorter than this are not worth a word.
const QUIET_WAIT: Duration = Duration::from_secs(2);

/// Says something to the person waiting.
pub type Talk = Rc<dyn Fn(&str)>;

/// Everything that makes one connection: addresses, secrets and limits.
pub struct Connection<'a> {
    /// What to call it in messages: `store us`, `CRM`.
    pub name: String,
    /// The command that makes its credentials anew.
    pub connect_command: String,
    pub api_url: Url,
    pub accounts_url: Url,
    pub client_id: String,
    pub credentials: Credentials,
    pub requests_per_minute: Option<u32>,
    pub throttle_wait_seconds: u64,
    pub timeout_seconds: u64,
    pub answer: AnswerLimits,
    /// Every request is said, without its secrets.
    pub verbose: bool,
    /// The folder for cached tokens and request times.
    pub state: &'a Path,
}

pub struct Client {
    http: reqwest::Client,
    tokens: TokenSource,
    pace: Option<Pace>,
    name: String,
    hint: String,
    api_url: Url,
    throttle_wait: Duration,
    answer: AnswerLimits,
    talk: Talk,
    loopback: bool,
    verbose: bool,
    requests: Cell<u64>,
    answered: Cell<bool>,
    clock_ahead: Cell<Option<i64>>,
}

/// One request below the API's address.
pub struct Request {
    pub method: Method,
    /// Appended to the API's address, with its query.
    pub path: String,
    pub body: Option<Vec<u8>>,
}

impl Request {
    pub fn get(path: String) -> Self {
        Self { method: Method::GET, path, body: None }
    }
}

/// An answer whose status is below 500 and no throttle.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What a reader makes of an answer.
pub enum Reading<T> {
    Good(T),
    /// Cut or garbled: worth asking again.
    Garbled(String),
    /// Understood, and no.
    Refused(Error),
    /// A throttle in the words of this API, with any status.
    Throttled,
}

enum Outcome<T> {
    Done(T),
    Retry(Fault, String),
    Unauthorised(SecretString, String),
    Failed(Error),
}

impl Client {
    pub fn new(connection: Connection, talk: Talk) -> Result<Self, Error> {
        let Connection { name, connect_command, api_url, accounts_url, client_id, credentials, state, .. } = connection;
        create_private_folder(state).map_err(Error::Network)?;
        let loopback = is_loopback(&api_url) && is_loopback(&accounts_url);
        let http = build_http(connection.timeout_seconds, loopback)?;
        let hint = format!("run `storemirror {connect_command}` to connect again; check data_center and client_id");
        let pace = connection.requests_per_minute.map(|limit| {
            let identity = sha256_hex(format!("{api_url}\n{client_id}").as_bytes());
            Pace::new(limit, Some(state.join(format!("pace-{}", &identity[..16]))))
        });
        let tokens = TokenSource::new(accounts_url, client_id, credentials, name.clone(), hint.clone(), state);
        Ok(Self {
            http,
            tokens,
            pace,
            name,
            hint,
            api_url,
            throttle_wait: Duration::from_secs(connection.throttle_wait_seconds),
            answer: connection.answer,
            talk,
            loopback,
            verbose: connection.verbose,
            requests: Cell::new(0),
            answered: Cell::new(false),
            clock_ahead: Cell::new(None),
        })
    }

    /// Requests sent to the API so far, retries included, token requests not.
    pub fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// Whether the server ever answered at all.
    pub fn answered(&self) -> bool {
        self.answered.get()
    }

    /// By how many seconds this machine's clock was ahead of the server's at its last answer; None: it named no time.
    pub fn clock_ahead(&self) -> Option<i64> {
        self.clock_ahead.get()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends until an answer is good, final or given up.
    pub async fn send<T>(&self, request: &Request, read: impl Fn(&Answer) -> Reading<T>) -> Result<T, Error> {
        let mut attempts = Attempts::new(self.throttle_wait);
        let mut refused: Option<SecretString> = None;
        loop {
            let token = match self.tokens.get(&self.http, refused.as_ref()).await {
                Ok(token) => token,
                Err(MintError::Final(error)) => return Err(error),
                Err(MintError::Retry(fault, message)) => {
                    // the accounts server's throttle says nothing about the API's own limits
                    self.wait_after(&mut attempts, fault, message).await.map_err(|error| match error {
                        Error::Throttled(message) => Error::Network(message),
                        other => other,
                    })?;
                    continue;
                }
            };
            match self.try_once(request, token, &read).await {
                Outcome::Done(value) => return Ok(value),
                Outcome::Failed(error) => return Err(error),
                Outcome::Retry(fault, message) => self.wait_after(&mut attempts, fault, message).await?,
                // a token can be revoked or pushed out by newer ones before its hour is over: one new one is tried
                Outcome::Unauthorised(token, _) if refused.is_none() => refused = Some(token),
                Outcome::Unauthorised(_, message) => {
                    return Err(Error::Credentials { message, hint: self.hint.clone(), whole: true });
                }
            }
        }
    }

    async fn wait_after(&self, attempts: &mut Attempts, fault: Fault, message: String) -> Result<(), Error> {
        match attempts.after(fault) {
            Decision::GiveUp if matches!(fault, Fault::Throttled(_)) => {
                Err(Error::Throttled(format!("{message}; gave up")))
            }
            Decision::GiveUp => Err(Error::Network(format!("{message}; gave up"))),
            Decision::Wait(wait) => {
                if wait >= QUIET_WAIT {
                    (self.talk)(&format!("{message}; waiting {}", seconds(wait)));
                }
                tokio::time::sleep(wait).await;
                Ok(())
            }
        }
    }

    async fn keep_pace(&self) {
        let Some(pace) = &self.pace else { return };
        loop {
            let wait = pace.claim();
            if wait.is_zero() {
                return;
            }
            if wait >= QUIET_WAIT {
                (self.talk)(&format!("{}: requests_per_minute reached; waiting {}", self.name, seconds(wait)));
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn try_once<T>(
        &self,
        request: &Request,
        token: SecretString,
        read: &impl Fn(&Answer) -> Reading<T>,
    ) -> Outcome<T> {
        self.keep_pace().await;
        self.requests.set(self.requests.get() + 1);
        let broken = |message: String| Outcome::Retry(Fault::Broken, format!("{}: {message}", self.name));
        let response = match self.build(request, &token).send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() && self.loopback => {
                return Outcome::Retry(Fault::NobodyThere, self.nobody_there());
            }
            Err(error) => return broken(transport_error(&error)),
        };
        self.answered.set(true);
        let status = response.status().as_u16();
        if self.verbose {
            (self.talk)(&format!("{}: {} {} → HTTP {status}", self.name, request.method, request.path));
        }
        let headers = response.headers().clone();
        let date = headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?));
        self.clock_ahead.set(date.map(|date| unix_seconds() - date));
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: usize| length > self.answer.bytes()) {
            return Outcome::Failed(self.too_large());
        }
        let body = match read_body(response, self.answer.bytes(), self.answer.time()).await {
            Ok(body) => body,
            Err(Unread::TooLarge) => return Outcome::Failed(self.too_large()),
            Err(Unread::TooSlow) => return Outcome::Failed(self.too_slow()),
            Err(Unread::Broken(message)) => return broken(message),
        };
        let secrets = [&token].into_iter().chain(self.tokens.secrets());
        let mask = |text: Vec<u8>| masked(text, secrets.clone());
        let answer = Answer { status, headers: plain_headers(&headers, mask), body: mask(body) };
        self.judge(&token, &answer, &headers, read)
    }

    fn build(&self, request: &Request, token: &SecretString) -> reqwest::RequestBuilder {
        let url = format!("{}{}", self.api_url.as_str().trim_end_matches('/'), request.path);
        let mut authorization = HeaderValue::from_str(&format!("Zoho-oauthtoken {}", token.expose_secret()))
            .unwrap_or_else(|_| HeaderValue::from_static("Zoho-oauthtoken"));
        authorization.set_sensitive(true);
        let builder = self.http.request(request.method.clone(), url).header(AUTHORIZATION, authorization);
        match &request.body {
            Some(body) => builder.header(CONTENT_TYPE, "application/json").body(body.clone()),
            None => builder,
        }
    }

    /// What an answer means before anyone reads its body.
    fn judge<T>(
        &self,
        token: &SecretString,
        answer: &Answer,
        headers: &HeaderMap,
        read: &impl Fn(&Answer) -> Reading<T>,
    ) -> Outcome<T> {
        let status = answer.status;
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        // a date is meant by the server's clock, which is right even where ours is not
        let now = || header(DATE).and_then(http_date).unwrap_or_else(unix_seconds);
        let named = || header(RETRY_AFTER).and_then(|header| retry_after(header, now()));
        let throttled = |detail: &str| {
            Outcome::Retry(Fault::Throttled(named()), format!("{}: too many requests ({detail})", self.name))
        };
        if status >= 500 {
            return Outcome::Retry(Fault::Broken, format!("{}: HTTP {status}", self.name));
        }
        if status == 401 {
            return Outcome::Unauthorised(token.clone(), format!("{}: HTTP 401 {}", self.name, excerpt(&answer.body)));
        }
        if is_throttle_text(&answer.body) && status != 200 {
            return match read(answer) {
                Reading::Refused(error @ Error::DayLimit(_)) => Outcome::Failed(error),
                _ => throttled(&format!("HTTP {status}")),
            };
        }
        if status == 429 {
            return match read(answer) {
                Reading::Refused(error @ Error::DayLimit(_)) => Outcome::Failed(error),
                _ => throttled("HTTP 429"),
            };
        }
        if status == 403 {
            return Outcome::Failed(Error::Credentials {
                message: format!("{}: HTTP 403, access denied: {}", self.name, excerpt(&answer.body)),
                hint: format!("the token lacks a scope or the account is no partner; {}", self.hint),
                whole: false,
            });
        }
        // a proxy speaks HTML when a body is too large for it
        if is_html(&answer.body) && status != 413 {
            return Outcome::Failed(Error::Credentials {
                message: format!(
                    "{}: a web page came instead of data (HTTP {status}), probably a login page",
                    self.name
                ),
                hint: self.hint.clone(),
                whole: true,
            });
        }
        match read(answer) {
            Reading::Good(value) => Outcome::Done(value),
            Reading::Garbled(message) => Outcome::Retry(Fault::Broken, format!("{}: {message}", self.name)),
            Reading::Refused(error) => Outcome::Failed(error),
            Reading::Throttled => throttled(&format!("HTTP {status}")),
        }
    }

    /// An answer nobody can use: its status and beginning.
    pub fn refusal(&self, what: &str, answer: &Answer) -> Error {
        let location =
            answer.headers.iter().find(|(name, _)| name == "location").map_or_else(String::new, |(_, to)| {
                format!(
                    " (a redirect to {}, not followed)",
                    Url::parse(to).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
                )
            });
        Error::Refused {
            status: answer.status,
            message: format!("{}: {what}: HTTP {}{location} {}", self.name, answer.status, excerpt(&answer.body)),
            body: String::from_utf8_lossy(&answer.body[..answer.body.len().min(64 * 1024)]).into_owned(),
        }
    }

    /// The token may not do this.
    pub fn no_scope(&self, what: &str, answer: &Answer) -> Error {
        Error::Credentials {
            message: format!("{}: {what}: HTTP {}, not allowed: {}", self.name, answer.status, excerpt(&answer.body)),
            hint: format!("the token lacks a scope or its user a permission; {}", self.hint),
            whole: false,
        }
    }

    fn nobody_there(&self) -> String {
        nobody_there(&self.name, &self.api_url)
    }

    fn too_large(&self) -> Error {
        Error::Network(format!("{}: an answer is larger than {} MiB (max_answer_mib)", self.name, self.answer.mib))
    }

    fn too_slow(&self) -> Error {
        let seconds = self.answer.seconds;
        Error::Network(format!("{}: an answer was not whole after {seconds} s (max_answer_seconds)", self.name))
    }
}

/// Only a simulated store lives on this machine.
pub(super) fn nobody_there(name: &str, url: &Url) -> String {
    format!(
        "{name}: nothing answers at {url}; start the simulated servers with `storemirror simulate` in another terminal"
    )
}

pub(super) fn build_http(timeout_seconds: u64, loopback: bool) -> Result<reqwest::Client, Error> {
    // a second installation in one process is refused, and harmless
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(Duration::from_secs(timeout_seconds))
        .user_agent(concat!("storemirror/", env!("CARGO_PKG_VERSION")));
    if loopback {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| Error::Network(format!("cannot start the HTTP client: {error}")))
}

/// Why a body could not be read.
pub(super) enum Unread {
    TooLarge,
    TooSlow,
    /// It broke off; the message says how.
    Broken(String),
}

impl Unread {
    /// In words, for a server whose answers have no limits of their own in the configuration.
    pub(super) fn message(self) -> String {
        match self {
            Self::TooLarge => "the answer is too large".to_owned(),
            Self::TooSlow => "the answer takes too long".to_owned(),
            Self::Broken(message) => message,
        }
    }
}

/// Reads a body of at most `limit` bytes that is whole within `time`.
pub(super) async fn read_body(response: reqwest::Response, limit: usize, time: Duration) -> Result<Vec<u8>, Unread> {
    tokio::time::timeout(time, read_pieces(response, limit)).await.unwrap_or(Err(Unread::TooSlow))
}

async fn read_pieces(mut response: reqwest::Response, limit: usize) -> Result<Vec<u8>, Unread> {
    let broken = |error: reqwest::Error| Unread::Broken(format!("the answer broke off: {}", transport_error(&error)));
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(broken)? {
        if body.len() + piece.len() > limit {
            return Err(Unread::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// A transport error in one line, without the address: it may carry secrets in its query.
pub(super) fn transport_error(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "time-out"
    } else if error.is_connect() {
        "cannot connect"
    } else {
        "connection broke"
    };
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let detail = cause.to_string();
    if detail.contains("://") { kind.to_owned() } else { format!("{kind} ({detail})") }
}

/// The response's headers that may be kept: everything but cookies and what names a person or a token.
fn plain_headers(headers: &HeaderMap, mask: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| {
            !matches!(name.as_str(), "set-cookie" | "authorization" | "www-authenticate" | "proxy-authenticate")
        })
        .map(|(name, value)| {
            let value = mask(value.as_bytes().to_vec());
            (name.as_str().to_owned(), String::from_utf8_lossy(&value).into_owned())
        })
        .collect()
}

fn is_html(body: &[u8]) -> bool {
    body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
}

/// Zoho's throttle words, whatever the status (store contract §10, §11).
pub fn is_throttle_text(body: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&body[..body.len().min(2048)]).to_lowercase();
    start.contains("too many requests") || start.contains("too_many_requests")
}

pub(super) fn excerpt(body: &[u8]) -> String {
    plain(&String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES)]))
}

fn seconds(wait: Duration) -> String {
    let seconds = wait.as_secs_f64().ceil();
    if seconds < 120.0 { format!("{seconds} s") } else { format!("{} min", (seconds / 60.0).ceil()) }
}

fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
