//! Posting a notice to the address of `[notify] webhook`: one request, no token, no redirect followed. The address is a
//! key to a chat, so no message names more than its host.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use secrecy::SecretString;

use crate::api::client::{build_http, excerpt, read_body, transport_error};
use crate::api::mask::masked;
use crate::config::Webhook;
use crate::config::is_loopback;

/// What is read of an answer: chats say `ok` or why not in a few words.
const ANSWER_LIMIT_BYTES: usize = 16 * 1024;

/// Posts `{"text": …}`, which Slack, Mattermost and Zoho Cliq understand.
///
/// # Errors
/// Why it did not arrive.
pub async fn post(webhook: &Webhook, text: &str, timeout: Duration) -> Result<(), String> {
    let url = webhook.url();
    let http = build_http(timeout.as_secs(), is_loopback(url)).map_err(|error| error.to_string())?;
    let body = serde_json::json!({ "text": text }).to_string();
    let request = http.post(url.clone()).header(CONTENT_TYPE, "application/json").body(body).timeout(timeout);
    let response = request.send().await.map_err(|error| transport_error(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    if status.is_redirection() {
        return Err(format!("HTTP {} (a redirect, which is not followed)", status.as_u16()));
    }
    let answer = read_body(response, ANSWER_LIMIT_BYTES, timeout).await.unwrap_or_default();
    // the key is everything behind the host
    let key = SecretString::from(url[url::Position::BeforePath..].trim_start_matches('/'));
    let answer = masked(answer, [&key]);
    Err(format!("HTTP {} {}", status.as_u16(), excerpt(&answer)).trim_end().to_owned())
}
