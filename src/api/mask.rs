//! Whatever a server sends, our own secrets are not in it any more when it leaves this room: a proxy or an error page
//! that repeats the request must not carry a token into a log, an error, a database or a report (design, rule 7).

use memchr::memmem::find_iter;
use secrecy::{ExposeSecret, SecretString};

/// What stands in a secret's place.
const MASK: &[u8] = b"***";
/// Shorter texts are no secrets of Zoho's (theirs have 40 characters and more), and would be found in honest records.
const SHORTEST_SECRET: usize = 6;

/// The text without any of the secrets in it.
pub(super) fn masked<'a>(mut text: Vec<u8>, secrets: impl IntoIterator<Item = &'a SecretString>) -> Vec<u8> {
    for secret in secrets {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() >= SHORTEST_SECRET && find_iter(&text, secret).next().is_some() {
            text = without(&text, secret);
        }
    }
    text
}

fn without(text: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    let mut from = 0;
    for place in find_iter(text, secret) {
        kept.extend_from_slice(&text[from..place]);
        kept.extend_from_slice(MASK);
        from = place + secret.len();
    }
    kept.extend_from_slice(&text[from..]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_every_secret_is_masked() {
        let secrets = ["1000.abcdef".into(), "client-secret".into(), "short".into(), SecretString::from("")];
        let text = b"1000.abcdef1000.abcdef short client-secret\xff".to_vec();
        assert_eq!(masked(text, &secrets), b"****** short ***\xff");
        assert_eq!(masked(Vec::new(), &secrets), b"");
    }
}
