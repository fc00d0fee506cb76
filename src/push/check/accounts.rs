//! Whether `account_match` can work: the field is in Accounts, holds text, and a query finds by it.

use serde_json::{Value, json};

use crate::api::crm::records::quoted;
use crate::api::{CrmApi, Error};
use crate::config::CrmConfig;
use crate::model::crm::FieldInfo;
use crate::push::accounts::match_field;
use crate::screen;

const MODULE: &str = "Accounts";
/// Types whose values a query compares with a quoted text. Long text is not to be searched, numbers are written bare
/// (CRM contract §3).
const SEARCHABLE: [&str; 6] = ["text", "email", "phone", "website", "picklist", "autonumber"];
/// A value no account has: the CRM need only accept the question.
const NOBODY: &str = "storemirror crm check";

/// What Accounts has for `account_match`.
pub(in crate::push) struct AccountCheck {
    field: String,
    data_type: Option<String>,
    /// Its name and what a person reads.
    problem: Option<(&'static str, String)>,
}

/// None when accounts are not looked up.
///
/// # Errors
/// When the CRM cannot be asked, or refuses the token or its scope.
pub(super) async fn look(crm: &CrmConfig, api: &CrmApi) -> Result<Option<AccountCheck>, Error> {
    let Some(field) = match_field(crm) else { return Ok(None) };
    let mut check = AccountCheck { field: field.to_owned(), data_type: None, problem: None };
    match api.fields(MODULE).await {
        Ok(known) => check.judge(&known),
        Err(Error::Refused { message, .. }) => {
            check.problem = Some(("unreadable", format!("cannot be read: {}", screen::plain(&message))));
        }
        Err(error) => return Err(error),
    }
    if check.problem.is_none() {
        let query = format!("select id, {field} from {MODULE} where {field} in ({})", quoted(NOBODY));
        match api.query(&query).await {
            Ok(_) => {}
            Err(Error::Refused { message, .. }) => {
                check.problem = Some(("not_searchable", format!("cannot be searched: {}", screen::plain(&message))));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Some(check))
}

impl AccountCheck {
    fn judge(&mut self, known: &[FieldInfo]) {
        let Some(found) = known.iter().find(|known| known.api_name == self.field) else {
            let is_meant = |known: &&FieldInfo| {
                let label = known.label.as_deref().unwrap_or_default();
                known.api_name.eq_ignore_ascii_case(&self.field)
                    || label.replace(' ', "_").eq_ignore_ascii_case(&self.field)
            };
            let meant = known
                .iter()
                .find(is_meant)
                .map_or_else(String::new, |known| format!("; account_match = \"{}\" may be meant", known.api_name));
            self.problem = Some(("missing", format!("missing{meant}")));
            return;
        };
        self.data_type.clone_from(&found.data_type);
        let data_type = found.data_type.as_deref().unwrap_or_default();
        if !SEARCHABLE.contains(&data_type) {
            let message = format!("is of type {}, not text: no query finds an account by it", screen::plain(data_type));
            self.problem = Some(("wrong_type", message));
        }
    }

    pub(super) fn fits(&self) -> bool {
        self.problem.is_none()
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "match_field": self.field, "type": self.data_type, "fits": self.fits(),
            "problem": self.problem.as_ref().map(|(name, message)| json!({ "problem": name, "message": message })),
        })
    }

    pub(super) fn line(&self) -> String {
        let field = &self.field;
        match &self.problem {
            None => format!("accounts: found by {field}"),
            Some((_, message)) => format!("accounts: {field} (account_match): {message}"),
        }
    }
}
