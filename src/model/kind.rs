//! The four kinds of record the Partner Store lists. This is the one file in which `match kind` is legal: everything
//! else asks [`Kind::table`] for what differs.

use std::fmt;
use std::str::FromStr;

use crate::model::columns;
use crate::model::nearest::choices;
use crate::model::tables::Table;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Subscriptions,
    Transactions,
    Commissions,
    Leads,
}

impl Kind {
    /// Parents first: the order of listing and of pushing.
    pub const ALL: [Self; 4] = [Self::Subscriptions, Self::Transactions, Self::Commissions, Self::Leads];

    pub fn table(self) -> &'static Table {
        match self {
            Self::Subscriptions => &columns::SUBSCRIPTIONS,
            Self::Transactions => &columns::TRANSACTIONS,
            Self::Commissions => &columns::COMMISSIONS,
            Self::Leads => &columns::LEADS,
        }
    }

    /// The kind's name: in commands, in the `kind` columns and in the store's path.
    pub fn name(self) -> &'static str {
        self.table().view
    }

    /// The kinds that have a module in the CRM, parents first.
    pub fn pushed() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| kind.table().module_label.is_some())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|kind| kind.name()).collect();
            format!("no kind {text:?}; {}", choices(text, "the kinds are", &names))
        })
    }
}
