//! Access tokens: minted from a refresh token, cached in the state folder, shared between processes. One process mints
//! at a time (a lock file per connection), because Zoho gives ten tokens per ten minutes and the sixteenth kills the
//! first (store contract §10). HTTP 200 with an `error` is an error.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::api::Error;
use crate::api::client::{nobody_there, read_body, transport_error};
use crate::api::grant::{Grant, REPLY_LIMIT_BYTES, REPLY_TIME, printable};
use crate::api::mask::masked;
use crate::api::retry::Fault;
use crate::config::{Credentials, is_loopback};
use crate::files::{private, write_in_turn};
use crate::model::json::sha256_hex;

/// A token is not used in its last minute: it might expire on the way.
const EXPIRY_MARGIN_SECONDS: u64 = 60;
/// What Zoho's tokens live when the reply does not say (one hour).
const DEFAULT_LIFE_SECONDS: u64 = 3600;
/// How often a waiting process looks whether another has finished minting.
const LOCK_POLL: Duration = Duration::from_millis(50);

pub struct TokenSource {
    accounts_url: Url,
    client_id: String,
    credentials: Credentials,
    /// What to call this connection in messages, and the command that renews it.
    name: String,
    hint: String,
    cache: TokenCache,
    current: RefCell<Option<Token>>,
}

/// The file that holds the access token of one refresh token of one client.
pub struct TokenCache {
    path: PathBuf,
}

/// Until when a cached token lives.
#[derive(Clone, Copy, Debug)]
pub struct Expiry {
    pub expires_at: DateTime<Utc>,
    pub is_valid: bool,
}

#[derive(Clone)]
struct Token {
    secret: SecretString,
    expires_at: u64,
}

#[derive(Deserialize)]
struct Stored {
    access_token: SecretString,
    expires_at: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Reply {
    access_token: Option<SecretString>,
    expires_in: Option<u64>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Why a token could not be had: for good, or for now.
pub enum MintError {
    Final(Error),
    Retry(Fault, String),
}

impl TokenSource {
    pub fn new(
        accounts_url: Url,
        client_id: String,
        credentials: Credentials,
        name: String,
        hint: String,
        state: &Path,
    ) -> Self {
        let cache = TokenCache::new(&accounts_url, &client_id, &credentials.refresh_token, state);
        Self { accounts_url, client_id, credentials, name, hint, cache, current: RefCell::new(None) }
    }

    /// A valid token: the one in memory, the one on disk, or a new one. `refused` is a token the server did not accept.
    pub async fn get(&self, http: &reqwest::Client, refused: Option<&SecretString>) -> Result<SecretString, MintError> {
        let usable = |token: &Token| token.expires_at > now() + EXPIRY_MARGIN_SECONDS && !same(refused, &token.secret);
        if let Some(token) = self.current.borrow().as_ref().filter(|token| usable(token)) {
            return Ok(token.secret.clone());
        }
        let lock = self.lock().await?;
        let token = match self.cache.load().filter(usable) {
            Some(token) => token,
            None => self.mint(http).await?,
        };
        drop(lock);
        let secret = token.secret.clone();
        *self.current.borrow_mut() = Some(token);
        Ok(secret)
    }

    /// What no answer may repeat, the access token in use apart.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretString> + Clone {
        [&self.credentials.client_secret, &self.credentials.refresh_token].into_iter()
    }

    async fn lock(&self) -> Result<File, MintError> {
        let cannot = |error: std::io::Error| {
            MintError::Final(Error::Network(format!(
                "cannot use the token cache {}: {error}",
                self.cache.path.display()
            )))
        };
        let path = self.cache.path.with_extension("lock");
        let file = private(OpenOptions::new().create(true).truncate(false).write(true)).open(path).map_err(cannot)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::WouldBlock) => tokio::time::sleep(LOCK_POLL).await,
                Err(std::fs::TryLockError::Error(error)) => return Err(cannot(error)),
            }
        }
    }

    async fn mint(&self, http: &reqwest::Client) -> Result<Token, MintError> {
        let reply = self.ask(http).await?;
        let Some(access_token) = reply.access_token else {
            return Err(self.refused(&reply));
        };
        self.cache.keep(access_token, reply.expires_in).map_err(|error| {
            let cache = self.cache.path.display();
            MintError::Final(Error::Network(format!("cannot write the token cache {cache}: {error}")))
        })
    }

    async fn ask(&self, http: &reqwest::Client) -> Result<Reply, MintError> {
        let url = format!("{}/oauth/v2/token", self.accounts_url.as_str().trim_end_matches('/'));
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("client_secret", self.credentials.client_secret.expose_secret()),
            ("refresh_token", self.credentials.refresh_token.expose_secret()),
        ];
        let broken =
            |message: String| MintError::Retry(Fault::Broken, format!("{}: token request: {message}", self.name));
        let response = http.post(url).form(&form).send().await.map_err(|error| {
            if error.is_connect() && is_loopback(&self.accounts_url) {
                return MintError::Retry(Fault::NobodyThere, nobody_there(&self.name, &self.accounts_url));
            }
            broken(transport_error(&error))
        })?;
        let status = response.status().as_u16();
        let body = read_body(response, REPLY_LIMIT_BYTES, REPLY_TIME).await;
        let body = masked(body.map_err(|unread| broken(unread.message()))?, self.secrets());
        if status >= 500 {
            return Err(broken(format!("HTTP {status}")));
        }
        let reply: Reply = match serde_json::from_slice(&body) {
            Ok(reply) => reply,
            Err(_) if status == 429 => Reply { error: Some("Access Denied".to_owned()), ..Reply::default() },
            Err(_) => return Err(broken(format!("HTTP {status} without a JSON object"))),
        };
        Ok(reply)
    }

    fn refused(&self, reply: &Reply) -> MintError {
        let error = reply.error.clone().unwrap_or_else(|| "no access_token in the reply".to_owned());
        let description = reply.error_description.as_deref().unwrap_or_default();
        if error == "Access Denied" || description.contains("too many requests") {
            return MintError::Retry(
                Fault::Throttled(None),
                format!("{}: Zoho limits how often tokens are made", self.name),
            );
        }
        MintError::Final(Error::Credentials {
            message: format!(
                "{}: {} refuses the refresh token: {}",
                self.name,
                self.accounts_url.host_str().unwrap_or_default(),
                printable(&error)
            ),
            hint: self.hint.clone(),
            whole: true,
        })
    }
}

impl TokenCache {
    pub fn new(accounts_url: &Url, client_id: &str, refresh_token: &SecretString, state: &Path) -> Self {
        let identity = format!("{accounts_url}\n{client_id}\n{}", refresh_token.expose_secret());
        Self { path: state.join(format!("token-{}.json", &sha256_hex(identity.as_bytes())[..16])) }
    }

    /// Keeps a token that Zoho just made; `life_seconds` is what its reply says.
    fn keep(&self, secret: SecretString, life_seconds: Option<u64>) -> std::io::Result<Token> {
        let life = life_seconds.unwrap_or(DEFAULT_LIFE_SECONDS).max(EXPIRY_MARGIN_SECONDS + 1);
        let token = Token { secret, expires_at: now().saturating_add(life) };
        let stored =
            serde_json::json!({ "access_token": token.secret.expose_secret(), "expires_at": token.expires_at });
        write_in_turn(&self.path, stored.to_string().as_bytes())?;
        Ok(token)
    }

    /// Keeps the access token that comes with a grant, so that the first request need not have one made.
    pub fn keep_granted(&self, grant: &Grant) -> std::io::Result<()> {
        self.keep(grant.access_token.clone(), grant.expires_in).map(|_| ())
    }

    /// Until when the cached token lives; None when there is none.
    pub fn expiry(&self) -> Option<Expiry> {
        let token = self.load()?;
        let expires_at = DateTime::from_timestamp(i64::try_from(token.expires_at).ok()?, 0)?;
        Some(Expiry { expires_at, is_valid: token.expires_at > now() })
    }

    /// Deletes the cached token; that there is none is just as well.
    pub fn forget(&self) -> std::io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn load(&self) -> Option<Token> {
        let text = std::fs::read_to_string(&self.path).ok()?;
        let stored: Stored = serde_json::from_str(&text).ok()?;
        Some(Token { secret: stored.access_token, expires_at: stored.expires_at })
    }
}

fn same(refused: Option<&SecretString>, token: &SecretString) -> bool {
    refused.is_some_and(|refused| refused.expose_secret() == token.expose_secret())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
