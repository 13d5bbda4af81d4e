//! What a validation found, kept where it belongs.

use mlops_core::tracking::{DatasetContext, DatasetInput, RunChanges};
use mlops_core::validation::Report;
use mlops_core::{ArtifactPath, Key, Result, RunId};
use mlops_registry::Tracking;
use mlops_validate::report::html;

/// Keeps a report with a run: `validation/<suite>.json` and the page `validation/<suite>.html`.
///
/// If the report names its data and the data's digest, the data becomes an input of the run, so that
/// lineage leads from it to whatever the run made. A report of the same suite replaces the one before.
///
/// # Errors
/// `NotFound` if there is no such run; `Invalid` if it is in the trash; those of the store.
pub async fn log_report(tracking: &Tracking, run: RunId, report: &Report) -> Result<()> {
    let json = serde_json::to_vec_pretty(report).map_err(|source| {
        mlops_core::Error::new(mlops_core::ErrorKind::Internal, "log_report", "cannot be written")
            .with_source(source)
    })?;
    let name = file_name(&report.suite);
    for (end, bytes) in [("json", json), ("html", html(report).into_bytes())] {
        let path = ArtifactPath::new(format!("validation/{name}.{end}"))?;
        tracking.put_artifact(run, &path, bytes, None).await?;
    }
    if let (Some(data), Some(digest)) = (&report.data, &report.data_digest) {
        let context = DatasetContext::Other("validated".to_owned());
        let input = DatasetInput::new(Key::new(data)?, digest.clone(), context);
        let changes = RunChanges::default().with_input(input.with_rows(report.rows));
        tracking.tracker().update_run(run, changes).await?;
    }
    Ok(())
}

/// A suite's name as that of a file.
fn file_name(suite: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    suite.trim_matches('.').chars().map(plain).collect()
}
