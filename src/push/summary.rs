//! What a push planned and did: as the contract's JSON, as lines for a person, and as an exit code.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::api::Error;
use crate::db::{AccountCounts, PushRun, Rejection};
use crate::failure::{Code, Failure, worst};
use crate::model::Kind;
use crate::push::apply::Stop;
use crate::push::plan::{Change, Counts};
use crate::screen::{self, counted};

/// Rejections shown to a person; `crm_rejections` and `--json` have them all.
const SHOWN: usize = 20;
/// Characters of a value shown to a person.
const SHOWN_CHARACTERS: usize = 50;

/// A record refused by this push.
#[derive(Clone, Debug)]
pub struct Rejected {
    kind: Kind,
    store_id: String,
    record_id: String,
    code: String,
    message: String,
    field: Option<String>,
}

/// One kind: what was planned and what became of it.
#[derive(Clone, Debug)]
pub(super) struct KindSummary {
    pub(super) kind: Kind,
    pub(super) module: String,
    pub(super) planned: Counts,
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) adopted: u64,
    pub(super) rejected: u64,
    pub(super) left: u64,
    pub(super) without_payload: u64,
    pub(super) changes: Vec<Change>,
}

/// Why a mass change waits for a word of the user.
#[derive(Clone, Debug)]
pub(super) struct Brake {
    pub(super) updates: u64,
    pub(super) linked: u64,
    /// Field → records in which it would change, most first.
    pub(super) fields: Vec<(String, u64)>,
}

/// A whole push.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub(super) host: String,
    pub(super) started_at: String,
    pub(super) finished_at: String,
    pub(super) dry_run: bool,
    pub(super) kinds: Vec<KindSummary>,
    pub(super) requests: u64,
    pub(super) credits_planned: u64,
    pub(super) credits_used: u64,
    pub(super) credits_24h: u64,
    pub(super) budget: Option<u64>,
    pub(super) stopped: Option<&'static str>,
    pub(super) brake: Option<Brake>,
    pub(super) error: Option<Failure>,
    pub(super) rejections: Vec<Rejected>,
    /// Customers by whether they have an account in the CRM; None: accounts are left alone.
    pub(super) accounts: Option<AccountCounts>,
}

impl Rejected {
    pub(super) fn new(kind: Kind, rejection: &Rejection) -> Self {
        Self {
            kind,
            store_id: rejection.store_id.clone(),
            record_id: rejection.record_id.clone(),
            code: rejection.code.clone(),
            message: rejection.message.clone(),
            field: rejection.field.clone(),
        }
    }

    fn json(&self) -> Value {
        json!({
            "store_id": self.store_id, "kind": self.kind.name(), "record_id": self.record_id, "code": self.code,
            "message": self.message, "field": self.field,
        })
    }
}

impl KindSummary {
    fn json(&self) -> Value {
        let planned = &self.planned;
        json!({
            "kind": self.kind.name(),
            "module": self.module,
            "planned": {
                "create": planned.create, "update": planned.update, "unchanged": planned.unchanged,
                "waiting": planned.waiting, "held": planned.held,
            },
            "created": self.created, "updated": self.updated, "adopted": self.adopted, "rejected": self.rejected,
            "left": self.left, "without_payload": self.without_payload,
        })
    }

    fn is_incomplete(&self) -> bool {
        self.rejected + self.planned.waiting + self.planned.held + self.left > 0
    }
}

impl Summary {
    pub(super) fn stop(&mut self, stop: Stop) {
        let error = match stop {
            Stop::Credits => {
                self.stopped = Some("credits");
                return;
            }
            Stop::Api(error) => error,
        };
        self.stopped = match &error {
            Error::Credentials { .. } => Some("credentials"),
            Error::Network(_) => Some("network"),
            Error::Throttled(_) | Error::DayLimit(_) => Some("day_limit"),
            Error::Refused { .. } => None,
        };
        self.error = match error {
            Error::DayLimit(_) => None,
            Error::Refused { message, .. } => Some(
                Failure::new(Code::Crm, message)
                    .hint("check [crm.modules] in the configuration; `storemirror crm check` shows what the CRM has"),
            ),
            Error::Network(message) => Some(
                Failure::new(Code::Network, message)
                    .hint("what was acknowledged is saved; run the same command again later"),
            ),
            Error::Throttled(message) => Some(
                Failure::new(Code::Crm, message)
                    .hint("the API credits of the day are spent, or other programs use them; push again later"),
            ),
            credentials @ Error::Credentials { .. } => Some(credentials.into_failure(Code::Crm)),
        };
    }

    /// The exit code of the contract.
    pub fn exit(&self) -> u8 {
        if self.dry_run {
            return 0;
        }
        let stopped = match self.stopped {
            Some("network") => 1,
            Some("credentials") => 4,
            Some(_) => 3,
            None => self.error.as_ref().map_or(0, |error| error.code.exit()),
        };
        worst([stopped, if self.kinds.iter().any(KindSummary::is_incomplete) { 3 } else { 0 }])
    }

    /// What made it fail, as opposed to leave something for later.
    pub fn failure(&self) -> Option<&Failure> {
        self.error.as_ref().filter(|_| !matches!(self.exit(), 0 | 3))
    }

    /// Why it stopped, if it did.
    pub fn stopped(&self) -> Option<&'static str> {
        self.stopped
    }

    /// Records that the CRM refused, now or before.
    pub fn refused(&self) -> u64 {
        self.rejections.len() as u64 + self.sum(|kind| kind.planned.held)
    }

    /// At the brake: how many updates, of how many linked records.
    pub fn braked(&self) -> Option<(u64, u64)> {
        self.brake.as_ref().map(|brake| (brake.updates, brake.linked))
    }

    pub fn json(&self) -> Value {
        json!({
            "command": "push",
            "version": env!("CARGO_PKG_VERSION"),
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "exit": self.exit(),
            "dry_run": self.dry_run,
            "target": self.host,
            "kinds": self.kinds.iter().map(KindSummary::json).collect::<Vec<_>>(),
            "requests": self.requests,
            "credits": {
                "planned": self.credits_planned, "used": self.credits_used, "used_24h": self.credits_24h,
                "budget": self.budget,
            },
            "stopped": self.stopped,
            "accounts": self.accounts.map(|counts| json!({
                "matched": counts.matched, "missing": counts.missing, "ambiguous": counts.ambiguous,
            })),
            "brake": self.brake.as_ref().map(Brake::json),
            "rejections": self.rejections.iter().map(Rejected::json).collect::<Vec<_>>(),
            "changes": self.dry_run.then(|| self.changes().map(|(kind, change)| change_json(kind, change)).collect::<Vec<_>>()),
            "error": self.error.as_ref().map(|error| {
                json!({"code": error.code.name(), "message": error.message, "hint": error.hint})
            }),
        })
    }

    fn changes(&self) -> impl Iterator<Item = (Kind, &Change)> {
        self.kinds.iter().flat_map(|kind| kind.changes.iter().map(|change| (kind.kind, change)))
    }

    fn sum(&self, count: impl Fn(&KindSummary) -> u64) -> u64 {
        self.kinds.iter().map(count).sum()
    }

    /// The row for `push_runs`.
    pub(super) fn run(&self) -> PushRun {
        let outcome = match self.exit() {
            0 => "done",
            3 => "incomplete",
            _ => "failed",
        };
        PushRun {
            target: self.host.clone(),
            started_at: self.started_at.clone(),
            finished_at: self.finished_at.clone(),
            outcome,
            created: self.sum(|kind| kind.created),
            updated: self.sum(|kind| kind.updated),
            adopted: self.sum(|kind| kind.adopted),
            rejected: self.sum(|kind| kind.rejected),
            left_over: self.sum(|kind| kind.left),
            requests: self.requests,
            credits_planned: self.credits_planned,
            credits_used: self.credits_used,
            stopped: self.stopped,
            error: self.error.as_ref().map(|error| error.message.clone()),
        }
    }

    /// The lines for a person.
    pub fn text(&self) -> String {
        let mut lines = vec![self.table()];
        lines.push(self.credits_line());
        lines.extend(self.notes());
        if self.dry_run {
            lines.extend(self.change_lines());
        }
        lines.extend(self.rejection_lines());
        lines.join("\n")
    }

    /// One line per kind, without the columns in which every kind has nothing.
    fn table(&self) -> String {
        type Count = fn(&KindSummary) -> u64;
        let done: [(&str, Count, bool); 8] = [
            ("created", |kind| kind.created, true),
            ("updated", |kind| kind.updated, true),
            ("unchanged", |kind| kind.planned.unchanged, true),
            ("adopted", |kind| kind.adopted, false),
            ("rejected", |kind| kind.rejected, false),
            ("held", |kind| kind.planned.held, false),
            ("waiting", |kind| kind.planned.waiting, false),
            ("left", |kind| kind.left, false),
        ];
        let planned: [(&str, Count, bool); 5] = [
            ("create", |kind| kind.planned.create, true),
            ("update", |kind| kind.planned.update, true),
            ("unchanged", |kind| kind.planned.unchanged, true),
            ("held", |kind| kind.planned.held, false),
            ("waiting", |kind| kind.planned.waiting, false),
        ];
        let columns: &[(&str, Count, bool)] = if self.dry_run { &planned } else { &done };
        let columns: Vec<&(&str, Count, bool)> =
            columns.iter().filter(|(_, count, always)| *always || self.sum(count) > 0).collect();
        let header: Vec<&str> = std::iter::once("kind").chain(columns.iter().map(|(title, ..)| *title)).collect();
        let rows = self.kinds.iter().map(|kind| {
            let counts = columns.iter().map(|(_, count, _)| screen::thousands(count(kind)));
            std::iter::once(kind.kind.name().to_owned()).chain(counts).collect()
        });
        screen::table(&header, rows, 1)
    }

    fn credits_line(&self) -> String {
        let budget = self.budget.map_or_else(String::new, |budget| format!(" of {}", screen::thousands(budget)));
        if self.dry_run {
            return format!(
                "nothing sent to {}; it would cost {} ({}{budget} used in the last 24 hours)",
                self.host,
                counted(self.credits_planned, "API credit", "API credits"),
                screen::thousands(self.credits_24h),
            );
        }
        if self.requests == 0 {
            return format!("nothing sent to {}", self.host);
        }
        format!(
            "{} to {} for {} ({}{budget} used in the last 24 hours)",
            counted(self.requests, "request", "requests"),
            self.host,
            counted(self.credits_used, "API credit", "API credits"),
            screen::thousands(self.credits_24h),
        )
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let left = counted(self.sum(|kind| kind.left), "record", "records");
        match (self.stopped, &self.error) {
            (Some("credits"), _) => notes.push(format!("stopped: the credit budget is spent; {left} left for later")),
            (Some("day_limit"), None) => {
                notes.push(format!(
                    "stopped: the CRM's API credits of the last 24 hours are spent; {left} left for later"
                ));
            }
            (_, Some(error)) => {
                notes.push(format!("stopped: {}; {left} left for later", error.message));
                notes.extend(error.hint.as_ref().map(|hint| format!("  {hint}")));
            }
            _ => {}
        }
        if let Some(brake) = &self.brake {
            notes.extend(brake.lines(self.dry_run));
        }
        let without = self.sum(|kind| kind.without_payload);
        if without > 0 {
            notes.push(format!(
                "{} sent without a payload too long for its field",
                counted(without, "record", "records")
            ));
        }
        if let Some(counts) = self.accounts.filter(|counts| counts.missing + counts.ambiguous > 0) {
            notes.push(format!(
                "{} without an account in the CRM, {} with several: see crm_accounts",
                counted(counts.missing, "customer", "customers"),
                counts.ambiguous
            ));
        }
        let held = self.sum(|kind| kind.planned.held);
        if held > 0 {
            notes.push(format!(
                "{} refused before and not due again: see crm_rejections, or use --retry-rejected",
                counted(held, "record", "records")
            ));
        }
        notes
    }

    fn rejection_lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .rejections
            .iter()
            .take(SHOWN)
            .map(|rejected| {
                let field = rejected.field.as_ref().map_or_else(String::new, |field| format!(" {field}"));
                format!(
                    "refused: {} {}:{}: {}{field}: {}",
                    rejected.kind,
                    rejected.store_id,
                    rejected.record_id,
                    rejected.code,
                    screen::plain(&rejected.message)
                )
            })
            .collect();
        if self.rejections.len() > SHOWN {
            lines.push(format!("… and {} more, see crm_rejections", self.rejections.len() - SHOWN));
        }
        lines
    }

    fn change_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut shown = 0;
        for (kind, change) in self.changes() {
            lines.push(format!("{} {kind} {} ({})", change.operation, change.record_id, change.name));
            lines.extend(
                change.fields.iter().map(|(field, from, to)| format!("  {field}: {} → {}", short(from), short(to))),
            );
            shown += 1;
        }
        let more = self.sum(|kind| kind.planned.create + kind.planned.update) - shown;
        if more > 0 {
            lines.push(format!("… and {}; --json shows them all", counted(more, "more change", "more changes")));
        }
        lines
    }
}

impl Brake {
    fn json(&self) -> Value {
        let fields: Map<String, Value> =
            self.fields.iter().map(|(field, records)| (field.clone(), json!(records))).collect();
        json!({"updates": self.updates, "linked": self.linked, "fields": fields})
    }

    fn lines(&self, dry_run: bool) -> Vec<String> {
        let verb = if dry_run { "a push would stop" } else { "stopped before sending" };
        let fields: Vec<String> =
            self.fields.iter().map(|(field, records)| format!("{field} ({})", *records)).collect();
        vec![
            format!(
                "{verb}: {} of {} would be updated; --allow-mass-change sends them",
                self.updates,
                counted(self.linked, "linked record", "linked records")
            ),
            format!("  fields that differ: {}", fields.join(", ")),
        ]
    }
}

fn change_json(kind: Kind, change: &Change) -> Value {
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    let fields: Map<String, Value> = change
        .fields
        .iter()
        .map(|(field, from, to)| (field.clone(), json!({"from": value(from), "to": value(to)})))
        .collect();
    json!({
        "store_id": change.store_id, "kind": kind.name(), "record_id": change.record_id, "name": change.name,
        "operation": change.operation, "fields": fields,
    })
}

/// A JSON value in few characters; nothing for what was not there.
pub(super) fn short(text: &str) -> String {
    if text == "null" {
        return "(nothing)".to_owned();
    }
    let plain = match serde_json::from_str::<&RawValue>(text).map(|_| serde_json::from_str::<String>(text)) {
        Ok(Ok(text)) => text,
        _ => text.to_owned(),
    };
    let plain = screen::plain(&plain);
    match plain.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &plain[..end]),
        None => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(kind: Kind, planned: Counts) -> KindSummary {
        KindSummary {
            kind,
            module: "M".to_owned(),
            planned,
            created: 0,
            updated: 0,
            adopted: 0,
            rejected: 0,
            left: 0,
            without_payload: 0,
            changes: Vec::new(),
        }
    }

    fn with(kinds: Vec<KindSummary>) -> Summary {
        Summary { kinds, host: "www.zohoapis.com".to_owned(), ..Summary::default() }
    }

    #[test]
    fn the_exit_code_says_whether_everything_arrived() {
        let done = kind(Kind::Subscriptions, Counts { unchanged: 3, ..Counts::default() });
        assert_eq!(with(vec![done.clone()]).exit(), 0);
        let held = kind(Kind::Transactions, Counts { held: 1, ..Counts::default() });
        assert_eq!(with(vec![done.clone(), held.clone()]).exit(), 3);
        assert_eq!(Summary { dry_run: true, ..with(vec![held.clone()]) }.exit(), 0);
        let stopped = |error| {
            let mut summary = with(vec![held.clone()]);
            summary.stop(Stop::Api(error));
            (summary.stopped, summary.exit())
        };
        assert_eq!(stopped(Error::Network("down".to_owned())), (Some("network"), 1));
        assert_eq!(stopped(Error::DayLimit("spent".to_owned())), (Some("day_limit"), 3));
        let credentials = Error::Credentials { message: String::new(), hint: String::new(), whole: true };
        assert_eq!(stopped(credentials), (Some("credentials"), 4));
        let refused = Error::Refused { status: 400, message: String::new(), body: String::new() };
        assert_eq!(stopped(refused), (None, 1));
    }

    #[test]
    fn a_person_reads_aligned_columns_with_something_in_them() {
        let mut one = kind(Kind::Subscriptions, Counts { unchanged: 1501, ..Counts::default() });
        (one.created, one.without_payload) = (1, 1);
        let two = kind(Kind::Transactions, Counts::default());
        let summary =
            Summary { requests: 1, credits_used: 1, credits_24h: 12, budget: Some(5000), ..with(vec![one, two]) };
        assert_eq!(
            summary.text(),
            "kind           created  updated  unchanged\n\
             subscriptions        1        0      1,501\n\
             transactions         0        0          0\n\
             1 request to www.zohoapis.com for 1 API credit (12 of 5,000 used in the last 24 hours)\n\
             1 record sent without a payload too long for its field"
        );
    }

    #[test]
    fn values_are_shown_short_and_plain() {
        assert_eq!(short("null"), "(nothing)");
        assert_eq!(short("\"a\\nb\""), "a b");
        assert_eq!(short("1.5"), "1.5");
        assert_eq!(short(&format!("\"{}\"", "x".repeat(80))).chars().count(), SHOWN_CHARACTERS + 1);
    }
}
