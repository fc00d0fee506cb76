//! Faults as data: which requests are spoiled, and how. Pure: seed and request number in, fault out.
//!
//! Terms: a *drawn* fault comes from the seeded plan and is the same for the same seed, request number and path; a
//! *queued* one hits the next request whose path contains a text. The server carries faults out, this file decides.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// 429 that names no time.
    TooManyRequests,
    /// 429 with `Retry-After`.
    TooManyRequestsRetryAfter,
    /// 500 with a JSON body.
    InternalError,
    /// 502 with an HTML body.
    BadGateway,
    /// 401 although the token is good.
    InvalidToken,
    /// 200 with an HTML login page.
    LoginPage,
    /// The connection is cut before anything was done.
    Reset,
    /// The request is held for a while, then the connection is cut; nothing was done.
    Stall,
    /// The body ends before its `Content-Length`.
    Truncated,
    /// The body is cut JSON, but its length is right.
    BadJson,
    /// The body comes in pieces.
    SlowBody,
    /// The token endpoint's "too many requests continuously".
    TokenThrottle,
    /// Everything was done, then the connection is cut.
    LostAnswer,
}

impl FaultKind {
    pub const ALL: [Self; 13] = [
        Self::TooManyRequests,
        Self::TooManyRequestsRetryAfter,
        Self::InternalError,
        Self::BadGateway,
        Self::InvalidToken,
        Self::LoginPage,
        Self::Reset,
        Self::Stall,
        Self::Truncated,
        Self::BadJson,
        Self::SlowBody,
        Self::TokenThrottle,
        Self::LostAnswer,
    ];

    /// Whether the request is carried out before its answer is spoiled.
    pub(super) fn comes_after(self) -> bool {
        matches!(self, Self::Truncated | Self::BadJson | Self::SlowBody | Self::LostAnswer)
    }

    fn fits(self, is_token_request: bool) -> bool {
        match self {
            Self::TokenThrottle => is_token_request,
            Self::InvalidToken | Self::TooManyRequests | Self::TooManyRequestsRetryAfter => !is_token_request,
            _ => true,
        }
    }
}

/// The seeded plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    pub seed: u64,
    /// Probability of each kind of fault, in thousandths.
    pub per_mille: BTreeMap<FaultKind, u32>,
    /// Only requests whose path contains this.
    pub path: String,
    /// No more faults than this are drawn until the log is cleared; null is no limit.
    pub limit: Option<u64>,
    pub stall_ms: u64,
    pub retry_after_seconds: u64,
    pub slow_body_ms: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            seed: 0,
            per_mille: BTreeMap::new(),
            path: String::new(),
            limit: None,
            stall_ms: 30_000,
            retry_after_seconds: 1,
            slow_body_ms: 300,
        }
    }
}

/// A queued fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NextFault {
    /// Part of the request's path; empty hits any.
    #[serde(default)]
    pub path: String,
    pub kind: FaultKind,
}

/// The fault the plan holds for the `number`-th request, if any.
pub(super) fn drawn(plan: &Faults, number: u64, path: &str, is_token_request: bool) -> Option<FaultKind> {
    if plan.per_mille.is_empty() || !path.contains(&plan.path) {
        return None;
    }
    let mut random = fastrand::Rng::with_seed(plan.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number));
    let mut draw = random.u32(0..1000);
    for (kind, per_mille) in &plan.per_mille {
        if draw < *per_mille {
            return kind.fits(is_token_request).then_some(*kind);
        }
        draw -= *per_mille;
    }
    None
}

/// Takes the oldest queued fault that fits the path.
pub(super) fn queued(queue: &mut Vec<NextFault>, path: &str) -> Option<FaultKind> {
    let at = queue.iter().position(|fault| path.contains(&fault.path))?;
    Some(queue.remove(at).kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_its_faults_and_keeps_their_share() {
        let plan = Faults { seed: 7, per_mille: [(FaultKind::Reset, 100)].into(), ..Faults::default() };
        let draw = |plan: &Faults| (0..2000).map(|number| drawn(plan, number, "/x", false)).collect::<Vec<_>>();
        assert_eq!(draw(&plan), draw(&plan));
        let hits = draw(&plan).iter().flatten().count();
        assert!((120..280).contains(&hits), "{hits}");
        assert_ne!(draw(&plan), draw(&Faults { seed: 8, ..plan.clone() }));
    }

    #[test]
    fn a_plan_spares_other_paths_and_unfit_requests() {
        let always = |kind| Faults { per_mille: [(kind, 1000)].into(), path: "/crm/".to_owned(), ..Faults::default() };
        assert_eq!(drawn(&always(FaultKind::Reset), 1, "/us/api", false), None);
        assert_eq!(drawn(&always(FaultKind::Reset), 1, "/crm/v8", false), Some(FaultKind::Reset));
        assert_eq!(drawn(&always(FaultKind::TokenThrottle), 1, "/crm/v8", false), None);
    }

    #[test]
    fn queued_faults_wait_for_their_path() {
        let mut queue = vec![
            NextFault { path: "token".to_owned(), kind: FaultKind::TokenThrottle },
            NextFault { path: String::new(), kind: FaultKind::Reset },
        ];
        assert_eq!(queued(&mut queue, "/us"), Some(FaultKind::Reset));
        assert_eq!(queued(&mut queue, "/us"), None);
        assert_eq!(queued(&mut queue, "/oauth/v2/token"), Some(FaultKind::TokenThrottle));
    }
}
