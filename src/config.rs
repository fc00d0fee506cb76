//! Flags, environment and files become one validated [`Config`]; nothing re-checks or re-reads them later. Flag beats
//! environment beats file. Secrets come from the environment or from `credentials.toml` (0600) beside the
//! configuration, never from the configuration itself or from argv, and print as nothing.

pub mod data_center;
pub mod edit;
pub mod init;
mod notify;
mod party;
mod rules;
mod secrets;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;
use url::Url;

use crate::failure::Failure;
use crate::model::Kind;
use crate::model::nearest::{choices, nearest};

pub use data_center::{DATA_CENTERS, DataCenter};
pub use notify::{NotifyConfig, Webhook};
pub use party::Party;
pub use rules::{AccountMatch, CrmRules};
pub use secrets::{Credentials, Secret, SecretStore, Secrets};

/// Where the program's files are, after flags, environment and platform customs.
#[derive(Clone, Debug)]
pub struct Paths {
    pub config: PathBuf,
    pub config_folder: PathBuf,
    pub credentials: PathBuf,
    /// Access tokens and request times, shared between processes.
    pub state: PathBuf,
    pub database: PathBuf,
    /// A user's own reports.
    pub queries: PathBuf,
}

/// What flags and environment say about files.
#[derive(Clone, Debug, Default)]
pub struct PathFlags {
    pub config: Option<PathBuf>,
    pub db: Option<PathBuf>,
    pub queries: Option<PathBuf>,
    /// A configuration file that was named need not be there: the command makes it.
    pub may_be_missing: bool,
}

#[derive(Clone, Debug)]
pub struct Config {
    pub paths: Paths,
    /// In the order of the file.
    pub stores: Vec<StoreConfig>,
    pub crm: Option<CrmConfig>,
    pub notify: NotifyConfig,
    /// False: there is no configuration file at that path.
    pub found: bool,
}

/// One store to mirror, every address resolved.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    pub store_id: String,
    pub data_center: String,
    pub api_url: Url,
    pub accounts_url: Url,
    pub client_id: String,
    pub leads: bool,
    pub requests_per_minute: u32,
    pub page_size: u32,
    pub throttle_wait_seconds: u64,
    pub timeout_seconds: u64,
}

#[derive(Clone, Debug)]
pub struct CrmConfig {
    pub data_center: String,
    pub api_url: Url,
    pub accounts_url: Url,
    pub client_id: String,
    pub daily_credits: Option<u64>,
    pub throttle_wait_seconds: u64,
    pub timeout_seconds: u64,
    pub modules: BTreeMap<Kind, String>,
    /// Kind → column → API name; None leaves the column out.
    pub fields: BTreeMap<Kind, BTreeMap<String, Option<String>>>,
    pub rules: CrmRules,
}

impl StoreConfig {
    /// The kinds `ingest` lists when none is named.
    pub fn kinds(&self) -> Vec<Kind> {
        Kind::ALL.into_iter().filter(|kind| *kind != Kind::Leads || self.leads).collect()
    }
}

impl CrmConfig {
    /// The CRM's API host, with its port where it has one of its own: the first part of a link's target.
    pub fn host(&self) -> String {
        let host = self.api_url.host_str().unwrap_or_default();
        self.api_url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    pub fn module(&self, kind: Kind) -> &str {
        self.modules.get(&kind).map_or("", String::as_str)
    }

    /// The key of links, rejections and fields: host and module (design, "What a person finds").
    pub fn target(&self, kind: Kind) -> String {
        format!("{}/{}", self.host(), self.module(kind))
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    database: DatabaseTable,
    stores: toml::map::Map<String, toml::Value>,
    crm: Option<CrmTable>,
    notify: notify::Table,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct DatabaseTable {
    path: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreTable {
    data_center: String,
    client_id: Option<String>,
    #[serde(default)]
    leads: bool,
    #[serde(default = "default_requests_per_minute")]
    requests_per_minute: u32,
    #[serde(default = "default_page_size")]
    page_size: u32,
    #[serde(default = "default_throttle_wait_seconds")]
    throttle_wait_seconds: u64,
    #[serde(default = "default_timeout_seconds")]
    timeout_seconds: u64,
    api_url: Option<String>,
    accounts_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CrmTable {
    data_center: String,
    client_id: Option<String>,
    api_url: Option<String>,
    accounts_url: Option<String>,
    daily_credits: Option<u64>,
    #[serde(default = "default_throttle_wait_seconds")]
    throttle_wait_seconds: u64,
    #[serde(default = "default_timeout_seconds")]
    timeout_seconds: u64,
    #[serde(default)]
    modules: BTreeMap<String, String>,
    #[serde(default)]
    fields: BTreeMap<String, BTreeMap<String, toml::Value>>,
    account_match: Option<String>,
    usd_tolerance: Option<toml::Value>,
    untagged_status: Option<String>,
    #[serde(default)]
    trigger: Vec<String>,
}

/// The store's documented limit (store contract §11).
fn default_requests_per_minute() -> u32 {
    100
}

/// The store's documented default page (store contract §3).
fn default_page_size() -> u32 {
    200
}

/// The store's limits are per minute.
fn default_throttle_wait_seconds() -> u64 {
    60
}

/// How long a server may be silent in the middle of an answer: a page of 20,000 records takes the store a while.
fn default_timeout_seconds() -> u64 {
    60
}

/// The largest page ever asked for; the completeness proof goes up to it (design, rule 3).
pub const MAX_PAGE_SIZE: u32 = 20_000;

impl Config {
    /// Reads and validates the configuration. A missing file is an empty configuration: what needs more says so.
    ///
    /// # Errors
    /// `config` naming the file, the key and the fix.
    pub fn load(flags: PathFlags) -> Result<Self> {
        let explicit = flags.config.is_some() && !flags.may_be_missing;
        let config_path = match flags.config {
            Some(path) => path,
            None => platform_folder(Folder::Config)?.join("config.toml"),
        };
        let text = match std::fs::read_to_string(&config_path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !explicit => None,
            Err(error) => {
                return Err(Failure::config(format!(
                    "cannot read the configuration {}: {error}",
                    config_path.display()
                ))
                .hint("check the path given with --config or STOREMIRROR_CONFIG")
                .into());
            }
        };
        let file = match &text {
            Some(text) => parse(&config_path, text)?,
            None => File::default(),
        };
        let config_folder =
            config_path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let database = match (flags.db, &file.database.path) {
            (Some(path), _) => path,
            (None, Some(path)) => config_folder.join(path),
            (None, None) => platform_folder(Folder::Data)?.join("mirror.db"),
        };
        let paths = Paths {
            credentials: config_folder.join("credentials.toml"),
            state: platform_folder(Folder::State)?,
            database,
            queries: match flags.queries {
                Some(folder) if folder.is_dir() => folder,
                Some(folder) => {
                    return Err(Failure::config(format!("--queries {} is not a folder", folder.display()))
                        .hint("name the folder that holds your own .sql files")
                        .into());
                }
                None => platform_folder(Folder::Config)?.join("queries"),
            },
            config: config_path,
            config_folder,
        };
        Self::assemble(paths, file, text.is_some())
    }

    /// The configuration as it is with another text in its file, the paths apart.
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn with_text(&self, text: &str) -> Result<Self> {
        Self::assemble(self.paths.clone(), parse(&self.paths.config, text)?, true)
    }

    fn assemble(paths: Paths, file: File, found: bool) -> Result<Self> {
        let stores = file
            .stores
            .into_iter()
            .map(|(name, table)| store(&paths.config, &name, table))
            .collect::<Result<Vec<_>>>()?;
        let crm = file.crm.map(|table| crm(&paths.config, table)).transpose()?;
        let notify = notify::read(file.notify)
            .map_err(|message| in_file(&paths.config, &format!("[notify] {message}"), None))?;
        Ok(Self { paths, stores, crm, notify, found })
    }

    /// The configured stores, or those named; a name that is not configured is an error.
    pub fn stores_named(&self, names: &[String]) -> Result<Vec<&StoreConfig>> {
        if self.stores.is_empty() {
            return Err(self.nothing_configured("no store is configured").into());
        }
        if names.is_empty() {
            return Ok(self.stores.iter().collect());
        }
        if let Some(unknown) = names.iter().find(|name| self.stores.iter().all(|store| store.store_id != **name)) {
            let known: Vec<&str> = self.stores.iter().map(|store| store.store_id.as_str()).collect();
            return Err(Failure::config(format!("no store {unknown:?} in {}", self.paths.config.display()))
                .hint(choices(unknown, "the configured stores are", &known))
                .into());
        }
        Ok(self.stores.iter().filter(|store| names.contains(&store.store_id)).collect())
    }

    pub fn crm(&self) -> Result<&CrmConfig> {
        self.crm.as_ref().ok_or_else(|| self.nothing_configured("no CRM is configured").into())
    }

    /// Whether the file is the one that is read when none is named.
    pub fn is_default_path(&self) -> bool {
        platform_folder(Folder::Config).is_ok_and(|folder| folder.join("config.toml") == self.paths.config)
    }

    fn nothing_configured(&self, what: &str) -> Failure {
        let message = if self.found {
            format!("{what} in {}", self.paths.config.display())
        } else {
            format!("{what}: there is no configuration at {}", self.paths.config.display())
        };
        let party = if what.contains("CRM") { "crm" } else { "store NAME" };
        Failure::config(message)
            .hint(format!("run `storemirror connect {party}`, or see it all with `storemirror demo`"))
    }
}

#[derive(Clone, Copy)]
enum Folder {
    Config,
    Data,
    State,
}

/// `$XDG_CONFIG_HOME`, or what the platform has in its place.
pub fn config_home() -> Result<PathBuf> {
    platform_home(Folder::Config)
}

/// `$XDG_CONFIG_HOME/storemirror` and its sisters, or what the platform has in their place.
fn platform_folder(folder: Folder) -> Result<PathBuf> {
    Ok(platform_home(folder)?.join("storemirror"))
}

fn platform_home(folder: Folder) -> Result<PathBuf> {
    use etcetera::BaseStrategy;
    let strategy = etcetera::choose_base_strategy().map_err(|error| {
        Failure::config(format!("no home folder: {error}")).hint("set HOME, or use --config and --db")
    })?;
    Ok(match folder {
        Folder::Config => strategy.config_dir(),
        Folder::Data => strategy.data_dir(),
        Folder::State => strategy.state_dir().unwrap_or_else(|| strategy.data_dir()),
    })
}

fn parse(path: &Path, text: &str) -> Result<File, Failure> {
    toml::from_str(text)
        .map_err(|error| in_file(path, error.message(), error.span().map(|span| line_of(text, span.start))))
}

fn in_file(path: &Path, message: &str, line: Option<usize>) -> Failure {
    let place = line.map_or_else(String::new, |line| format!(", line {line}"));
    Failure::config(format!("{}{place}: {}", path.display(), message.replace('\n', " "))).hint(match meant(message) {
        Some(near) => format!("did you mean {near}? {EVERY_KEY}"),
        None => EVERY_KEY.to_owned(),
    })
}

const EVERY_KEY: &str = "`storemirror init --print` shows every key and what it means";

/// The key that was probably meant, when `message` is the parser's "unknown field `a`, expected one of `b`, `c`".
fn meant(message: &str) -> Option<&str> {
    let mut names = message.split_once("unknown field ")?.1.split('`').skip(1).step_by(2);
    nearest(names.next()?, names)
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

fn store(path: &Path, name: &str, value: toml::Value) -> Result<StoreConfig> {
    let at = |message: String| in_file(path, &format!("[stores.{name}] {message}"), None);
    if !is_store_id(name) {
        return Err(at(STORE_ID_RULE.to_owned()).into());
    }
    let table: StoreTable = value.try_into().map_err(|error: toml::de::Error| at(error.message().to_owned()))?;
    let center = data_center::find(&table.data_center).ok_or_else(|| at(data_center::unknown(&table.data_center)))?;
    if table.requests_per_minute == 0 {
        return Err(at("requests_per_minute must be at least 1".to_owned()).into());
    }
    if table.page_size == 0 || table.page_size > MAX_PAGE_SIZE {
        return Err(at(format!("page_size must be between 1 and {MAX_PAGE_SIZE}")).into());
    }
    Ok(StoreConfig {
        store_id: name.to_owned(),
        data_center: center.name.to_owned(),
        api_url: address(table.api_url.as_deref(), &center.store_api(), "api_url").map_err(at)?,
        accounts_url: address(table.accounts_url.as_deref(), &center.accounts(), "accounts_url").map_err(at)?,
        client_id: table.client_id.ok_or_else(|| at("client_id is missing".to_owned()))?,
        leads: table.leads,
        requests_per_minute: table.requests_per_minute,
        page_size: table.page_size,
        throttle_wait_seconds: table.throttle_wait_seconds,
        timeout_seconds: table.timeout_seconds.max(1),
    })
}

/// What a store may be called (design, "Configuration").
pub const STORE_ID_RULE: &str = "a store's name is a lower-case letter and up to 31 more of a-z, 0-9 and _";

pub fn is_store_id(name: &str) -> bool {
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
    starts && name.len() <= 32 && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn crm(path: &Path, table: CrmTable) -> Result<CrmConfig> {
    let at = |message: String| in_file(path, &format!("[crm] {message}"), None);
    let center = data_center::find(&table.data_center).ok_or_else(|| at(data_center::unknown(&table.data_center)))?;
    let mut modules: BTreeMap<Kind, String> =
        Kind::pushed().map(|kind| (kind, kind.table().module_label.unwrap_or_default().replace(' ', "_"))).collect();
    for (key, module) in table.modules {
        let kind = pushed_kind(&key).map_err(|message| in_file(path, &format!("[crm.modules] {message}"), None))?;
        if !is_api_name(&module) {
            return Err(in_file(path, &format!("[crm.modules] {key}: {module:?} is not an API name"), None).into());
        }
        modules.insert(kind, module);
    }
    let mut rules = rules::read(rules::Keys {
        account_match: table.account_match,
        usd_tolerance: table.usd_tolerance,
        untagged_status: table.untagged_status,
        trigger: table.trigger,
    })
    .map_err(at)?;
    let mut fields = BTreeMap::new();
    for (key, columns) in table.fields {
        let place = format!("[crm.fields.{key}]");
        let kind = pushed_kind(&key).map_err(|message| in_file(path, &format!("[crm.fields] {message}"), None))?;
        let columns = field_overrides(kind, columns, &mut rules)
            .map_err(|message| in_file(path, &format!("{place} {message}"), None))?;
        fields.insert(kind, columns);
    }
    Ok(CrmConfig {
        data_center: center.name.to_owned(),
        api_url: address(table.api_url.as_deref(), &center.crm_api(), "api_url").map_err(at)?,
        accounts_url: address(table.accounts_url.as_deref(), &center.accounts(), "accounts_url").map_err(at)?,
        client_id: table.client_id.ok_or_else(|| at("client_id is missing".to_owned()))?,
        daily_credits: table.daily_credits,
        throttle_wait_seconds: table.throttle_wait_seconds,
        timeout_seconds: table.timeout_seconds.max(1),
        modules,
        fields,
        rules,
    })
}

fn pushed_kind(key: &str) -> Result<Kind, String> {
    Kind::pushed().find(|kind| kind.name() == key).ok_or_else(|| {
        let known: Vec<&str> = Kind::pushed().map(Kind::name).collect();
        format!("unknown key {key:?}; {}", choices(key, "the keys are", &known))
    })
}

fn field_overrides(
    kind: Kind,
    columns: BTreeMap<String, toml::Value>,
    rules: &mut CrmRules,
) -> Result<BTreeMap<String, Option<String>>, String> {
    let known: Vec<&str> = kind.table().crm_columns().map(|(column, _)| column.name).collect();
    let mut overrides = BTreeMap::new();
    for (column, value) in columns {
        if !known.contains(&column.as_str()) {
            return Err(format!("unknown column {column:?}; {}", choices(&column, "the columns are", &known)));
        }
        let line = rules::field_override(&column, value)?;
        if line.create_only {
            rules.create_only.entry(kind).or_default().insert(column.clone());
        }
        match line.name {
            rules::FieldName::Default => {}
            rules::FieldName::Named(api_name) => drop(overrides.insert(column, Some(api_name))),
            rules::FieldName::LeftOut => drop(overrides.insert(column, None)),
        }
    }
    Ok(overrides)
}

fn is_api_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 100 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// An override or the data centre's own address. Plain http is for loopback alone: a token must not cross a network
/// in the clear.
fn address(override_url: Option<&str>, default: &str, key: &str) -> Result<Url, String> {
    let text = override_url.unwrap_or(default);
    let url =
        Url::parse(text.trim_end_matches('/')).map_err(|error| format!("{key} {text:?} is not an address: {error}"))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            return Err(format!("{key} {text:?}: plain http is allowed to loopback only; use https"));
        }
        other => return Err(format!("{key} {text:?}: {other} is not https")),
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{key} {text:?}: an address without user, query or fragment is expected"));
    }
    Ok(url)
}

/// Whether an address never leaves this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
