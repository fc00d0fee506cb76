//! Whom the mirror is connected to: a Partner Store, or the CRM. One name each for the tables of both files, the
//! environment and the messages.

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    /// A store, by its name in the configuration.
    Store(String),
    Crm,
}

impl Party {
    /// Its table, in `config.toml` and in `credentials.toml`.
    pub fn table(&self) -> String {
        match self {
            Self::Store(store_id) => format!("stores.{store_id}"),
            Self::Crm => "crm".to_owned(),
        }
    }

    /// What to call it in messages.
    pub fn label(&self) -> String {
        match self {
            Self::Store(store_id) => format!("store {store_id}"),
            Self::Crm => "CRM".to_owned(),
        }
    }

    /// The arguments of `connect` and `disconnect`.
    pub fn argument(&self) -> String {
        match self {
            Self::Store(store_id) => format!("store {store_id}"),
            Self::Crm => "crm".to_owned(),
        }
    }

    pub fn store_id(&self) -> Option<&str> {
        match self {
            Self::Store(store_id) => Some(store_id),
            Self::Crm => None,
        }
    }

    /// The environment variable of one of its secrets.
    pub fn variable(&self, key: &str) -> String {
        let owner = match self {
            Self::Store(store_id) => format!("STORES_{}", store_id.to_uppercase()),
            Self::Crm => "CRM".to_owned(),
        };
        format!("STOREMIRROR_{owner}_{}", key.to_uppercase())
    }
}
