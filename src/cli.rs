//! The command line as typed: types only, and the doc comments are the help. What the values mean is decided in
//! `config.rs` and in the commands' own rooms.

pub mod examples;
mod schedule;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use schedule::{Often, PushWhen, Schedule, ScheduleInstall, ScheduleRemove, Scheduler};

/// A local-first mirror of the Zoho Partner Store: one binary, one SQLite file
#[derive(Debug, Parser)]
#[command(name = "storemirror", version, max_term_width = 80, propagate_version = true, infer_long_args = false)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Args)]
pub struct Global {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE", env = "STOREMIRROR_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// The database file
    #[arg(long, global = true, value_name = "FILE", env = "STOREMIRROR_DB", hide_env_values = true)]
    pub db: Option<PathBuf>,
    /// The folder with your own reports
    #[arg(long, global = true, value_name = "DIR")]
    pub queries: Option<PathBuf>,
    /// Print exactly one JSON object on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but data and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// The instant to take for now
    #[arg(long, global = true, value_name = "RFC3339", env = "STOREMIRROR_NOW", hide = true)]
    pub now: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole product on made-up data: no account, no network
    Demo {
        /// The folder to leave the results in
        #[arg(value_name = "DIR", default_value = "./storemirror-demo")]
        folder: PathBuf,
    },
    /// Write a commented configuration to fill in
    Init {
        /// Print it instead of writing it
        #[arg(long)]
        print: bool,
    },
    /// Run the simulated accounts, store and CRM servers until Ctrl-C
    Simulate(Simulate),
    /// List every record of the stores into the mirror
    Ingest(Ingest),
    /// Mirror what changed into the CRM
    Push(Push),
    /// Look at the CRM, prepare it, link it, compare it
    #[command(subcommand)]
    Crm(Crm),
    /// Ingest, then push
    Sync(Sync),
    /// Let it run by itself: systemd user timers, or lines of your crontab
    #[command(subcommand)]
    Schedule(Schedule),
    /// Show who is told when something breaks, and what is wrong now
    Notify {
        /// Send a test to everyone who is told
        #[arg(long)]
        test: bool,
    },
    /// Run a report, or list the reports
    Report(Report),
    /// Write every report as CSV, with a manifest
    Export(Export),
    /// Write one page to look at: headline numbers, charts, tables, every customer's statement
    ///
    /// One HTML file that loads nothing and sends nothing, made from the bundled reports
    Dashboard(Dashboard),
    /// Freeze a month's commissions as they are known now, or show what changed since
    ///
    /// Prints the frozen month as CSV, always the same from then on
    Statement(Statement),
    /// Say what every column of the mirror means, where it comes from and where it goes
    Dictionary {
        /// How to print it (default: table)
        #[arg(long, value_enum)]
        format: Option<DictionaryFormat>,
    },
    /// Show what is mirrored, how complete it is, and what waits for the CRM
    Status {
        /// Exit with 3 when a kind has had no complete listing within so many hours
        #[arg(long, value_name = "HOURS")]
        max_age: Option<u32>,
    },
    /// List everything again and compare it with the mirror, writing nothing
    Verify {
        /// subscriptions, transactions, commissions or leads (default: all that are configured)
        #[arg(value_name = "KIND")]
        kinds: Vec<String>,
        /// Only these stores
        #[arg(long = "store", value_name = "NAME", num_args = 1..)]
        stores: Vec<String>,
    },
    /// Make everything derived from the payloads again, offline
    Rebuild,
    /// Show one record: its versions field by field, its relatives, its place in the CRM
    Explain {
        /// subscriptions, transactions, commissions or leads
        #[arg(value_name = "KIND")]
        kind: String,
        /// The record's id, with its store where the id is in several
        #[arg(value_name = "[STORE:]ID")]
        id: String,
    },
    /// Connect a store or the CRM: walks through Zoho's Self Client and keeps the refresh token
    #[command(subcommand)]
    Connect(Connect),
    /// Revoke a refresh token at Zoho and forget it here
    #[command(subcommand)]
    Disconnect(Disconnect),
    /// List the connections, where their secrets come from and how long their tokens live, offline
    Whoami,
    /// Copy the mirror into one file that is proven to be sound, also while an ingest writes
    Backup(Backup),
    /// Put a backup in the mirror's place, or prove that it could be
    Restore(Restore),
    /// Take a customer's personal data out of the mirror, for good; amounts stay
    ///
    /// Names the customer by one of its records or by an address. Its subscriptions, leads, transactions and commissions
    /// lose names, addresses and free texts in every version, and no later listing brings them back. Backups, exports,
    /// the CRM and Zoho itself are not touched.
    Forget(Forget),
    /// Look for what is wrong: file, secrets, clock, connections, CRM, schedule; ready to paste into a report
    ///
    /// Exits with 1 when something is broken, with 4 when a server refused the credentials. Nothing it prints is secret
    /// or personal.
    Doctor {
        /// Print what each store does with pages, headers and unknown fields instead
        #[arg(long)]
        first_contact: bool,
        /// Ask no server
        #[arg(long, conflicts_with = "first_contact")]
        offline: bool,
        /// Only these stores
        #[arg(long = "store", value_name = "NAME", num_args = 1..)]
        stores: Vec<String>,
    },
    /// Print what makes a shell complete commands, reports, parameters and stores
    Completions {
        /// The shell that is to read it
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page, or write the pages of all commands to a folder
    Man {
        /// The folder to write to
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}

impl Shell {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
            Self::Elvish => "elvish",
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Connect {
    /// Connect a Partner Store
    Store {
        /// The store's name in the configuration; a new one is added there
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        how: ConnectHow,
    },
    /// Connect the CRM
    Crm {
        #[command(flatten)]
        how: ConnectHow,
    },
}

/// Secrets and the code are no flags: they are asked for, or read from stdin, one a line.
#[derive(Debug, Args)]
pub struct ConnectHow {
    /// Where it is at Zoho: com eu in com.au com.cn jp ca sa uk
    #[arg(long, value_name = "DC", conflicts_with = "find_data_center")]
    pub data_center: Option<String>,
    /// Try the data centres with the code, the main ones first
    #[arg(long)]
    pub find_data_center: bool,
    /// The client id of the Self Client
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// Ask for the client secret even though there is one
    #[arg(long)]
    pub new_secret: bool,
}

#[derive(Debug, Subcommand)]
pub enum Crm {
    /// Compare the CRM's modules and fields with what a push writes, changing nothing there
    Check,
    /// Create the fields that a push writes to and the CRM lacks
    Setup {
        /// Create nothing; show what would be created
        #[arg(long)]
        dry_run: bool,
        /// Create missing modules too, where the CRM's edition allows it
        #[arg(long)]
        create_modules: bool,
    },
    /// Show one record on its way to the CRM: link, acknowledged values, what would be sent, why it was refused
    Trace {
        /// subscriptions, transactions or commissions
        #[arg(value_name = "KIND")]
        kind: String,
        /// The record's id, with its store where the id is in several
        #[arg(value_name = "[STORE:]ID")]
        id: String,
    },
    /// Read linked records back and tell what was edited or deleted in the CRM
    Verify {
        /// subscriptions, transactions or commissions (default: all)
        #[arg(value_name = "KIND")]
        kinds: Vec<String>,
        /// Send ours again, and make again what is gone
        #[arg(long)]
        repair: bool,
        /// With --repair: go on when an unusual share of the linked records would change
        #[arg(long, requires = "repair")]
        allow_mass_change: bool,
    },
    /// Link records that stand in the CRM under our names already, changing nothing there
    Link {
        /// subscriptions, transactions or commissions (default: all)
        #[arg(value_name = "KIND")]
        kinds: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Disconnect {
    /// Disconnect a Partner Store
    Store {
        /// The store's name in the configuration
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Disconnect the CRM
    Crm,
}

#[derive(Debug, Args)]
pub struct Simulate {
    /// The port to listen on
    #[arg(long, value_name = "P", default_value_t = 8077)]
    pub port: u16,
    /// Another seed is another partner
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// About how many subscriptions
    #[arg(long, value_name = "N", default_value_t = 600)]
    pub subscriptions: usize,
    /// About how many transactions
    #[arg(long, value_name = "N", default_value_t = 6000)]
    pub transactions: usize,
    /// About how many commissions
    #[arg(long, value_name = "N", default_value_t = 5000)]
    pub commissions: usize,
    /// How the servers behave where the real ones are not documented, as JSON; `GET /_sim/switches` shows all
    #[arg(long, value_name = "FILE")]
    pub switches: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Ingest {
    /// subscriptions, transactions, commissions or leads (default: all that are configured)
    #[arg(value_name = "KIND")]
    pub kinds: Vec<String>,
    /// Every configured kind but these
    #[arg(long, value_name = "KIND", num_args = 1.., conflicts_with = "kinds")]
    pub except: Vec<String>,
    /// Only these stores
    #[arg(long = "store", value_name = "NAME", num_args = 1..)]
    pub stores: Vec<String>,
    #[command(flatten)]
    pub turn: Turn,
    /// Start over instead of going on where a killed run stopped
    #[arg(long)]
    pub no_resume: bool,
    /// Believe the store when suspiciously many records are missing
    #[arg(long)]
    pub accept_removals: bool,
}

/// Of the commands that write: what to do when another one is at it.
#[derive(Clone, Copy, Debug, Args)]
pub struct Turn {
    /// When another process is writing, wait up to so many minutes for it instead of failing
    #[arg(long, value_name = "MINUTES", default_value_t = 0, hide_default_value = true)]
    pub wait: u16,
}

#[derive(Debug, Args)]
pub struct Sync {
    /// What to list: subscriptions, transactions, commissions or leads (default: all that are configured)
    #[arg(value_name = "KIND")]
    pub kinds: Vec<String>,
    /// List every configured kind but these
    #[arg(long, value_name = "KIND", num_args = 1.., conflicts_with = "kinds")]
    pub except: Vec<String>,
    #[command(flatten)]
    pub turn: Turn,
}

#[derive(Debug, Args)]
pub struct Push {
    /// subscriptions, transactions or commissions (default: all)
    #[arg(value_name = "KIND")]
    pub kinds: Vec<String>,
    /// Send nothing; show what would be sent
    #[arg(long)]
    pub dry_run: bool,
    /// Stop before this push costs more API credits
    #[arg(long, value_name = "N")]
    pub max_credits: Option<u64>,
    #[command(flatten)]
    pub turn: Turn,
    /// Send rejected records again now
    #[arg(long)]
    pub retry_rejected: bool,
    /// Go on when an unusual share of the linked records would change
    #[arg(long)]
    pub allow_mass_change: bool,
    /// How many changes a dry run shows field by field
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub show: usize,
}

#[derive(Debug, Args)]
pub struct Report {
    /// The report; without it, the list of reports
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// A parameter of the report
    #[arg(long = "param", value_name = "K=V", num_args = 1..)]
    pub parameters: Vec<String>,
    /// The day it speaks of (default: the UTC day of now)
    #[arg(long, value_name = "DAY")]
    pub as_of: Option<String>,
    /// How to print it (default: table)
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// For spreadsheets: CSV with byte order mark and CRLF, formulas defused
    #[arg(long)]
    pub excel: bool,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print the report's SQL instead of running it
    #[arg(long)]
    pub sql: bool,
    /// Print what the report answers and its parameters instead of running it
    #[arg(long)]
    pub describe: bool,
}

#[derive(Debug, Args)]
pub struct Statement {
    /// The month of the commissions' days, such as 2026-02
    #[arg(value_name = "MONTH")]
    pub month: String,
    /// Show row by row what changed since the month was frozen
    #[arg(long, conflicts_with = "partial")]
    pub adjustments: bool,
    /// Show the month as far as it is known, also before it is over, without freezing it
    #[arg(long)]
    pub partial: bool,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Backup {
    /// The file to write
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Replace the file when it is there
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// A file that `backup` wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Change nothing; prove that the file opens, is sound, and holds together
    #[arg(long)]
    pub check: bool,
    /// Replace the mirror that is there, keeping it beside
    #[arg(long, conflicts_with = "check")]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct Forget {
    /// subscriptions, transactions, commissions or leads
    #[arg(value_name = "KIND", requires = "id", required_unless_present = "email")]
    pub kind: Option<String>,
    /// The id of one of the customer's records, with its store where the id is in several
    #[arg(value_name = "[STORE:]ID")]
    pub id: Option<String>,
    /// Every customer with a record that ever carried this address
    #[arg(long, value_name = "ADDRESS", conflicts_with = "kind")]
    pub email: Option<String>,
    /// Change nothing; show what would be forgotten
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct Export {
    /// The folder to write to
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Only these reports
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub only: Vec<String>,
    /// A parameter, for every report that has it
    #[arg(long = "param", value_name = "K=V", num_args = 1..)]
    pub parameters: Vec<String>,
    /// The day the reports speak of (default: the UTC day of now)
    #[arg(long, value_name = "DAY")]
    pub as_of: Option<String>,
}

#[derive(Debug, Args)]
pub struct Dashboard {
    /// The file to write; one that is there is replaced and keeps its permissions
    #[arg(short, long, value_name = "FILE", default_value = "./storemirror-dashboard.html")]
    pub output: PathBuf,
    /// The day it speaks of (default: the UTC day of now)
    #[arg(long, value_name = "DAY")]
    pub as_of: Option<String>,
    /// Show it in the browser
    #[arg(long)]
    pub open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DictionaryFormat {
    Table,
    Markdown,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Csv,
    Json,
    Ndjson,
    Markdown,
    Html,
}

impl Cli {
    /// The command's name; the program's own where none was typed.
    pub fn command_name(&self) -> &'static str {
        self.command.as_ref().map_or("storemirror", Command::name)
    }
}

impl Command {
    /// The command's name, as the contract's JSON gives it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Demo { .. } => "demo",
            Self::Init { .. } => "init",
            Self::Completions { .. } => "completions",
            Self::Man { .. } => "man",
            Self::Simulate(_) => "simulate",
            Self::Ingest(_) => "ingest",
            Self::Push(_) => "push",
            Self::Crm(command) => command.name(),
            Self::Sync(_) => "sync",
            Self::Schedule(command) => command.name(),
            Self::Notify { .. } => "notify",
            Self::Report(_) => "report",
            Self::Export(_) => "export",
            Self::Dashboard(_) => "dashboard",
            Self::Dictionary { .. } => "dictionary",
            Self::Statement(_) => "statement",
            Self::Status { .. } => "status",
            Self::Verify { .. } => "verify",
            Self::Rebuild => "rebuild",
            Self::Explain { .. } => "explain",
            Self::Connect(_) => "connect",
            Self::Disconnect(_) => "disconnect",
            Self::Whoami => "whoami",
            Self::Backup(_) => "backup",
            Self::Restore(_) => "restore",
            Self::Forget(_) => "forget",
            Self::Doctor { .. } => "doctor",
        }
    }
}

impl Crm {
    fn name(&self) -> &'static str {
        match self {
            Self::Check => "crm check",
            Self::Link { .. } => "crm link",
            Self::Setup { .. } => "crm setup",
            Self::Trace { .. } => "crm trace",
            Self::Verify { .. } => "crm verify",
        }
    }
}
