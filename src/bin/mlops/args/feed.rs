//! The command line of `mlops feed`.

use std::path::PathBuf;

use chrono::TimeDelta;
use clap::Subcommand;

use crate::format::parse_duration;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
A subscription is a small document, as YAML or JSON:
  events: [version.promote, version.rollback]
  models: [churn]
  to: {webhook: {url: \"https://hooks.example.com/mlops\", secret: HOOK_SECRET}}
The secret is a name: its value is read from the environment variable of that name when changes are
delivered, and is never stored.

A subscription gets its changes in order, so one that is not taken holds up those behind it. `watch`
gives it up after 12 attempts in a row and goes on; `deliver` does not count attempts from one run to
the next, so it never gives up by itself: `skip` does.")]
pub(crate) enum Feed {
    /// List who wants to hear of what
    Subscriptions {
        /// Show webhooks' URLs as a whole, which are secrets with many receivers
        #[arg(long)]
        show_urls: bool,
    },
    /// Store a subscription
    #[command(after_help = "Example:\n  mlops feed subscribe chat subscription.yaml")]
    Subscribe {
        /// Its name
        name: String,
        /// The subscription, as YAML or JSON; `-` is standard input
        file: PathBuf,
    },
    /// Take a subscription away
    Unsubscribe {
        /// Its name
        name: String,
    },
    /// Deliver what is to be delivered, and stop
    #[command(after_help = "\
Exit code 5 if a subscriber could not be reached: what it did not get comes again with the next call.
Attempts are not counted across calls, so nothing is given up, however often it fails: see
`mlops feed skip`, or leave `mlops feed watch` running.")]
    Deliver {
        /// What the store is called in the messages' ids [default: digits that differ from store to
        /// store]
        #[arg(long, value_name = "NAME")]
        store_name: Option<String>,
    },
    /// Deliver changes as they come, until it is interrupted
    Watch {
        /// What the store is called in the messages' ids [default: digits that differ from store to
        /// store]
        #[arg(long, value_name = "NAME")]
        store_name: Option<String>,
        /// Look for changes so often
        #[arg(long, value_name = "SPAN", value_parser = parse_wait, default_value = "2s")]
        every: TimeDelta,
    },
    /// Give up the change that a subscription is stuck at, and go on with the next one
    #[command(after_help = "\
Refused if NUMBER is not the change that is next for the subscription; `mlops feed deliver` says which
one it waits with. What was skipped is listed by `undelivered`, and `redeliver` delivers it.
Example:
  mlops feed skip chat 62")]
    Skip {
        /// The subscription
        name: String,
        /// The number of the change
        number: u64,
    },
    /// List what was given up, after many attempts or by `skip`
    Undelivered,
    /// Deliver again what was given up
    Redeliver {
        /// The subscription
        name: String,
        /// The number of the change
        number: u64,
    },
}

/// A span that is more than nothing.
fn parse_wait(text: &str) -> Result<TimeDelta, String> {
    let span = parse_duration(text)?;
    if span.is_zero() { Err("at least one second".to_owned()) } else { Ok(span) }
}
