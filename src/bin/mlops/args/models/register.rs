//! The command line of `mlops models register`.

use std::path::PathBuf;

use clap::Args;

use crate::format::{parse_number, parse_pair};

#[derive(Debug, Args)]
#[command(after_help = "\
Of a run, metrics, params, data, environment and the state of the code are taken over, and its files
are not stored again. What is said here wins. Makes the model, and the store if there is none and no
run is named.

Examples:
  mlops models register churn --run baseline --artifacts model
  mlops models register churn --dir ./model --metric auc=0.91 --tag team=risk --reuse
  mlops models register churn --file model.onnx=out/best.onnx --signature signature.json")]
pub(crate) struct Register {
    /// The model
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Only the run's files under this path, or this one; may be repeated
    #[arg(long, value_name = "PREFIX", requires = "run")]
    pub(crate) artifacts: Vec<String>,
    #[command(flatten)]
    pub(crate) describe: Describe,
    /// Let this name point to it
    #[arg(long, value_name = "NAME")]
    pub(crate) alias: Option<String>,
    /// If a version with exactly this content is there, take that instead of making another
    #[arg(long)]
    pub(crate) reuse: bool,
}

/// Where the files come from.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Source {
    /// The run that made it: its id, the first digits of its id, or its name
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// A file: its path in the version, and where it is now; may be repeated
    #[arg(long = "file", value_name = "PATH=LOCAL", value_parser = parse_pair)]
    pub(crate) files: Vec<(String, String)>,
    /// The files of a directory
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Vec<PathBuf>,
}

/// What is said about a new version.
#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// How good it was found to be
    #[arg(long = "metric", value_name = "KEY=NUMBER", value_parser = parse_number, allow_hyphen_values = true)]
    pub(crate) metrics: Vec<(String, f64)>,
    /// What it was told to do
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub(crate) params: Vec<(String, String)>,
    /// A label
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub(crate) tags: Vec<(String, String)>,
    /// A description
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// What the model takes and gives, as JSON or YAML
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Option<PathBuf>,
    /// Which of its files is the reference profile
    #[arg(long, value_name = "PATH")]
    pub(crate) profile: Option<String>,
    /// A finding, as for `models attach`; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) evidence: Vec<PathBuf>,
    /// A seed of random numbers, by what it was for
    #[arg(long = "seed", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub(crate) seeds: Vec<(String, String)>,
    /// A file that pins packages, of which the digest is noted
    #[arg(long = "lock-file", value_name = "FILE")]
    pub(crate) lock_files: Vec<PathBuf>,
}
