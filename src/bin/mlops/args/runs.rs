//! The command line of `mlops runs`.

use clap::{Args, Subcommand};

use super::{Labels, Paging, Viewed};

#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// List runs, the youngest first
    #[command(after_help = "\
Columns are fields of the filter grammar: status, started, duration, user, note, metrics.auc,
min(metrics.loss), params.lr, tags.team. With --json, runs are whole, whatever the columns.

Examples:
  mlops runs list --experiment churn --limit 10
  mlops runs list --filter \"metrics.auc > 0.9\" --order-by 'metrics.auc desc'
  mlops runs list --columns metrics.auc,params.lr,status")]
    List {
        /// Only those that match, such as "metrics.auc > 0.9"
        #[arg(long, default_value = "", hide_default_value = true)]
        filter: String,
        #[command(flatten)]
        query: Query,
    },
    /// List the runs that match a filter
    #[command(after_help = "\
Examples:
  mlops runs search \"metrics.auc > 0.9 and params.model = 'gbdt'\"
  mlops runs search \"status = 'failed' and started > '2026-01-01'\" --json
  mlops runs search \"min(metrics.loss) < 0.1 and not tags.team in ('a', 'b')\"")]
    Search {
        /// What must be true
        filter: String,
        #[command(flatten)]
        query: Query,
    },
    /// Show one run: params, metrics, tags, data and files
    Show {
        /// Its id, the first digits of its id (at least 4), or its name if only one run has it
        run: String,
    },
    /// Show runs side by side, what differs first
    #[command(after_help = "\
The last column is, of a metric, the second run's value minus the first's; of more than two runs,
the greatest minus the smallest.

Example:
  mlops runs compare baseline 0191d2a0 --diff")]
    Compare {
        /// Ids, first digits of ids, or names
        #[arg(required = true, num_args = 2.., value_name = "RUN")]
        runs: Vec<String>,
        /// Only what differs
        #[arg(long)]
        diff: bool,
    },
    /// Count the runs that match
    Count {
        /// Only those that match
        #[arg(long, default_value = "", hide_default_value = true)]
        filter: String,
        /// Only runs of this experiment
        #[arg(long, value_name = "NAME")]
        experiment: Option<String>,
        #[command(flatten)]
        view: Viewed,
    },
    /// Show the points of a metric, by step
    #[command(after_help = "\
People see 40 points unless they ask for more: first, last and the extremes are kept. With --csv and
--json all points come, unless --max-points is given.

Examples:
  mlops runs history baseline loss --from-step 1000 --to-step 2000
  mlops runs history baseline loss --csv > loss.csv")]
    History {
        /// The run
        run: String,
        /// The metric
        metric: String,
        /// At most so many points (4 or more); extremes, first and last are kept
        #[arg(long, value_name = "N")]
        max_points: Option<usize>,
        /// Only steps from here
        #[arg(long, value_name = "STEP", allow_negative_numbers = true)]
        from_step: Option<i64>,
        /// Only steps up to here, included
        #[arg(long, value_name = "STEP", allow_negative_numbers = true)]
        to_step: Option<i64>,
        /// Print step,time,value as CSV
        #[arg(long, conflicts_with = "json")]
        csv: bool,
    },
    /// Set labels of a run, and take some away
    #[command(after_help = "Example:\n  mlops runs tag baseline reviewed=yes --remove draft")]
    Tag {
        /// The run
        run: String,
        #[command(flatten)]
        labels: Labels,
    },
    /// Set the note of a run
    Note {
        /// The run
        run: String,
        /// The note; `-` reads it from standard input
        text: String,
    },
    /// Move runs to the trash
    Delete {
        /// The runs
        #[arg(required = true, value_name = "RUN")]
        runs: Vec<String>,
    },
    /// Bring runs back from the trash
    Restore {
        /// The runs
        #[arg(required = true, value_name = "RUN")]
        runs: Vec<String>,
    },
    /// Mark runs lost whose process died, and store what it left
    ///
    /// Every opening of a store does this; the command says what was found.
    Recover,
}

/// Which runs, and how they are shown.
#[derive(Debug, Args)]
pub(crate) struct Query {
    /// Only runs of this experiment
    #[arg(long, value_name = "NAME")]
    pub(crate) experiment: Option<String>,
    /// A field, then optionally asc or desc, such as 'metrics.auc desc'; may be repeated
    #[arg(long = "order-by", value_name = "ORDER")]
    pub(crate) order_by: Vec<String>,
    /// What to show beside id and name; a list with commas
    #[arg(long, value_name = "FIELDS")]
    pub(crate) columns: Vec<String>,
    #[command(flatten)]
    pub(crate) page: Paging,
    #[command(flatten)]
    pub(crate) view: Viewed,
}
