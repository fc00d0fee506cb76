//! The simulated Zoho: an accounts server, two Partner Stores and a CRM on one loopback address.
//!
//! It is used three ways: by `simulate` and `demo`, by the tests of the other rooms, and by the property tests. It is
//! a server and not a mock, so that authentication, paging and retries are always the real code.
//!
//! Terms: the [`World`] is everything the servers know (records, CRM, tokens, log); [`Switches`] choose how they
//! behave wherever the public contract is silent; a *fault* is one spoiled answer, drawn by seed or queued.
//! Where things are: `seed` makes the partner's history, `pager` cuts pages, `store`, `accounts` and `crm` answer,
//! `faults` spoils, `control` lets another process look and edit under `/_sim`.
//!
//! It must not read the real clock for dates (they come from [`Options::now`]) and must not use the rest of the crate.

mod accounts;
mod answer;
mod control;
mod crm;
mod dress;
mod faults;
mod listing;
mod pager;
mod seed;
mod server;
mod store;
mod switches;
#[cfg(test)]
mod tests;
mod world;

pub use crm::{Crm, CrmRecord, Field, Module};
pub use faults::{FaultKind, Faults, NextFault};
pub use listing::Record;
pub use server::Running;
pub use switches::{
    AccountsSwitches, BodyShape, CrmSwitches, Drift, EndOfList, Generations, InvalidModule, ListOrder, Payload, Put,
    StoreSwitches, Switches, TooManyBody, Unknown,
};
pub use world::{LoggedRequest, StoreView, World};

use chrono::{DateTime, Utc};

/// The four lists of a store, in the order of their endpoints.
pub const KINDS: [&str; 4] = ["subscriptions", "transactions", "commissions", "leads"];

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Options {
    /// 0 takes any free port.
    pub port: u16,
    pub seed: u64,
    pub now: DateTime<Utc>,
    /// The instant whose half-year decides where the history begins; None: `now`.
    pub origin_of: Option<DateTime<Utc>>,
    pub subscriptions: usize,
    pub transactions: usize,
    pub commissions: usize,
}

impl Default for Options {
    fn default() -> Self {
        let now = DateTime::from_timestamp(1_772_344_800, 0).unwrap_or_default();
        Self { port: 0, seed: 1, now, origin_of: None, subscriptions: 600, transactions: 6_000, commissions: 5_000 }
    }
}

/// Starts the servers on a thread of their own; they stop when the returned value is dropped.
#[expect(clippy::needless_pass_by_value, reason = "the caller gives its options away; nothing of them is used twice")]
pub fn start(options: Options) -> anyhow::Result<Running> {
    server::start(&options)
}
