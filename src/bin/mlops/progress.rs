//! A bar on a terminal, nothing elsewhere.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use mlops::blobs::Progress;
use mlops::features::Watcher;
use mlops::validation::Progress as Rows;

/// A bar on standard error while files are on their way; goes away when it is dropped.
pub(crate) struct Bar(Option<ProgressBar>);

impl Bar {
    /// A bar of the bytes of one file after the other.
    pub(crate) fn bytes(what: &'static str) -> Self {
        Self::new(
            what,
            "{msg} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}",
        )
    }

    /// A bar of runs.
    pub(crate) fn runs(what: &'static str) -> Self {
        Self::new(what, "{msg} [{bar:30}] {pos}/{len} runs")
    }

    fn new(what: &'static str, style: &str) -> Self {
        if !io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new(0).with_message(what);
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self(Some(bar))
    }

    /// A bar of rows.
    pub(crate) fn rows(what: &'static str) -> Self {
        Self::new(what, "{msg} [{bar:30}] {human_pos}/{human_len} rows {per_sec}")
    }

    /// What a validation tells how far it is.
    pub(crate) fn rows_progress(&self) -> Option<Arc<dyn Fn(Rows) + Send + Sync>> {
        let bar = self.0.clone()?;
        Some(Arc::new(move |done| {
            bar.set_length(done.of.unwrap_or(done.rows));
            bar.set_position(done.rows);
        }))
    }

    /// What the feature store tells how far it is.
    pub(crate) fn watcher(&self) -> Option<Watcher> {
        let bar = self.0.clone()?;
        Some(Arc::new(move |done| {
            bar.set_length(done.of.unwrap_or(done.rows));
            bar.set_position(done.rows);
        }))
    }

    /// What the library tells how far it is.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let bar = self.0.clone()?;
        Some(Arc::new(move |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        }))
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
