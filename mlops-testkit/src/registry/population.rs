//! Models and versions with something in every field that a filter can ask about.

use mlops_core::registry::{
    CreateModel, ImportedVersion, ModelChanges, RegisterVersion, Registry, SourceRun, Stage,
    VersionChanges, VersionId,
};
use mlops_core::tracking::{DatasetContext, RunStatus};

use crate::build::{actor, alias, at, dataset, key, model_name, run_id, version};

/// The models, in order. `fraud` has no version, `old` is in the trash.
pub const MODELS: [&str; 6] = ["Flights", "churn", "fraud", "grid 100", "old", "ärger"];

/// Makes the population: six models and eleven versions.
///
/// | version | created | author | metrics | params | tags | stage, aliases |
/// |---|---|---|---|---|---|---|
/// | `Flights/1` | 10 | ann | auc 0.5 | lr 0.1 | | Archived |
/// | `Flights/2` | 20 | bob | auc 0.7 | lr 0.01 | team x | Production, champion |
/// | `churn/1` | 30 | ann | auc 0.6 | lr 1e-2, model gbdt | team x | None |
/// | `churn/2` | 40 | ann | auc NaN | lr abc, model mlp | team y | Staging, champion, shadow |
/// | `churn/3` | 50 | bob | auc ∞ | lr 0.5 | Team x | Production |
/// | `churn/5` | 60 | eve | loss −1 | | | in the trash |
/// | `churn/9` | 70 | ann | | | team it's | None |
/// | `grid 100/1` | 80 | ann | auc 0.9 | model gbdt | | Development |
/// | `grid 100/2` | 90 | ann | auc 0.9 | model 100%_ | | Development |
/// | `old/1` | 100 | ann | auc 0.1 | | team x | None, its model is in the trash |
/// | `ärger/1` | 110 | Ann | auc 0.2 | | | None |
///
/// `created` is microseconds after [`NOW`](crate::build::NOW). `churn/1` and `churn/2` come from run 1, `churn/3` from run 2;
/// `churn/1` read `iris` for training, `churn/2` also `wine` for testing.
pub async fn populate(registry: &dyn Registry) {
    for (n, name) in (1..).zip(MODELS) {
        let mut options = CreateModel::default().with_created(at(n));
        options = match name {
            "Flights" => options.with_note("delays").with_tag(key("team"), "x"),
            "churn" => options.with_tag(key("team"), "y").with_tag(key("a key"), "1"),
            "grid 100" => options.with_note("100% of it's grid").with_tag(key("team"), "x"),
            _ => options,
        };
        registry.create_model(&model_name(name), options).await.unwrap();
    }
    for (id, options) in versions() {
        registry.register(&model_name(id), options).await.unwrap();
    }
    for (model, name, number) in
        [("Flights", "champion", 2), ("churn", "champion", 2), ("churn", "shadow", 2)]
    {
        let moved = ModelChanges::default().with_alias(alias(name), number);
        registry.update_model(&model_name(model), moved).await.unwrap();
    }
    let gone = VersionId::new(model_name("churn"), 5);
    registry.update_version(&gone, VersionChanges::delete()).await.unwrap();
    registry.update_model(&model_name("old"), ModelChanges::delete()).await.unwrap();
}

struct Row(&'static str, u64, &'static str, &'static [(&'static str, f64)], Stage);

/// The table above, as what is registered.
fn versions() -> Vec<(&'static str, RegisterVersion)> {
    let rows = [
        Row("Flights", 1, "ann", &[("auc", 0.5)], Stage::Archived),
        Row("Flights", 2, "bob", &[("auc", 0.7)], Stage::Production),
        Row("churn", 1, "ann", &[("auc", 0.6)], Stage::None),
        Row("churn", 2, "ann", &[("auc", f64::NAN)], Stage::Staging),
        Row("churn", 3, "bob", &[("auc", f64::INFINITY)], Stage::Production),
        Row("churn", 5, "eve", &[("loss", -1.0)], Stage::None),
        Row("churn", 9, "ann", &[], Stage::None),
        Row("grid 100", 1, "ann", &[("auc", 0.9)], Stage::Development),
        Row("grid 100", 2, "ann", &[("auc", 0.9)], Stage::Development),
        Row("old", 1, "ann", &[("auc", 0.1)], Stage::None),
        Row("ärger", 1, "Ann", &[("auc", 0.2)], Stage::None),
    ];
    (1..).zip(rows).map(|(n, row)| (row.0, options(n, &row))).collect()
}

fn options(n: i64, row: &Row) -> RegisterVersion {
    let Row(model, number, author, metrics, stage) = *row;
    let facts = ImportedVersion::default()
        .with_number(number)
        .with_author(actor(author))
        .with_created(at(n * 10))
        .with_stage(stage);
    let mut options = version(&format!("{model}/{number}")).with_imported(facts);
    let manifest = &mut options.manifest;
    manifest.metrics = metrics.iter().map(|(name, value)| (key(name), *value)).collect();
    let iris = dataset("iris", "sha256:1", DatasetContext::Train);
    let wine = dataset("wine", "sha256:2", DatasetContext::Test);
    let params: &[(&str, &str)] = match (model, number) {
        ("Flights", 1) => &[("lr", "0.1")],
        ("Flights", 2) => &[("lr", "0.01")],
        ("churn", 1) => &[("lr", "1e-2"), ("model", "gbdt")],
        ("churn", 2) => &[("lr", "abc"), ("model", "mlp")],
        ("churn", 3) => &[("lr", "0.5")],
        ("grid 100", 1) => &[("model", "gbdt")],
        ("grid 100", 2) => &[("model", "100%_")],
        _ => &[],
    };
    manifest.params = params.iter().map(|(name, value)| (key(name), (*value).to_owned())).collect();
    let made_by = |n| Some(SourceRun { id: run_id(n), status: RunStatus::Finished });
    match (model, number) {
        ("churn", 1) => (manifest.run, manifest.inputs) = (made_by(1), vec![iris]),
        ("churn", 2) => (manifest.run, manifest.inputs) = (made_by(1), vec![iris, wine]),
        ("churn", 3) => manifest.run = made_by(2),
        _ => {}
    }
    match (model, number) {
        ("Flights", 2) | ("churn" | "old", 1) => options.with_tag(key("team"), "x"),
        ("churn", 2) => options.with_tag(key("team"), "y").with_note("the note"),
        ("churn", 3) => options.with_tag(key("Team"), "x"),
        ("churn", 9) => options.with_tag(key("team"), "it's"),
        _ => options,
    }
}
