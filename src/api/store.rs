//! The Partner Store: one page of one kind per request (store contract §2, §3). The body is documented as a bare array;
//! an object that wraps one array, or numbers its records, is read too.

use serde_json::value::RawValue;

use crate::api::Error;
use crate::api::client::{Answer, Client, Reading, Request, is_throttle_text};
use crate::model::Kind;
use crate::model::json::{Members, Scalar};

pub struct StoreApi {
    client: Client,
}

/// One answer: each record as the exact slice of the body received.
#[derive(Clone, Debug, Default)]
pub struct Page {
    body: String,
    ranges: Vec<(usize, usize)>,
    pub headers: Vec<(String, String)>,
}

impl Page {
    pub fn records(&self) -> Vec<&str> {
        self.ranges.iter().map(|(start, end)| &self.body[*start..*end]).collect()
    }

    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// 204, an empty body or an empty list: the end.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

impl StoreApi {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    pub fn requests(&self) -> u64 {
        self.client.requests()
    }

    pub fn name(&self) -> &str {
        self.client.name()
    }

    /// Asks for one page; `page` counts from 1.
    pub async fn list(&self, kind: Kind, page: u64, per_page: u32) -> Result<Page, Error> {
        let request = Request::get(format!("/{kind}?page={page}&per_page={per_page}"));
        self.client.send(&request, |answer| self.read(kind, page, answer)).await
    }

    fn read(&self, kind: Kind, page: u64, answer: &Answer) -> Reading<Page> {
        if answer.status == 204 {
            return Reading::Good(Page { headers: answer.headers.clone(), ..Page::default() });
        }
        if !(200..300).contains(&answer.status) {
            return Reading::Refused(self.client.refusal(&format!("{kind} page {page}"), answer));
        }
        match split(&answer.body) {
            Ok(Split::Records(body, ranges)) => Reading::Good(Page { body, ranges, headers: answer.headers.clone() }),
            Ok(Split::NotAList) if is_throttle_text(&answer.body) => Reading::Throttled,
            Ok(Split::NotAList) => {
                Reading::Refused(self.client.refusal(&format!("{kind} page {page} is not a list of records"), answer))
            }
            Err(message) => Reading::Garbled(format!("{kind} page {page}: {message}")),
        }
    }
}

enum Split {
    Records(String, Vec<(usize, usize)>),
    NotAList,
}

/// Cuts a body into the slices of its records. The error is for text that is no JSON.
fn split(body: &[u8]) -> Result<Split, String> {
    let text = std::str::from_utf8(body).map_err(|error| format!("the answer is not UTF-8 ({error})"))?;
    if text.trim().is_empty() {
        return Ok(Split::Records(String::new(), Vec::new()));
    }
    let whole: &RawValue =
        serde_json::from_str(text).map_err(|error| format!("the answer is not complete JSON ({error})"))?;
    let records = match Scalar::of(whole) {
        Scalar::Array(array) => Some(items(array)?),
        Scalar::Object(object) => wrapped(object)?,
        Scalar::Null => Some(Vec::new()),
        _ => None,
    };
    let Some(records) = records else {
        return Ok(Split::NotAList);
    };
    let start = text.as_ptr() as usize;
    let ranges = records
        .into_iter()
        .map(|record| {
            let from = record.get().as_ptr() as usize - start;
            (from, from + record.get().len())
        })
        .collect();
    Ok(Split::Records(text.to_owned(), ranges))
}

fn items(array: &str) -> Result<Vec<&RawValue>, String> {
    serde_json::from_str(array).map_err(|error| format!("the answer is not complete JSON ({error})"))
}

/// An object that stands for a list: the first array in it, or records under the keys 0, 1, 2, …
fn wrapped(object: &str) -> Result<Option<Vec<&RawValue>>, String> {
    let Members(members) =
        serde_json::from_str(object).map_err(|error| format!("the answer is not complete JSON ({error})"))?;
    if !members.is_empty()
        && members.iter().all(|(key, _)| key.bytes().all(|byte| byte.is_ascii_digit()) && !key.is_empty())
    {
        return Ok(Some(members.into_iter().map(|(_, record)| record).collect()));
    }
    members
        .iter()
        .find(|(_, value)| matches!(Scalar::of(value), Scalar::Array(_)))
        .map(|(_, array)| items(array.get()))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(body: &str) -> Option<Vec<String>> {
        match split(body.as_bytes()) {
            Ok(Split::Records(body, ranges)) => {
                Some(ranges.iter().map(|(start, end)| body[*start..*end].to_owned()).collect())
            }
            _ => None,
        }
    }

    #[test]
    fn lists_in_every_wrapping_are_read() {
        let two = Some(vec![r#"{"id": 1}"#.to_owned(), r#"{"id":2}"#.to_owned()]);
        assert_eq!(records(r#" [{"id": 1} , {"id":2}]"#), two);
        assert_eq!(records(r#"{"count":2,"subscriptions":[{"id": 1},{"id":2}]}"#), two);
        assert_eq!(records(r#"{"0":{"id": 1},"1":{"id":2}}"#), two);
        for end in ["", " \n", "[]", "null", r#"{"data":[]}"#] {
            assert_eq!(records(end), Some(vec![]), "{end:?}");
        }
    }

    #[test]
    fn anything_else_is_no_list() {
        assert!(matches!(split(br#"{"error":"Access Denied"}"#), Ok(Split::NotAList)));
        assert!(matches!(split(b"{}"), Ok(Split::NotAList)));
        assert!(matches!(split(b"7"), Ok(Split::NotAList)));
        assert!(split(br#"[{"id":1},{"id"#).is_err());
        assert!(split(b"[\xff]").is_err());
    }
}
