//! Our lines in a person's crontab: a block between two marks, of which the rest of the file knows nothing. Pure, and in
//! bytes: a crontab need not be UTF-8.

use crate::model::json::sha256_hex;
use crate::schedule::plan::{Job, Times};

/// What ends every block.
const END: &str = "# storemirror schedule: end";

/// The line of a job: `spread` minutes later than asked for, the same on every install.
pub(super) fn line(job: &Job, program: &[String], environment: &[(String, String)], seed: &str) -> String {
    let times = spread(job, seed);
    let hours = if times.runs_every_hour() {
        "*".to_owned()
    } else {
        times.hours().iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    };
    let settings: String = environment.iter().map(|(name, value)| format!("{name}={} ", quote(value))).collect();
    let command = command_line(&[program, &job.command_line()].concat());
    format!("{} {hours} * * * {settings}{command}", times.minute())
}

/// A program and its arguments as a line of a crontab has them.
pub(super) fn command_line(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

/// The job's times on this installation: cron cannot spread them by itself.
pub(super) fn spread(job: &Job, seed: &str) -> Times {
    let hash = sha256_hex(format!("{seed}\n{}", job.name).as_bytes());
    let number = u32::from_str_radix(&hash[..8], 16).unwrap_or_default();
    job.times.later(number % job.times.spread_minutes())
}

/// The block with our lines.
pub(super) fn block(mark: &str, lines: &[String]) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    format!("{mark}\n{lines}{END}\n")
}

/// The crontab with another block in the place of ours, or at its end; the rest byte for byte as it was.
///
/// # Errors
/// When our block has no end.
pub(super) fn with_block(crontab: &[u8], mark: &str, block: &str) -> Result<Vec<u8>, String> {
    let (start, end) = match find(crontab, mark)? {
        Some(place) => place,
        None => (crontab.len(), crontab.len()),
    };
    let mut text = crontab[..start].to_vec();
    if !block.is_empty() && !text.is_empty() && text.last() != Some(&b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(block.as_bytes());
    text.extend_from_slice(&crontab[end..]);
    Ok(text)
}

/// Our block as it stands there.
///
/// # Errors
/// When it has no end.
pub(super) fn installed(crontab: &[u8], mark: &str) -> Result<Option<String>, String> {
    Ok(find(crontab, mark)?.map(|(start, end)| String::from_utf8_lossy(&crontab[start..end]).into_owned()))
}

/// Where our block begins, and where what follows it begins.
fn find(crontab: &[u8], mark: &str) -> Result<Option<(usize, usize)>, String> {
    let mut at = 0;
    let mut start = None;
    for line in crontab.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        if start.is_none() && text == mark.as_bytes() {
            start = Some(at);
        }
        at += line.len();
        if let (Some(start), true) = (start, text == END.as_bytes()) {
            return Ok(Some((start, at)));
        }
    }
    match start {
        None => Ok(None),
        Some(_) => Err(format!("the crontab has the line {mark:?} without the line {END:?} after it")),
    }
}

/// A word as `sh` reads it back after cron, which takes `%` for the end of the line.
fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''").replace('%', "\\%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "# ours";

    #[test]
    fn words_are_quoted_for_cron_and_the_shell() {
        assert_eq!(quote("/usr/bin/x"), "/usr/bin/x");
        assert_eq!(quote("/home/a b/100%/it's"), "'/home/a b/100\\%/it'\\''s'");
        assert_eq!(quote("$HOME"), "'$HOME'");
    }

    #[test]
    fn the_rest_of_the_crontab_stays_byte_for_byte() {
        let ours = block(MARK, &["1 2 * * * x".to_owned()]);
        for theirs in [&b""[..], b"MAILTO=me\n0 5 * * * backup \xff\n", b"# ours too\n\n\n"] {
            let installed = with_block(theirs, MARK, &ours).unwrap();
            assert_eq!(installed, [theirs, ours.as_bytes()].concat());
            assert_eq!(with_block(&installed, MARK, &ours).unwrap(), installed);
            assert_eq!(with_block(&installed, MARK, "").unwrap(), theirs);
            let between = [b"a\n", &installed[..], b"z\n"].concat();
            let newer = block(MARK, &["3 4 * * * y".to_owned()]);
            let expected = [b"a\n", theirs, newer.as_bytes(), b"z\n"].concat();
            assert_eq!(with_block(&between, MARK, &newer).unwrap(), expected);
        }
        assert!(with_block(b"# ours\n1 2 * * * x\n0 5 * * * theirs\n", MARK, "").unwrap_err().contains("without"));
    }

    #[test]
    fn the_spread_is_the_same_on_every_install() {
        let job = |name: &str| Job {
            name: name.to_owned(),
            title: String::new(),
            arguments: Vec::new(),
            times: Times { every_hours: 24, at: 360 },
        };
        assert_eq!(spread(&job("ingest"), "me"), spread(&job("ingest"), "me"));
        let all: std::collections::BTreeSet<u32> =
            (0..200).map(|seed| spread(&job("ingest"), &seed.to_string()).at).collect();
        assert_eq!((all.first(), all.last()), (Some(&360), Some(&389)), "{all:?}");
    }
}
