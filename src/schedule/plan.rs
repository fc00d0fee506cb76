//! From what a person asks for to jobs: what each runs, and when. Pure: it knows no scheduler, no file and no clock.

use chrono::{DateTime, Days, NaiveTime, TimeZone, Timelike};

use crate::model::Kind;

const MINUTES_PER_HOUR: u32 = 60;
const HOURS_PER_DAY: u32 = 24;
const MINUTES_PER_DAY: u32 = HOURS_PER_DAY * MINUTES_PER_HOUR;
/// How long a job waits for another that is writing: longer than a large partner's slowest listing, shorter than the
/// pause between the runs of most schedules.
const WAIT_MINUTES: u32 = 60;
/// A push that is asked for once a day comes so long after the ingest, which is done by then.
const PUSH_AFTER_MINUTES: u32 = 60;
/// Runs of one time are spread over so many minutes, or all partners of the world would ask Zoho at six o'clock sharp.
const DAILY_SPREAD_MINUTES: u32 = 30;
/// The same for what runs more than once a day: shorter than its pause.
const HOURLY_SPREAD_MINUTES: u32 = 10;

/// The times of a job, local: every so many hours (24: once a day), and one of the runs is at `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    pub every_hours: u32,
    /// Minutes since midnight.
    pub at: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushTime {
    AfterIngest,
    Daily,
    Never,
}

/// What a person asks for; None: not at all.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// Hours between two listings of what has no time of its own.
    pub ingest: Option<u32>,
    /// Kinds with a time of their own.
    pub apart: Vec<(Kind, Option<u32>)>,
    pub push: PushTime,
    /// Minutes since midnight.
    pub at: u32,
}

/// One thing that runs by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The last part of its unit's name.
    pub name: String,
    pub title: String,
    /// The command and what it works on: `sync --except transactions`.
    pub arguments: Vec<String>,
    pub times: Times,
}

impl Job {
    /// All that follows the program and its files on the command line.
    pub fn command_line(&self) -> Vec<String> {
        let own = ["--quiet", "--wait"].map(str::to_owned).into_iter().chain([WAIT_MINUTES.to_string()]);
        self.arguments.iter().cloned().chain(own).collect()
    }
}

/// The jobs that do what is asked: kinds that are listed equally often are listed together.
pub fn jobs(wishes: &Wishes) -> Vec<Job> {
    let apart: Vec<(Kind, Option<u32>)> =
        wishes.apart.iter().copied().filter(|(_, hours)| wishes.ingest.is_none() || *hours != wishes.ingest).collect();
    let mut jobs = Vec::new();
    if let Some(hours) = wishes.ingest {
        let kinds: Vec<Kind> = apart.iter().map(|(kind, _)| *kind).collect();
        jobs.push(ingest_job(wishes, hours, &Listed::AllBut(kinds)));
    }
    let mut often: Vec<u32> = apart.iter().filter_map(|(_, hours)| *hours).collect();
    often.dedup();
    for hours in often {
        let kinds = apart.iter().filter(|(_, other)| *other == Some(hours)).map(|(kind, _)| *kind).collect();
        jobs.push(ingest_job(wishes, hours, &Listed::Only(kinds)));
    }
    if wishes.push == PushTime::Daily {
        jobs.push(Job {
            name: "push".to_owned(),
            title: "push what changed into the CRM".to_owned(),
            arguments: vec!["push".to_owned()],
            times: Times { every_hours: HOURS_PER_DAY, at: wishes.at }.later(PUSH_AFTER_MINUTES),
        });
    }
    jobs
}

enum Listed {
    AllBut(Vec<Kind>),
    Only(Vec<Kind>),
}

fn ingest_job(wishes: &Wishes, hours: u32, listed: &Listed) -> Job {
    let pushes = wishes.push == PushTime::AfterIngest;
    let names = |kinds: &[Kind]| kinds.iter().map(|kind| kind.name().to_owned()).collect::<Vec<_>>();
    let mut arguments = vec![if pushes { "sync" } else { "ingest" }.to_owned()];
    let (name, what) = match listed {
        Listed::AllBut(kinds) if kinds.is_empty() => ("ingest".to_owned(), "everything".to_owned()),
        Listed::AllBut(kinds) => {
            arguments.push("--except".to_owned());
            arguments.extend(names(kinds));
            ("ingest".to_owned(), format!("everything but {}", names(kinds).join(" and ")))
        }
        Listed::Only(kinds) => {
            arguments.extend(names(kinds));
            (names(kinds).join("-"), names(kinds).join(" and "))
        }
    };
    let then = if pushes { ", then push what changed" } else { "" };
    Job { name, title: format!("list {what}{then}"), arguments, times: Times { every_hours: hours, at: wishes.at } }
}

/// Reads `HH:MM` as minutes since midnight.
pub fn minute_of_day(text: &str) -> Option<u32> {
    let time = NaiveTime::parse_from_str(text, "%H:%M").ok()?;
    Some(time.hour() * MINUTES_PER_HOUR + time.minute())
}

impl Times {
    /// The same times so many minutes later.
    #[must_use]
    pub fn later(self, minutes: u32) -> Self {
        Self { at: (self.at + minutes) % MINUTES_PER_DAY, ..self }
    }

    pub fn minute(self) -> u32 {
        self.at % MINUTES_PER_HOUR
    }

    /// The hours of the day at which it runs, in their order.
    pub fn hours(self) -> Vec<u32> {
        let first = self.at / MINUTES_PER_HOUR % self.every_hours;
        (first..HOURS_PER_DAY).step_by(self.every_hours as usize).collect()
    }

    pub fn runs_every_hour(self) -> bool {
        self.every_hours == 1
    }

    /// Minutes over which its beginning is spread.
    pub fn spread_minutes(self) -> u32 {
        if self.every_hours == HOURS_PER_DAY { DAILY_SPREAD_MINUTES } else { HOURLY_SPREAD_MINUTES }
    }

    pub fn words(self) -> String {
        match self.every_hours {
            HOURS_PER_DAY => format!("daily at {:02}:{:02}", self.at / MINUTES_PER_HOUR, self.minute()),
            1 => format!("every hour at :{:02}", self.minute()),
            hours => format!("every {hours} h at :{:02}", self.minute()),
        }
    }

    /// The first of its times after `now`, in the time zone of `now`. A time that the clocks skip is left out.
    pub fn next_after<Zone: TimeZone>(self, now: &DateTime<Zone>) -> Option<DateTime<Zone>> {
        // tomorrow's runs are all after now, unless the clocks skip them
        (0..=2).find_map(|days| {
            let day = now.date_naive().checked_add_days(Days::new(days))?;
            self.hours().into_iter().find_map(|hour| {
                let local = day.and_hms_opt(hour, self.minute(), 0)?;
                now.timezone().from_local_datetime(&local).earliest().filter(|time| time > now)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;

    fn wishes(ingest: Option<u32>, transactions: Option<u32>, commissions: Option<u32>, push: PushTime) -> Wishes {
        let apart = vec![(Kind::Transactions, transactions), (Kind::Commissions, commissions)];
        Wishes { ingest, apart, push, at: 390 }
    }

    #[test]
    fn kinds_that_are_listed_equally_often_are_listed_together() {
        use PushTime::{AfterIngest, Daily, Never};
        for (asked, expected) in [
            (Wishes { apart: Vec::new(), ..wishes(Some(24), None, None, AfterIngest) }, vec!["ingest 24: sync"]),
            (Wishes { apart: Vec::new(), ..wishes(Some(2), None, None, Never) }, vec!["ingest 2: ingest"]),
            (wishes(Some(24), Some(24), Some(24), Never), vec!["ingest 24: ingest"]),
            (
                wishes(Some(24), Some(2), Some(24), AfterIngest),
                vec!["ingest 24: sync --except transactions", "transactions 2: sync transactions"],
            ),
            (
                wishes(Some(24), Some(2), Some(2), Never),
                vec![
                    "ingest 24: ingest --except transactions commissions",
                    "transactions-commissions 2: ingest transactions commissions",
                ],
            ),
            (
                wishes(Some(24), None, Some(12), Daily),
                vec![
                    "ingest 24: ingest --except transactions commissions",
                    "commissions 12: ingest commissions",
                    "push 24: push",
                ],
            ),
            (wishes(None, None, Some(1), Never), vec!["commissions 1: ingest commissions"]),
            (wishes(None, None, None, AfterIngest), vec![]),
        ] {
            let line = |job: Job| format!("{} {}: {}", job.name, job.times.every_hours, job.arguments.join(" "));
            assert_eq!(jobs(&asked).into_iter().map(line).collect::<Vec<_>>(), expected, "{asked:?}");
        }
    }

    #[test]
    fn one_run_of_the_day_is_at_the_time_asked_for() {
        let times = |every_hours, at: &str| Times { every_hours, at: minute_of_day(at).unwrap() };
        assert_eq!(times(24, "06:30").hours(), [6]);
        assert_eq!(times(12, "18:30").hours(), [6, 18]);
        assert_eq!(times(8, "23:59").hours(), [7, 15, 23]);
        assert_eq!(times(1, "06:30").hours().len(), 24);
        assert_eq!(times(24, "23:50").later(25), times(24, "00:15"));
        assert_eq!(times(24, "06:05").words(), "daily at 06:05");
        assert_eq!(times(2, "06:05").words(), "every 2 h at :05");
        for text in ["24:00", "6", "06:60", "", "6:00 pm"] {
            assert_eq!(minute_of_day(text), None, "{text}");
        }
    }

    #[test]
    fn the_next_run_is_after_now() {
        let next = |every_hours, at: &str, now: &str| {
            let now: DateTime<Utc> = now.parse().unwrap();
            let times = Times { every_hours, at: minute_of_day(at).unwrap() };
            times.next_after(&now).unwrap().format("%d %H:%M").to_string()
        };
        assert_eq!(next(24, "06:00", "2026-03-01T05:59:59Z"), "01 06:00");
        assert_eq!(next(24, "06:00", "2026-03-01T06:00:00Z"), "02 06:00");
        assert_eq!(next(8, "06:15", "2026-03-01T22:15:00Z"), "02 06:15");
        assert_eq!(next(1, "06:15", "2026-03-01T22:14:00Z"), "01 22:15");
    }

    #[test]
    fn a_time_that_the_clocks_skip_is_left_out() {
        let zone = chrono_tz::Europe::Berlin;
        let now = zone.with_ymd_and_hms(2026, 3, 28, 12, 0, 0).unwrap();
        let next = Times { every_hours: 24, at: 150 }.next_after(&now).unwrap();
        assert_eq!(next.to_string(), "2026-03-30 02:30:00 CEST");
    }
}
