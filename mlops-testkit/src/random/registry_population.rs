//! Random models and versions, with anything in every field that a filter can ask about.

use std::collections::{BTreeMap, BTreeSet};

use mlops_core::registry::{
    CreateModel, ImportedVersion, Manifest, Model, ModelChanges, ModelVersion, RegisterVersion,
    SourceRun, Stage, VersionChanges, VersionId,
};
use mlops_core::tracking::{DatasetContext, RunStatus};
use mlops_core::{ModelName, Result};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::filters::{NUMBERS, TEXTS};
use crate::Fixture;
use crate::build::{actor, alias, at, dataset, key, manifest, model_name, object, run_id};

/// Names, some of which differ by case only or are the beginning of another, so that their order and
/// what is like them is worth a question.
pub(super) const NAMES: [&str; 9] =
    ["a_b", "abc", "abcd", "GRID-3", "grid-3", "it's", "x", "ÄÖÜ", "äöü"];
pub(super) const METRICS: [&str; 4] = ["x", "auc", "val/top-1", "absent"];
pub(super) const PARAMS: [&str; 4] = ["lr", "a key with spaces", "q\"`'", "absent"];
pub(super) const TAGS: [&str; 4] = ["team", "Team", "label", "absent"];
pub(super) const ALIASES: [&str; 5] = ["ann", "Ann", "it's", "a_b", "x"];
const AUTHORS: [&str; 5] = ["ann", "Ann", "bob", "çelik", "it's"];
const DATASETS: [&str; 3] = ["iris", "it's", "äöü"];
const DIGESTS: [&str; 4] = ["sha256:1", "100%", "a_b", "abc"];
const CONTEXTS: [&str; 3] = ["train", "test", "it's"];

type Texts = BTreeMap<&'static str, &'static str>;

#[derive(Debug, Clone)]
pub(super) struct RandomModel {
    name: &'static str,
    created: i64,
    note: &'static str,
    tags: Texts,
    /// Whether it is in the trash; then no version of it is in an active stage or has an alias.
    deleted: bool,
    versions: Vec<RandomVersion>,
}

#[derive(Debug, Clone)]
struct RandomVersion {
    /// How many numbers are left out before it.
    gap: u64,
    created: i64,
    author: &'static str,
    note: &'static str,
    metrics: BTreeMap<&'static str, f64>,
    params: Texts,
    tags: Texts,
    inputs: BTreeSet<(&'static str, &'static str, &'static str)>,
    run: Option<u8>,
    stage: Stage,
    aliases: BTreeSet<&'static str>,
    deleted: bool,
    /// How long after the change before it this one comes, in seconds.
    wait: i64,
}

/// All that is in a store: what a search is compared with.
pub(super) struct Records {
    pub(super) models: Vec<Model>,
    pub(super) versions: Vec<ModelVersion>,
}

/// One to six models of up to six versions each.
pub(super) fn population() -> impl Strategy<Value = Vec<RandomModel>> {
    subsequence(NAMES.to_vec(), 1..=6)
        .prop_flat_map(|names| names.into_iter().map(random_model).collect::<Vec<_>>())
}

fn random_model(name: &'static str) -> impl Strategy<Value = RandomModel> {
    let versions = prop::collection::vec(random_version(), 0..7);
    let deleted = prop::bool::weighted(0.2);
    (seconds(), select(TEXTS.to_vec()), texts(&TAGS), deleted, versions).prop_map(
        move |(created, note, tags, deleted, versions)| RandomModel {
            name,
            created,
            note,
            tags,
            deleted,
            versions,
        },
    )
}

fn random_version() -> impl Strategy<Value = RandomVersion> {
    let known = (0_u64..3, seconds(), select(AUTHORS.to_vec()), select(TEXTS.to_vec()));
    let number = prop_oneof![
        4 => select(NUMBERS.to_vec()),
        1 => select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
    ];
    let metrics = prop::collection::btree_map(select(METRICS[..3].to_vec()), number, 0..4);
    let input = (select(DATASETS.to_vec()), select(DIGESTS.to_vec()), select(CONTEXTS.to_vec()));
    let inputs = prop::collection::btree_set(input, 0..3);
    let made = (metrics, texts(&PARAMS), texts(&TAGS), inputs, prop::option::of(0_u8..4));
    let stage = prop_oneof![1 => Just(Stage::None), 2 => select(Stage::ALL.to_vec())];
    let aliases = prop::collection::btree_set(select(ALIASES.to_vec()), 0..3);
    let placed = (stage, aliases, prop::bool::weighted(0.2), 0_i64..4);
    (known, made, placed).prop_map(|(known, made, placed)| {
        let (gap, created, author, note) = known;
        let (metrics, params, tags, inputs, run) = made;
        let (stage, aliases, deleted, wait) = placed;
        RandomVersion {
            gap,
            created,
            author,
            note,
            metrics,
            params,
            tags,
            inputs,
            run,
            stage,
            aliases,
            deleted,
            wait,
        }
    })
}

/// Few seconds, so that instants are equal now and then.
fn seconds() -> impl Strategy<Value = i64> {
    0_i64..12
}

/// The last key is the one that nobody has.
fn texts(keys: &[&'static str]) -> impl Strategy<Value = Texts> + use<> {
    let keys = keys[..keys.len() - 1].to_vec();
    prop::collection::btree_map(select(keys), select(TEXTS.to_vec()), 0..4)
}

/// Makes the population in a store, and reads everything in it one by one.
///
/// # Errors
/// What the store refused.
pub(super) async fn make(store: &Fixture, models: &[RandomModel]) -> Result<Records> {
    let mut made = Vec::new();
    for model in models {
        made.push(make_model(store, model).await?);
    }
    let mut records = Records { models: Vec::new(), versions: Vec::new() };
    for (name, numbers) in made {
        for number in numbers {
            let id = VersionId::new(name.clone(), number);
            records.versions.push(store.registry.version(&id).await?);
        }
        records.models.push(store.registry.model(&name).await?);
    }
    Ok(records)
}

async fn make_model(store: &Fixture, model: &RandomModel) -> Result<(ModelName, Vec<u64>)> {
    let (registry, name) = (&store.registry, model_name(model.name));
    let mut options =
        CreateModel::default().with_created(at(model.created * 1_000_000)).with_note(model.note);
    options.tags = model.tags.iter().map(|(k, v)| (key(k), (*v).to_owned())).collect();
    registry.create_model(&name, options).await?;
    let (mut number, mut numbers) = (0, Vec::new());
    for version in &model.versions {
        store.clock.advance_micros(version.wait * 1_000_000);
        number += 1 + version.gap;
        let registered = registry.register(&name, version.registration(model, number)).await?;
        numbers.push(registered.version.number);
        for text in version.aliases.iter().filter(|_| !model.deleted) {
            let moved = ModelChanges::default().with_alias(alias(text), number);
            registry.update_model(&name, moved).await?;
        }
    }
    for id in model.versions_in_trash(&registry.model(&name).await?, &numbers) {
        registry.update_version(&id, VersionChanges::delete()).await?;
    }
    if model.deleted {
        registry.update_model(&name, ModelChanges::delete()).await?;
    }
    Ok((name, numbers))
}

impl RandomModel {
    /// What may go to the trash: what no alias names and is in no active stage.
    fn versions_in_trash(&self, model: &Model, numbers: &[u64]) -> Vec<VersionId> {
        let held = model.stages.iter().filter(|(stage, _)| stage.is_active());
        let mut kept: BTreeSet<u64> = held.flat_map(|(_, held)| held.iter().copied()).collect();
        kept.extend(model.aliases.values());
        let all = self.versions.iter().zip(numbers);
        let gone = all.filter(|(version, number)| version.deleted && !kept.contains(number));
        let id = |number: &u64| VersionId::new(model.name.clone(), *number);
        gone.map(|(_, number)| id(number)).collect()
    }
}

impl RandomVersion {
    fn registration(&self, model: &RandomModel, number: u64) -> RegisterVersion {
        let content = format!("{} {number}", model.name);
        let active = model.deleted && self.stage.is_active();
        let facts = ImportedVersion::default()
            .with_number(number)
            .with_author(actor(self.author))
            .with_created(at(self.created * 1_000_000))
            .with_stage(if active { Stage::Archived } else { self.stage });
        let mut options = RegisterVersion::new(self.manifest(&content))
            .with_uploaded(object(&content))
            .with_note(self.note)
            .with_imported(facts);
        options.tags = self.tags.iter().map(|(k, v)| (key(k), (*v).to_owned())).collect();
        options
    }

    fn manifest(&self, content: &str) -> Manifest {
        let mut manifest = manifest(&[("model.bin", content)]);
        manifest.metrics = self.metrics.iter().map(|(k, v)| (key(k), *v)).collect();
        manifest.params = self.params.iter().map(|(k, v)| (key(k), (*v).to_owned())).collect();
        let input = |(name, digest, context): &(&str, &str, &str)| {
            dataset(name, digest, DatasetContext::from((*context).to_owned()))
        };
        manifest.inputs = self.inputs.iter().map(input).collect();
        let status = RunStatus::Finished;
        manifest.run = self.run.map(|n| SourceRun { id: run_id(n), status });
        manifest
    }
}
