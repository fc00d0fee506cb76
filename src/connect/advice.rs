//! What to say and to do when the accounts server does not give what was asked for.

use crate::api::grant::GrantError;
use crate::connect::{Candidate, Settings, host};
use crate::failure::{Code, Failure};

/// An error of the exchange in a few words.
pub(super) fn reason(error: &GrantError) -> String {
    match error {
        GrantError::Refused(word) => word.clone(),
        GrantError::NoRefreshToken => "no refresh token came".to_owned(),
        GrantError::Throttled => "too many requests".to_owned(),
        GrantError::Network(message) => message.clone(),
    }
}

pub(super) fn no_grant(settings: &Settings, error: &GrantError) -> Failure {
    let label = settings.party.label();
    let host = host(&settings.accounts_url);
    match error {
        GrantError::Refused(word) => {
            Failure::new(Code::Credentials, format!("{label}: {host} refuses to connect: {word}")).hint(advice(word))
        }
        GrantError::NoRefreshToken => {
            let message = format!("{label}: {host} accepted the code but gave no refresh token");
            Failure::new(Code::Credentials, message).hint(
                "the code was made for access once (not offline), or was used already; make a new one in the tab \
                 \"Generate Code\" of a Self Client",
            )
        }
        GrantError::Throttled => {
            let message = format!("{label}: {host} limits how often codes are exchanged");
            Failure::new(Code::Network, message)
                .hint("Zoho allows ten in ten minutes; wait ten minutes, make a new code and run this again")
        }
        GrantError::Network(reason) => Failure::new(Code::Network, format!("{label}: {host}: {reason}"))
            .hint("nothing was stored; run this again, with a new code if this one is older than its minutes"),
    }
}

/// What to do about a refusal in Zoho's own words.
fn advice(word: &str) -> &'static str {
    match word {
        "invalid_client" | "invalid_client_secret" => {
            "check client_id and the client secret (--new-secret asks for it again); both belong to one data centre, \
             and --find-data-center tries them all"
        }
        "invalid_code" => {
            "a code works once, for the minutes chosen when it was made, and in its own data centre \
             (--find-data-center tries them all); make a new one and run this again"
        }
        _ => "is the client a Self Client? make a new code and run this again",
    }
}

/// No data centre accepted the code. A refusal weighs more than a server that could not be asked.
pub(super) fn not_found(answers: &[(Candidate, GrantError)]) -> Failure {
    let said: Vec<String> = answers
        .iter()
        .map(|(candidate, error)| format!("{} {}", candidate.settings.data_center, reason(error)))
        .collect();
    let is_refused = answers.iter().any(|(_, error)| matches!(error, GrantError::Refused(_)));
    let code = if is_refused { Code::Credentials } else { Code::Network };
    Failure::new(code, format!("no data centre accepts the code: {}", said.join("; ")))
        .hint("check client_id and client secret (--new-secret asks for it again), and make a new code")
}

pub(super) fn not_revoked(settings: &Settings, error: &GrantError) -> Failure {
    let message = format!(
        "{}: the refresh token is forgotten here but not revoked: {}: {}",
        settings.party.label(),
        host(&settings.accounts_url),
        reason(error)
    );
    Failure::new(Code::Network, message).hint(format!(
        "it still works for whoever has it; revoke it among the connected apps at {}",
        settings.accounts_url
    ))
}
