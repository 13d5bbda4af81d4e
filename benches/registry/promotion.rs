//! Promotion under a policy of five gates and an approval, and the way back.

use futures::executor::block_on;
use mlops::journal::Actor;
use mlops::models::Models;
use mlops::registry::{Evidence, Stage, StagePolicy, ValidationSummary};
use mlops::time::{Clock, SystemClock};
use serde_json::json;

use crate::Sizes;
use crate::harness::{Laps, fresh};
use crate::shape::{self, auc};

/// Versions of a model, and rollbacks of it.
const VERSIONS: usize = 20;
const BACK: usize = 10;

/// Promotions of the model with a long history.
const LONG: usize = 200;

pub(crate) fn promotion(sizes: Sizes) {
    let (_dir, ws) = fresh();
    let run = shape::source_run(&ws);
    let models = ws.models();
    block_on(models.set_policy(None, &policy())).unwrap();
    let approver = models.acting_as(Actor::new("approver@bench").unwrap());
    let register = |name: &str, quality: f64| {
        let suite = Evidence::Validation(ValidationSummary {
            suite: shape::key("customers"),
            passed: true,
            checks: 12,
            failed: 0,
            at: SystemClock.now(),
            data: None,
            suite_digest: None,
            report: None,
        });
        let builder = models.register(name).unwrap().from_run(run).artifacts("model");
        let builder = builder.signature(shape::signature()).metric("auc", quality).unwrap();
        block_on(builder.evidence(suite).register()).unwrap().id().to_string()
    };
    let promote = |laps: &mut Promotions, uri: &str| {
        let to = Stage::Production;
        let plan = laps.plan.lap(|| block_on(models.promotion_plan(uri, to, "better")).unwrap());
        laps.approve.lap(|| block_on(approver.approve(&plan, "looks right")).unwrap());
        let applied = laps.promote.lap(|| {
            block_on(async {
                let plan = models.promotion_plan(uri, to, "better").await.unwrap();
                models.apply(&plan).await.unwrap()
            })
        });
        assert!(applied.is_allowed() && applied.approvals.len() == 1, "{applied}");
    };

    let mut laps = Promotions::default();
    let mut back = Laps::of(1);
    for n in 0..sizes.ops.div_ceil(VERSIONS) {
        let name = format!("model-{n}");
        for i in 0..VERSIONS {
            let uri = register(&name, auc(i + 1, VERSIONS + 1));
            promote(&mut laps, &uri);
        }
        for _ in 0..BACK {
            back.lap(|| roll_back(models, &name));
        }
    }
    let facts = json!({ "aim_us": 2_000, "gates": 5, "approvals": 1, "moves": 2 });
    laps.promote.figure("promote", facts);
    laps.plan.figure("promote:plan", json!({}));
    laps.approve.figure("promote:approve", json!({}));
    back.figure("rollback", json!({ "moves_at_first": 2 * VERSIONS - 1 }));

    let long = LONG.min(sizes.ops);
    for i in 0..long {
        let uri = register("long", auc(i + 1, long + 1));
        promote(&mut Promotions::default(), &uri);
    }
    let mut laps = Laps::of(1);
    for _ in 0..BACK.min(long - 1) {
        laps.lap(|| roll_back(models, "long"));
    }
    laps.figure("rollback:long_history", json!({ "moves_at_first": 2 * long - 1 }));
    let mut laps = Laps::of(1);
    for _ in 0..BACK {
        let moves = laps.lap(|| block_on(models.stage_history("long")).unwrap().len());
        assert!(moves >= 2 * long - 1, "each promotion but the first displaces one: {moves}");
    }
    laps.figure("stage_history", json!({ "moves_at_least": 2 * long - 1 }));
}

fn roll_back(models: &Models, name: &str) {
    let plan = block_on(models.rollback(name, Stage::Production, "it was a mistake")).unwrap();
    assert!(plan.request.rollback);
}

struct Promotions {
    plan: Laps,
    approve: Laps,
    promote: Laps,
}

impl Default for Promotions {
    fn default() -> Self {
        Self { plan: Laps::of(1), approve: Laps::of(1), promote: Laps::of(1) }
    }
}

fn policy() -> StagePolicy {
    serde_json::from_value(json!({ "stages": { "Production": {
        "gates": [
            { "metric": { "name": "auc", "at_least": 0.5 } },
            { "better_than_current": { "name": "auc", "direction": "higher" } },
            { "suite": { "name": "customers", "within_hours": 24.0 } },
            "signature_compatible",
            { "files": { "permit": [] } },
        ],
        "approvals": { "count": 1 },
    } } }))
    .unwrap()
}
