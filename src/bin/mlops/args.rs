//! The command line as data.
//!
//! Doc comments here are what `--help` prints. What clap refuses is a wrong command line (exit code
//! 64); texts with a grammar of the library (filters, orders, columns, names) are parsed by the
//! library, so that its messages with positions and hints reach the reader.

mod features;
mod feed;
mod models;
mod runs;
mod validate;

use std::path::PathBuf;

use chrono::TimeDelta;
use clap::{Args, Parser, Subcommand, ValueEnum};
use mlops::tracking::{MAX_PAGE, View};

pub(crate) use self::features::{
    Append, Compact, Erase, FEATURE_TYPES, FeatureSearch, Features, FeaturesCommand, Get,
    Historical, Kind, Lag, Leaks, Materialize, StateName, Verify,
};
pub(crate) use self::feed::Feed;
pub(crate) use self::models::{
    AccessCommand, Describe, Document, Format, KeySource, Lineage, Listing, Models, Move,
    PolicyCommand, Register,
};
pub(crate) use self::runs::{Query, Runs};
pub(crate) use self::validate::{Attach, How, Input, Pages, Params, Suite, Table, Validate};
use crate::failure::EXIT_CODES;
use crate::format::{parse_duration, parse_pair};

const EXAMPLES: &str = "\
Examples:
  mlops experiments list
  mlops runs list --experiment churn --order-by 'metrics.auc desc' --limit 10
  mlops runs search \"metrics.auc > 0.9 and params.model = 'gbdt'\" --json
  mlops runs compare 0191d2a0 baseline --diff
  mlops artifacts get baseline model --out ./restored
  mlops models register churn --run baseline --artifacts model
  mlops models plan churn/3 --to Production
  mlops validate orders.parquet --suite orders.yaml --html report.html
  mlops features historical eta --rows trips.parquet --at pickup_time --out train.parquet
  mlops --store /srv/mlops info";

const GLOBAL: &str = "Global options";

/// MLOps as a library, from a shell: experiments, runs, models and their stages, the journal and the
/// trash of one store; features for training and for requests; and data, judged by suites of checks.
#[derive(Debug, Parser)]
#[command(
    name = "mlops",
    version,
    after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"),
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// The store: a directory, or a URL such as sqlite:///srv/mlops
    #[arg(
        long,
        global = true,
        help_heading = GLOBAL,
        env = "MLOPS_URL",
        value_name = "PATH|URL",
        default_value = "./mlops",
        hide_env_values = true
    )]
    pub(crate) store: String,
    /// Print one JSON document, and errors as JSON on standard error
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) json: bool,
    /// Who acts, as the journal names it and approvals count it [default: user@host]
    #[arg(
        long,
        global = true,
        help_heading = GLOBAL,
        env = "MLOPS_ACTOR",
        value_name = "NAME",
        hide_env_values = true
    )]
    pub(crate) actor: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List, make, change and delete experiments
    #[command(subcommand, visible_alias = "experiment")]
    Experiments(Experiments),
    /// Search, show, compare, label and delete runs
    #[command(subcommand, visible_alias = "run")]
    Runs(Runs),
    /// List, fetch and put the files of a run
    #[command(subcommand, visible_alias = "artifact")]
    Artifacts(Artifacts),
    /// Register, promote, roll back, prove and fetch versions of models
    #[command(subcommand, visible_alias = "model")]
    Models(Models),
    /// Judge data by a suite of checks: exit code 2 if it is not fit to use
    Validate(Box<Validate>),
    /// Check, show, compare, propose and import suites of checks
    #[command(subcommand)]
    Suite(Suite),
    /// Define, append, join, serve and erase features
    #[command(visible_alias = "feature")]
    Features(Features),
    /// Deliver changes to webhooks and commands
    #[command(subcommand)]
    Feed(Feed),
    /// Show and empty the trash
    #[command(subcommand)]
    Trash(Trash),
    /// Move old runs to the trash, and take away for ever what was there for long
    Retention(Retention),
    /// Take away the bytes that uploads which died left behind: what nothing names
    Sweep(Sweep),
    /// Read and prove the journal of all changes
    #[command(subcommand)]
    Journal(Journal),
    /// Write what the store holds for another tool
    #[command(subcommand)]
    Export(Export),
    /// Take over what another tool keeps; makes the store if there is none
    #[command(subcommand)]
    Import(Import),
    /// Show what the store is and holds
    Info,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Experiments {
    /// List experiments by name, with their number of runs
    #[command(after_help = "Example:\n  mlops experiments list --filter \"tags.team = 'risk'\"")]
    List {
        /// Only those that match: attributes id, name, started, and tags
        #[arg(long, default_value = "", hide_default_value = true)]
        filter: String,
        #[command(flatten)]
        page: Paging,
        #[command(flatten)]
        view: Viewed,
    },
    /// Show one experiment
    Show {
        /// Its name, its id, or the first digits of its id
        experiment: String,
    },
    /// Make an experiment, and the store if there is none
    #[command(after_help = "Example:\n  mlops experiments create churn --tag team=risk")]
    Create {
        /// Its name
        name: String,
        /// A label
        #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_pair)]
        tags: Vec<(String, String)>,
    },
    /// Give an experiment another name
    Rename {
        /// Its name or id
        experiment: String,
        /// The new name
        name: String,
    },
    /// Set labels of an experiment, and take some away
    Tag {
        /// Its name or id
        experiment: String,
        #[command(flatten)]
        labels: Labels,
    },
    /// Move an experiment with its runs to the trash
    Delete {
        /// Its name or id
        experiment: String,
    },
    /// Bring an experiment back from the trash, with the runs that went there with it
    Restore {
        /// Its name or id
        experiment: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Artifacts {
    /// List the files of a run
    List {
        /// The run
        run: String,
        /// Only this file, or the files under this directory
        #[arg(default_value = "", hide_default_value = true)]
        prefix: String,
    },
    /// Write files of a run to a directory, or one to standard output
    #[command(after_help = "\
Every file is verified before it gets its name; files that are there are not replaced. What goes to
standard output is verified before its last piece: check the exit code.

Examples:
  mlops artifacts get baseline model --out ./restored
  mlops artifacts get baseline mlops/environment.json --out - | jq .packages")]
    Get {
        /// The run
        run: String,
        /// A file, or a directory of the run
        path: String,
        /// Where to; `-` is standard output
        #[arg(long, value_name = "DIR|-", default_value = ".")]
        out: PathBuf,
        /// Replace files that are there already
        #[arg(long)]
        overwrite: bool,
    },
    /// Put a file, or the files of a directory, into a run
    Put {
        /// The run
        run: String,
        /// The file or directory
        source: PathBuf,
        /// Where to: the path of the file (its name, if not given), or the directory above the files
        #[arg(long, value_name = "PATH")]
        path: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Trash {
    /// List what is in the trash
    List,
    /// Take away for ever what is in the trash, with its files
    #[command(after_help = "\
Shows what it would do, and does it only with --yes.

Example:
  mlops trash purge --older-than 30d --dry-run")]
    Purge {
        /// Only what has been there for so long: 30d, 12h, 1d12h
        #[arg(long, value_name = "SPAN", value_parser = parse_duration)]
        older_than: Option<TimeDelta>,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
Shows what it would do, and does it only with --yes. Runs that are running are never touched.

Examples:
  mlops retention --keep-last 20 --older-than 30d --dry-run
  mlops retention --keep-last 5 --older-than 7d --filter \"status = 'failed'\" --purge-after 30d --yes")]
pub(crate) struct Retention {
    /// So many of the youngest matching runs of each experiment stay
    #[arg(long, value_name = "N")]
    pub(crate) keep_last: usize,
    /// Only runs that ended so long ago: 30d, 12h, 1d12h
    #[arg(long, value_name = "SPAN", value_parser = parse_duration)]
    pub(crate) older_than: TimeDelta,
    /// Only runs that match
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) filter: String,
    /// Take away for ever what has been in the trash for so long
    #[arg(long, value_name = "SPAN", value_parser = parse_duration)]
    pub(crate) purge_after: Option<TimeDelta>,
    #[command(flatten)]
    pub(crate) consent: Consent,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mlops sweep --older-than 7d --dry-run")]
pub(crate) struct Sweep {
    /// Only what was stored so long ago, an hour at least: an upload that goes on has no name yet
    #[arg(long, value_name = "SPAN", value_parser = parse_duration, default_value = "1d")]
    pub(crate) older_than: TimeDelta,
    #[command(flatten)]
    pub(crate) consent: Consent,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Journal {
    /// Show changes, the last ones if not told where from
    Tail {
        /// Only changes after this number
        #[arg(long, value_name = "N")]
        after: Option<u64>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = page_size)]
        limit: usize,
    },
    /// Recompute the hash chain over all changes
    Verify,
    /// Chain the changes that are not chained yet
    Seal,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    /// Write a database, and artifacts beside it, that MLflow 2.9 and later open
    #[command(after_help = "\
What MLflow cannot say is counted, with examples.

Example:
  mlops export mlflow mlflow.db
  mlflow ui --backend-store-uri sqlite:///mlflow.db")]
    Mlflow {
        /// The database to write
        database: PathBuf,
        /// Where the artifacts go; the database's name with `-artifacts`, if not given
        #[arg(long, value_name = "DIR")]
        artifacts: Option<PathBuf>,
        /// Replace what is there
        #[arg(long)]
        overwrite: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Import MLflow's folder of files
    #[command(after_help = "\
May be repeated: what is here already stays, what came since is added.

Example:
  mlops import mlruns ./mlruns")]
    Mlruns {
        /// The folder
        directory: PathBuf,
        /// The name of the source, if it was moved since the last import [default: its path]
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
    },
    /// Import MLflow's SQLite database, which is not changed
    #[command(after_help = "\
May be repeated: what is here already stays, what came since is added.

Example:
  mlops import mlflow mlflow.db")]
    Mlflow {
        /// The database
        database: PathBuf,
        /// The name of the source, if it was moved since the last import [default: its path]
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        /// Where a tracking server keeps the artifacts that it serves itself
        #[arg(long, value_name = "DIR")]
        server_artifacts: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Paging {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = page_size)]
    pub(crate) limit: usize,
    /// Go on where a page of the same question ended
    #[arg(long, value_name = "TOKEN")]
    pub(crate) page: Option<String>,
    /// All of them, page by page
    #[arg(long, conflicts_with_all = ["page", "limit"])]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Viewed {
    /// Whether the trash is looked at
    #[arg(long, value_enum, default_value_t = ViewName::Active)]
    pub(crate) view: ViewName,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ViewName {
    Active,
    Deleted,
    All,
}

impl From<ViewName> for View {
    fn from(name: ViewName) -> Self {
        match name {
            ViewName::Active => Self::Active,
            ViewName::Deleted => Self::Deleted,
            ViewName::All => Self::All,
        }
    }
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Labels {
    /// Labels to set
    #[arg(value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub(crate) set: Vec<(String, String)>,
    /// A label to take away
    #[arg(long, value_name = "KEY")]
    pub(crate) remove: Vec<String>,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Consent {
    /// Do it
    #[arg(long)]
    pub(crate) yes: bool,
    /// Only show what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

fn page_size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size) if (1..=MAX_PAGE).contains(&size) => Ok(size),
        _ => Err(format!("write a number from 1 to {MAX_PAGE}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
