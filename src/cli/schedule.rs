//! The arguments of `schedule`, as typed.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum Schedule {
    /// Install the schedule, or change it to what is asked for
    Install(ScheduleInstall),
    /// Show what is installed, when it runs next, and how it ended last
    Show,
    /// Remove what was installed, and nothing else
    Remove(ScheduleRemove),
}

#[derive(Debug, Args)]
pub struct ScheduleInstall {
    /// How often to list everything that has no time of its own
    #[arg(long, value_name = "WHEN", value_enum, default_value = "daily")]
    pub ingest: Often,
    /// How often to list transactions (default: with the rest)
    #[arg(long, value_name = "WHEN", value_enum)]
    pub transactions: Option<Often>,
    /// How often to list commissions (default: with the rest)
    #[arg(long, value_name = "WHEN", value_enum)]
    pub commissions: Option<Often>,
    /// When to push into the CRM (default: after every ingest when a CRM is configured)
    #[arg(long, value_name = "WHEN", value_enum)]
    pub push: Option<PushWhen>,
    /// The local time of what runs daily, and the minute of what runs more often; it begins up to half an hour later,
    /// so that not everyone asks Zoho at once
    #[arg(long, value_name = "HH:MM", default_value = "06:00")]
    pub at: String,
    /// What runs it (default: systemd where it answers, else cron)
    #[arg(long, value_name = "NAME", value_enum)]
    pub with: Option<Scheduler>,
    /// Print the exact files instead of writing them
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct ScheduleRemove {
    /// Print what would go instead of removing it
    #[arg(long)]
    pub dry_run: bool,
}

/// How often a kind is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Often {
    Daily,
    #[value(name = "12h")]
    Every12Hours,
    #[value(name = "8h")]
    Every8Hours,
    #[value(name = "6h")]
    Every6Hours,
    #[value(name = "4h")]
    Every4Hours,
    #[value(name = "3h")]
    Every3Hours,
    #[value(name = "2h")]
    Every2Hours,
    #[value(name = "1h")]
    Hourly,
    Disabled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PushWhen {
    AfterIngest,
    Daily,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scheduler {
    Systemd,
    Cron,
}

impl Schedule {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Install(_) => "schedule install",
            Self::Show => "schedule show",
            Self::Remove(_) => "schedule remove",
        }
    }
}
