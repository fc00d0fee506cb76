//! The only room that speaks HTTP. [`client`] has the one `send`: authorisation, pacing, retries, a body limit and no
//! redirects. [`store`] and [`crm`] know the two APIs; [`auth`] keeps access tokens, [`grant`] makes and revokes
//! the refresh tokens behind them; [`webhook`] posts notices; [`retry`] is arithmetic alone.

pub mod auth;
pub mod client;
pub mod crm;
pub mod grant;
mod mask;
pub mod pace;
pub mod retry;
pub mod store;
pub mod webhook;

use crate::failure::{Code, Failure};

pub use client::{Client, Connection, Talk};
pub use crm::CrmApi;
pub use store::{Page, StoreApi};

/// What a request ended with, one variant per reaction.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The token, its scope or the account was refused; asking again cannot help.
    #[error("{message}")]
    Credentials {
        message: String,
        hint: String,
        /// The whole connection is refused, not this one request.
        whole: bool,
    },
    /// Unreachable, too slow, throttled or broken, after all retries.
    #[error("{0}")]
    Network(String),
    /// The server understood and said no.
    #[error("{message}")]
    Refused { status: u16, message: String, body: String },
    /// Told to wait on every try, until it was given up.
    #[error("{0}")]
    Throttled(String),
    /// The day's API credits are spent.
    #[error("{0}")]
    DayLimit(String),
}

impl Error {
    /// The failure a command ends with; `code` says which side refused.
    pub fn into_failure(self, code: Code) -> Failure {
        match self {
            Self::Credentials { message, hint, .. } => Failure::new(Code::Credentials, message).hint(hint),
            Self::Network(message) | Self::Throttled(message) => Failure::new(Code::Network, message)
                .hint("what was received is saved; run the same command again later"),
            Self::Refused { message, .. } | Self::DayLimit(message) => Failure::new(code, message),
        }
    }
}
