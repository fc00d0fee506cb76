//! What the CRM says of itself, and making fields and modules in it (CRM contract §5).

use reqwest::Method;
use serde_json::{Value, json};

use super::{CrmApi, Judged, is_success, judge_refusal, refusal};
use crate::api::Error;
use crate::api::client::{Answer, Reading, Request};
use crate::model::crm::{ModuleInfo, Organisation, Refusal};

/// Fields one call may create.
pub const FIELDS_PER_CALL: usize = 5;

impl CrmApi {
    pub async fn organisation(&self) -> Result<Organisation, Error> {
        let request = Request::get("/crm/v8/org".to_owned());
        let found = self.client.send(&request, |answer| self.read_list("organisation", "org", answer)).await?;
        let org = found.into_iter().next().unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Ok(Organisation {
            edition: text(&org["license_details"]["paid_type"]),
            users: org["license_details"]["users_license_purchased"].as_u64(),
            currency: text(&org["iso_code"]),
            kind: text(&org["type"]),
            time_zone: text(&org["time_zone"]),
        })
    }

    pub async fn modules(&self) -> Result<Vec<ModuleInfo>, Error> {
        let request = Request::get("/crm/v8/settings/modules".to_owned());
        let found = self.client.send(&request, |answer| self.read_list("modules", "modules", answer)).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(found
            .iter()
            .map(|module| ModuleInfo {
                id: text(&module["id"]),
                api_name: text(&module["api_name"]),
                plural: text(&module["plural_label"]),
                singular: text(&module["singular_label"]),
            })
            .filter(|module| !module.api_name.is_empty())
            .collect())
    }

    /// The ids of the user profiles, which a new module must name.
    pub async fn profiles(&self) -> Result<Vec<String>, Error> {
        let request = Request::get("/crm/v8/settings/profiles".to_owned());
        let found = self.client.send(&request, |answer| self.read_list("profiles", "profiles", answer)).await?;
        Ok(found.iter().filter_map(|profile| profile["id"].as_str().map(str::to_owned)).collect())
    }

    /// Creates up to five fields; one answer per field.
    pub async fn create_fields(&self, module: &str, fields: &[Value]) -> Result<Vec<Result<(), Refusal>>, Error> {
        self.create(&format!("/crm/v8/settings/fields?module={module}"), "fields", fields).await
    }

    pub async fn create_module(&self, module: Value) -> Result<Result<(), Refusal>, Error> {
        let mut answers = self.create("/crm/v8/settings/modules", "modules", &[module]).await?;
        Ok(answers.pop().unwrap_or(Ok(())))
    }

    /// An answer lost after the CRM made something comes back as a duplicate of itself, which is no failure.
    async fn create(&self, path: &str, key: &str, wishes: &[Value]) -> Result<Vec<Result<(), Refusal>>, Error> {
        let body = json!({ key: wishes }).to_string().into_bytes();
        let request = Request { method: Method::POST, path: path.to_owned(), body: Some(body) };
        self.client.send(&request, |answer| self.read_created(path, key, wishes.len(), answer)).await
    }

    fn read_created(&self, what: &str, key: &str, wishes: usize, answer: &Answer) -> Reading<Vec<Result<(), Refusal>>> {
        if answer.status == 429 {
            return self.read_throttle(answer);
        }
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
            return if (400..500).contains(&answer.status) {
                Reading::Refused(self.client.refusal(what, answer))
            } else {
                Reading::Garbled(format!("{what}: the answer is not complete JSON"))
            };
        };
        let result = |item: &Value| if is_success(item) { Ok(()) } else { Err(refusal(item)) };
        match body[key].as_array() {
            Some(items) if items.len() == wishes => Reading::Good(items.iter().map(result).collect()),
            Some(items) if items.len() == 1 => Reading::Good(vec![result(&items[0]); wishes]),
            _ => match judge_refusal(answer.status, refusal(&body)) {
                Judged::Scope => Reading::Refused(self.client.no_scope(what, answer)),
                Judged::Write(_) if !body["code"].is_null() => Reading::Good(vec![Err(refusal(&body)); wishes]),
                _ => Reading::Refused(self.client.refusal(what, answer)),
            },
        }
    }
}
