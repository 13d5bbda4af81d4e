//! The command line of `mlops models`.

mod documents;
mod register;

use std::path::PathBuf;

use chrono::TimeDelta;
use clap::{Args, Subcommand, ValueEnum};
use mlops::registry::Stage;
use mlops::time::Instant;

pub(crate) use self::documents::{AccessCommand, Document, PolicyCommand};
pub(crate) use self::register::{Describe, Register};
use super::{Consent, Labels, Paging, Viewed};
use crate::format::{parse_duration, parse_instant, parse_stage};

const STAGE: &str = "STAGE";

#[derive(Debug, Subcommand)]
#[command(after_help = "\
A version is named by churn/3, churn@champion, churn/Production or churn/latest, each also with
models:/ before it. Stages are None, Development, Staging, Production and Archived.")]
pub(crate) enum Models {
    /// Register files, or those of a run, as a model's next version
    Register(Box<Register>),
    /// List models by name
    #[command(after_help = "\
Examples:
  mlops models list
  mlops models list \"stage = 'Production' and tags.team = 'risk'\" --order-by 'updated desc'")]
    List {
        /// Only those that match: name, note, created, updated, alias, stage, tags
        #[arg(default_value = "", hide_default_value = true)]
        filter: String,
        #[command(flatten)]
        listing: Listing,
    },
    /// List versions, of one model or those that match
    #[command(after_help = "\
Examples:
  mlops models versions churn
  mlops models versions \"metrics.auc > 0.9 and stage = 'Staging'\"
  mlops models versions churn --columns stage,metrics.auc,params.lr,tags.team")]
    Versions {
        /// A model, or a filter: name, version, stage, alias, run_id, user, digest, metrics, params, tags
        #[arg(value_name = "MODEL|FILTER", default_value = "", hide_default_value = true)]
        what: String,
        #[command(flatten)]
        listing: Listing,
    },
    /// Show a version, or a model
    #[command(
        after_help = "Examples:\n  mlops models show churn@champion\n  mlops models show churn"
    )]
    Show {
        /// The version, or the name of a model
        #[arg(value_name = "URI|MODEL")]
        what: String,
    },
    /// Judge whether a version may move into a stage; changes nothing
    #[command(after_help = "\
Exit code 0: allowed. 2: refused, the table says by which condition.

Examples:
  mlops models plan churn/3 --to Production
  mlops models plan churn/3 --to Production --ignore-approvals --out plan.json")]
    Plan {
        /// The version
        uri: String,
        /// The stage
        #[arg(long, value_name = STAGE, value_parser = parse_stage)]
        to: Stage,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
        /// Write the plan to a file, for --plan
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Exit with 0 also if nothing but approvals is missing
        #[arg(long)]
        ignore_approvals: bool,
    },
    /// Move a version into a stage, if the policy allows it
    #[command(after_help = "\
A plan from a file is judged anew: it is a conflict (exit code 3) if anything that it relied on has
changed, approvals among it. What a file says about gates and approvals is not believed.

Examples:
  mlops models promote churn/3 --to Production --reason 'beats 2 by half a point'
  mlops models promote --plan plan.json")]
    Promote {
        #[command(flatten)]
        what: Move,
        /// Why
        #[arg(long, value_name = "TEXT", conflicts_with = "plan")]
        reason: Option<String>,
    },
    /// Agree with a move
    #[command(after_help = "\
An approval counts as long as everything that the plan saw is still so. The one who registered a
version cannot approve it.

Examples:
  mlops models approve churn/3 --to Production --comment 'looked at the report'
  mlops models approve --plan plan.json")]
    Approve {
        #[command(flatten)]
        what: Move,
        #[command(flatten)]
        comment: Comment,
    },
    /// Refuse a move, as long as this stands
    Reject {
        #[command(flatten)]
        what: Move,
        #[command(flatten)]
        comment: Comment,
    },
    /// Take back what you said about a move
    Withdraw {
        #[command(flatten)]
        what: Move,
        #[command(flatten)]
        comment: Comment,
    },
    /// Bring back the version that held a stage before
    #[command(after_help = "\
Needs no gates and no approvals, unless the policy says so. Each further rollback goes one further back.

Examples:
  mlops models rollback churn --reason 'alarms since noon'
  mlops models rollback churn --stage Staging --dry-run")]
    Rollback {
        /// The model
        model: String,
        /// The stage
        #[arg(long, value_name = STAGE, value_parser = parse_stage, default_value = "Production")]
        stage: Stage,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
        /// Only show what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Show which versions came into which stages: when, by whom, why
    #[command(after_help = "\
Examples:
  mlops models history churn --stage Production
  mlops models history churn --stage Production --at '2026-03-03 14:00'")]
    History {
        /// The model
        model: String,
        /// Only this stage
        #[arg(long, value_name = STAGE, value_parser = parse_stage)]
        stage: Option<Stage>,
        /// What held the stages at this instant (UTC, if it does not say), and who put it there
        #[arg(long, value_name = "INSTANT", value_parser = parse_instant)]
        at: Option<Instant>,
    },
    /// Let a name point to a version, or take it away
    #[command(after_help = "\
Examples:
  mlops models alias churn/3 champion
  mlops models alias --remove churn champion")]
    Alias {
        /// The version, or with --remove the model
        #[arg(value_name = "URI|MODEL")]
        what: String,
        /// The alias
        name: String,
        /// Take it away
        #[arg(long)]
        remove: bool,
    },
    /// Set labels of a version or model, and take some away
    #[command(after_help = "Example:\n  mlops models tag churn/3 reviewed=yes --remove draft")]
    Tag {
        /// The version, or the name of a model
        #[arg(value_name = "URI|MODEL")]
        what: String,
        #[command(flatten)]
        labels: Labels,
    },
    /// Set the note of a version or model
    Note {
        /// The version, or the name of a model
        #[arg(value_name = "URI|MODEL")]
        what: String,
        /// The note; `-` reads it from standard input
        text: String,
    },
    /// Attach a finding to a version: a validation, an evaluation, a fairness measurement
    #[command(after_help = "\
Example of a finding, as JSON or YAML:
  {\"kind\": \"evaluation\", \"name\": \"holdout\", \"metrics\": {\"auc\": 0.91}, \"at\": \"2026-03-03T14:00:00Z\"}")]
    Attach {
        /// The version
        uri: String,
        /// The finding; may be repeated
        #[arg(long, value_name = "FILE", required = true)]
        evidence: Vec<PathBuf>,
    },
    /// Show, check and store the rules of stages
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Show, check and store who may do what
    #[command(subcommand)]
    Access(AccessCommand),
    /// Prove that what is stored is what was registered: journal, manifests, files, signatures
    #[command(after_help = "\
Exit code 1, with a list, if something is wrong.

Examples:
  mlops models verify
  mlops models verify churn --quick")]
    Verify {
        /// Only these models (of a version: its model); all, if none is named
        #[arg(value_name = "URI|MODEL")]
        what: Vec<String>,
        /// Do not read the files' bytes
        #[arg(long)]
        quick: bool,
    },
    /// Show what a version comes from, or what comes of it
    Lineage(Lineage),
    /// Show which versions, in which stages, a node reaches: a column, a dataset, a source
    #[command(after_help = "Example:\n  mlops models impact column:dep_hour")]
    Impact {
        /// The node, as kind:id
        node: String,
    },
    /// Write a version's files to a directory: all of them, verified, or none
    #[command(after_help = "\
Examples:
  mlops models download churn/Production --out ./model
  mlops models download churn@champion --out ./model --trusted-key 3d40…")]
    Download {
        /// The version
        uri: String,
        /// The directory, which must be new or empty
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Refuse what nobody with this public key signed; may be repeated
        #[arg(long, value_name = "HEX")]
        trusted_key: Vec<String>,
    },
    /// Copy a version with its files and findings to another store; makes that if there is none
    #[command(after_help = "\
May be repeated: a version that is there already is not copied again.

Example:
  mlops models copy churn/Production --to-store /srv/prod")]
    Copy {
        /// The version
        uri: String,
        /// The other store: a directory or URL
        #[arg(long, value_name = "PATH|URL")]
        to_store: String,
        /// The model's name there
        #[arg(long = "as", value_name = "MODEL")]
        name: Option<String>,
    },
    /// Say what is needed to train a version again, and what of it is not known
    Replay {
        /// The version
        uri: String,
    },
    /// Vouch for a version with an Ed25519 key
    #[command(after_help = "\
Examples:
  mlops models sign churn/3 --key release.key
  mlops models sign churn/3 --key-env RELEASE_KEY")]
    Sign {
        /// The version
        uri: String,
        #[command(flatten)]
        key: KeySource,
    },
    /// Make a key that signs versions, and print its public key
    Keygen {
        /// The file to write, which only its owner may read; never overwritten
        file: PathBuf,
    },
    /// Move versions, or whole models, to the trash
    Delete {
        /// Versions, or names of models
        #[arg(required = true, value_name = "URI|MODEL")]
        what: Vec<String>,
    },
    /// Bring versions or models back from the trash
    Restore {
        /// Versions by their numbers, or names of models
        #[arg(required = true, value_name = "URI|MODEL")]
        what: Vec<String>,
    },
    /// Take away for ever what is in the trash, with its files
    #[command(after_help = "\
Shows what it would do, and does it only with --yes.

Examples:
  mlops models purge --older-than 30d --dry-run
  mlops models purge churn/3 --yes")]
    Purge {
        /// Only these versions or models; everything in the trash, if none is named
        #[arg(value_name = "URI|MODEL", conflicts_with = "older_than")]
        what: Vec<String>,
        /// Only what has been there for so long: 30d, 12h, 1d12h
        #[arg(long, value_name = "SPAN", value_parser = parse_duration)]
        older_than: Option<TimeDelta>,
        #[command(flatten)]
        consent: Consent,
    },
}

/// How a list is ordered, cut and shown.
#[derive(Debug, Args)]
pub(crate) struct Listing {
    /// A field, then optionally asc or desc, such as 'metrics.auc desc'; may be repeated
    #[arg(long = "order-by", value_name = "ORDER")]
    pub(crate) order_by: Vec<String>,
    /// What to show beside the name; a list with commas
    #[arg(long, value_name = "FIELDS")]
    pub(crate) columns: Vec<String>,
    #[command(flatten)]
    pub(crate) page: Paging,
    #[command(flatten)]
    pub(crate) view: Viewed,
}

/// A version and a stage, or a plan that says both.
#[derive(Debug, Args)]
pub(crate) struct Move {
    /// The version
    #[arg(required_unless_present = "plan", conflicts_with = "plan", requires = "to")]
    pub(crate) uri: Option<String>,
    /// The stage
    #[arg(long, value_name = STAGE, value_parser = parse_stage, conflicts_with = "plan")]
    pub(crate) to: Option<Stage>,
    /// A plan that was written by `models plan --out`; `-` is standard input
    #[arg(long, value_name = "FILE|-")]
    pub(crate) plan: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Comment {
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) comment: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A node is a version, a model, or kind:id such as run:0191d2a0 or column:dep_hour.

Examples:
  mlops models lineage churn/Production
  mlops models lineage column:dep_hour --downstream --format mermaid")]
pub(crate) struct Lineage {
    /// Where to start
    #[arg(value_name = "URI|NODE")]
    pub(crate) node: String,
    /// What it comes from; the default
    #[arg(long)]
    pub(crate) upstream: bool,
    /// What comes of it
    #[arg(long, conflicts_with = "upstream")]
    pub(crate) downstream: bool,
    /// At most so many steps
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) depth: usize,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Whose jobs and datasets these are, in OpenLineage's words
    #[arg(long, value_name = "NAME", default_value = "mlops")]
    pub(crate) namespace: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    Mermaid,
    Openlineage,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct KeySource {
    /// A key file that `models keygen` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The environment variable that holds the seed, as 64 hexadecimal digits
    #[arg(long, value_name = "NAME")]
    pub(crate) key_env: Option<String>,
}
