//! Zoho CRM v8: field metadata, upsert, update, and the names of given records (CRM contract §2, §3, §5, §8). A write
//! answers for each record by its position; every item's own status is read whatever the HTTP status is, and a refusal
//! of the whole request may come bare or as a list of one.

pub mod records;
pub mod settings;

use std::collections::HashMap;

use reqwest::Method;
use serde_json::Value;

use crate::api::Error;
use crate::api::client::{Answer, Client, Reading, Request};
use crate::model::crm::{FieldInfo, Refusal};

/// Records one write or one read by ids may name (CRM contract §2, §3).
pub const RECORDS_PER_REQUEST: usize = 100;
/// Records of a write that one API credit pays for (CRM contract §6).
const RECORDS_PER_CREDIT: usize = 10;
/// The CRM's ids have 18 or 19 digits.
const MAX_ID_CHARACTERS: usize = 64;
/// What is shown of the values a pick list accepts.
const MAX_SHOWN_VALUES: usize = 10;

/// Codes that speak of the request, not of a record in it: no splitting finds a culprit.
const REQUEST_CODES: [&str; 8] = [
    "INVALID_MODULE",
    "INVALID_URL_PATTERN",
    "INVALID_REQUEST_METHOD",
    "INVALID_HOST",
    "REQUIRED_PARAM_MISSING",
    "NOT_SUPPORTED",
    "NOT_SUPPORTED_FEATURE",
    "FEATURE_NOT_SUPPORTED",
];
/// Codes that speak of what the token may do.
const SCOPE_CODES: [&str; 3] = ["AUTHORIZATION_FAILED", "NO_PERMISSION", "OAUTH_SCOPE_MISMATCH"];

pub struct CrmApi {
    client: Client,
    /// The automation a write starts, as JSON.
    trigger: String,
}

/// What became of one record of a write.
pub type WriteItem = Result<Accepted, Refusal>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub crm_id: String,
    /// An upsert found the record instead of making it.
    pub existed: bool,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// One answer per record, in the order of the request.
    Items(Vec<WriteItem>),
    /// The request as a whole was refused because of something in it.
    Refused(Refusal),
}

/// The API credits a write of so many records costs.
pub fn credits_for(records: usize) -> u64 {
    u64::try_from(records.div_ceil(RECORDS_PER_CREDIT)).unwrap_or(u64::MAX)
}

/// The most records so many credits pay for in one request.
pub fn records_for(credits: u64) -> usize {
    usize::try_from(credits).unwrap_or(usize::MAX).saturating_mul(RECORDS_PER_CREDIT).min(RECORDS_PER_REQUEST)
}

impl CrmApi {
    pub fn new(client: Client) -> Self {
        Self { client, trigger: "[]".to_owned() }
    }

    /// Lets writes start these kinds of automation.
    #[must_use]
    pub fn with_trigger(mut self, trigger: &[String]) -> Self {
        self.trigger = Value::from(trigger.to_vec()).to_string();
        self
    }

    /// Requests sent so far, retries included.
    pub fn requests(&self) -> u64 {
        self.client.requests()
    }

    /// See [`Client::clock_ahead`].
    pub fn clock_ahead(&self) -> Option<i64> {
        self.client.clock_ahead()
    }

    pub fn name(&self) -> &str {
        self.client.name()
    }

    /// The fields of a module; empty when the CRM shows none.
    pub async fn fields(&self, module: &str) -> Result<Vec<FieldInfo>, Error> {
        let request = Request::get(format!("/crm/v8/settings/fields?module={module}"));
        let what = format!("fields of {module}");
        let read = |answer: &Answer| self.read_list(&what, "fields", answer);
        Ok(self.client.send(&request, read).await?.iter().filter_map(field_info).collect())
    }

    /// Creates records, or updates those that have the same value in `key`. Each record is the text of an object.
    pub async fn upsert(&self, module: &str, key: &str, records: &[String]) -> Result<Write, Error> {
        let more = format!(",\"duplicate_check_fields\":[{}]", Value::from(key));
        self.write(Method::POST, format!("/crm/v8/{module}/upsert"), records, &more).await
    }

    /// Updates records by the `id` each of them holds.
    pub async fn update(&self, module: &str, records: &[String]) -> Result<Write, Error> {
        self.write(Method::PUT, format!("/crm/v8/{module}"), records, "").await
    }

    /// The value of `field` in each of up to a hundred records, by their ids; ids the CRM does not know are left out.
    pub async fn names(&self, module: &str, field: &str, ids: &[String]) -> Result<HashMap<String, String>, Error> {
        let request = Request::get(format!("/crm/v8/{module}?fields={field}&ids={}", ids.join(",")));
        let what = format!("records of {module}");
        let records = self.client.send(&request, |answer| self.read_list(&what, "data", answer)).await?;
        let text = |record: &Value, key: &str| record[key].as_str().map(str::to_owned);
        Ok(records.iter().filter_map(|record| Some((text(record, "id")?, text(record, field)?))).collect())
    }

    async fn write(&self, method: Method, path: String, records: &[String], more: &str) -> Result<Write, Error> {
        let what = format!("{method} {path}");
        // an absent trigger would run every automation of the module (CRM contract §2)
        let body = format!("{{\"data\":[{}]{more},\"trigger\":{}}}", records.join(","), self.trigger);
        let request = Request { method, path, body: Some(body.into_bytes()) };
        self.client.send(&request, |answer| self.read_write(&what, records.len(), answer)).await
    }

    fn read_list(&self, what: &str, key: &str, answer: &Answer) -> Reading<Vec<Value>> {
        match self.read_body(what, answer) {
            Reading::Good(Value::Null) => Reading::Good(Vec::new()),
            Reading::Good(mut body) => match body[key].take() {
                Value::Array(items) => Reading::Good(items),
                _ => Reading::Garbled(format!("{what}: no {key} in the answer")),
            },
            Reading::Garbled(message) => Reading::Garbled(message),
            Reading::Refused(error) => Reading::Refused(error),
            Reading::Throttled => Reading::Throttled,
        }
    }

    /// The body of a read; null when the CRM has nothing to tell.
    fn read_body(&self, what: &str, answer: &Answer) -> Reading<Value> {
        if answer.status == 204 {
            return Reading::Good(Value::Null);
        }
        if answer.status == 429 {
            return self.read_throttle(answer);
        }
        let body = serde_json::from_slice::<Value>(&answer.body);
        if !(200..300).contains(&answer.status) {
            let code = body.ok().and_then(|body| plain_text(&body["code"])).unwrap_or_default();
            let no_scope = SCOPE_CODES.contains(&code.as_str());
            let refusal = if no_scope { self.client.no_scope(what, answer) } else { self.client.refusal(what, answer) };
            return Reading::Refused(refusal);
        }
        match body {
            Ok(body) if body.is_object() => Reading::Good(body),
            Ok(_) => Reading::Garbled(format!("{what}: the answer is no object")),
            Err(error) => Reading::Garbled(format!("{what}: the answer is not complete JSON ({error})")),
        }
    }

    /// One status, two causes: the day's credits are spent, or too many calls at a time (CRM contract §6).
    fn read_throttle<T>(&self, answer: &Answer) -> Reading<T> {
        let body = String::from_utf8_lossy(&answer.body).to_lowercase();
        let none_remain = answer
            .headers
            .iter()
            .any(|(name, value)| name.eq_ignore_ascii_case("x-api-credits-remaining") && value.trim() == "0");
        if none_remain || body.contains("24 hour") {
            let message = format!("{}: the API credits of the last 24 hours are spent (HTTP 429)", self.name());
            return Reading::Refused(Error::DayLimit(message));
        }
        Reading::Throttled
    }

    fn read_write(&self, what: &str, records: usize, answer: &Answer) -> Reading<Write> {
        if answer.status == 429 {
            return self.read_throttle(answer);
        }
        match judge_write(records, answer.status, &answer.body) {
            Judged::Write(write) => Reading::Good(write),
            Judged::Request => Reading::Refused(self.client.refusal(what, answer)),
            Judged::Scope => Reading::Refused(self.client.no_scope(what, answer)),
            Judged::Garbled(message) => Reading::Garbled(format!("{what}: {message}")),
        }
    }
}

#[derive(Debug, PartialEq)]
enum Judged {
    Write(Write),
    /// Refused for something no record is to blame for.
    Request,
    Scope,
    Garbled(String),
}

fn judge_write(records: usize, status: u16, body: &[u8]) -> Judged {
    if status == 413 {
        // a proxy's words about the size need not be JSON
        return Judged::Write(Write::Refused(too_large()));
    }
    let body: Value = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(_) if (400..500).contains(&status) => return Judged::Request,
        Err(error) => return Judged::Garbled(format!("the answer is not complete JSON ({error})")),
    };
    let Some(items) = body["data"].as_array() else {
        return if body["code"].is_null() && (400..500).contains(&status) {
            Judged::Request
        } else if body["code"].is_null() {
            Judged::Garbled("neither results nor an error in the answer".to_owned())
        } else {
            judge_refusal(status, refusal(&body))
        };
    };
    let only = items.first().filter(|item| items.len() == 1 && !is_success(item)).map(refusal);
    match only {
        Some(refusal) if items.len() != records || refusal.code == "INVALID_MODULE" => {
            return judge_refusal(status, refusal);
        }
        _ => {}
    }
    if items.len() != records {
        return Judged::Garbled(format!("{} results for {records} records", items.len()));
    }
    match items.iter().map(write_item).collect::<Option<Vec<_>>>() {
        Some(items) => Judged::Write(Write::Items(items)),
        None => Judged::Garbled("a record was accepted without an id".to_owned()),
    }
}

/// What an answer to a write of so many records means for them; None when it says nothing about records.
pub fn read_write_answer(records: usize, status: u16, body: &[u8]) -> Option<Write> {
    match judge_write(records, status, body) {
        Judged::Write(write) => Some(write),
        Judged::Request | Judged::Scope | Judged::Garbled(_) => None,
    }
}

fn judge_refusal(status: u16, refusal: Refusal) -> Judged {
    if SCOPE_CODES.contains(&refusal.code.as_str()) {
        return Judged::Scope;
    }
    let elsewhere = refusal.json_path.as_deref().is_some_and(|path| !path.starts_with("$.data"));
    let of_request = REQUEST_CODES.contains(&refusal.code.as_str()) || elsewhere;
    if of_request || status == 404 { Judged::Request } else { Judged::Write(Write::Refused(refusal)) }
}

fn is_success(item: &Value) -> bool {
    match item["status"].as_str() {
        Some(status) => status.eq_ignore_ascii_case("success"),
        None => item["code"] == "SUCCESS",
    }
}

/// None: accepted, but nobody knows as what.
fn write_item(item: &Value) -> Option<WriteItem> {
    if !is_success(item) {
        return Some(Err(refusal(item)));
    }
    let crm_id = record_id(&item["details"]["id"])?;
    Some(Ok(Accepted { crm_id, existed: item["action"] == "update" }))
}

/// The id of a record as the CRM tells it. It will stand in the addresses of later requests, so that anything but
/// digits and letters is none.
pub fn record_id(value: &Value) -> Option<String> {
    let is_id = |id: &String| {
        (1..=MAX_ID_CHARACTERS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    plain_text(value).filter(is_id)
}

fn too_large() -> Refusal {
    Refusal {
        code: "REQUEST_ENTITY_TOO_LARGE".to_owned(),
        message: "the request is larger than the CRM accepts".to_owned(),
        ..Refusal::default()
    }
}

/// Reads an error object, bare or from `data[]`; of several errors in one record the first names the field.
fn refusal(error: &Value) -> Refusal {
    let details = &error["details"];
    if let Some(errors) = details["errors"].as_array().filter(|errors| !errors.is_empty()) {
        let all: Vec<Refusal> = errors.iter().map(refusal).collect();
        let named = |refusal: &Refusal| match &refusal.field {
            Some(field) => format!("{field}: {}", refusal.message),
            None => refusal.message.clone(),
        };
        let message = all.iter().map(named).collect::<Vec<_>>().join("; ");
        return Refusal { message, ..all.into_iter().next().unwrap_or_default() };
    }
    let text = |key: &str| details[key].as_str().map(str::to_owned);
    Refusal {
        code: plain_text(&error["code"]).unwrap_or_else(|| "UNKNOWN".to_owned()),
        message: message(error),
        field: text("api_name"),
        json_path: text("json_path"),
        duplicate_id: record_id(&details["duplicate_record"]["id"])
            .or_else(|| record_id(&details["id"]).filter(|_| error["code"] == "DUPLICATE_DATA")),
    }
}

/// The message with the limits and expectations that stand beside it, so that the reason is whole.
fn message(error: &Value) -> String {
    let details = &error["details"];
    let said = error["message"].as_str().or(error["error_info"].as_str()).unwrap_or("no message");
    let mut parts = vec![said.to_owned()];
    for (key, words) in [("expected_data_type", "expected"), ("maximum_length", "maximum length"), ("limit", "limit")] {
        if let Some(detail) = plain_text(&details[key]) {
            parts.push(format!("({words} {detail})"));
        }
    }
    if let Some(values) = details["supported_values"].as_array() {
        let shown: Vec<String> = values.iter().take(MAX_SHOWN_VALUES).filter_map(plain_text).collect();
        parts.push(format!("(accepted: {})", shown.join(", ")));
    }
    parts.join(" ")
}

fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn field_info(field: &Value) -> Option<FieldInfo> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let values: Vec<&Value> = field["pick_list_values"]
        .as_array()
        .map(|values| values.iter().map(|value| &value["actual_value"]).filter(|value| value.is_string()).collect())
        .unwrap_or_default();
    Some(FieldInfo {
        api_name: text(&field["api_name"])?,
        label: text(&field["field_label"]),
        data_type: text(&field["data_type"]),
        length: field["length"].as_u64().filter(|length| *length > 0).or_else(|| textarea_length(field)),
        decimal_place: field["decimal_place"].as_u64(),
        read_only: field["read_only"] == true || field["field_read_only"] == true,
        mandatory: field["system_mandatory"] == true,
        lookup_module: text(&field["lookup"]["module"]["api_name"]),
        pick_list_values: (!values.is_empty()).then(|| values.into_iter().cloned().collect::<Value>().to_string()),
    })
}

/// What a text area holds by its type, where no length is told (CRM contract §7).
fn textarea_length(field: &Value) -> Option<u64> {
    match field["textarea"]["type"].as_str()? {
        "small" => Some(2_000),
        "large" => Some(32_000),
        "rich_text" => Some(50_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(records: usize, status: u16, body: &Value) -> Judged {
        judge_write(records, status, body.to_string().as_bytes())
    }

    #[expect(clippy::needless_pass_by_value, reason = "tests hand in json!")]
    fn error(code: &str, details: Value) -> Value {
        json!({"code": code, "message": "no", "status": "error", "details": details})
    }

    fn good(id: &str, action: &str) -> Value {
        json!({"code": "SUCCESS", "action": action, "details": {"id": id}, "message": "record", "status": "success"})
    }

    #[test]
    fn each_item_is_read_whatever_the_status() {
        let bad = error("INVALID_DATA", json!({"api_name": "Email", "json_path": "$.data[1].Email"}));
        let body = json!({"data": [good("7", "insert"), bad, good("8", "update")]});
        for status in [200, 201, 202, 207, 400] {
            let Judged::Write(Write::Items(items)) = judged(3, status, &body) else { panic!("{status}") };
            assert_eq!(items[0], Ok(Accepted { crm_id: "7".to_owned(), existed: false }));
            assert_eq!(items[1].as_ref().unwrap_err().field.as_deref(), Some("Email"));
            assert_eq!(items[2], Ok(Accepted { crm_id: "8".to_owned(), existed: true }));
        }
    }

    #[test]
    fn a_refusal_of_the_whole_request_is_bare_or_a_list_of_one() {
        let size = error("LIMIT_EXCEEDED", json!({}));
        for body in [size.clone(), json!({"data": [size]})] {
            assert!(matches!(judged(100, 400, &body), Judged::Write(Write::Refused(_))), "{body}");
        }
        let module = error("INVALID_MODULE", json!({"resource_path_index": 0}));
        for body in [module.clone(), json!({"data": [module]})] {
            assert_eq!(judged(1, 400, &body), Judged::Request);
            assert_eq!(judged(100, 400, &body), Judged::Request);
        }
        assert_eq!(judged(9, 400, &error("AUTHORIZATION_FAILED", json!({}))), Judged::Scope);
        let keys = error("INVALID_DATA", json!({"json_path": "$.duplicate_check_fields"}));
        assert_eq!(judged(9, 400, &keys), Judged::Request);
    }

    #[test]
    fn answers_that_do_not_add_up_are_asked_for_again() {
        assert!(matches!(judged(2, 200, &json!({"data": [good("7", "insert")]})), Judged::Garbled(_)));
        assert!(matches!(judged(1, 200, &json!({"data": [{"status": "success"}]})), Judged::Garbled(_)));
        assert!(matches!(judge_write(1, 200, b"{\"data\":[{"), Judged::Garbled(_)));
        assert!(matches!(judged(1, 200, &json!({})), Judged::Garbled(_)));
        assert!(matches!(judge_write(1, 413, b"too big"), Judged::Write(Write::Refused(_))));
    }

    #[test]
    fn a_refusal_tells_the_whole_reason() {
        let long = refusal(&error("INVALID_DATA", json!({"api_name": "Payload", "maximum_length": 2000})));
        assert_eq!((long.message.as_str(), long.field.as_deref()), ("no (maximum length 2000)", Some("Payload")));
        let two = refusal(&error(
            "MULTIPLE_OR_MULTI_ERRORS",
            json!({"errors": [error("INVALID_DATA", json!({"api_name": "Email"})), error("INVALID_DATA", json!({"api_name": "Rate"}))]}),
        ));
        assert_eq!((two.message.as_str(), two.field.as_deref()), ("Email: no; Rate: no", Some("Email")));
        let duplicate = refusal(&error("DUPLICATE_DATA", json!({"duplicate_record": {"id": 42}, "api_name": "Name"})));
        assert_eq!(duplicate.duplicate_id.as_deref(), Some("42"));
    }

    #[test]
    fn fields_without_a_length_have_that_of_their_type() {
        let field = json!({"api_name": "Payload", "data_type": "textarea", "textarea": {"type": "small"}});
        assert_eq!(field_info(&field).unwrap().length, Some(2000));
        let picks = json!({"api_name": "Status", "length": 120, "pick_list_values": [{"actual_value": "a", "display_value": "A"}]});
        assert_eq!(field_info(&picks).unwrap().pick_list_values.as_deref(), Some("[\"a\"]"));
    }

    #[test]
    fn credits_are_one_per_ten_records() {
        assert_eq!([0, 1, 10, 11, 100].map(credits_for), [0, 1, 1, 2, 10]);
        assert_eq!([0, 1, 10, 99].map(records_for), [0, 10, 100, 100]);
    }
}
