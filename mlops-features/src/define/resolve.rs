//! What a service means: its views at the versions that it is pinned to, and the answer's columns.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use mlops_core::features::{
    Feature, FeatureName, Lifecycle, Registered, RequestField, ServiceRef, ServiceVersion,
    TableKey, ViewUse, ViewVersion,
};
use mlops_core::time::Instant;
use mlops_core::{Error, ErrorKind, Result};

use super::layout::Layout;
use super::nearest::hint;

const OPERATION: &str = "features.service";

/// A service with all that it needs to be answered.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// The service's name.
    pub(crate) name: FeatureName,
    /// The version that was asked for; its `on_demand` are the transforms, in order.
    pub(crate) version: ServiceVersion,
    /// Its views, in its order.
    pub(crate) views: Vec<ResolvedView>,
    /// The key columns that the rows that ask must have, each once.
    pub(crate) keys: Vec<TableKey>,
    /// The columns that transforms ask of the rows; one of them may be a key, too.
    pub(crate) request: Vec<RequestField>,
    /// The answer's columns: those of the views, in order, then those of the transforms; all may be null.
    pub(crate) schema: SchemaRef,
}

/// A view of a service.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedView {
    /// How the service uses it.
    pub(crate) used: ViewUse,
    /// The version that the service is pinned to.
    pub(crate) view: Arc<ViewVersion>,
    /// Where it stands now; `Draft`, `Active` or `Deprecated`.
    pub(crate) state: Lifecycle,
    /// Its join keys, each with the column of the rows that it is taken from.
    pub(crate) keys: Vec<ResolvedKey>,
    /// The features that are used, with their columns of the answer.
    pub(crate) features: Vec<ResolvedFeature>,
}

/// A join key of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResolvedKey {
    /// The key.
    pub(crate) key: TableKey,
    /// The column of the rows that ask.
    pub(crate) column: String,
}

/// A feature that is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResolvedFeature {
    /// The feature.
    pub(crate) feature: Feature,
    /// Its column of the answer.
    pub(crate) output: String,
}

impl Resolved {
    /// That it can be served online: a draft is for training and trying only.
    ///
    /// # Errors
    /// `Denied`, with the first view that is a draft.
    pub(crate) fn check_online(&self) -> Result<()> {
        match self.views.iter().find(|view| view.state == Lifecycle::Draft) {
            None => Ok(()),
            Some(view) => Err(Error::new(
                ErrorKind::Denied,
                "features.online",
                "the service uses a draft, which is not served online",
            )
            .with("service", ServiceRef::version(self.name.clone(), self.version.version))
            .with("view", &view.used.view)
            .with_hint("set the view's state to active")),
        }
    }
}

/// Finds a version of a service and all that it needs.
///
/// # Errors
/// `NotFound` for an unknown service or version; `Denied` if a view is retired.
pub(crate) fn resolve_service(
    registered: &Registered,
    service: &ServiceRef,
    now: Instant,
) -> Result<Resolved> {
    let version = find(registered, service)?.clone();
    let corrupt = |problem: String| {
        Error::corrupt(OPERATION, "a service does not fit what is registered")
            .with("service", ServiceRef::version(service.name.clone(), version.version))
            .with("problem", problem)
    };
    let mut views = Vec::new();
    for used in &version.definition.views {
        let pinned = registered.views.get(&used.view).and_then(|record| {
            let number = version.views.get(&used.view)?;
            Some((record.state.at(now), record.version(*number)?))
        });
        let Some((state, view)) = pinned else {
            return Err(corrupt(format!("its version of view `{}` is not there", used.view)));
        };
        if state == Lifecycle::Retired {
            return Err(Error::new(
                ErrorKind::Denied,
                OPERATION,
                "the service uses a retired view",
            )
            .with("service", ServiceRef::version(service.name.clone(), version.version))
            .with("view", &used.view)
            .with_hint("use a version of the service that does without it"));
        }
        views.push((used, state, view));
    }
    let mut problems = Vec::new();
    let parts: Vec<_> =
        views.iter().map(|(used, _, v)| (*used, &v.definition, v.table.keys.as_slice())).collect();
    let transforms: Vec<_> = version.on_demand.iter().collect();
    let layout = Layout::new(version.definition.full_names, &parts, &mut problems)
        .with_on_demand(&transforms, &mut problems);
    if let Some(problem) = problems.into_iter().next() {
        return Err(corrupt(problem));
    }
    let mut outputs = layout.columns.iter();
    let views = views
        .into_iter()
        .zip(layout.features.iter().zip(&layout.key_columns))
        .map(|((used, state, view), (features, columns))| {
            let keys = view.table.keys.iter().zip(columns);
            // Columns of views come first, in the order of the uses and of their features.
            let features = features.iter().zip(outputs.by_ref());
            ResolvedView {
                used: used.clone(),
                view: Arc::new(view.clone()),
                state,
                keys: keys
                    .map(|(key, column)| ResolvedKey { key: key.clone(), column: column.clone() })
                    .collect(),
                features: features
                    .map(|(feature, output)| ResolvedFeature {
                        feature: feature.clone(),
                        output: output.name.clone(),
                    })
                    .collect(),
            }
        })
        .collect();
    let schema = layout.schema();
    let Layout { keys, request, .. } = layout;
    let name = service.name.clone();
    Ok(Resolved { name, version, views, keys, request, schema })
}

fn find<'a>(registered: &'a Registered, service: &ServiceRef) -> Result<&'a ServiceVersion> {
    let record = registered.services.get(&service.name).ok_or_else(|| {
        Error::not_found(OPERATION, "there is no such service")
            .with("service", &service.name)
            .with_hint(hint(&service.name, registered.services.keys().map(FeatureName::as_str)))
    })?;
    let Some(number) = service.version else { return Ok(record.last()) };
    record.version(number).ok_or_else(|| {
        Error::not_found(OPERATION, "the service has no such version")
            .with("service", service)
            .with_hint(format!("its last version is {}", record.last().version))
    })
}
