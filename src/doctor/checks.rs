//! The checks, one line each, and what each makes of the facts. Pure.

use crate::doctor::facts::{Facts, Mirror, Server};
use crate::doctor::mounts::is_unreliable;
use crate::doctor::{Finding, State};
use crate::failure::{Code, Failure};
use crate::screen::{bytes, counted, plain, thousands};

/// A clock that is off by more is told: what is stored is dated by it.
const CLOCK_WARNING_SECONDS: u64 = 60;
/// One that is off by more dates listings, reports and statements wrongly.
const CLOCK_BROKEN_SECONDS: u64 = 600;

type Check = fn(&Facts) -> Vec<Found>;

/// In the order in which a person reads them: what is here, what is kept, what is out there.
const CHECKS: [(&str, Check); 10] = [
    ("versions", versions),
    ("configuration", configuration),
    ("permissions", permissions),
    ("file system", file_system),
    ("mirror", mirror),
    ("forgotten", forgotten),
    ("connections", connections),
    ("clock", clock),
    ("CRM", crm),
    ("schedule", schedule),
];

/// A finding before it has its check's name.
struct Found {
    state: State,
    what: String,
    fix: Option<String>,
    is_refusal: bool,
}

impl Found {
    fn new(state: State, what: impl Into<String>) -> Self {
        Self { state, what: what.into(), fix: None, is_refusal: false }
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let found = CHECKS.iter().flat_map(|(check, judge)| judge(facts).into_iter().map(move |found| (*check, found)));
    found
        .map(|(check, Found { state, what, fix, is_refusal })| Finding {
            check,
            state,
            what: plain(&what),
            fix: fix.map(|fix| plain(&fix)),
            is_refusal,
        })
        .collect()
}

fn versions(facts: &Facts) -> Vec<Found> {
    let schema = match &facts.mirror {
        Mirror::Read(read) if read.problems.is_empty() => format!(", schema {}", read.schema_version),
        _ => String::new(),
    };
    let (os, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    let program = env!("CARGO_PKG_VERSION");
    let reports = match &facts.reports {
        Some(reports) if reports.own > 0 => format!("{} reports ({} your own)", reports.all, reports.own),
        Some(reports) => format!("{} reports", reports.all),
        None => "no reports".to_owned(),
    };
    let all = format!("storemirror {program}{schema}, {reports}, SQLite {}, {os} {processor}", facts.sqlite);
    let mut found = vec![Found::new(State::Ok, all)];
    if facts.reports.as_ref().is_none_or(|reports| reports.broken > 0) {
        let what = "reports of your own cannot be read";
        found.push(Found::new(State::Warning, what).fix("`storemirror report` says which and why"));
    }
    found
}

fn configuration(facts: &Facts) -> Vec<Found> {
    let stores = facts.servers.iter().filter(|server| server.name != "CRM").count() as u64;
    let crm = if stores < facts.servers.len() as u64 { "a CRM" } else { "no CRM" };
    vec![match (facts.is_configured, stores) {
        (false, _) => Found::new(State::Warning, "there is no configuration").fix("storemirror connect store NAME"),
        (true, 0) => Found::new(State::Warning, "no store is configured").fix("storemirror connect store NAME"),
        _ => Found::new(State::Ok, format!("{} and {crm}", counted(stores, "store", "stores"))),
    }]
}

fn permissions(facts: &Facts) -> Vec<Found> {
    if !cfg!(unix) {
        return vec![Found::new(State::Skipped, "this system has no permission bits")];
    }
    let mut found = Vec::new();
    for place in facts.places.iter().filter(|place| place.mode & place.forbidden != 0) {
        let state = if place.is_outer { State::Warning } else { State::Broken };
        let verb = if place.mode & place.forbidden & 0o022 != 0 { "changed" } else { "read" };
        let what = format!("{} ({}) can be {verb} by others (mode {:04o})", place.shown, place.what, place.mode);
        // what is not named here is known to whom it belongs
        let named = if place.shown.starts_with('~') { place.shown.clone() } else { format!("on the {}", place.what) };
        found.push(Found::new(state, what).fix(format!("chmod go-rwx {named}")));
    }
    if found.is_empty() {
        let places = counted(facts.places.len() as u64, "file or folder", "files and folders");
        found.push(Found::new(State::Ok, format!("{places}, all yours alone")));
    }
    found
}

fn file_system(facts: &Facts) -> Vec<Found> {
    let Some(file_systems) = &facts.file_systems else {
        return vec![Found::new(State::Skipped, "this system does not tell what is mounted where")];
    };
    let judge = |(what, kind): &(&str, String)| {
        if is_unreliable(kind) {
            Found::new(State::Warning, format!("{what} on {kind}: locks there cannot be relied on"))
                .fix("move it to a disk of this machine")
        } else {
            Found::new(State::Ok, format!("{what} on {kind}"))
        }
    };
    file_systems.iter().map(judge).collect()
}

const RESTORE: &str = "storemirror restore FILE --force, with a backup";

fn mirror(facts: &Facts) -> Vec<Found> {
    let read = match &facts.mirror {
        Mirror::Missing => {
            return vec![Found::new(State::Skipped, "there is no mirror yet").fix("storemirror ingest")];
        }
        Mirror::Unreadable(message) => {
            return vec![Found::new(State::Broken, message.clone()).fix(RESTORE)];
        }
        Mirror::Read(read) => read,
    };
    let damage = read.problems.iter().map(|problem| Found::new(State::Broken, problem.clone()).fix(RESTORE));
    let untied = read.ties.iter().filter(|tie| tie.broken > 0).map(|tie| {
        let places = counted(tie.broken, "place", "places");
        let what = format!("not so in {places}: {}", tie.promise);
        Found::new(State::Broken, what).fix("storemirror rebuild; if it stays so, restore a backup")
    });
    let mut found: Vec<Found> = damage.chain(untied).collect();
    if found.is_empty() {
        let what = format!("sound: {} records in {}", thousands(read.records), bytes(read.bytes));
        found.push(Found::new(State::Ok, what));
    }
    found
}

fn forgotten(facts: &Facts) -> Vec<Found> {
    let Mirror::Read(read) = &facts.mirror else { return Vec::new() };
    let mut found = Vec::new();
    if let Some(since) = &read.unpurged_since {
        let what = format!("bytes of customers forgotten {since} may still be in the file");
        found.push(Found::new(State::Broken, what).fix("the same `storemirror forget` again, while nobody reads"));
    }
    if read.has_forgotten && read.copies > 0 {
        let copies = counted(read.copies as u64, "copy", "copies");
        let what = format!("{copies} beside the mirror may hold customers that were forgotten");
        found.push(
            Found::new(State::Warning, what).fix("remove *.backup and *.replaced-* there once you need them no more"),
        );
    }
    found
}

fn connections(facts: &Facts) -> Vec<Found> {
    let judge = |server: &Server| {
        let name = &server.name;
        match &server.answer {
            None => Found::new(State::Skipped, format!("{name}: not asked")),
            Some(Ok(())) => Found::new(State::Ok, format!("{name} answers")),
            Some(Err(failure)) => refused(name, &server.connect_command, failure),
        }
    };
    facts.servers.iter().map(judge).collect()
}

/// What a server said is not repeated: it may name a person.
fn refused(name: &str, connect_command: &str, failure: &Failure) -> Found {
    let connect = format!("storemirror connect {connect_command}");
    match failure.code {
        Code::Credentials => Found {
            is_refusal: true,
            ..Found::new(State::Broken, format!("{name} refuses the credentials or their scope")).fix(connect)
        },
        Code::Config => Found::new(State::Broken, format!("{name}: secrets are missing or not private")).fix(connect),
        Code::Network => Found::new(State::Broken, format!("{name} cannot be reached"))
            .fix("look at this machine's network and proxy, then try again"),
        _ => Found::new(State::Broken, format!("{name} refuses the request"))
            .fix("`storemirror doctor --first-contact` shows how it answers"),
    }
}

fn clock(facts: &Facts) -> Vec<Found> {
    let known = facts.servers.iter().filter_map(|server| Some((server, server.clock_ahead?)));
    let Some((server, ahead)) = known.max_by_key(|(_, ahead)| ahead.unsigned_abs()) else {
        let why = if facts.offline { "no server was asked" } else { "no server named the time" };
        return vec![Found::new(State::Skipped, why)];
    };
    let off = ahead.unsigned_abs();
    if off <= CLOCK_WARNING_SECONDS {
        return vec![Found::new(State::Ok, format!("{off} s from that of {}", server.name))];
    }
    let state = if off <= CLOCK_BROKEN_SECONDS { State::Warning } else { State::Broken };
    let direction = if ahead > 0 { "ahead of" } else { "behind" };
    let what = format!("{} {direction} that of {}: everything is dated by it", duration(off), server.name);
    vec![Found::new(state, what).fix("switch time synchronisation on (timedatectl set-ntp true)")]
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn crm(facts: &Facts) -> Vec<Found> {
    const CHECK: &str = "`storemirror crm check` names them, `storemirror crm setup` makes what is missing";
    match &facts.crm_misfits {
        None if facts.servers.iter().any(|server| server.name == "CRM") => {
            vec![Found::new(State::Skipped, "not asked whether it has what a push writes")]
        }
        None => Vec::new(),
        // the connection says so already
        Some(Err(_)) => vec![Found::new(State::Skipped, "it could not be asked what it has")],
        Some(Ok((0, 0))) => vec![Found::new(State::Ok, "has every module and field that a push writes")],
        Some(Ok((0, fields))) => {
            let what =
                format!("{} that a push writes", counted(*fields as u64, "field does not fit", "fields do not fit"));
            vec![Found::new(State::Warning, what).fix(CHECK)]
        }
        Some(Ok((modules, _))) => {
            let what =
                format!("{} not there under the name configured", counted(*modules as u64, "module is", "modules are"));
            vec![Found::new(State::Broken, what).fix(CHECK)]
        }
    }
}

fn schedule(facts: &Facts) -> Vec<Found> {
    if facts.schedules.is_empty() {
        let what = "nothing runs the program by itself";
        return vec![Found::new(State::Warning, what).fix("`storemirror schedule install` has it run every day")];
    }
    vec![Found::new(State::Ok, format!("by {}", facts.schedules.join(" and ")))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(clock_ahead: Option<i64>) -> Server {
        Server { name: "store us".to_owned(), connect_command: "store us".to_owned(), answer: None, clock_ahead }
    }

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off() {
        for (ahead, state, words) in [
            (Some(2), State::Ok, "2 s from"),
            (Some(-60), State::Ok, "60 s from"),
            (Some(90), State::Warning, "90 s ahead of that of store us"),
            (Some(-601), State::Broken, "10 min behind"),
            (Some(31_536_000), State::Broken, "365 days ahead of"),
            (None, State::Skipped, "no server named the time"),
        ] {
            let facts = Facts { servers: vec![server(Some(0)), server(ahead)], ..Facts::default() };
            let facts = if ahead.is_none() { Facts { servers: vec![server(None)], ..facts } } else { facts };
            let found = clock(&facts);
            assert_eq!((found[0].state, found[0].what.contains(words)), (state, true), "{ahead:?}: {}", found[0].what);
        }
    }

    #[test]
    fn only_a_refusal_is_told_from_what_else_is_broken() {
        for (code, is_refusal) in
            [(Code::Credentials, true), (Code::Network, false), (Code::Config, false), (Code::Store, false)]
        {
            let found = refused("store us", "store us", &Failure::new(code, "ann@bakery.test said no"));
            assert_eq!((found.state, found.is_refusal), (State::Broken, is_refusal));
            assert!(!found.what.contains("bakery") && found.fix.is_some());
        }
    }

    #[test]
    fn a_network_disk_is_warned_of() {
        let facts = Facts { file_systems: Some(vec![("mirror", "nfs4".to_owned())]), ..Facts::default() };
        assert_eq!(file_system(&facts)[0].state, State::Warning);
        assert_eq!(file_system(&Facts::default())[0].state, State::Skipped);
    }
}
