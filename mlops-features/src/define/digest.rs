//! Digests of all that can change a value, and of nothing else.
//!
//! They are BLAKE3 of JSON that is written from the structs below, so that neither the order of a map's
//! fields nor a default that is left out changes them: a resolution that is said and the same one unsaid
//! are one digest.

use mlops_core::features::{
    AggregateFunction, Boundary, FeatureService, FeatureType, FeatureView, OnDemand, Registered,
    Source, Span, TableKey, ViewUse,
};
use mlops_core::tracking::Digest;
use mlops_expr::Expr;
use serde::Serialize;

use super::policy::Policy;
use super::table::column_of;

/// Of a view: keys, source, times, ttl, boundary, features and their types.
pub(super) fn view_digest(view: &FeatureView, keys: &[TableKey]) -> Digest {
    #[derive(Serialize)]
    struct View<'a> {
        keys: &'a [TableKey],
        source: &'a Source,
        event_time: &'a str,
        created: Option<&'a str>,
        ttl: Span,
        boundary: Boundary,
        ahead: Span,
        features: Vec<Feature<'a>>,
    }
    #[derive(Serialize)]
    struct Feature<'a> {
        name: &'a str,
        data_type: FeatureType,
        column: Option<&'a str>,
        aggregate: Option<(AggregateFunction, Span, Span, Option<FeatureType>)>,
    }
    let features = view.features.iter().map(|feature| Feature {
        name: &feature.name,
        data_type: feature.data_type,
        column: column_of(feature),
        aggregate: feature.aggregate.map(|a| (a.function, a.window, a.resolution(), a.input)),
    });
    digest(
        "feature view",
        &View {
            keys,
            source: &view.source,
            event_time: &view.event_time,
            created: view.created.as_deref(),
            ttl: view.ttl,
            boundary: view.boundary,
            ahead: view.ahead,
            features: features.collect(),
        },
    )
}

/// Of a service: which features of which views, under which names, and the transforms.
///
/// `views` are the digests of its views, in its order.
pub(super) fn service_digest(
    service: &FeatureService,
    views: &[Digest],
    on_demand: &[OnDemand],
) -> Digest {
    #[derive(Serialize)]
    struct Service<'a> {
        views: &'a [ViewUse],
        digests: Vec<String>,
        on_demand: Vec<String>,
        full_names: bool,
    }
    let digests = views.iter().map(Digest::to_string).collect();
    let on_demand = on_demand.iter().map(|t| on_demand_digest(t).to_string()).collect();
    digest(
        "feature service",
        &Service { views: &service.views, digests, on_demand, full_names: service.full_names },
    )
}

/// Of a transform: what it asks for and computes.
pub(super) fn on_demand_digest(transform: &OnDemand) -> Digest {
    #[derive(Serialize)]
    struct Transform<'a> {
        name: &'a str,
        request: Vec<(&'a str, FeatureType)>,
        features: Vec<Feature<'a>>,
    }
    #[derive(Serialize)]
    struct Feature<'a> {
        name: &'a str,
        data_type: FeatureType,
        expr: Option<String>,
        function: Option<&'a str>,
        inputs: &'a [String],
    }
    let request = transform.request.iter().map(|field| (field.name.as_str(), field.data_type));
    let features = transform.features.iter().map(|feature| Feature {
        name: &feature.name,
        data_type: feature.data_type,
        // Canonical, so that blanks and capitals of keywords make no version.
        expr: feature.expr.as_ref().map(|text| {
            text.parse::<Expr>().map_or_else(|_| text.clone(), |expr| expr.to_string())
        }),
        function: feature.function.as_deref(),
        inputs: &feature.inputs,
    });
    let request = request.collect();
    digest(
        "feature transform",
        &Transform { name: &transform.name, request, features: features.collect() },
    )
}

/// Of all that is defined, texts too.
pub(super) fn base_digest(registered: &Registered, policy: Option<&Policy>) -> Digest {
    digest("feature definitions", &(registered, policy))
}

fn digest(what: &str, value: &impl Serialize) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(what.as_bytes());
    hasher.update(b" 1\n");
    // What is written is plain data with text keys, for which this cannot fail.
    hasher.update(&serde_json::to_vec(value).unwrap_or_default());
    Digest(*hasher.finalize().as_bytes())
}
