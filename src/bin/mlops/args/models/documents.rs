//! The command lines of `mlops models policy` and `mlops models access`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Show the policy that a model's promotions are judged by
    Show {
        #[command(flatten)]
        whose: Document,
    },
    /// Store the policy of a model, or of all models without one of their own
    #[command(after_help = "\
The model must be there. Refused are unknown gates, bounds that nothing can meet, and approvals that nobody could give.

Examples:
  mlops models policy set churn policy.yaml
  mlops models policy set --default policy.yaml")]
    Set {
        /// The model
        #[arg(required_unless_present = "default", conflicts_with = "default")]
        model: Option<String>,
        /// The policy of all models that have none of their own
        #[arg(long, value_name = "FILE")]
        default: Option<PathBuf>,
        /// The policy, as YAML or JSON; `-` is standard input
        #[arg(required_unless_present = "default", conflicts_with = "default")]
        file: Option<PathBuf>,
    },
    /// Check a policy without storing it; needs no store
    Check {
        /// The policy, as YAML or JSON; `-` is standard input
        file: PathBuf,
    },
    /// Take the policy away: the default one holds, or none
    Remove {
        #[command(flatten)]
        whose: Document,
    },
}

/// Whose policy.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Document {
    /// The model
    pub(crate) model: Option<String>,
    /// The policy of all models that have none of their own
    #[arg(long)]
    pub(crate) default: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    /// Show who may do what
    Show,
    /// Store who may do what
    #[command(after_help = "\
Roles are viewer, contributor, approver and admin; one `*` in an actor stands for any text. An actor
without a role may do nothing. Rules bind honest callers: the real lock is that of the files.

Example of rules:
  grants:
    - {actor: \"ci/*\", role: contributor}
    - {actor: \"ann@hq\", role: admin}")]
    Set {
        /// The rules, as YAML or JSON; `-` is standard input
        file: PathBuf,
    },
    /// Check rules without storing them; needs no store
    Check {
        /// The rules, as YAML or JSON; `-` is standard input
        file: PathBuf,
    },
    /// Take the rules away: everyone may do everything
    Remove,
}
