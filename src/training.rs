//! Where a training set belongs: to the run that learned from it.

use mlops_core::features::TrainingSet;
use mlops_core::tracking::{DatasetContext, DatasetInput, RunChanges};
use mlops_core::{ArtifactPath, Error, ErrorKind, Key, Result, RunId};
use mlops_registry::Tracking;

/// Keeps a training set's receipt with a run, as `features/<service>@<version>-<digest>.json`, so that the same
/// set can be made again; and makes the set an input of the run, so that lineage leads from the features
/// to whatever the run made. A run has as many sets as it uses, each for something.
///
/// # Errors
/// `NotFound` if there is no such run; `Invalid` if it is in the trash; those of the store.
pub async fn log_training_set(
    tracking: &Tracking,
    run: RunId,
    set: &TrainingSet,
    context: DatasetContext,
) -> Result<()> {
    let receipt = &set.receipt;
    let json = serde_json::to_vec_pretty(receipt).map_err(|source| {
        Error::new(ErrorKind::Internal, "log_training_set", "cannot be written").with_source(source)
    })?;
    let digest = receipt.digest().to_string();
    let short = digest.get(..12).unwrap_or(&digest);
    let path = ArtifactPath::new(format!("features/{}-{short}.json", receipt.service))?;
    tracking.put_artifact(run, &path, json, None).await?;
    let fields = set.batch.schema();
    let types =
        fields.fields().iter().map(|f| (f.name().clone(), f.data_type().to_string().into()));
    let input = DatasetInput::new(
        Key::new(receipt.service.to_string())?,
        Key::new(format!("training:{digest}"))?,
        context,
    )
    .with_source(format!("features:/{}", receipt.service))
    .with_schema(serde_json::Value::Object(types.collect()))
    .with_rows(receipt.rows);
    tracking.tracker().update_run(run, RunChanges::default().with_input(input)).await?;
    Ok(())
}
