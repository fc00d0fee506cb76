//! A request and its answer as plain data, between the HTTP server and the rooms that answer.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A request, its body read to the end.
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    /// The query as it came, for the log.
    pub(super) query_text: String,
    pub(super) query: Vec<(String, String)>,
    /// Header names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Call {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.parameter(name)?.parse().ok()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body as JSON whatever its Content-Type says: Zoho's own clients send none.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// The first value of a name in a list of pairs.
pub(super) fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The pairs of a query or a form; empty parts, as behind a trailing `&`, are passed over.
pub(super) fn pairs(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text)
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect()
}

/// An answer before anything spoils it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, body.to_string())
    }

    /// JSON that is text already.
    pub(super) fn text(status: u16, body: String) -> Self {
        let kind = ("content-type".to_owned(), "application/json;charset=utf-8".to_owned());
        Self { status, headers: vec![kind], body: body.into_bytes() }
    }

    pub(super) fn html(status: u16, body: &str) -> Self {
        let kind = ("content-type".to_owned(), "text/html;charset=utf-8".to_owned());
        Self { status, headers: vec![kind], body: body.as_bytes().to_vec() }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Zoho's usual error object.
    pub(super) fn error(status: u16, code: &str, message: &str, details: &Value) -> Self {
        Self::json(status, &error_object(code, message, details))
    }
}

pub(super) fn error_object(code: &str, message: &str, details: &Value) -> Value {
    json!({"code": code, "details": details, "message": message, "status": "error"})
}
