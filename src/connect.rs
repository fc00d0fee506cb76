//! `connect`, `disconnect` and `whoami`: a Self Client's one-use code becomes a refresh token in `credentials.toml`, and
//! goes again.
//!
//! Terms: a *party* is a store or the CRM; a *candidate* is a data centre the code may belong to, with the configuration
//! as it would be then. Nothing is written before a code is accepted, so a slip leaves everything as it was. This room
//! knows the order of the steps; HTTP is `api/grant.rs`, the files are `config/edit.rs`.

mod advice;
mod disconnect;
mod prompt;
mod walk;
mod whoami;

use std::rc::Rc;

use anyhow::Result;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::api::auth::TokenCache;
use crate::api::client::Talk;
use crate::api::grant::{Accounts, Grant, GrantError, Offer, count_organisations};
use crate::api::{Client, Connection, Error, StoreApi};
use crate::config::data_center::{self, DataCenter};
use crate::config::{AnswerLimits, Config, Credentials, Party, Secret, SecretStore, edit, is_store_id};
use crate::failure::{Code, Failure};
use crate::files::create_private_folder;
use crate::model::Kind;
use advice::{no_grant, not_found, reason};
use prompt::Prompt;

pub use disconnect::{Disconnected, disconnect};
pub use whoami::{Whoami, whoami};

/// What the command line asks of `connect`.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    pub data_center: Option<String>,
    pub client_id: Option<String>,
    pub find_data_center: bool,
    pub new_secret: bool,
}

/// A connection as it is configured.
#[derive(Clone, Debug)]
struct Settings {
    party: Party,
    data_center: String,
    api_url: Url,
    accounts_url: Url,
    client_id: String,
    leads: bool,
    requests_per_minute: Option<u32>,
    throttle_wait_seconds: u64,
    timeout_seconds: u64,
    answer: AnswerLimits,
}

/// A data centre the code may belong to.
struct Candidate {
    settings: Settings,
    change: Change,
}

/// What the configuration file needs, once the code is accepted. It is made from the file as it is then: while codes
/// are copied, a person may well have it open in an editor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Nothing,
    NewTable,
    NewDataCenter,
}

pub struct Connected {
    settings: Settings,
    config: String,
    credentials: String,
    config_changed: bool,
    received: usize,
    warnings: Vec<String>,
}

/// Walks a person through the Self Client, exchanges the code, keeps the secrets and proves them with one request.
///
/// # Errors
/// `config` for what is missing or contradicts the configuration, `credentials` for what Zoho refuses, `network`.
pub async fn connect(config: &Config, party: &Party, wishes: &Wishes, talk: &Talk) -> Result<Connected> {
    // lets the listener for Ctrl-C start, before a prompt keeps the thread
    tokio::task::yield_now().await;
    let prompt = Prompt::new(Rc::clone(talk));
    let secrets = SecretStore::new(config.paths.credentials.clone()).look_up(party)?;
    let known = Settings::of(config, party);
    check(config, party, wishes, known.as_ref())?;
    let candidates = candidates(config, party, wishes, known, &prompt, talk).await?;
    edit::check_writable(&config.paths.credentials)?;
    let client_secret = client_secret(&secrets.client_secret, wishes, &prompt, talk).await?;
    let code = prompt.secret("code").await?;
    let (candidate, grant) = exchange(candidates, &client_secret, &code, talk).await?;
    let warnings = [
        overshadowed(&secrets.refresh_token, &grant.refresh_token),
        overshadowed(&secrets.client_secret, &client_secret),
        foreign_api(&candidate.settings, &grant),
    ];
    let credentials = Credentials { client_secret, refresh_token: grant.refresh_token.clone() };
    keep(config, &candidate, &credentials, &grant)?;
    let received = prove(config, &candidate.settings, credentials, talk).await?;
    Ok(Connected {
        config: config.paths.config.display().to_string(),
        credentials: config.paths.credentials.display().to_string(),
        config_changed: candidate.change != Change::Nothing,
        settings: candidate.settings,
        received,
        warnings: warnings.into_iter().flatten().collect(),
    })
}

/// Refuses wishes that contradict the configuration: silently preferring either would connect to something else.
fn check(config: &Config, party: &Party, wishes: &Wishes, known: Option<&Settings>) -> Result<()> {
    if let Party::Store(name) = party
        && !is_store_id(name)
    {
        return Err(Failure::config(format!("{name:?}: {}", crate::config::STORE_ID_RULE)).into());
    }
    if let Some(name) = &wishes.data_center
        && data_center::find(name).is_none()
    {
        return Err(Failure::config(data_center::unknown(name)).into());
    }
    if let Some(client_id) = &wishes.client_id
        && (client_id.is_empty() || !client_id.chars().all(|character| character.is_ascii_graphic()))
    {
        return Err(Failure::config(format!("--client-id {client_id:?} is no client id")).into());
    }
    let Some(known) = known else { return Ok(()) };
    let stands =
        [("data_center", &known.data_center, &wishes.data_center), ("client_id", &known.client_id, &wishes.client_id)];
    for (key, configured, wished) in stands {
        if wished.as_ref().is_some_and(|wished| wished != configured) {
            return Err(Failure::config(format!("[{}] already has {key} = {configured:?}", party.table()))
                .hint(format!("change it in {}, or leave the flag out", config.paths.config.display()))
                .into());
        }
    }
    Ok(())
}

/// Finds out, with the person's help, which data centres the code may belong to and for which client.
async fn candidates(
    config: &Config,
    party: &Party,
    wishes: &Wishes,
    known: Option<Settings>,
    prompt: &Prompt,
    talk: &Talk,
) -> Result<Vec<Candidate>> {
    let centers = match &known {
        Some(known) => known.centers(wishes.find_data_center),
        None if wishes.find_data_center => data_center::order(None),
        None => vec![chosen_center(wishes, prompt).await?],
    };
    let only = if let [center] = centers[..] { Some(center) } else { None };
    talk(&walk::text(party, only, known.as_ref().is_some_and(|settings| settings.leads)));
    if let Some(known) = known {
        return centers.into_iter().map(|center| known.moved_to(config, center)).collect();
    }
    let client_id = match &wishes.client_id {
        Some(client_id) => client_id.clone(),
        None => prompt.open("client id").await?,
    };
    let added = |center: &DataCenter| {
        let text = Change::NewTable.text(config, party, center.name, &client_id)?;
        Candidate::new(config, party, Change::NewTable, &text)
    };
    centers.into_iter().map(added).collect()
}

async fn chosen_center(wishes: &Wishes, prompt: &Prompt) -> Result<&'static DataCenter> {
    let name = if let Some(name) = &wishes.data_center {
        name.clone()
    } else {
        let names: Vec<&str> = data_center::order(None).iter().map(|center| center.name).collect();
        prompt.open(&format!("data centre ({})", names.join(" "))).await?
    };
    data_center::find(&name).ok_or_else(|| {
        Failure::config(data_center::unknown(&name))
            .hint("it ends the address where you sign in to Zoho; --find-data-center tries them all")
            .into()
    })
}

async fn client_secret(secret: &Secret, wishes: &Wishes, prompt: &Prompt, talk: &Talk) -> Result<SecretString> {
    match secret.value() {
        Some(value) if !wishes.new_secret => {
            let source = if secret.given.is_some() { secret.variable.as_str() } else { "credentials.toml" };
            talk(&format!("using the client secret of {source} (--new-secret asks for another)"));
            Ok(value.clone())
        }
        _ => prompt.secret("client secret").await,
    }
}

/// Offers the code to one data centre after the other. Only the one that accepts it spends it.
async fn exchange(
    candidates: Vec<Candidate>,
    client_secret: &SecretString,
    code: &SecretString,
    talk: &Talk,
) -> Result<(Candidate, Grant)> {
    let is_search = candidates.len() > 1;
    let mut answers = Vec::new();
    for candidate in candidates {
        let settings = &candidate.settings;
        let accounts = Accounts::new(settings.accounts_url.clone(), settings.timeout_seconds)
            .map_err(|error| error.into_failure(Code::Network))?;
        let accounts = if is_search { accounts.impatient() } else { accounts };
        match accounts.exchange(&Offer { client_id: &settings.client_id, client_secret, code }).await {
            Ok(grant) => return Ok((candidate, grant)),
            // that one accepted the code: it is spent, and there is nothing more to find
            Err(error) if is_search && error != GrantError::NoRefreshToken => {
                talk(&format!("{}: {}", host(&settings.accounts_url), reason(&error)));
                answers.push((candidate, error));
            }
            Err(error) => return Err(no_grant(settings, &error).into()),
        }
    }
    Err(not_found(&answers).into())
}

/// Keeps what was granted. The secrets come first: they are what cannot be had again.
fn keep(config: &Config, candidate: &Candidate, credentials: &Credentials, grant: &Grant) -> Result<()> {
    edit::keep_secrets(&config.paths.credentials, &candidate.settings.party, credentials)?;
    if candidate.change != Change::Nothing {
        let Settings { party, data_center, client_id, .. } = &candidate.settings;
        let text = candidate.change.text(config, party, data_center, client_id)?;
        config.with_text(&text)?;
        edit::write_config(&config.paths.config, &text)?;
    }
    create_private_folder(&config.paths.state).map_err(Failure::config)?;
    let cache = candidate.settings.cache(config, &credentials.refresh_token);
    cache.keep_granted(grant).map_err(|error| Failure::config(format!("cannot write the token cache: {error}")))?;
    Ok(())
}

/// One request with the new credentials; returns how much came.
async fn prove(config: &Config, settings: &Settings, credentials: Credentials, talk: &Talk) -> Result<usize> {
    let connection = Connection {
        name: settings.party.label(),
        connect_command: format!("connect {}", settings.party.argument()),
        api_url: settings.api_url.clone(),
        accounts_url: settings.accounts_url.clone(),
        client_id: settings.client_id.clone(),
        credentials,
        requests_per_minute: settings.requests_per_minute,
        throttle_wait_seconds: settings.throttle_wait_seconds,
        timeout_seconds: settings.timeout_seconds,
        answer: settings.answer,
        verbose: false,
        state: &config.paths.state,
    };
    let unproven = |error: Error| {
        let code = if settings.party == Party::Crm { Code::Crm } else { Code::Store };
        let failure = error.into_failure(code);
        let message = format!("the refresh token is stored, but its first request failed: {}", failure.message);
        match failure.code {
            Code::Credentials => Failure { message, ..failure }
                .hint("connect again with a code made for exactly the scopes shown, by a user who may see the data"),
            _ => {
                Failure { message, ..failure }.hint("no new code is needed; `storemirror whoami` shows what is stored")
            }
        }
    };
    let client = Client::new(connection, Rc::clone(talk)).map_err(unproven)?;
    let received = match settings.party {
        Party::Store(_) => StoreApi::new(client).list(Kind::Subscriptions, 1, 1).await.map(|page| page.records.len()),
        Party::Crm => count_organisations(&client).await,
    };
    Ok(received.map_err(unproven)?)
}

impl Change {
    /// The configuration file's text after the change.
    fn text(self, config: &Config, party: &Party, data_center: &str, client_id: &str) -> Result<String> {
        let path = &config.paths.config;
        let text = edit::read_text(path)?;
        match self {
            Self::Nothing => Ok(text),
            Self::NewTable => Ok(edit::add_table(&text, party, data_center, client_id)),
            Self::NewDataCenter => edit::set_data_center(path, &text, party, data_center),
        }
    }
}

impl Candidate {
    /// The changed text is read like any other, so what will be written is known to be accepted.
    fn new(config: &Config, party: &Party, change: Change, text: &str) -> Result<Self> {
        let settings = Settings::of(&config.with_text(text)?, party).ok_or_else(|| {
            Failure::config(format!("cannot add [{}] to {}", party.table(), config.paths.config.display()))
                .hint("write the table by hand, with data_center and client_id, and run this again")
        })?;
        Ok(Self { settings, change })
    }
}

impl Settings {
    /// The data centres its code may belong to. An overridden address is taken as it is: nothing is to be found there.
    fn centers(&self, is_search: bool) -> Vec<&'static DataCenter> {
        let own = data_center::find(&self.data_center);
        let accounts_url = self.accounts_url.as_str().trim_end_matches('/');
        match own {
            Some(own) if is_search && own.accounts() == accounts_url => data_center::order(Some(own.name)),
            _ => own.into_iter().collect(),
        }
    }

    /// The same connection in another data centre, or as it is when that is its own.
    fn moved_to(&self, config: &Config, center: &DataCenter) -> Result<Candidate> {
        if center.name == self.data_center {
            return Ok(Candidate { settings: self.clone(), change: Change::Nothing });
        }
        let text = Change::NewDataCenter.text(config, &self.party, center.name, &self.client_id)?;
        Candidate::new(config, &self.party, Change::NewDataCenter, &text)
    }

    fn of(config: &Config, party: &Party) -> Option<Self> {
        Self::all(config).into_iter().find(|settings| settings.party == *party)
    }

    /// Every configured connection, in the order of the file, the CRM last.
    fn all(config: &Config) -> Vec<Self> {
        let stores = config.stores.iter().map(|store| Self {
            party: Party::Store(store.store_id.clone()),
            data_center: store.data_center.clone(),
            api_url: store.api_url.clone(),
            accounts_url: store.accounts_url.clone(),
            client_id: store.client_id.clone(),
            leads: store.leads,
            requests_per_minute: Some(store.requests_per_minute),
            throttle_wait_seconds: store.throttle_wait_seconds,
            timeout_seconds: store.timeout_seconds,
            answer: store.answer,
        });
        let crm = config.crm.iter().map(|crm| Self {
            party: Party::Crm,
            data_center: crm.data_center.clone(),
            api_url: crm.api_url.clone(),
            accounts_url: crm.accounts_url.clone(),
            client_id: crm.client_id.clone(),
            leads: false,
            requests_per_minute: None,
            throttle_wait_seconds: crm.throttle_wait_seconds,
            timeout_seconds: crm.timeout_seconds,
            answer: crm.answer,
        });
        stores.chain(crm).collect()
    }

    fn cache(&self, config: &Config, refresh_token: &SecretString) -> TokenCache {
        TokenCache::new(&self.accounts_url, &self.client_id, refresh_token, &config.paths.state)
    }

    fn json(&self) -> Value {
        json!({
            "connection": if self.party == Party::Crm { "crm" } else { "store" }, "store_id": self.party.store_id(),
            "data_center": self.data_center, "client_id": self.client_id,
            "accounts_url": self.accounts_url.as_str(), "api_url": self.api_url.as_str(),
        })
    }
}

impl Connected {
    pub fn json(&self) -> Value {
        let mut object = answer("connect", &self.settings, &self.warnings);
        object["config_changed"] = json!(self.config_changed);
        object["received"] = json!(self.received);
        object
    }

    pub fn text(&self) -> String {
        let things = match self.settings.party {
            Party::Store(_) => "subscription",
            Party::Crm => "organisation",
        };
        let plural = if self.received == 1 { "" } else { "s" };
        let mut text = format!(
            "{} is connected (data centre {}): asked for one {things}, {} {things}{plural} came\nsecrets: {}",
            self.settings.party.label(),
            self.settings.data_center,
            self.received,
            self.credentials,
        );
        if self.config_changed {
            text.push_str(&format!("\nconfiguration: [{}] in {}", self.settings.party.table(), self.config));
        }
        with_warnings(text, &self.warnings)
    }
}

/// The JSON that both commands share.
fn answer(command: &str, settings: &Settings, warnings: &[String]) -> Value {
    let mut object = json!({ "command": command, "version": env!("CARGO_PKG_VERSION"), "exit": 0 });
    if let (Value::Object(object), Value::Object(more)) = (&mut object, settings.json()) {
        object.extend(more);
    }
    object["warnings"] = json!(warnings);
    object["error"] = Value::Null;
    object
}

fn with_warnings(mut text: String, warnings: &[String]) -> String {
    for warning in warnings {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    text
}

/// An environment variable that hides what was just stored.
fn overshadowed(secret: &Secret, stored: &SecretString) -> Option<String> {
    let hides = secret.given.as_ref().is_some_and(|given| given.expose_secret() != stored.expose_secret());
    hides.then(|| format!("{} is set and beats what was stored now; take it out of the environment", secret.variable))
}

/// The reply may name an API host. Only the configured one is contacted (design, rule 7); another one is worth a word,
/// because it means a sandbox or a user of another data centre.
fn foreign_api(settings: &Settings, grant: &Grant) -> Option<String> {
    let named = grant.api_host.as_deref()?;
    let own = match settings.party {
        Party::Crm => host(&settings.api_url).to_owned(),
        Party::Store(_) => data_center::find(&settings.data_center)?.crm_api().replace("https://", ""),
    };
    let is_local = crate::config::is_loopback(&settings.accounts_url);
    (named != own && !is_local)
        .then(|| format!("Zoho names the API host {named:?}, which does not follow from data_center; it is not used"))
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PathFlags;

    const TEXT: &str = "# mine\n[stores.us] # the first\ndata_center = \"com\"\nclient_id = \"1000.A\"\n";

    fn config(folder: &std::path::Path, text: Option<&str>) -> Config {
        let path = folder.join("new/config.toml");
        if let Some(text) = text {
            edit::write_config(&path, text).unwrap();
        }
        let flags = PathFlags { config: Some(path), may_be_missing: true, ..PathFlags::default() };
        let mut config = Config::load(flags).unwrap();
        config.paths.state = folder.join("state");
        config
    }

    fn party(name: &str) -> Party {
        Party::Store(name.to_owned())
    }

    fn grant(api_host: &str) -> Grant {
        Grant {
            refresh_token: "r".into(),
            access_token: "a".into(),
            expires_in: Some(3600),
            api_host: Some(api_host.to_owned()),
        }
    }

    /// Adds a store as `connect` does, with something that happens before its code is accepted; gives the new file.
    fn added(config: &Config, meanwhile: impl FnOnce()) -> String {
        let text = Change::NewTable.text(config, &party("eu"), "eu", "1000.B").unwrap();
        let candidate = Candidate::new(config, &party("eu"), Change::NewTable, &text).unwrap();
        meanwhile();
        assert_eq!(candidate.settings.accounts_url.as_str(), "https://accounts.zoho.eu/");
        let credentials = Credentials { client_secret: "s".into(), refresh_token: "r".into() };
        keep(config, &candidate, &credentials, &grant("www.zohoapis.eu")).unwrap();
        assert!(candidate.settings.cache(config, &"r".into()).expiry().unwrap().is_valid);
        edit::read_text(&config.paths.config).unwrap()
    }

    #[test]
    fn a_new_store_makes_the_configuration_and_the_credentials() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), None);
        assert_eq!(added(&config, || ()), "[stores.eu]\ndata_center = \"eu\"\nclient_id = \"1000.B\"\n");
        #[cfg(unix)]
        for (path, expected) in [("new", 0o700), ("new/credentials.toml", 0o600), ("state", 0o700)] {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(folder.path().join(path).metadata().unwrap().permissions().mode() & 0o777, expected, "{path}");
        }
    }

    #[test]
    fn a_second_store_leaves_the_first_and_its_comments() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), Some(TEXT));
        let edited = format!("{TEXT}leads = true # added in an editor meanwhile\n");
        let text = added(&config, || edit::write_config(&config.paths.config, &edited).unwrap());
        assert!(text.starts_with(&edited) && text.contains("[stores.eu]"), "{text}");
    }

    #[test]
    fn a_configured_store_is_searched_from_its_own_data_centre_on() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), Some(TEXT));
        let us = Settings::of(&config, &party("us")).unwrap();
        assert_eq!(us.centers(false).len(), 1);
        let moved: Vec<Candidate> =
            us.centers(true).into_iter().map(|center| us.moved_to(&config, center).unwrap()).collect();
        assert_eq!((moved.len(), moved[0].change), (9, Change::Nothing), "its own comes first and changes nothing");
        let text = moved[1].change.text(&config, &party("us"), "eu", "").unwrap();
        assert_eq!(text, TEXT.replace("\"com\"", "\"eu\""));
        assert_eq!(moved[1].settings.api_url.as_str(), "https://store.zoho.eu/api/v1/partner");
    }

    #[test]
    fn an_api_host_that_does_not_follow_from_the_data_centre_is_only_named() {
        let folder = tempfile::tempdir().unwrap();
        let us = Settings::of(&config(folder.path(), Some(TEXT)), &party("us")).unwrap();
        assert_eq!(foreign_api(&us, &grant("www.zohoapis.com")), None);
        assert!(foreign_api(&us, &grant("www.zohoapis.eu")).unwrap().contains("not used"));
    }

    #[test]
    fn a_refusal_weighs_more_than_a_silent_server() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), Some(TEXT));
        let us = Settings::of(&config, &party("us")).unwrap();
        let answer = |error| (Candidate { settings: us.clone(), change: Change::Nothing }, error);
        let silent = || answer(GrantError::Network("time-out".to_owned()));
        let refused = answer(GrantError::Refused("invalid_client".to_owned()));
        assert_eq!(not_found(&[silent(), refused]).code, Code::Credentials);
        assert_eq!(not_found(&[silent(), answer(GrantError::Throttled)]).code, Code::Network);
    }
}
