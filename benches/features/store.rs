//! The workspace that is measured, what is defined in it, and the files that it is filled from.

use std::fs::File;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use mlops::feature_store::Features;
use mlops::features::{
    Definitions, Entity, Feature, FeatureName, FeatureService, FeatureStore, FeatureType,
    FeatureView, KeyType, ServiceRef, Span, Table, ViewUse,
};
use mlops::{BackendUrl, Workspace};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::Sizes;

/// A feature store with one view, and a service of all of its features.
pub(crate) struct Store {
    pub(crate) features: Features,
    pub(crate) view: FeatureName,
    pub(crate) service: ServiceRef,
    /// Where the view's rows are.
    pub(crate) table: Table,
}

impl Store {
    /// Opens the workspace `name`, online in `online`, and defines the view.
    pub(crate) async fn open(name: &str, online: &str, view: FeatureView, sizes: &Sizes) -> Self {
        let url = BackendUrl::directory(sizes.work.join(name));
        let mut workspace = Workspace::builder(url);
        if online == "redis" {
            workspace = workspace.online(sizes.redis.as_deref().unwrap().parse().unwrap());
        }
        let features = workspace.open().await.unwrap().features().await.unwrap();
        let name = view.name.clone();
        let definitions = Definitions::new()
            .entity(Entity::new("driver", KeyType::Int).unwrap())
            .service(FeatureService::new(&name).unwrap().with(ViewUse::all(&name).unwrap()))
            .view(view);
        let plan = features.plan(&definitions).await.unwrap();
        features.apply(&plan).await.unwrap();
        let registered = features.registered().await.unwrap();
        let table = registered.views[&name].last().table.clone();
        Self { features, view: name.clone(), service: name.into(), table }
    }
}

/// A view of the columns that `common.py` makes.
pub(crate) fn view(name: &str, features: u64, ttl: Span) -> FeatureView {
    let mut view = FeatureView::new(name, ["driver"])
        .unwrap()
        .with_event_time("event_timestamp")
        .with_created("created")
        .with_ttl(ttl);
    for feature in 0..features {
        view = view.with(Feature::new(format!("f{feature}"), FeatureType::Float).unwrap());
    }
    view
}

/// The batches of a file.
pub(crate) fn batches(path: &Path, rows: usize) -> impl Iterator<Item = RecordBatch> {
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    reader.with_batch_size(rows).build().unwrap().map(Result::unwrap)
}

/// A whole file.
pub(crate) fn table(path: &Path) -> RecordBatch {
    let batches: Vec<RecordBatch> = batches(path, 1 << 20).collect();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}
