//! The Partner Store: four lists, page by page, with the refusals of the contract.
//!
//! The bodies of the errors are not publicly known; they follow other Zoho services.

use super::accounts::Refusal;
use super::answer::{Answer, Call};
use super::dress::dressed;
use super::listing::Listing;
use super::pager::{self, Page};
use super::switches::{BodyShape, StoreSwitches};
use serde_json::json;
use std::fmt::Write as _;

/// The kind a path below the store's root asks for; None for a path that does not exist.
pub(super) enum Asked {
    List(&'static str),
    /// Seems documented, but answers 400.
    ByStatus,
    Nothing,
}

pub(super) fn asked(rest: &str) -> Asked {
    let rest = rest.trim_matches('/');
    if let Some(kind) = super::KINDS.into_iter().find(|kind| *kind == rest) {
        return Asked::List(kind);
    }
    if rest.starts_with("subscriptions/status") { Asked::ByStatus } else { Asked::Nothing }
}

/// One page of a list.
pub(super) fn list(call: &Call, kind: &str, listing: &mut Listing, switches: &StoreSwitches) -> Answer {
    let (page, per_page) = (call.number("page"), call.number("per_page"));
    let total = listing.len();
    let answer = match pager::page(switches, total, page, per_page) {
        Page::NoContent => Answer::empty(204),
        Page::EmptyBody => Answer::text(200, String::new()),
        Page::BadRequest => return bad_request("page is out of range"),
        Page::EmptyArray => Answer::text(200, body(switches, kind, &[])),
        Page::Records(range) => {
            let records = listing.slice(switches.order, range);
            let texts: Vec<_> = records.into_iter().map(|record| dressed(switches, kind, record)).collect();
            let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
            Answer::text(200, body(switches, kind, &texts))
        }
    };
    let size = pager::page_size(switches, total, per_page);
    let number = page.unwrap_or(1).max(1);
    let more = number.saturating_mul(size) < total;
    switches.headers.iter().fold(answer, |answer, (name, template)| {
        let value = template
            .replace("{page}", &number.to_string())
            .replace("{per_page}", &size.to_string())
            .replace("{total}", &total.to_string())
            .replace("{more}", &more.to_string());
        answer.with_header(name, &value)
    })
}

/// The records in the shape a switch asks for; one allocation for the whole page.
fn body(switches: &StoreSwitches, kind: &str, texts: &[&str]) -> String {
    let length: usize = texts.iter().map(|text| text.len() + 12).sum();
    let mut body = String::with_capacity(length + 64);
    let array = |body: &mut String| {
        body.push('[');
        for (at, text) in texts.iter().enumerate() {
            body.push_str(if at == 0 { "" } else { "," });
            body.push_str(text);
        }
        body.push(']');
    };
    match switches.body {
        BodyShape::Array => array(&mut body),
        BodyShape::Wrapped => {
            let key = if switches.wrap_key.is_empty() { kind } else { &switches.wrap_key };
            let _ = write!(body, "{{\"{key}\":");
            array(&mut body);
            body.push('}');
        }
        BodyShape::NumericKeys => {
            body.push('{');
            for (at, text) in texts.iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                let _ = write!(body, "{comma}\"{at}\":{text}");
            }
            body.push('}');
        }
    }
    body
}

pub(super) fn bad_request(message: &str) -> Answer {
    Answer::json(400, &json!({"code": "INVALID_REQUEST", "message": message, "status": "error"}))
}

pub(super) fn not_found() -> Answer {
    Answer::json(404, &json!({"code": "INVALID_URL", "message": "no such resource", "status": "error"}))
}

pub(super) fn refused(refusal: &Refusal) -> Answer {
    let (code, message) = match refusal {
        Refusal::Missing => ("AUTHENTICATION_FAILURE", "Authentication failed"),
        Refusal::Invalid => ("INVALID_OAUTHTOKEN", "The OAuth token is invalid"),
        Refusal::OtherServer => ("OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL"),
    };
    Answer::json(401, &json!({"code": code, "message": message, "status": "error"}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(shape: BodyShape, texts: &[&str]) -> String {
        let switches = StoreSwitches { body: shape, ..StoreSwitches::default() };
        body(&switches, "leads", texts)
    }

    #[test]
    fn a_body_is_an_array_a_wrapped_array_or_an_object() {
        assert_eq!(served(BodyShape::Array, &["1", "2"]), "[1,2]");
        assert_eq!(served(BodyShape::Array, &[]), "[]");
        assert_eq!(served(BodyShape::Wrapped, &["1"]), r#"{"leads":[1]}"#);
        assert_eq!(served(BodyShape::NumericKeys, &["1", "2"]), r#"{"0":1,"1":2}"#);
    }

    #[test]
    fn only_the_four_lists_exist() {
        assert!(matches!(asked("/leads"), Asked::List("leads")));
        assert!(matches!(asked("/subscriptions/status/active"), Asked::ByStatus));
        assert!(matches!(asked("/payouts"), Asked::Nothing));
    }
}
