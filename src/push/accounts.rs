//! Which CRM account a customer's records belong to: asked once per customer, in lists of fifty, and kept. Accounts are
//! never created; a customer with none or several leaves the field empty and is counted.

use std::collections::HashMap;

use anyhow::Result;
use chrono::Duration;

use crate::api::crm::records::{VALUES_PER_QUERY, quoted};
use crate::api::{CrmApi, Error};
use crate::config::{AccountMatch, CrmConfig};
use crate::db::{AccountJoin, FoundAccount};
use crate::model::Kind;
use crate::model::instant::format_instant;
use crate::model::tables::{CrmType, LookupTo};
use crate::push::{Push, Refreshed};

/// How long an account that was not found is believed not to be there.
const MISSING_HOURS: i64 = 24;
const NAME_FIELD: &str = "Account_Name";

/// How a kind's records find their account, if they have one and are to.
pub(super) fn join_of(kind: Kind, crm: &CrmConfig) -> Option<AccountJoin> {
    let has_account =
        kind.table().crm_columns().any(|(_, field)| field.crm_type == CrmType::Lookup(LookupTo::Accounts));
    let column = match &crm.rules.account_match {
        AccountMatch::Name => "company_name",
        AccountMatch::None | AccountMatch::Field(_) => "org_id",
    };
    let match_field = match_field(crm)?.to_owned();
    has_account.then(|| AccountJoin { target: crm.host(), match_field, column })
}

/// The field of Accounts by which accounts are found, if they are looked up.
pub(super) fn match_field(crm: &CrmConfig) -> Option<&str> {
    match &crm.rules.account_match {
        AccountMatch::None => None,
        AccountMatch::Name => Some(NAME_FIELD),
        AccountMatch::Field(field) => Some(field),
    }
}

impl Push<'_> {
    fn joins(&self) -> impl Iterator<Item = (Kind, AccountJoin)> {
        self.kinds.iter().filter_map(|push| Some((push.kind, push.accounts.clone()?)))
    }

    /// Whether a customer was never asked about.
    pub(super) fn has_unknown_accounts(&self) -> Result<bool> {
        for (kind, join) in self.joins() {
            if !self.db.accounts_to_find(kind, &join, None)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Asks for the accounts that are not known yet, and again for those that were not there.
    pub(super) async fn find_accounts(&mut self, api: &CrmApi) -> Result<Refreshed> {
        let stale = format_instant(self.now - Duration::hours(MISSING_HOURS));
        let mut refreshed = Refreshed::Same;
        for (kind, join) in self.joins().collect::<Vec<_>>() {
            let values = self.db.accounts_to_find(kind, &join, Some(&stale))?;
            for part in values.chunks(VALUES_PER_QUERY) {
                let found = match ask(api, &join.match_field, part).await {
                    Ok(found) => found,
                    Err(error @ (Error::Network(_) | Error::Throttled(_) | Error::DayLimit(_))) => {
                        return Ok(Refreshed::Stopped(error));
                    }
                    // querying is a scope of its own: without it the records still go
                    Err(error) => {
                        (self.talk)(&format!("accounts cannot be looked up ({error})"));
                        break;
                    }
                };
                if found.iter().any(|account| account.crm_ids.len() == 1) {
                    refreshed = Refreshed::Changed;
                }
                self.db.save_accounts(&join, &found, &format_instant((self.clock)()))?;
            }
        }
        Ok(refreshed)
    }

    pub(super) fn count_accounts(&mut self) -> Result<()> {
        let first = self.joins().next();
        if let Some((_, join)) = first {
            self.summary.accounts = Some(self.db.account_counts(&join)?);
        }
        Ok(())
    }
}

async fn ask(api: &CrmApi, field: &str, values: &[String]) -> Result<Vec<FoundAccount>, Error> {
    let list: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    let query = format!("select id, {field} from Accounts where {field} in ({}) order by id asc", list.join(","));
    let mut ids: HashMap<String, Vec<String>> = HashMap::new();
    for row in api.query(&query).await? {
        if let (Some(id), Some(value)) = (row["id"].as_str(), row[field].as_str()) {
            // the CRM compares without regard to case
            ids.entry(value.trim().to_lowercase()).or_default().push(id.to_owned());
        }
    }
    let of = |value: &String| ids.get(&value.trim().to_lowercase()).cloned().unwrap_or_default();
    Ok(values.iter().map(|value| FoundAccount { value: value.clone(), crm_ids: of(value) }).collect())
}
