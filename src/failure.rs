//! What went wrong, in the words a caller acts on: a code, a message that names the thing, and a hint that says what to
//! do next. Deeper rooms return one where the exit code depends on it; everything else is an internal failure.

use std::fmt;

/// The codes of the contract's JSON errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Credentials,
    Network,
    Store,
    Crm,
    Config,
    Locked,
    Internal,
    Interrupted,
}

impl Code {
    pub fn name(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Network => "network",
            Self::Store => "store",
            Self::Crm => "crm",
            Self::Config => "config",
            Self::Locked => "locked",
            Self::Internal => "internal",
            Self::Interrupted => "interrupted",
        }
    }

    /// The exit code of the contract.
    pub fn exit(self) -> u8 {
        match self {
            Self::Config => 2,
            Self::Credentials => 4,
            Self::Locked => 5,
            Self::Interrupted => 130,
            Self::Network | Self::Store | Self::Crm | Self::Internal => 1,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Failure {
    pub code: Code,
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// Wrong usage, configuration, file or SQL: exit 2.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Code::Config, message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The failure inside an error chain; anything else is internal, with its whole chain as the message.
    pub fn of(error: &anyhow::Error) -> Self {
        match error.chain().find_map(|cause| cause.downcast_ref::<Self>()) {
            Some(failure) => failure.clone(),
            None => Self::new(Code::Internal, format!("{error:#}")),
        }
    }
}

/// The contract's error object.
pub fn json(failure: &Failure) -> serde_json::Value {
    serde_json::json!({ "code": failure.code.name(), "message": failure.message, "hint": failure.hint })
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Exit codes in the order in which they win when several apply (contract, "Exit codes").
const PRECEDENCE: [u8; 7] = [130, 5, 2, 4, 1, 3, 0];

/// What the operating system said anywhere in an error, also through the writers of CSV and JSON.
pub fn io_kind(error: &anyhow::Error) -> Option<std::io::ErrorKind> {
    error.chain().find_map(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        let csv = cause.downcast_ref::<csv::Error>().and_then(|error| match error.kind() {
            csv::ErrorKind::Io(error) => Some(error.kind()),
            _ => None,
        });
        io.or(json).or(csv)
    })
}

/// The exit code that wins.
pub fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    codes.into_iter().min_by_key(|code| PRECEDENCE.iter().position(|known| known == code).unwrap_or(0)).unwrap_or(0)
}
