//! The examples that every command's help and manual page begin with: one table, put into the help here and into the
//! manual by `manual.rs`. A test runs them all.

use clap::{Command, CommandFactory};

use crate::cli::Cli;

/// What is typed behind `storemirror`, and what it does.
pub type Example = (&'static str, &'static str);

/// Command (none is the program itself) → its examples.
pub const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "",
        &[
            ("", "what to do next on this machine"),
            ("demo", "see it work: no account, no network"),
            ("connect store us", "connect a Partner Store"),
            ("ingest", "list every record into the mirror"),
            ("report renewals_due", "what renews in the next 90 days"),
            ("push --dry-run", "what the CRM does not have yet"),
        ],
    ),
    ("demo", &[("demo", "into ./storemirror-demo"), ("demo /tmp/try", "into another folder")]),
    ("init", &[("init", "write it where it is looked for"), ("init --print", "only show every key")]),
    ("simulate", &[("simulate", "on port 8077"), ("simulate --port 0 --seed 7", "on any free port, another partner")]),
    (
        "ingest",
        &[
            ("ingest", "every kind of every store"),
            ("ingest commissions --store us", "one kind of one store"),
            ("ingest -q", "silent unless it needs you"),
        ],
    ),
    (
        "push",
        &[
            ("push --dry-run", "what would be sent"),
            ("push", "send it"),
            ("push commissions --max-credits 100", "one kind, within a budget"),
        ],
    ),
    ("crm", &[("crm check", "before the first push"), ("crm verify", "what was edited in the CRM since")]),
    ("crm check", &[("crm check", "modules and fields against what a push writes")]),
    ("crm setup", &[("crm setup --dry-run", "what would be created"), ("crm setup", "create the missing fields")]),
    ("crm trace", &[("crm trace subscriptions us:4000000001", "one record on its way")]),
    ("crm verify", &[("crm verify", "what differs, changing nothing"), ("crm verify --repair", "send ours again")]),
    ("crm link", &[("crm link", "all kinds"), ("crm link subscriptions", "one kind")]),
    ("sync", &[("sync", "ingest, then push"), ("sync -q", "for cron: silent unless it needs you")]),
    ("schedule", &[("schedule install --dry-run", "what would be written"), ("schedule show", "what is installed")]),
    (
        "schedule install",
        &[
            ("schedule install", "daily, then push"),
            ("schedule install --ingest 2h --push daily", "other times"),
            ("schedule install --dry-run", "print the files only"),
        ],
    ),
    ("schedule show", &[("schedule show", "what runs by itself, and when next")]),
    ("schedule remove", &[("schedule remove", "nothing runs by itself any more")]),
    ("notify", &[("notify", "who is told what"), ("notify --test", "try who is told")]),
    (
        "report",
        &[
            ("report", "list the reports"),
            ("report renewals_due --param within=30", "the next 30 days"),
            ("report payouts --format csv -o payouts.csv", "as a file"),
            ("report payouts --describe", "its parameters"),
        ],
    ),
    ("export", &[("export reports", "every report"), ("export reports --only payouts freshness", "some of them")]),
    (
        "dashboard",
        &[("dashboard -o monday.html", "the page to look at"), ("dashboard --as-of 2026-02-28", "as it was that day")],
    ),
    (
        "statement",
        &[
            ("statement 2026-02 -o february.csv", "freeze the month"),
            ("statement 2026-02 --adjustments", "what changed since"),
        ],
    ),
    ("dictionary", &[("dictionary", "every column"), ("dictionary --format markdown", "as a page")]),
    ("status", &[("status", "how things stand"), ("status --max-age 26", "exit 3 when a kind is older")]),
    ("verify", &[("verify", "everything"), ("verify subscriptions --store us", "one kind of one store")]),
    ("rebuild", &[("rebuild", "after an upgrade that reads more")]),
    ("explain", &[("explain subscriptions us:4000000001", "one record and its history")]),
    ("backup", &[("backup mirror.backup", "also while an ingest writes")]),
    (
        "restore",
        &[("restore mirror.backup --check", "prove that it could be"), ("restore mirror.backup --force", "do it")],
    ),
    ("forget", &[("forget subscriptions us:4000000001 --dry-run", "see first")]),
    ("connect", &[("connect store us", "a Partner Store"), ("connect crm", "the CRM")]),
    (
        "connect store",
        &[("connect store us", "asks for all it needs"), ("connect store eu --data-center eu", "says where it is")],
    ),
    ("connect crm", &[("connect crm", "asks for all it needs")]),
    ("disconnect", &[("disconnect store us", "a Partner Store"), ("disconnect crm", "the CRM")]),
    ("disconnect store", &[("disconnect store us", "revoke and forget its token")]),
    ("disconnect crm", &[("disconnect crm", "revoke and forget its token")]),
    ("whoami", &[("whoami", "each connection and its tokens")]),
    (
        "doctor",
        &[
            ("doctor", "everything"),
            ("doctor --offline", "without asking a server"),
            ("doctor --first-contact", "what each store does"),
        ],
    ),
    (
        "completions",
        &[
            ("completions bash > storemirror.bash", "then source it in ~/.bashrc"),
            ("completions zsh > _storemirror", "in a folder of $fpath"),
            ("completions fish > storemirror.fish", "in fish/completions"),
        ],
    ),
    ("man", &[("man | man -l -", "read it"), ("man pages", "write all pages to a folder")]),
];

/// The command line, with the examples where help begins.
pub fn command() -> Command {
    EXAMPLES.iter().fold(Cli::command(), |command, (path, examples)| {
        let words: Vec<&str> = path.split_whitespace().collect();
        at(command, &words, examples)
    })
}

fn at(command: Command, path: &[&str], examples: &[Example]) -> Command {
    match path {
        [] => command.help_template(template(examples)),
        [name, rest @ ..] => command.mut_subcommand(name, |command| at(command, rest, examples)),
    }
}

fn template(examples: &[Example]) -> String {
    format!(
        "{{about-with-newline}}\nExamples:\n{}\n{{usage-heading}} {{usage}}\n\n{{all-args}}{{after-help}}",
        lines(examples)
    )
}

/// The examples one to a line, what they do beside them.
fn lines(examples: &[Example]) -> String {
    let typed = |example: &Example| format!("storemirror {}", example.0).trim_end().to_owned();
    let width = examples.iter().map(|example| typed(example).len()).max().unwrap_or(0);
    examples.iter().map(|example| format!("  {:width$}  # {}\n", typed(example), example.1)).collect()
}
