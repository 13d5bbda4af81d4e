//! Who may do what, through [`Models::authorized`](crate::Models::authorized).

use mlops_core::lineage::{Edge, Node, NodeKind, Relation};
use mlops_core::registry::{
    ImportedVersion, ModelPurgePlan, PutDocument, RegisterVersion, Role, Stage, StagePolicy,
    VersionChanges, VersionId,
};
use mlops_core::tracking::{Digest, PurgePlan};
use mlops_core::{ErrorKind, Result};

use super::{Fixture, actor};
use crate::models::{Models, SigningKey, access_from_text};

const RULES: &str = "
grants:
  - {actor: ann@hq, role: admin}
  - {actor: vic@hq, role: viewer}
  - {actor: ci/*, role: contributor}
  - {actor: bea@hq, role: approver}
  - {actor: cat@hq, role: contributor, models: [churn]}
  - {actor: dan@hq, role: admin, models: [churn]}
";

async fn as_actor(f: &Fixture, name: &str) -> Models {
    f.models.authorized(actor(name)).await.unwrap()
}

async fn ruled() -> Fixture {
    let f = Fixture::new();
    f.version(b"1").await;
    let builder = f.models.register("other").unwrap().file("m", b"m".to_vec()).unwrap();
    builder.register().await.unwrap();
    f.models.set_access(&access_from_text(RULES).unwrap()).await.unwrap();
    f
}

async fn register(models: &Models, model: &str) -> Result<u64> {
    let builder = models.register(model)?.file("model.json", b"by role".to_vec())?;
    Ok(builder.register().await?.number)
}

fn denied<T: std::fmt::Debug>(result: Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn without_rules_everyone_may_do_everything() {
    let f = Fixture::new();
    let anyone = as_actor(&f, "anyone").await;
    register(&anyone, "churn").await.unwrap();
    anyone.set_policy(None, &StagePolicy::default()).await.unwrap();
    let version = anyone.version("churn/1").await.unwrap();
    assert_eq!(version.author.as_str(), "anyone", "and the journal names them");
}

#[tokio::test]
async fn who_is_not_named_may_not_even_read() {
    let f = ruled().await;
    denied(f.models.authorized(actor("eve@elsewhere")).await);
    let eve = as_actor(&f, "vic@hq").await.acting_as(actor("eve@elsewhere"));
    denied(eve.version("churn/1").await);
    denied(eve.search_models("", &[]).await);
    denied(eve.access().await);
    denied(eve.tracking().search("", &[]).await);
    denied(eve.load("churn/1").await);
}

#[tokio::test]
async fn a_viewer_reads_and_no_more() {
    let f = ruled().await;
    let vic = as_actor(&f, "vic@hq").await;
    vic.load("churn/1").await.unwrap();
    let plan = vic.promotion_plan("churn/1", Stage::Staging, "").await.unwrap();
    denied(register(&vic, "churn").await);
    assert_eq!(f.objects().await, 2, "nothing was left in the store");
    denied(vic.set_alias("churn/1", "champion").await);
    denied(vic.apply(&plan).await);
    denied(vic.approve(&plan, "").await);
    denied(vic.tracking().run("churn").unwrap().without_capture().start().await);
    let edge = Edge::new(
        Node::new(NodeKind::Alarm, "a"),
        Node::new(NodeKind::Alarm, "b"),
        Relation::About,
    );
    denied(vic.lineage().link(&[edge]).await);
}

#[tokio::test]
async fn a_contributor_registers_and_promotes_but_neither_approves_nor_imports() {
    let f = ruled().await;
    let ci = as_actor(&f, "ci/42").await;
    assert_eq!(register(&ci, "churn").await.unwrap(), 2);
    let run = ci.tracking().run("churn").unwrap().without_capture().start().await.unwrap();
    run.finish().await.unwrap();
    let plan = ci.promotion_plan("churn/2", Stage::Staging, "").await.unwrap();
    ci.apply(&plan).await.unwrap();
    let plan = ci.promotion_plan("churn/1", Stage::Staging, "").await.unwrap();
    denied(ci.approve(&plan, "").await);
    denied(ci.set_policy(Some("churn"), &StagePolicy::default()).await);
    denied(ci.tracking().tracker().purge(&PurgePlan::default()).await);
    let manifest = f.models.version("churn/1").await.unwrap().manifest;
    let import = RegisterVersion::new(manifest).with_imported(ImportedVersion::default());
    denied(ci.registry().register(&"churn".parse().unwrap(), import).await);
    let put = |kind: &str| {
        let kind = kind.parse().unwrap();
        ci.catalog().put_document(PutDocument::new(
            kind,
            "x".parse().unwrap(),
            serde_json::json!({}),
        ))
    };
    put("note").await.unwrap();
    denied(put("drill").await);
    denied(put("subscription").await);
}

#[tokio::test]
async fn an_approver_decides() {
    let f = ruled().await;
    let bea = as_actor(&f, "bea@hq").await;
    let plan = bea.promotion_plan("churn/1", Stage::Staging, "").await.unwrap();
    let approval = bea.approve(&plan, "fine").await.unwrap();
    assert_eq!(approval.actor.as_str(), "bea@hq");
    bea.withdraw(&plan, "not so fine").await.unwrap();
    denied(bea.set_access(&access_from_text(RULES).unwrap()).await);
}

#[tokio::test]
async fn a_grant_for_one_model_is_one_for_that_model() {
    let f = ruled().await;
    let cat = as_actor(&f, "cat@hq").await;
    register(&cat, "churn").await.unwrap();
    cat.load("churn/1").await.unwrap();
    denied(register(&cat, "other").await);
    denied(cat.version("other/1").await);
    denied(cat.search_versions("", &[]).await);
    denied(cat.tracking().search("", &[]).await);

    let dan = as_actor(&f, "dan@hq").await;
    dan.set_policy(Some("churn"), &StagePolicy::default()).await.unwrap();
    denied(dan.set_policy(Some("other"), &StagePolicy::default()).await);
    denied(dan.set_policy(None, &StagePolicy::default()).await);
    let plan = ModelPurgePlan { models: vec!["other".parse().unwrap()], ..Default::default() };
    denied(dan.purge(&plan).await);
}

#[tokio::test]
async fn a_role_is_lost_at_the_next_call() {
    let f = ruled().await;
    let bea = as_actor(&f, "bea@hq").await;
    register(&bea, "churn").await.unwrap();
    let mut rules = f.models.access().await.unwrap().unwrap();
    for grant in &mut rules.grants {
        if grant.actor == "bea@hq" {
            grant.role = Role::Viewer;
        }
    }
    f.models.set_access(&rules).await.unwrap();
    denied(register(&bea, "churn").await);
    bea.version("churn/1").await.unwrap();
}

#[tokio::test]
async fn a_signature_that_is_none_is_not_taken() {
    let f = ruled().await;
    let ci = as_actor(&f, "ci/42").await;
    let key = SigningKey::generate().unwrap();
    let right = ci.sign("churn/1", &key).await.unwrap().attestations.remove(0);
    let mut wrong = key.sign(Digest([7; 32]), right.at);
    wrong.at = right.at;
    let changes = VersionChanges::default().with_attestation(wrong.clone());
    let id: VersionId = "churn/1".parse().unwrap();
    let refused = ci.registry().update_version(&id, changes).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    let version = ci.version("churn/1").await.unwrap();
    assert_eq!(version.attestations, [right]);
    let options = RegisterVersion::new(version.manifest).with_attestation(wrong);
    let refused = ci.registry().register(&id.model, options).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
}
