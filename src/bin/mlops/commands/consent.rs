//! Plan first: what takes something away shows what, and does it only when told `--yes`.

use mlops::Error;

use crate::args::Consent;
use crate::failure::{COMMAND, Failure};

/// Whether to carry out the plan that was shown.
///
/// # Errors
/// `Invalid` if neither `--yes` nor `--dry-run` was said: a script that forgot to say is told.
pub(crate) fn given(consent: &Consent) -> Result<bool, Failure> {
    if consent.yes || consent.dry_run {
        return Ok(consent.yes);
    }
    Err(Error::invalid(COMMAND, "nothing was done: this takes things away")
        .with_hint("say --yes to do it, or --dry-run to only look")
        .into())
}
