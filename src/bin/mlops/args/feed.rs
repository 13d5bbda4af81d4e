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
delivered, and is never stored.")]
pub(crate) enum Feed {
    /// List who wants to hear of what
    Subscriptions,
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
Exit code 5 if a subscriber could not be reached: what it did not get comes again with the next call.")]
    Deliver {
        /// What the store is called in the messages' ids
        #[arg(long, value_name = "NAME")]
        store_name: Option<String>,
    },
    /// Deliver changes as they come, until it is interrupted
    Watch {
        /// What the store is called in the messages' ids
        #[arg(long, value_name = "NAME")]
        store_name: Option<String>,
        /// Look for changes so often
        #[arg(long, value_name = "SPAN", value_parser = parse_duration, default_value = "2s")]
        every: TimeDelta,
    },
    /// List what was given up after many attempts
    Undelivered,
    /// Deliver again what was given up
    Redeliver {
        /// The subscription
        name: String,
        /// The number of the change
        number: u64,
    },
}
