//! The Partner Store: one page of one kind per request (store contract §2, §3). The body is documented as a bare array;
//! an object that wraps one array, or numbers its records, is read too.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::api::Error;
use crate::api::client::{Answer, Client, Reading, Request, is_throttle_text};
use crate::model::Kind;
use crate::model::json::{Members, Scalar};

pub struct StoreApi {
    client: Client,
}

/// One answer.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Each as the exact text received.
    pub records: Vec<String>,
    /// 204, an empty body or an empty list: there is nothing more.
    pub is_end: bool,
    pub headers: Vec<(String, String)>,
}

impl StoreApi {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    pub fn requests(&self) -> u64 {
        self.client.requests()
    }

    /// Whether asking for another kind can help after this error.
    pub fn is_hopeless(&self, error: &Error) -> bool {
        match error {
            Error::Credentials { whole, .. } => *whole,
            Error::Network(_) | Error::Throttled(_) => !self.client.answered(),
            Error::Refused { .. } | Error::DayLimit(_) => false,
        }
    }

    /// See [`Client::clock_ahead`].
    pub fn clock_ahead(&self) -> Option<i64> {
        self.client.clock_ahead()
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
            return Reading::Good(Page { is_end: true, headers: answer.headers.clone(), ..Page::default() });
        }
        if !(200..300).contains(&answer.status) {
            return Reading::Refused(self.client.refusal(&format!("{kind} page {page}"), answer));
        }
        match split(kind.name(), &answer.body) {
            Ok(Split::Records(records)) => {
                Reading::Good(Page { records, is_end: false, headers: answer.headers.clone() })
            }
            Ok(Split::End) => Reading::Good(Page { is_end: true, headers: answer.headers.clone(), ..Page::default() }),
            Ok(Split::NotAList) if is_throttle_text(&answer.body) => Reading::Throttled,
            Ok(Split::NotAList) => {
                Reading::Refused(self.client.refusal(&format!("{kind} page {page} is not a list of records"), answer))
            }
            Err(Unreadable::Cut(message)) => Reading::Garbled(format!("{kind} page {page}: {message}")),
            Err(Unreadable::NotUtf8(message)) => {
                Reading::Refused(self.client.refusal(&format!("{kind} page {page}: {message}"), answer))
            }
        }
    }
}

/// What a body holds.
enum Split {
    Records(Vec<String>),
    /// An empty body or an empty list.
    End,
    NotAList,
}

/// Why a body cannot be cut into records.
enum Unreadable {
    /// No JSON, or not all of it: worth asking again.
    Cut(String),
    /// All of it came, in another encoding: it will come so again.
    NotUtf8(String),
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::Cut(format!("the answer is not complete JSON ({error})"))
    }
}

/// Cuts a body into its records. The error is for bytes that are no JSON.
fn split(kind: &str, body: &[u8]) -> Result<Split, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let message = format!("the answer is not UTF-8 ({error})");
        let is_whole = serde_json::from_str::<serde::de::IgnoredAny>(&String::from_utf8_lossy(body)).is_ok();
        if is_whole { Unreadable::NotUtf8(message) } else { Unreadable::Cut(message) }
    })?;
    if text.trim().is_empty() {
        return Ok(Split::End);
    }
    let records = match Scalar::of_text(text.trim()) {
        Scalar::Array(array) => items(array)?,
        Scalar::Object(object) => {
            let Members(members) = serde_json::from_str(object)?;
            if is_error(&members) {
                return Ok(Split::NotAList);
            }
            let array = |wanted: &dyn Fn(&str) -> bool| {
                members.iter().find(|(key, value)| wanted(key) && matches!(Scalar::of(value), Scalar::Array(_)))
            };
            match array(&|key| key == kind).or_else(|| array(&|key| key == "data")).or_else(|| array(&|_| true)) {
                Some((_, array)) => items(array.get())?,
                None if members.iter().all(|(key, _)| is_number(key)) && !members.is_empty() => {
                    members.into_iter().map(|(_, record)| record).collect()
                }
                // an object without members may stand for a list without records: no error, and no documented end
                None if members.is_empty() => return Ok(Split::Records(Vec::new())),
                None => return Ok(Split::NotAList),
            }
        }
        _ => {
            let value: serde_json::Value = serde_json::from_str(text)?;
            return Ok(if value.is_null() { Split::End } else { Split::NotAList });
        }
    };
    if records.is_empty() {
        return Ok(Split::End);
    }
    Ok(Split::Records(records.into_iter().map(|record| record.get().to_owned()).collect()))
}

/// Zoho's services say no in an object with an error or a code, sometimes with status 200 and an empty list beside it:
/// that must never pass for the end of a list.
fn is_error(members: &[(Cow<'_, str>, &RawValue)]) -> bool {
    members.iter().any(|(key, value)| match (key.as_ref(), Scalar::of(value)) {
        ("error" | "error_description" | "errorCode", value) => !matches!(value, Scalar::Null),
        ("status" | "result", Scalar::Text(status)) => matches!(status.as_ref(), "error" | "failure"),
        ("code", Scalar::Text(code)) => !matches!(code.as_ref(), "0" | "SUCCESS"),
        ("code", Scalar::Number(code)) => code != "0",
        _ => false,
    })
}

fn is_number(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit())
}

fn items(array: &str) -> Result<Vec<&RawValue>, Unreadable> {
    Ok(serde_json::from_str(array)?)
}

/// The records of a body, each as its exact text; None for what is no list of records.
pub fn records_of(kind: &str, body: &[u8]) -> Option<Vec<String>> {
    match split(kind, body) {
        Ok(Split::Records(records)) => Some(records),
        Ok(Split::End) => Some(Vec::new()),
        Ok(Split::NotAList) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(body: &str) -> Option<Vec<String>> {
        match split("subscriptions", body.as_bytes()) {
            Ok(Split::Records(records)) => Some(records),
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
            assert!(matches!(split("subscriptions", end.as_bytes()), Ok(Split::End)), "{end:?}");
        }
        assert_eq!(records("{}"), Some(vec![]), "no records, and no documented end");
    }

    #[test]
    fn anything_else_is_no_list() {
        assert!(matches!(split("subscriptions", br#"{"error":"Access Denied"}"#), Ok(Split::NotAList)));
        assert!(matches!(split("subscriptions", b"7"), Ok(Split::NotAList)));
        assert!(matches!(
            split("subscriptions", br#"{"code":429,"error":"TOO_MANY_REQUESTS","details":[]}"#),
            Ok(Split::NotAList)
        ));
        assert!(matches!(split("subscriptions", br#"{"code":"INVALID_DATA","details":[]}"#), Ok(Split::NotAList)));
        assert!(split("subscriptions", br#"[{"id":1},{"id"#).is_err());
        assert!(split("subscriptions", b"[\xff]").is_err());
        assert!(split("subscriptions", b"upstream went away").is_err());
    }
}
