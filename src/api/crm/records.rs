//! Reading records of a module: page by page, by their ids, and by COQL (CRM contract §3).

use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use super::CrmApi;
use crate::api::Error;
use crate::api::client::{Reading, Request};

/// Records one page may hold.
const PER_PAGE: usize = 200;
/// Fields one read may name.
pub const FIELDS_PER_READ: usize = 50;
/// Values one `in (…)` of a query may hold: the smaller of the two limits in circulation.
pub const VALUES_PER_QUERY: usize = 50;

/// One page of a module's records, oldest first.
pub struct RecordPage {
    pub records: Vec<Value>,
    /// What asks for the next page; None after the last.
    pub next: Option<String>,
    /// The CRM lists no further although there is more: its lists end at 100,000 records.
    pub is_cut: bool,
}

impl CrmApi {
    /// A page of a module's records with the given fields; `after` is [`RecordPage::next`] of the page before.
    pub async fn page(&self, module: &str, fields: &[&str], after: Option<&str>) -> Result<RecordPage, Error> {
        let token = after.map_or_else(String::new, |token| {
            format!("&page_token={}", byte_serialize(token.as_bytes()).collect::<String>())
        });
        // by id, so that a record edited meanwhile does not move from page to page
        let request = Request::get(format!(
            "/crm/v8/{module}?fields={}&per_page={PER_PAGE}&sort_by=id&sort_order=asc{token}",
            fields.join(",")
        ));
        let what = format!("records of {module}");
        let read = |answer: &_| match self.read_body(&what, answer) {
            Reading::Refused(Error::Refused { body, .. }) if body.contains("PAGINATION_LIMIT_EXCEEDED") => {
                Reading::Good(RecordPage { records: Vec::new(), next: None, is_cut: true })
            }
            Reading::Refused(error) => Reading::Refused(error),
            Reading::Throttled => Reading::Throttled,
            Reading::Garbled(message) => Reading::Garbled(message),
            Reading::Good(body) => match page_of(body) {
                Some(page) => Reading::Good(page),
                None => Reading::Garbled(format!("{what}: neither records nor their end in the answer")),
            },
        };
        self.client.send(&request, read).await
    }

    /// Up to a hundred records by their ids; ids the CRM does not know are left out.
    pub async fn by_ids(&self, module: &str, fields: &[&str], ids: &[&str]) -> Result<Vec<Value>, Error> {
        let path = format!("/crm/v8/{module}?fields={}&ids={}&per_page={PER_PAGE}", fields.join(","), ids.join(","));
        let what = format!("records of {module}");
        self.client.send(&Request::get(path), |answer| self.read_list(&what, "data", answer)).await
    }

    /// Every row of a query, page by page. `query` has no limit of its own.
    pub async fn query(&self, query: &str) -> Result<Vec<Value>, Error> {
        let mut rows = Vec::new();
        loop {
            let text = format!("{query} limit {PER_PAGE} offset {}", rows.len());
            let body = serde_json::json!({ "select_query": text }).to_string().into_bytes();
            let request = Request { method: reqwest::Method::POST, path: "/crm/v8/coql".to_owned(), body: Some(body) };
            let mut page = self.client.send(&request, |answer| self.read_body("query", answer)).await?;
            let Value::Array(found) = page["data"].take() else { return Ok(rows) };
            let is_last = found.is_empty() || page["info"]["more_records"] != true;
            rows.extend(found);
            if is_last {
                return Ok(rows);
            }
        }
    }
}

/// A text inside a query's quotes.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn page_of(mut body: Value) -> Option<RecordPage> {
    if body.is_null() {
        return Some(RecordPage { records: Vec::new(), next: None, is_cut: false });
    }
    let Value::Array(records) = body["data"].take() else { return None };
    let info = &body["info"];
    let more = info["more_records"] == true;
    let next = info["next_page_token"].as_str().filter(|_| more).map(str::to_owned);
    let is_cut = more && next.is_none();
    Some(RecordPage { records, next, is_cut })
}
