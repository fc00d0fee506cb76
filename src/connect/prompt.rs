//! What only a person knows: read at a prompt, or from stdin with one answer a line, never from argv. Secrets are typed
//! without echo. Nothing that was read is ever said again.

use std::io::{BufRead, ErrorKind, IsTerminal, Read, Write};

use anyhow::Result;
use secrecy::SecretString;

use crate::api::client::Talk;
use crate::failure::{Code, Failure};

/// No id, secret or code is nearly as long; a larger line is some other file.
const LONGEST_LINE_BYTES: u64 = 4096;

/// Where answers come from.
pub(super) struct Prompt {
    is_terminal: bool,
    talk: Talk,
}

impl Prompt {
    pub(super) fn new(talk: Talk) -> Self {
        Self { is_terminal: std::io::stdin().is_terminal(), talk }
    }

    /// Reads what others may see.
    pub(super) async fn open(&self, label: &str) -> Result<String> {
        if self.is_terminal {
            let mut stderr = std::io::stderr();
            write!(stderr, "{label}: ").and_then(|()| stderr.flush()).map_err(|error| unreadable(label, &error))?;
        } else {
            (self.talk)(&format!("reading the {label} from stdin"));
        }
        answer(label, &line(label).await?)
    }

    /// Reads a secret, without echo on a terminal.
    pub(super) async fn secret(&self, label: &str) -> Result<SecretString> {
        if !self.is_terminal {
            return Ok(self.open(label).await?.into());
        }
        // it may block here: without echo, Ctrl-C comes as a character, and the terminal is set right again after it
        let typed = rpassword::prompt_password(format!("{label} (not shown): "));
        Ok(answer(label, &typed.map_err(|error| unreadable(label, &error))?)?.into())
    }
}

/// Reads a line on a thread of its own: Ctrl-C must end the wait for it.
async fn line(label: &str) -> Result<String> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = std::io::stdin().lock().take(LONGEST_LINE_BYTES).read_line(&mut text);
        // nobody waits any more after Ctrl-C
        let _ = sender.send(read.map(|_| text));
    });
    let read = receiver.await.unwrap_or_else(|_| Err(ErrorKind::UnexpectedEof.into()));
    read.map_err(|error| unreadable(label, &error).into())
}

fn answer(label: &str, text: &str) -> Result<String> {
    let text = text.trim();
    // a stray word or a control character is a slip of the clipboard
    if text.is_empty() || !text.chars().all(|character| character.is_ascii_graphic()) {
        let what = if text.is_empty() { format!("no {label} was given") } else { format!("that is no {label}") };
        return Err(Failure::config(what)
            .hint("type it at the prompt, or give it on stdin: one line for each thing asked for, in that order")
            .into());
    }
    Ok(text.to_owned())
}

fn unreadable(label: &str, error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::Interrupted => Failure::new(Code::Interrupted, "interrupted"),
        ErrorKind::UnexpectedEof => Failure::config(format!("no {label} was given")),
        _ => Failure::config(format!("cannot read the {label}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_single_words() {
        assert_eq!(answer("code", " 1000.ab \r\n").unwrap(), "1000.ab");
        for text in ["", "\n", "two words", "1000\u{1b}[A", "gültig"] {
            let error = answer("code", text).unwrap_err().to_string();
            assert!(error.contains("code") && !error.contains("words") && !error.contains('['), "{error}");
        }
    }
}
