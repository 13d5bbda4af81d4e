//! `mlops features search`: features to use again.

use mlops::feature_store::{Found, Search};
use mlops::features::FeatureName;
use mlops::registry::Role;
use serde_json::json;

use super::list::{names, or_dash};
use super::{LONGEST, Opened};
use crate::args::FeatureSearch;
use crate::commands::once;
use crate::failure::Failure;
use crate::output::{Output, table};

pub(super) async fn run(
    opened: &Opened,
    asked: FeatureSearch,
    output: &mut Output,
) -> Result<(), Failure> {
    once("tag", asked.tags.iter().map(|(key, _)| key))?;
    let query = Search {
        text: asked.text.join(" "),
        tags: asked.tags.into_iter().collect(),
        owner: asked.owner,
        entity: asked.entity.map(FeatureName::new).transpose()?,
        data_type: asked.data_type,
        pii: asked.pii,
        state: asked.state.map(|state| state.as_str().to_owned()),
    };
    let found = opened.features(Role::Viewer).await?.search(&query).await?;
    if output.is_json() {
        return output.document(&json!(found));
    }
    if found.is_empty() {
        return output.note("no feature matches", None);
    }
    output.table(table_of(&found))
}

fn table_of(found: &[Found]) -> comfy_table::Table {
    let mut shown =
        table(["feature", "type", "view", "entities", "state", "owner", "used by", "description"]);
    for found in found {
        shown.add_row([
            found.feature.to_string(),
            found.data_type.to_string(),
            found.view.to_string(),
            names(&found.entities),
            found.state.map_or_else(|| "transform".to_owned(), |state| state.to_string()),
            or_dash(&found.owner, 30),
            names(&found.used_by),
            or_dash(&found.description, LONGEST),
        ]);
    }
    shown
}
