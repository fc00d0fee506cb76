//! The text of systemd user units. Pure: a package that brings ready units makes them of the same functions.

use crate::schedule::plan::{Job, Times};

/// What a unit says beside its job.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// The comment at its top: who made it, and for what.
    pub mark: &'a str,
    /// The program and its files: what stands before the job's own arguments.
    pub program: &'a [String],
    pub environment: &'a [(String, String)],
}

/// The service: one run of the job.
pub fn service(frame: &Frame<'_>, job: &Job) -> String {
    let words = [frame.program, &job.command_line()].concat();
    let environment: String = frame
        .environment
        .iter()
        .map(|(name, value)| format!("Environment={}\n", quote(&format!("{name}={value}"))))
        .collect();
    format!(
        "{}\n[Unit]\nDescription={}\n\n[Service]\nType=oneshot\n{environment}ExecStart={}\n\
         # 3: it ran, and something of the data needs a person; `storemirror status` says what\n\
         SuccessExitStatus=3\nUMask=0077\nNice=10\n",
        frame.mark,
        description(job),
        command_line(&words),
    )
}

/// A program and its arguments as `ExecStart=` has them.
pub fn command_line(words: &[String]) -> String {
    let quoted = words.iter().enumerate().map(|(place, word)| if place == 0 { quote(word) } else { argument(word) });
    quoted.collect::<Vec<_>>().join(" ")
}

/// The timer: when the service of the same name runs.
pub fn timer(frame: &Frame<'_>, job: &Job) -> String {
    format!(
        "{}\n[Unit]\nDescription={} ({})\n\n[Timer]\nOnCalendar={}\n\
         # not everyone asks Zoho at once; this machine always begins equally late\n\
         RandomizedDelaySec={}min\nFixedRandomDelay=true\n\
         # a run that was missed while the machine was off is made up for\n\
         Persistent=true\n\n[Install]\nWantedBy=timers.target\n",
        frame.mark,
        description(job),
        job.times.words(),
        calendar(job.times),
        job.times.spread_minutes(),
    )
}

fn description(job: &Job) -> String {
    format!("storemirror: {}", job.title)
}

fn calendar(times: Times) -> String {
    let hours = if times.runs_every_hour() {
        "*".to_owned()
    } else {
        times.hours().iter().map(|hour| format!("{hour:02}")).collect::<Vec<_>>().join(",")
    };
    format!("*-*-* {hours}:{:02}:00", times.minute())
}

/// A word of an argument list: systemd would replace `$NAME` in it, but not in the program's own path.
fn argument(word: &str) -> String {
    quote(&word.replace('$', "$$"))
}

/// A word as systemd reads it back: quoted where it must be, `%` doubled everywhere.
fn quote(word: &str) -> String {
    let word = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@%$".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) { word } else { format!("\"{word}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_systemd_reads_them() {
        for (word, expected) in [
            ("/usr/bin/storemirror", "/usr/bin/storemirror"),
            ("/home/a b/100% \"new\"/x", "\"/home/a b/100%% \\\"new\\\"/x\""),
            ("/home/a\\b", "\"/home/a\\\\b\""),
            ("it's", "\"it's\""),
            (";", "\";\""),
            ("", "\"\""),
        ] {
            assert_eq!(quote(word), expected);
        }
        assert_eq!(argument("/srv/$HOME/x"), "/srv/$$HOME/x");
    }

    #[test]
    fn the_calendar_names_its_hours() {
        let calendar = |every_hours, at| calendar(Times { every_hours, at });
        assert_eq!(calendar(24, 365), "*-*-* 06:05:00");
        assert_eq!(calendar(8, 365), "*-*-* 06,14,22:05:00");
        assert_eq!(calendar(1, 365), "*-*-* *:05:00");
    }
}
