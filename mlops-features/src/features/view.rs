//! Finding a view, and whether it may be used.

use mlops_core::features::{FeatureName, Lifecycle, Registered, ViewVersion};
use mlops_core::{Error, ErrorKind, Result};

use super::Features;
use crate::define;

impl Features {
    pub(super) async fn load(&self) -> Result<Registered> {
        Ok(define::load(&*self.catalog).await?.registered)
    }

    /// The last version of a view that rows may be written to.
    pub(super) async fn writable(
        &self,
        operation: &'static str,
        view: &FeatureName,
    ) -> Result<ViewVersion> {
        let registered = self.load().await?;
        let record = registered.views.get(view).ok_or_else(|| unknown(operation, view))?;
        if record.state.at(self.now()) == Lifecycle::Retired {
            return Err(Error::new(ErrorKind::Denied, operation, "the view is retired")
                .with("view", view)
                .with_hint("nobody reads or writes a retired view; make a new one"));
        }
        Ok(record.last().clone())
    }
}

pub(super) fn unknown(operation: &'static str, view: &FeatureName) -> Error {
    Error::not_found(operation, "no view has this name")
        .with("view", view)
        .with_hint("`mlops features list` shows what is defined")
}
