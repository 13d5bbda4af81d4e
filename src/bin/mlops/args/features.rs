//! The command line of `mlops features`.

mod rows;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use mlops::features::{FeatureType, ServiceRef};
use mlops::time::Instant;

pub(crate) use self::rows::{
    Append, Compact, Erase, Get, Historical, Lag, Leaks, Materialize, Verify,
};
use super::{Consent, GLOBAL};
use crate::format::{parse_instant, parse_pair};

#[derive(Debug, Args)]
#[command(after_help = "\
A service is named by eta, its last version, or eta@3. Definitions are YAML; docs/features.md has every word.

Examples:
  mlops features apply features.yaml
  mlops features append driver_stats today.parquet && mlops features materialize
  mlops features historical eta --rows trips.parquet --at pickup_time --out train.parquet
  mlops features get eta driver_id=7")]
pub(crate) struct Features {
    /// Where requests read, if not in the store: redis://host:6379/0
    #[arg(
        long,
        global = true,
        help_heading = GLOBAL,
        env = "MLOPS_ONLINE",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) online: Option<String>,
    #[command(subcommand)]
    pub(crate) command: FeaturesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FeaturesCommand {
    /// Show what applying definitions would change, and whom that breaks: exit code 2 if it is refused
    Plan {
        /// Definitions, as YAML or JSON; several are taken as one, `-` is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Show that plan, and carry it out; makes the store if there is none
    #[command(after_help = "\
What breaks somebody, or gives up the rows of a view, is done only with --yes.

Example:
  mlops features apply entities.yaml drivers.yaml")]
    Apply {
        /// Definitions, as YAML or JSON; several are taken as one, `-` is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        consent: Consent,
    },
    /// List entities, views with their rows, and services
    List,
    /// Show a service, a view, a transform or an entity
    Show {
        /// Its name; a service may have its version, eta@3
        name: String,
        /// What it is, where several have the name
        #[arg(long, value_enum)]
        kind: Option<Kind>,
        /// Its definition alone, as a file of definitions
        #[arg(long)]
        yaml: bool,
    },
    /// Find features to use again, by words in names, descriptions and tags
    #[command(after_help = "\
Examples:
  mlops features search delay
  mlops features search --entity airport --tag team=ops")]
    Search(FeatureSearch),
    /// Move a view to another state
    #[command(after_help = "\
A draft is for training alone. What is deprecated takes no new services, and is retired at its date; nobody
reads or writes what is retired.

Example:
  mlops features state driver_stats deprecated --until 2027-01-31")]
    State {
        /// The view
        view: String,
        /// Where it goes
        #[arg(value_enum)]
        state: StateName,
        /// When what is deprecated is retired: 2027-01-31, '2027-01-31 14:00'
        #[arg(
            long,
            value_name = "DATE",
            value_parser = parse_instant,
            required_if_eq("state", "deprecated")
        )]
        until: Option<Instant>,
    },
    /// Add rows to the log of a view
    Append(Append),
    /// Bring the online store up to the log
    Materialize(Materialize),
    /// Answer one request from the online store, with the status of each value
    Get(Get),
    /// Make a training set: the features of each row as they were at its instant
    Historical(Box<Historical>),
    /// Look through a training set for what was not known in time
    Leaks(Leaks),
    /// Prove that segments are what was written, and that answers were what the log says
    Verify(Verify),
    /// Show how far the online store is behind the log: exit code 2 beyond a bound
    Lag(Lag),
    /// Take away all that is known of a key of an entity, and list what was rewritten
    Erase(Erase),
    /// Merge the segments of views; no answer changes
    Compact(Compact),
    /// Store what every definition must say of itself
    #[command(after_help = "\
Asked of what is new or changes, not of what is there.

Example of a policy:
  require_owner: true
  require_description: true
  require_pii: true")]
    Policy {
        /// The policy, as YAML or JSON; `-` is standard input
        file: PathBuf,
    },
    /// Make definitions of the registry of a Feast repository; needs no store
    #[command(after_help = "\
What has no counterpart is listed on standard error; with --json both are one document.

Example:
  mlops features import-feast feature_repo/data/registry.db --out features.yaml")]
    ImportFeast {
        /// The registry
        file: PathBuf,
        /// The project, where the registry has several
        #[arg(long, value_name = "NAME")]
        project: Option<String>,
        /// Where the definitions are written, as YAML [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct FeatureSearch {
    /// Words that must all be there
    #[arg(value_name = "TEXT")]
    pub(crate) text: Vec<String>,
    /// A tag of the feature or its view; an empty value stands for any
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub(crate) tags: Vec<(String, String)>,
    /// Who answers for it
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: Option<String>,
    /// What it is about
    #[arg(long, value_name = "NAME")]
    pub(crate) entity: Option<String>,
    /// Its type: bool, int, float, float32, string, bytes, timestamp, date, vector
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_type)]
    pub(crate) data_type: Option<FeatureType>,
    /// Whether it tells something of a person
    #[arg(long, value_name = "true|false")]
    pub(crate) pii: Option<bool>,
    /// The state of its view
    #[arg(long, value_enum)]
    pub(crate) state: Option<StateName>,
}

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Service,
    View,
    Transform,
    Entity,
}

impl Kind {
    /// The word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::View => "view",
            Self::Transform => "transform",
            Self::Entity => "entity",
        }
    }
}

/// Where a view stands.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StateName {
    Draft,
    Active,
    Deprecated,
    Retired,
}

impl StateName {
    /// The word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Deprecated => "deprecated",
            Self::Retired => "retired",
        }
    }
}

/// All types of features.
pub(crate) const FEATURE_TYPES: [FeatureType; 9] = [
    FeatureType::Bool,
    FeatureType::Int,
    FeatureType::Float,
    FeatureType::Float32,
    FeatureType::String,
    FeatureType::Bytes,
    FeatureType::Timestamp,
    FeatureType::Date,
    FeatureType::Vector,
];

fn parse_type(text: &str) -> Result<FeatureType, String> {
    FEATURE_TYPES.into_iter().find(|known| known.as_str() == text).ok_or_else(|| {
        format!("write one of {}", FEATURE_TYPES.map(FeatureType::as_str).join(", "))
    })
}

fn parse_service(text: &str) -> Result<ServiceRef, String> {
    text.parse().map_err(|e: mlops::Error| match e.hint() {
        Some(hint) => format!("{}: {hint}", e.message()),
        None => e.message().to_owned(),
    })
}
