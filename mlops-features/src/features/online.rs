//! Answering requests: a service is prepared once, and then asked.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, FieldRef, Schema};
use mlops_core::features::{FeatureName, OnlineAnswer, Registered, ServiceRef};
use mlops_core::{Error, Result};

use super::Features;
use super::historical::{visibility, whole};
use super::place::{codec_of, online_table};
use crate::codec::RowCodec;
use crate::define::{Resolved, ResolvedView, resolve_service};
use crate::prepared::{Prepared, PreparedFeature, PreparedKind, PreparedView, RequestKey};
use crate::transform::Compiled;
use crate::window::{Answers, WindowPlan};

/// A service that is ready to be asked: names, versions and layouts are resolved.
///
/// It is that of the definitions as they were; prepare again to take up new ones. When a view gets a new
/// column and rows are brought up with it, reads are `Unsupported` until then.
#[derive(Debug, Clone)]
pub struct PreparedService {
    service: ServiceRef,
    reads: Prepared,
    transforms: Option<Arc<Compiled>>,
}

impl PreparedService {
    /// The service, with its version.
    pub fn service(&self) -> &ServiceRef {
        &self.service
    }

    /// The stored features alone, without on-demand transforms: what answers in a microsecond.
    pub fn stored(&self) -> &Prepared {
        &self.reads
    }

    /// The features of each row at `now`, in microseconds since 1970; see [`FeatureStore::online`].
    ///
    /// # Errors
    /// As [`FeatureStore::online`].
    ///
    /// [`FeatureStore::online`]: mlops_core::features::FeatureStore::online
    pub async fn answer(&self, rows: &RecordBatch, now: i64) -> Result<OnlineAnswer> {
        let answer = self.reads.answer(rows, now).await?;
        self.transformed(rows, answer)
    }

    /// As [`PreparedService::answer`], without waiting, for a store in this process's memory.
    ///
    /// # Errors
    /// As [`PreparedService::answer`]; `Unsupported` for a store that is elsewhere.
    pub fn answer_local(&self, rows: &RecordBatch, now: i64) -> Result<OnlineAnswer> {
        let answer = self.reads.answer_local(rows, now)?;
        self.transformed(rows, answer)
    }

    fn transformed(&self, rows: &RecordBatch, answer: OnlineAnswer) -> Result<OnlineAnswer> {
        match &self.transforms {
            None => Ok(answer),
            Some(compiled) => {
                let inputs = beside(&answer.batch, rows)?;
                let batch = with_computed(compiled, &answer.batch, &inputs)?;
                Ok(OnlineAnswer::new(batch, answer.views))
            }
        }
    }
}

impl Features {
    /// Resolves a service once, to be asked often.
    ///
    /// # Errors
    /// `NotFound` for an unknown service or version; `Denied` if it uses a view that is a draft or retired.
    pub async fn prepare(&self, service: &ServiceRef) -> Result<PreparedService> {
        let registered = self.load().await?;
        let resolved = resolve_service(&registered, service, self.now())?;
        resolved.check_online()?;
        let views = resolved.views.iter().map(|view| prepared(&registered, view));
        let views = views.collect::<Result<Vec<_>>>()?;
        let reads = Prepared::new(Arc::clone(&self.parts.online), views)?;
        Ok(PreparedService {
            service: ServiceRef::version(resolved.name.clone(), resolved.version.version),
            reads,
            transforms: self.compiled(&resolved)?.map(Arc::new),
        })
    }
}

fn prepared(registered: &Registered, view: &ResolvedView) -> Result<PreparedView> {
    let features = view.features.iter().map(|made| PreparedFeature {
        name: made.output.clone(),
        data_type: made.feature.data_type,
    });
    let keys = view
        .keys
        .iter()
        .map(|key| RequestKey { column: key.column.clone(), data_type: key.key.data_type });
    let version = &view.view;
    let kind = if version.definition.is_aggregated() {
        let plan = WindowPlan::new(&version.table, &version.definition.features)?;
        let wanted: Vec<&FeatureName> = view.features.iter().map(|f| &f.feature.name).collect();
        let places = wanted.iter().map(|name| {
            version.definition.features.iter().position(|feature| feature.name == **name)
        });
        let places: Vec<usize> = places.flatten().collect();
        PreparedKind::Aggregated(Arc::new(Answers::new(plan, version.definition.boundary, places)))
    } else {
        let columns = view.features.iter().map(|f| f.feature.column().to_owned()).collect();
        let codec = match registered.views.get(&view.used.view) {
            Some(record) => codec_of(record, &version.table.id)?,
            None => RowCodec::new(&version.table.columns)?,
        };
        PreparedKind::Rows { codec: Arc::new(codec), columns }
    };
    Ok(PreparedView {
        alias: view.used.prefix().to_string(),
        table: online_table(version),
        keys: keys.collect(),
        visibility: visibility(view),
        features: features.collect(),
        kind,
    })
}

impl Features {
    /// The transforms of a service, over what its views answer and what a request has.
    pub(crate) fn compiled(&self, resolved: &Resolved) -> Result<Option<Compiled>> {
        let on_demand = &resolved.version.on_demand;
        if on_demand.is_empty() {
            return Ok(None);
        }
        let stored = resolved.views.iter().flat_map(|view| &view.features);
        let fields = stored.map(|f| Field::new(&f.output, f.feature.data_type.arrow(), true));
        let available = Schema::new(fields.collect::<Vec<_>>());
        Compiled::new(on_demand, &available, &self.parts.functions).map(Some)
    }
}

/// A batch with the columns that transforms make of `inputs` behind its own.
pub(super) fn with_computed(
    compiled: &Compiled,
    batch: &RecordBatch,
    inputs: &RecordBatch,
) -> Result<RecordBatch> {
    let schema = batch.schema();
    let twice = compiled.fields().iter().find(|made| schema.index_of(made.name()).is_ok());
    if let Some(made) = twice {
        return Err(Error::invalid(
            "features.transform",
            "two columns of the answer have one name",
        )
        .with("column", made.name())
        .with_hint("rename the column of the rows that ask"));
    }
    let made = compiled.eval(inputs)?;
    let fields = batch.schema().fields().iter().chain(compiled.fields()).cloned().collect();
    let columns = batch.columns().iter().cloned().chain(made).collect();
    whole(fields, columns, batch.num_rows())
}

/// The features, and the columns of the request that are not called as one of them.
fn beside(features: &RecordBatch, request: &RecordBatch) -> Result<RecordBatch> {
    let mut fields: Vec<FieldRef> = features.schema().fields().iter().cloned().collect();
    let mut columns = features.columns().to_vec();
    for (field, column) in request.schema().fields().iter().zip(request.columns()) {
        if fields.iter().all(|there| there.name() != field.name()) {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
        }
    }
    whole(fields, columns, features.num_rows())
}
