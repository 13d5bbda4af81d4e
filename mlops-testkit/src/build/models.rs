//! Short ways to models, versions, policies, plans and edges.

use mlops_core::journal::{Actor, Event};
use mlops_core::lineage::{Edge, Relation};
use mlops_core::registry::{
    Approval, Attestation, CreateModel, DEFAULT_POLICY, Document, EvaluationSummary, Evidence,
    FairnessSummary, FileFormat, Manifest, ManifestFile, Model, ModelChanges, ModelPurge,
    ModelPurgePlan, ModelVersion, POLICY_KIND, PromotionPlan, PromotionRequest, PutDocument,
    RegisterVersion, Registered, Registry, Selector, SourceRun, Stage, ValidationSummary, Verdict,
    VersionChanges, VersionId,
};
use mlops_core::time::Clock;
use mlops_core::tracking::{Blob, RunStatus};
use mlops_core::{Alias, ModelName, Result, RunId};
use serde_json::{Value, json};

use super::{ACTOR, at, blob, digest, key, path};
use crate::Fixture;

/// The name of a model of this text.
#[track_caller]
pub fn model_name(text: &str) -> ModelName {
    ModelName::new(text).unwrap()
}

/// The alias of this text.
#[track_caller]
pub fn alias(text: &str) -> Alias {
    Alias::new(text).unwrap()
}

/// The actor of this text.
#[track_caller]
pub fn actor(text: &str) -> Actor {
    Actor::new(text).unwrap()
}

/// Version `number` of `churn`, the model that most cases have.
pub fn churn(number: u64) -> VersionId {
    VersionId::new(model_name("churn"), number)
}

/// The version of this text: `churn/3`.
#[track_caller]
pub fn version_id(text: &str) -> VersionId {
    text.parse().unwrap()
}

/// The object of this content, at the one place where equal contents lie.
pub fn object(content: &str) -> Blob {
    blob(content, &format!("v/{content}"))
}

/// A file of this content.
pub fn file(name: &str, content: &str) -> ManifestFile {
    ManifestFile {
        path: path(name),
        digest: digest(content),
        size: content.len() as u64,
        format: FileFormat::default(),
    }
}

/// A manifest of files of these paths and contents.
#[track_caller]
pub fn manifest(files: &[(&str, &str)]) -> Manifest {
    Manifest::new(files.iter().map(|(name, content)| file(name, content)).collect()).unwrap()
}

/// A version of one file, `model.bin`, of this content, uploaded to `v/<content>`.
pub fn version(content: &str) -> RegisterVersion {
    uploaded(manifest(&[("model.bin", content)]), &[content])
}

/// A version of this manifest, whose files have these contents.
pub fn uploaded(manifest: Manifest, contents: &[&str]) -> RegisterVersion {
    let options = RegisterVersion::new(manifest);
    contents.iter().fold(options, |options, content| options.with_uploaded(object(content)))
}

/// A version of this content that reached this `auc`.
pub fn scored(content: &str, auc: f64) -> RegisterVersion {
    let mut options = version(content);
    options.manifest.metrics.insert(key("auc"), auc);
    options
}

/// A version of this content, made by this run.
pub fn made_by(content: &str, run: RunId, status: RunStatus) -> RegisterVersion {
    let mut options = version(content);
    options.manifest.run = Some(SourceRun { id: run, status });
    options
}

/// An evaluation that measured one metric on the data of this digest.
pub fn evaluation(name: &str, data: &str, metric: &str, value: f64) -> Evidence {
    Evidence::Evaluation(EvaluationSummary {
        name: key(name),
        data: Some(key(data)),
        metrics: [(key(metric), value)].into(),
        at: at(0),
    })
}

/// A suite of ten checks, of which so many failed.
pub fn validation(suite: &str, failed: u64) -> Evidence {
    Evidence::Validation(ValidationSummary {
        suite: key(suite),
        passed: failed == 0,
        checks: 10,
        failed,
        at: at(0),
        data: None,
        suite_digest: None,
        report: None,
    })
}

/// A fairness metric of this value.
pub fn fairness(metric: &str, value: f64) -> Evidence {
    Evidence::Fairness(FairnessSummary {
        metric: key(metric),
        attribute: key("sex"),
        value,
        rows: 100,
        at: at(0),
    })
}

/// An attestation of right form by the `n`th key.
pub fn attestation(n: u8, signature: u8) -> Attestation {
    Attestation {
        key: format!("{n:02x}").repeat(32),
        signature: format!("{signature:02x}").repeat(64),
        at: at(0),
    }
}

/// The rules of one stage, for all models that have none of their own.
pub fn rules(stage: Stage, rules: &Value) -> PutDocument {
    policy(DEFAULT_POLICY, &json!({ "stages": { stage.as_str(): rules } }))
}

/// A policy of this name.
pub fn policy(name: &str, body: &Value) -> PutDocument {
    PutDocument::new(key(POLICY_KIND), key(name), body.clone())
}

/// Access rules: who has which role, for all models.
pub fn access(grants: &[(&str, &str)]) -> PutDocument {
    let grants: Vec<_> =
        grants.iter().map(|(actor, role)| json!({ "actor": actor, "role": role })).collect();
    PutDocument::new(key("access"), key("default"), json!({ "grants": grants }))
}

/// An edge between nodes of these texts: `run:1`.
#[track_caller]
pub fn edge(from: &str, relation: Relation, to: &str) -> Edge {
    Edge { from: from.parse().unwrap(), to: to.parse().unwrap(), relation }
}

/// The request to move version `number` of `churn` into this stage.
pub fn into_stage(number: u64, to: Stage) -> PromotionRequest {
    PromotionRequest::new(churn(number), to)
}

impl Fixture {
    /// Makes the model of this name.
    pub async fn make_model(&self, name: &str) -> Model {
        self.registry.create_model(&model_name(name), CreateModel::default()).await.unwrap()
    }

    /// Registers a version, which must succeed.
    pub async fn add(&self, model: &str, options: RegisterVersion) -> Registered {
        self.registry.register(&model_name(model), options).await.unwrap()
    }

    /// Makes `churn` with so many versions, of contents `1`, `2`, …; the author is [`ACTOR`].
    pub async fn versions(&self, count: u64) {
        self.make_model("churn").await;
        for n in 1..=count {
            self.add("churn", version(&n.to_string())).await;
        }
    }

    /// A version of `churn`.
    pub async fn read_version(&self, number: u64) -> ModelVersion {
        self.registry.version(&churn(number)).await.unwrap()
    }

    /// The model `churn`.
    pub async fn churn(&self) -> Model {
        self.registry.model(&model_name("churn")).await.unwrap()
    }

    /// The registry, for which the journal names this actor.
    pub fn by(&self, who: &str) -> std::sync::Arc<dyn Registry> {
        self.registry.registry_as(actor(who))
    }

    /// Changes `churn`, which must succeed.
    pub async fn change_model(&self, changes: ModelChanges) -> Model {
        self.registry.update_model(&model_name("churn"), changes).await.unwrap()
    }

    /// Changes a version of `churn`, which must succeed.
    pub async fn change_version(&self, number: u64, changes: VersionChanges) -> ModelVersion {
        self.registry.update_version(&churn(number), changes).await.unwrap()
    }

    /// Stores a document, which must succeed.
    pub async fn store_document(&self, change: PutDocument) -> Document {
        self.catalog.put_document(change).await.unwrap()
    }

    /// Judges a request as [`ACTOR`], as of now.
    ///
    /// # Errors
    /// As [`PromotionPlan::evaluate`] and the backend.
    pub async fn plan(&self, request: &PromotionRequest) -> Result<PromotionPlan> {
        self.plan_as(ACTOR, request).await
    }

    /// Judges a request as somebody else.
    ///
    /// # Errors
    /// As [`PromotionPlan::evaluate`] and the backend.
    pub async fn plan_as(&self, who: &str, request: &PromotionRequest) -> Result<PromotionPlan> {
        let state = self.registry.promotion_state(request).await?;
        PromotionPlan::evaluate(&state, request.clone(), &actor(who), self.clock.now())
    }

    /// Plans and carries out.
    ///
    /// # Errors
    /// As [`Fixture::plan`] and [`Registry::promote`].
    pub async fn apply(&self, request: &PromotionRequest) -> Result<PromotionPlan> {
        self.registry.promote(&self.plan(request).await?).await
    }

    /// Moves a version of `churn`, which must succeed.
    pub async fn promote(&self, number: u64, to: Stage) -> PromotionPlan {
        self.apply(&into_stage(number, to)).await.unwrap()
    }

    /// Says something about moving a version of `churn`, having looked at what is so now.
    ///
    /// # Errors
    /// As [`Fixture::plan`] and [`Registry::decide`].
    pub async fn say(
        &self,
        who: &str,
        verdict: Verdict,
        request: &PromotionRequest,
    ) -> Result<Approval> {
        let plan = self.plan_as(who, request).await?;
        self.by(who).decide(&plan, verdict, "").await
    }

    /// Which version of `churn` is meant.
    ///
    /// # Errors
    /// As [`Registry::resolve`].
    pub async fn resolve(&self, selector: Selector) -> Result<VersionId> {
        self.registry.resolve(&model_name("churn"), &selector).await
    }

    /// Who is in a stage of `churn`, by every way that there is to ask; they must agree.
    pub async fn holders(&self, stage: Stage) -> Vec<u64> {
        let model = self.churn().await;
        let held = model.stages.get(&stage).cloned().unwrap_or_default();
        for number in 1..=model.last_number {
            let Ok(version) = self.registry.version(&churn(number)).await else { continue };
            assert_eq!(held.contains(&number), version.stage == stage, "{number} in {stage}");
        }
        let resolved = self.resolve(Selector::Stage(stage)).await.ok().map(|id| id.number);
        assert_eq!(resolved, held.last().copied(), "the one that came last");
        held
    }

    /// Plans and carries out a purge, which must succeed; returns what it frees, by digest's content.
    pub async fn purge_models(&self, what: ModelPurge) -> (ModelPurgePlan, Vec<Blob>) {
        let plan = self.registry.plan_model_purge(&what).await.unwrap();
        let mut freed = self.registry.purge_models(&plan).await.unwrap().freed;
        freed.sort_by(|a, b| a.location.cmp(&b.location));
        (plan, freed)
    }

    /// The journal's rows after the first `rows`.
    pub async fn events_after(&self, rows: usize) -> Vec<Event> {
        self.journal.events(rows as u64, 1_000_000).await.unwrap()
    }
}
