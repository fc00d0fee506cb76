//! The two ways a notice takes: a program that reads it, and a webhook.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::api::webhook;
use crate::config::{NotifyConfig, Webhook};
use crate::notify::Notice;
use crate::screen;

/// What is shown of a program's own complaint.
const COMPLAINT_CHARACTERS: usize = 200;
/// What begins the names of this program's own variables, secrets among them.
const OUR_VARIABLES: &str = "STOREMIRROR_";

#[derive(Clone, Debug)]
pub(super) enum Channel {
    Command(Vec<String>),
    Webhook(Webhook),
}

impl Channel {
    pub(super) fn all(config: &NotifyConfig) -> Vec<Self> {
        let command = config.command.clone().map(Self::Command);
        command.into_iter().chain(config.webhook.clone().map(Self::Webhook)).collect()
    }

    /// Its key in the configuration.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Webhook(_) => "webhook",
        }
    }

    /// Where it goes, as far as that may be said.
    pub(super) fn goal(&self) -> String {
        match self {
            Self::Command(words) => words[0].clone(),
            Self::Webhook(webhook) => webhook.to_string(),
        }
    }

    /// Delivers a notice, if that takes no longer than `timeout`.
    ///
    /// # Errors
    /// Why it did not arrive.
    pub(super) async fn deliver(&self, notice: &Notice, timeout: Duration) -> Result<(), String> {
        match self {
            Self::Command(words) => run(words, notice, timeout).await,
            Self::Webhook(webhook) => webhook::post(webhook, &notice.text, timeout).await,
        }
    }
}

/// Runs the program: the text is its input, never an argument, and it learns none of our secrets.
async fn run(words: &[String], notice: &Notice, timeout: Duration) -> Result<(), String> {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env_clear();
    let theirs = std::env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with(OUR_VARIABLES));
    command
        .envs(theirs)
        .env("STOREMIRROR_EVENT", notice.event.name())
        .env("STOREMIRROR_THING", &notice.thing)
        .env("STOREMIRROR_SUBJECT", notice.subject());
    // our own stdout is data
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("cannot run it: {error}"))?;
    let stdin = child.stdin.take();
    let work = async {
        if let Some(mut stdin) = stdin {
            // a program that does not read tells with its exit code whether that was a failure
            let _ = stdin.write_all(notice.text.as_bytes()).await;
            let _ = stdin.write_all(b"\n").await;
        }
        child.wait_with_output().await
    };
    match tokio::time::timeout(timeout, work).await {
        Err(_) => Err(format!("it took longer than {} s and was stopped", timeout.as_secs())),
        Ok(Err(error)) => Err(format!("cannot run it: {error}")),
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let complaint: String = screen::plain(complaint.trim()).chars().take(COMPLAINT_CHARACTERS).collect();
            Err(format!("{}: {complaint}", output.status).trim_end_matches(": ").to_owned())
        }
    }
}
