//! The command lines of what reads and writes rows.

use std::path::PathBuf;

use chrono::TimeDelta;
use clap::{ArgGroup, Args};
use mlops::features::{KnownAt, ServiceRef};
use mlops::time::{Instant, to_micros};

use super::super::Consent;
use super::parse_service;
use crate::format::{parse_duration, parse_instant, parse_pair};

#[derive(Debug, Args)]
#[command(after_help = "\
Parquet, or CSV with a line of names, whose columns get the types of the view. Each million rows is one
append, all or nothing. With a token, rows that were appended under it before are not appended again: after
a failure, say the same once more.

Examples:
  mlops features append driver_stats 2026-11-21.parquet --token 2026-11-21
  mlops features append driver_stats corrections.csv --push")]
pub(crate) struct Append {
    /// The view
    pub(crate) view: String,
    /// The rows
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// A name for this append, so that it can be said again
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Write them online as well, as soon as they are in the log
    #[arg(long)]
    pub(crate) push: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Goes on where it stopped, by the place in the log and not by event times: late rows are not missed, and
after a crash the same command ends the work.

Examples:
  mlops features materialize
  mlops features materialize driver_stats --from 2026-11-01 --until 2026-11-08")]
pub(crate) struct Materialize {
    /// The views; all that are in use, if none is named
    #[arg(value_name = "VIEW")]
    pub(crate) views: Vec<String>,
    /// Begin at the first row of the log
    #[arg(long, conflicts_with = "from")]
    pub(crate) full: bool,
    /// Only rows of event times from here
    #[arg(long, value_name = "TIME", value_parser = parse_instant, requires = "until")]
    pub(crate) from: Option<Instant>,
    /// Only rows of event times before this
    #[arg(long, value_name = "TIME", value_parser = parse_instant, requires = "from")]
    pub(crate) until: Option<Instant>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each value is present, null (the row that answers says so), not_found (there was no row) or expired (it is
too old).

Examples:
  mlops features get eta driver_id=7
  mlops features get eta driver_id=7 distance=3.5 --json")]
pub(crate) struct Get {
    /// The service
    #[arg(value_parser = parse_service)]
    pub(crate) service: ServiceRef,
    /// Keys, and columns of the request
    #[arg(value_name = "COLUMN=VALUE", value_parser = parse_pair)]
    pub(crate) values: Vec<(String, String)>,
    /// As if it were this instant [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    pub(crate) at: Option<Instant>,
}

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("asked").required(true).args(["rows", "from"]),
    after_help = "\
One row comes out for each that asks, in its order and with all its columns. --from and --until ask for
every row of the service's first view instead. The receipt says how the set was made; with --as-in and the
same rows, the same set is made again, whatever was appended since.

Examples:
  mlops features historical eta --rows trips.parquet --at pickup_time --out train.parquet
  mlops features historical eta --rows trips.csv --out train.parquet --known-at event-time --statuses
  mlops features historical eta --rows trips.parquet --out again.parquet --as-in train.receipt.json
  mlops features historical eta --from 2026-01-01 --until 2026-07-01 --out train.parquet"
)]
pub(crate) struct Historical {
    /// The service
    #[arg(value_parser = parse_service)]
    pub(crate) service: ServiceRef,
    /// The rows that ask: Parquet, or CSV with a line of names
    #[arg(long, value_name = "FILE")]
    pub(crate) rows: Option<PathBuf>,
    /// The column with the instant of each row
    #[arg(long, value_name = "COLUMN", default_value = "event_time")]
    pub(crate) at: String,
    /// Instead of rows that ask: event times from here
    #[arg(long, value_name = "TIME", value_parser = parse_instant, requires = "until")]
    pub(crate) from: Option<Instant>,
    /// Event times before this
    #[arg(long, value_name = "TIME", value_parser = parse_instant, requires = "from")]
    pub(crate) until: Option<Instant>,
    /// Where the set is written, as Parquet
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// What was known: now, at the instant of each row (event-time), or at one instant
    #[arg(
        long,
        value_name = "now|event-time|TIME",
        value_parser = parse_known_at,
        default_value = "now"
    )]
    pub(crate) known_at: KnownAt,
    /// Add each view's status and times as columns
    #[arg(long)]
    pub(crate) statuses: bool,
    /// Only the rows of bucket I of N, from 0: each machine makes one
    #[arg(long, value_name = "I/N", value_parser = parse_bucket)]
    pub(crate) bucket: Option<(u32, u32)>,
    /// Write the receipt, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) receipt: Option<PathBuf>,
    /// The receipt of the set that is made again
    #[arg(long, value_name = "FILE", conflicts_with = "known_at")]
    pub(crate) as_in: Option<PathBuf>,
    /// Keep the receipt with this run, and make the set one of its inputs
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// What the run uses it for: train, validation, test, or another word
    #[arg(long, value_name = "WORD", default_value = "train", requires = "run")]
    pub(crate) context: String,
    /// Threads that read; 0 is as many as the machine has
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) threads: usize,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mlops features lag --max-age 2h --max-wait 15m")]
pub(crate) struct Lag {
    /// The views; all that are not retired, if none is named
    #[arg(value_name = "VIEW")]
    pub(crate) views: Vec<String>,
    /// Exit with 2 if the newest event time of a view is older
    #[arg(long, value_name = "SPAN", value_parser = parse_duration)]
    pub(crate) max_age: Option<TimeDelta>,
    /// Exit with 2 if a row has waited longer to come online
    #[arg(long, value_name = "SPAN", value_parser = parse_duration)]
    pub(crate) max_wait: Option<TimeDelta>,
    /// Exit with 2 if more rows of a view are not online
    #[arg(long, value_name = "N")]
    pub(crate) max_rows: Option<u64>,
}

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("keys").required(true).args(["key", "rows"]),
    after_help = "\
Shows what it would do, and does it only with --yes: rows of every view of the entity, now and of before,
and what is online.

Examples:
  mlops features erase driver driver_id=7 --dry-run
  mlops features erase driver --rows forget.csv --yes --json > proof.json"
)]
pub(crate) struct Erase {
    /// The entity
    pub(crate) entity: String,
    /// The key
    #[arg(value_name = "COLUMN=VALUE", value_parser = parse_pair)]
    pub(crate) key: Vec<(String, String)>,
    /// Many keys: Parquet, or CSV with a line of names
    #[arg(long, value_name = "FILE")]
    pub(crate) rows: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) consent: Consent,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mlops features compact driver_stats --full")]
pub(crate) struct Compact {
    /// The views; all that are not retired, if none is named
    #[arg(value_name = "VIEW")]
    pub(crate) views: Vec<String>,
    /// Make one segment of all, however large they are
    #[arg(long)]
    pub(crate) full: bool,
    /// How long what was merged stays for those who read it
    #[arg(long, value_name = "SPAN", value_parser = parse_duration, default_value = "1h")]
    pub(crate) grace: TimeDelta,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Compares the training set of these rows with what was known at each row's instant: rows that became known
later, rows of the very instant, which the label's own event may have written, and rows that would not
have been there online.

Example:
  mlops features leaks eta --rows trips.parquet --at pickup_time --delay 15m --refuse")]
pub(crate) struct Leaks {
    /// The service
    #[arg(value_parser = parse_service)]
    pub(crate) service: ServiceRef,
    /// The rows that ask: Parquet, or CSV with a line of names
    #[arg(long, value_name = "FILE")]
    pub(crate) rows: PathBuf,
    /// The column with the instant of each row
    #[arg(long, value_name = "COLUMN", default_value = "event_time")]
    pub(crate) at: String,
    /// How long a row takes from the log to the online store
    #[arg(long, value_name = "SPAN", value_parser = parse_duration)]
    pub(crate) delay: Option<TimeDelta>,
    /// Examples of each kind and view
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) examples: usize,
    /// Exit with 2 if the set knows what was not known in time
    #[arg(long)]
    pub(crate) refuse: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Of a view all segments are read again and compared with what was written: exit code 1 if one is damaged.
Of a service the answers that programs logged are played again by the log of rows, as far as it was online
then: exit code 2 if one differs. What rows came too late for is counted, and is no difference.

Examples:
  mlops features verify
  mlops features verify eta --from 2026-11-21 --until 2026-11-22")]
pub(crate) struct Verify {
    /// Views and services; all views, if none is named
    #[arg(value_name = "VIEW|SERVICE")]
    pub(crate) names: Vec<String>,
    /// Where the answers were logged, below the store's directory
    #[arg(long, value_name = "PREFIX", default_value = "serving")]
    pub(crate) log: String,
    /// Only answers from here
    #[arg(long, value_name = "TIME", value_parser = parse_instant, requires = "until")]
    pub(crate) from: Option<Instant>,
    /// Only answers before this
    #[arg(long, value_name = "TIME", value_parser = parse_instant, requires = "from")]
    pub(crate) until: Option<Instant>,
}

fn parse_known_at(text: &str) -> Result<KnownAt, String> {
    match text {
        "now" => Ok(KnownAt::Now),
        "event-time" => Ok(KnownAt::EventTime),
        _ => parse_instant(text)
            .and_then(|at| to_micros(at).map_err(|e| e.message().to_owned()))
            .map(KnownAt::Instant)
            .map_err(|problem| format!("{problem}, or now, or event-time")),
    }
}

fn parse_bucket(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('/').map(|(i, n)| (i.parse(), n.parse()));
    match parts {
        Some((Ok(i), Ok(n))) if i < n => Ok((i, n)),
        _ => Err("write I/N, from 0/N on, such as 0/4".to_owned()),
    }
}
