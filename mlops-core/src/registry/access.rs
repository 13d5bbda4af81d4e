//! Access: who may do what, as data.
//!
//! The rules are a document of the catalog (`access`/`default`). An embedded library cannot lock out a
//! process that holds the files: the real lock is the store's. Rules bind honest callers, and the
//! journal names everyone.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::journal::Actor;
use crate::{Error, ModelName, Result};

/// The catalog's kind of access rules.
pub const ACCESS_KIND: &str = "access";
/// The name of the one document of access rules.
pub const ACCESS_NAME: &str = "default";

/// What somebody may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// Read.
    Viewer,
    /// Log runs, register and describe versions, attach evidence, move aliases, and carry out plans
    /// that the policy allows.
    Contributor,
    /// Approve and reject.
    Approver,
    /// Change policies and access, import, delete for ever.
    Admin,
}

impl Role {
    /// The role in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Contributor => "contributor",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who may do what. Without any rules everyone is an admin; with rules, who is not named may nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The rules; the greatest role that fits counts.
    pub grants: Vec<Grant>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Whom it is about: an actor's text, where one `*` stands for any text (`ci/*`).
    pub actor: String,
    /// What they may do.
    pub role: Role,
    /// For which models; for all and everything else too, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<ModelName>>,
}

impl Access {
    /// The greatest role that `actor` has for `model`, or for everything if `None`.
    ///
    /// ```
    /// use mlops_core::journal::Actor;
    /// use mlops_core::registry::{Access, Role};
    ///
    /// let access: Access = serde_json::from_str(
    ///     r#"{"grants": [{"actor": "ci/*", "role": "contributor"},
    ///                    {"actor": "ann@hq", "role": "approver", "models": ["churn"]}]}"#,
    /// ).unwrap();
    /// let (ci, ann) = (Actor::new("ci/42").unwrap(), Actor::new("ann@hq").unwrap());
    /// let churn = "churn".parse().unwrap();
    /// assert_eq!(access.role(&ci, Some(&churn)), Some(Role::Contributor));
    /// assert_eq!(access.role(&ann, Some(&churn)), Some(Role::Approver));
    /// assert_eq!(access.role(&ann, None), None);
    /// ```
    pub fn role(&self, actor: &Actor, model: Option<&ModelName>) -> Option<Role> {
        let fits = |grant: &&Grant| {
            let of_model = match (&grant.models, model) {
                (None, _) => true,
                (Some(models), Some(model)) => models.contains(model),
                (Some(_), None) => false,
            };
            of_model && matches(&grant.actor, actor.as_str())
        };
        self.grants.iter().filter(fits).map(|grant| grant.role).max()
    }

    /// Checks rules before they are stored.
    ///
    /// # Errors
    /// `Invalid` for an actor that is no actor's text or has more than one `*`, or if nobody would be
    /// left who may change the rules.
    pub fn check(&self) -> Result<()> {
        for grant in &self.grants {
            Actor::new(&grant.actor)?;
            if grant.actor.matches('*').count() > 1 {
                return Err(Error::invalid("access", "an actor has more than one `*`")
                    .with("actor", &grant.actor));
            }
        }
        let is_admin = |grant: &Grant| grant.role == Role::Admin && grant.models.is_none();
        if self.grants.iter().any(is_admin) {
            return Ok(());
        }
        Err(Error::invalid("access", "nobody would be admin of everything")
            .with_hint("grant somebody the role admin without models, or the rules could never be changed again"))
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => {
            text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
        }
    }
}
