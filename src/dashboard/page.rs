//! The page: what the template is given, and the promises of its head. The template engine escapes everything that comes
//! from a report; the style, the script and the packed statements are the only texts it prints as they are.

use askama::Template;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::cards::Card;
use super::figures::Figure;
use super::source::Source;
use super::tables::Listed;

const STYLE: &str = include_str!("templates/dashboard.css");
const SCRIPT: &str = include_str!("templates/dashboard.js");

#[derive(Template)]
#[template(path = "dashboard.html", config = ".askama.toml")]
pub(super) struct Page {
    /// `2026-03-01`
    pub(super) as_of: String,
    /// When it was made, as an instant.
    pub(super) made_at: String,
    pub(super) version: &'static str,
    pub(super) freshness: String,
    pub(super) warnings: Vec<String>,
    pub(super) stores: Vec<String>,
    pub(super) services: Vec<String>,
    /// The day that the headline is held against.
    pub(super) compared_with: Option<String>,
    pub(super) cards: Vec<Card>,
    pub(super) sections: Vec<Section>,
    pub(super) statement_sources: [Source; 2],
    pub(super) customers: usize,
    /// The first day of the statements' events, when they are not all there.
    pub(super) statements_since: Option<String>,
    pub(super) statements: String,
}

pub(super) struct Section {
    pub(super) id: &'static str,
    /// In the head's list of sections.
    pub(super) short: &'static str,
    pub(super) title: &'static str,
    pub(super) figures: Vec<Figure>,
    pub(super) tables: Vec<Listed>,
}

impl Page {
    /// Nothing but the page's own style and script may run, and nothing may be loaded or sent.
    fn policy() -> String {
        let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())));
        format!(
            "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
            hash(STYLE),
            hash(SCRIPT)
        )
    }
}

/// JSON for a data block: no text in it can end the block or begin a comment.
pub(super) fn data_block(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_data_block() {
        let json = serde_json::json!(["</script><!-- &amp; ", "\u{2028}"]).to_string();
        let block = data_block(&json);
        assert!(!block.contains(['<', '>', '&']), "{block}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&block).unwrap()[0], "</script><!-- &amp; ");
    }
}
