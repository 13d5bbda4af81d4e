//! [`Authorized`]: roles before a backend.
//!
//! It stands before a [`Registry`], a [`Tracker`], a [`Catalog`] or a [`Lineage`] and asks, call by
//! call, whether the access rules of the catalog grant its actor the role. Nothing is remembered: who
//! loses a role has lost it at the next call. Without rules everyone may do everything; with rules, who
//! is not named may do nothing, not even read.

mod readers;
mod registry;
mod tracker;

use std::fmt;
use std::sync::Arc;

use mlops_core::journal::Actor;
use mlops_core::lineage::Lineage;
use mlops_core::registry::{ACCESS_KIND, ACCESS_NAME, Access, Catalog, Registry, Role};
use mlops_core::tracking::Tracker;
use mlops_core::{Error, ErrorKind, Key, ModelName, Result};

use super::documents::parse;

/// A backend for one actor, who may do what the access rules grant.
///
/// | role | may |
/// |---|---|
/// | viewer | read |
/// | contributor | log runs; register, describe, sign, trash and restore; move aliases; attach evidence; carry out plans that the policy allows; withdraw what they said; store documents of other kinds |
/// | approver | approve and reject |
/// | admin | purge, import, store policies, access rules, drills and subscriptions |
///
/// A call about one model asks for the role on that model. A call about runs, or about all models at
/// once, asks for a role on everything: who may see only one model names it in the search. An object by
/// its digest, documents and lineage may be read by whoever is granted anything.
///
/// **What it can protect, and what it cannot.** It binds honest callers: a service that hands its users
/// nothing but what [`Models::authorized`](crate::Models::authorized) returns keeps them to their roles.
/// It is no lock. The actor is a name that the program gives and nobody proves, and
/// [`acting_as`](Tracker::acting_as) takes any other. Whoever holds the directory, the database or its
/// password can do anything, with this library or without; the lock on these is the real one. What
/// remains in every case is the journal, in which each change names an actor and whose chain shows a
/// later edit.
///
/// ```
/// # futures::executor::block_on(async {
/// use mlops_core::ErrorKind;
/// use mlops_core::journal::Actor;
/// use mlops_registry::Models;
///
/// let models = Models::in_memory()?;
/// let rules = mlops_registry::models::access_from_text("
/// grants:
///   - {actor: root@hq, role: admin}
///   - {actor: ann@hq, role: viewer}
/// ")?;
/// models.set_access(&rules).await?;
///
/// let ann = models.authorized(Actor::new("ann@hq")?).await?;
/// assert!(ann.search_models("", &[]).await?.is_empty());
/// let refused = ann.set_access(&rules).await.unwrap_err();
/// assert_eq!(refused.kind(), ErrorKind::Denied);
/// assert!(models.authorized(Actor::new("eve@elsewhere")?).await.is_err());
/// # Ok::<_, mlops_core::Error>(()) }).unwrap();
/// ```
pub struct Authorized<T: ?Sized> {
    inner: Arc<T>,
    rules: Arc<dyn Catalog>,
    actor: Actor,
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Authorized<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorized")
            .field("inner", &self.inner)
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}

impl Authorized<dyn Registry> {
    /// A registry for `actor`, by the rules in `rules`.
    pub fn registry(inner: &Arc<dyn Registry>, rules: Arc<dyn Catalog>, actor: Actor) -> Self {
        Self { inner: inner.registry_as(actor.clone()), rules, actor }
    }
}

impl Authorized<dyn Tracker> {
    /// A tracker for `actor`, by the rules in `rules`.
    pub fn tracker(inner: &Arc<dyn Tracker>, rules: Arc<dyn Catalog>, actor: Actor) -> Self {
        Self { inner: inner.acting_as(actor.clone()), rules, actor }
    }
}

impl Authorized<dyn Catalog> {
    /// A catalog for `actor`, by the rules in `rules`, which may be the same one.
    pub fn catalog(inner: &Arc<dyn Catalog>, rules: Arc<dyn Catalog>, actor: Actor) -> Self {
        Self { inner: inner.catalog_as(actor.clone()), rules, actor }
    }
}

impl Authorized<dyn Lineage> {
    /// Lineage for `actor`, by the rules in `rules`. The journal names the one for whom `inner` acts.
    pub fn lineage(inner: Arc<dyn Lineage>, rules: Arc<dyn Catalog>, actor: Actor) -> Self {
        Self { inner, rules, actor }
    }
}

impl<T: ?Sized> Authorized<T> {
    /// # Errors
    /// `Denied` if the actor has not at least this role, on this model or (`None`) on everything.
    async fn demand(
        &self,
        operation: &'static str,
        role: Role,
        model: Option<&ModelName>,
    ) -> Result<()> {
        let Some(access) = self.access().await? else { return Ok(()) };
        let has = access.role(&self.actor, model);
        if has >= Some(role) {
            return Ok(());
        }
        Err(self.denied(operation, role, has, model))
    }

    /// # Errors
    /// `Denied` if the actor is granted nothing at all.
    pub(super) async fn demand_any(&self, operation: &'static str) -> Result<()> {
        let Some(access) = self.access().await? else { return Ok(()) };
        let models = access.grants.iter().flat_map(|grant| grant.models.iter().flatten());
        let anything = access.role(&self.actor, None).is_some()
            || models.into_iter().any(|model| access.role(&self.actor, Some(model)).is_some());
        if anything { Ok(()) } else { Err(self.denied(operation, Role::Viewer, None, None)) }
    }

    async fn access(&self) -> Result<Option<Access>> {
        let (kind, name) = (Key::new(ACCESS_KIND)?, Key::new(ACCESS_NAME)?);
        match self.rules.document(&kind, &name).await? {
            Some(document) => parse(&document),
            None => Ok(None),
        }
    }

    #[cold]
    fn denied(
        &self,
        operation: &'static str,
        needed: Role,
        has: Option<Role>,
        model: Option<&ModelName>,
    ) -> Error {
        let error = Error::new(ErrorKind::Denied, operation, "the actor's role does not suffice")
            .with("actor", &self.actor)
            .with("needed", needed)
            .with("granted", has.map_or("nothing", Role::as_str));
        match model {
            Some(model) => error.with("model", model).with_hint("ask an admin for a grant"),
            None => error.with_hint("ask an admin for a grant that is not limited to some models"),
        }
    }
}
