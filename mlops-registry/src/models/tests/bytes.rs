//! Files on their way in, out, and to another store.

use std::io;
use std::sync::{Arc, Mutex};

use futures::TryStreamExt;
use mlops_core::ErrorKind;
use mlops_core::lineage::{Direction, Node, NodeKind};
use mlops_core::registry::{
    Evidence, FileFormat, ModelChanges, ModelPurge, Stage, ValidationSummary, VersionChanges,
};
use mlops_core::time::Clock;
use mlops_core::tracking::{BlobLocation, RunStatus};
use object_store::{ObjectStoreExt, PutPayload};

use super::Fixture;
use crate::blobs::BlobSource;
use crate::models::{DownloadModel, ModelCache, SigningKey, VerifyModels};

#[tokio::test]
async fn a_version_takes_over_what_its_run_knows_and_moves_no_bytes() {
    let f = Fixture::new();
    let run = f.run().await;
    let before = f.objects().await;
    let builder = f.models.register("churn").unwrap().from_run(run).artifacts("model");
    let version =
        builder.metric("auc", 0.92).unwrap().seed("split", 7).unwrap().register().await.unwrap();

    assert_eq!(f.objects().await, before, "nothing was stored again");
    let manifest = &version.manifest;
    let paths: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["deep/labels.txt", "weights.json"]);
    assert_eq!(manifest.metrics["auc"], 0.92, "what the caller says wins");
    assert!(manifest.metrics["loss"].is_nan());
    assert_eq!(manifest.params["lr"], "0.1");
    assert_eq!(manifest.inputs[0].name.as_str(), "flights");
    assert_eq!(manifest.run.as_ref().unwrap().status, RunStatus::Finished);
    assert_eq!(manifest.environment.as_ref().unwrap()["arch"], "x86_64");
    assert_eq!(manifest.replay.command.as_deref(), Some("train --deep"));
    let code = manifest.replay.code.as_ref().unwrap();
    assert_eq!((code.commit.as_deref(), code.dirty), (Some("4f1a"), Some(true)));
    assert!(code.diff.is_some());

    let node = Node::from(&version.id());
    let edges = f.models.lineage().edges(&[node], Direction::Upstream).await.unwrap();
    let kinds: Vec<NodeKind> = edges.iter().map(|edge| edge.from.kind).collect();
    assert!(kinds.contains(&NodeKind::Run) && kinds.contains(&NodeKind::Dataset));
}

#[tokio::test]
async fn without_run_facts_only_the_run_itself_is_named() {
    let f = Fixture::new();
    let run = f.run().await;
    let builder = f.models.register("churn").unwrap().from_run(run).without_run_facts();
    let version = builder.artifacts("model/weights.json").register().await.unwrap();
    assert_eq!(version.manifest.files[0].path.as_str(), "weights.json");
    assert_eq!(version.manifest.run.as_ref().unwrap().id, run);
    assert!(version.manifest.metrics.is_empty() && version.manifest.replay.is_empty());
}

#[tokio::test]
async fn equal_bytes_are_stored_once() {
    let f = Fixture::new();
    let first = f.version(b"same").await;
    assert_eq!(f.objects().await, 1);
    let builder = f.models.register("other").unwrap();
    let builder = builder.file("a", b"same".to_vec()).unwrap();
    let reader = BlobSource::reader(io::Cursor::new(b"same".to_vec()));
    let second = builder.file("b", reader).unwrap().register().await.unwrap();
    assert_eq!(f.objects().await, 1);
    assert_eq!(second.manifest.files[1].digest, first.manifest.files[0].digest);
}

#[tokio::test]
async fn what_is_refused_leaves_no_bytes_behind() {
    let f = Fixture::new();
    f.version(b"first").await;
    f.models
        .registry()
        .update_model(&"churn".parse().unwrap(), ModelChanges::delete())
        .await
        .unwrap();
    let builder = f.models.register("churn").unwrap();
    let refused = builder.file("model.json", b"second".to_vec()).unwrap().register().await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid, "the model is in the trash");
    assert_eq!(f.objects().await, 1);

    let none = f.models.register("empty").unwrap().register().await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::Invalid);
    let builder = f.models.register("twice").unwrap().file("a", b"1".to_vec()).unwrap();
    let twice = builder.file("a", b"2".to_vec()).unwrap().register().await.unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::Invalid);
    assert_eq!(f.models.model("twice").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(f.objects().await, 1);
}

#[tokio::test]
async fn reuse_returns_the_version_of_the_same_manifest() {
    let f = Fixture::new();
    let first = f.version(b"same").await;
    let builder = f.models.register("churn").unwrap().file("model.json", b"same".to_vec()).unwrap();
    let again = builder.reuse().register_or_reuse().await.unwrap();
    assert_eq!((again.created, again.version.number), (false, first.number));
    assert_eq!(f.version(b"same").await.number, 2, "without it, a new one is made");
}

#[tokio::test]
async fn a_download_is_whole_and_never_mixed_with_what_is_there() {
    let f = Fixture::new();
    let run = f.run().await;
    f.models.register("churn").unwrap().from_run(run).artifacts("model").register().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("deep/er/model");
    let paths = f.models.download("churn/1", &target, &DownloadModel::default()).await.unwrap();
    assert_eq!(std::fs::read(&paths[1]).unwrap(), b"[0.5, 2.0]");
    assert_eq!(std::fs::read(target.join("deep/labels.txt")).unwrap(), b"yes\nno\n");

    let again = f.models.download("churn/1", &target, &DownloadModel::default()).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    f.models.download("churn/1", &empty, &DownloadModel::default()).await.unwrap();

    let loaded = f.models.load("churn@nobody").await.unwrap_err();
    assert_eq!(loaded.kind(), ErrorKind::NotFound);
    let loaded = f.models.load("churn/latest").await.unwrap();
    assert!(loaded.file("weights.json").unwrap().is_file());
    let missing = loaded.file("weights.bin").unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let path = loaded.path().to_owned();
    drop(loaded);
    assert!(!path.exists(), "without a cache, nothing stays behind");
}

#[tokio::test]
async fn a_changed_byte_is_corrupt_and_never_a_model() {
    let f = Fixture::new();
    let version = f.version(b"true bytes").await;
    let blob = f.models.tracking().tracker().find_blob(version.manifest.files[0].digest).await;
    let BlobLocation(location) = blob.unwrap().unwrap().location;
    f.objects.put(&location.into(), PutPayload::from_static(b"evil bytes")).await.unwrap();

    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("model");
    let error = f.models.download("churn/1", &target, &DownloadModel::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let text = error.to_string();
    for part in ["version: churn/1", "file: model.json", "expected_digest", "found_digest"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
    assert_eq!(f.models.load("churn/1").await.unwrap_err().kind(), ErrorKind::Corrupt);
    let stream = f.models.open_file("churn/1", "model.json").await.unwrap();
    let read: Result<Vec<_>, _> = stream.try_collect().await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt);

    let proof = f.models.verify(&VerifyModels::default()).await.unwrap();
    assert_eq!((proof.versions, proof.files, proof.problems.len()), (1, 0, 1));
    assert!(proof.to_string().ends_with("NOT what was registered"), "{proof}");
    assert!(f.models.verify(&VerifyModels::default().without_files()).await.unwrap().is_ok());
    let other = Fixture::new();
    let copied = f.models.copy_to("churn/1", &other.models, None).await.unwrap_err();
    assert_eq!(copied.kind(), ErrorKind::Corrupt, "a damaged version spreads no further");
    assert_eq!(other.objects().await, 0);
}

#[tokio::test]
async fn a_sound_store_is_proved() {
    let f = Fixture::new();
    for _ in 0..2 {
        f.version(b"same").await;
    }
    f.models.sign("churn/1", &SigningKey::generate().unwrap()).await.unwrap();
    f.models
        .registry()
        .update_version(&"churn/2".parse().unwrap(), VersionChanges::delete())
        .await
        .unwrap();
    let proof = f.models.verify(&VerifyModels::default()).await.unwrap().into_result().unwrap();
    assert_eq!((proof.models, proof.versions, proof.files), (1, 2, 1));
    assert_eq!((proof.bytes, proof.signatures), (4, 1));
    let of_one = VerifyModels::default().with_model("none".parse().unwrap());
    assert_eq!(f.models.verify(&of_one).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn only_what_a_trusted_key_vouches_for_is_handed_out() {
    let f = Fixture::new();
    f.version(b"bytes").await;
    let (ours, theirs) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let careful = f.models.clone().with_trusted_keys([ours.public_hex()]);
    f.models.sign("churn/1", &theirs).await.unwrap();
    assert_eq!(careful.load("churn/1").await.unwrap_err().kind(), ErrorKind::Denied);
    f.models.sign("churn/1", &ours).await.unwrap();
    careful.load("churn/1").await.unwrap();

    // A signature of another version under our name.
    let other = f.version(b"other").await;
    let mut forged = f.models.version("churn/1").await.unwrap().attestations;
    forged.retain(|attestation| attestation.key == ours.public_hex());
    let changes = VersionChanges::default().with_attestation(forged.remove(0));
    f.models.registry().update_version(&other.id(), changes).await.unwrap();
    assert_eq!(careful.load("churn/2").await.unwrap_err().kind(), ErrorKind::Corrupt);
    let plan = f.models.promotion_plan("churn/2", Stage::Staging, "").await.unwrap_err();
    assert_eq!(plan.kind(), ErrorKind::Corrupt);
    assert!(!f.models.verify(&VerifyModels::default()).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_copy_is_the_same_version_and_made_once() {
    let (dev, prod) = (Fixture::new(), Fixture::new());
    let run = dev.run().await;
    let builder = dev.models.register("churn").unwrap().from_run(run).artifacts("model");
    let evidence = Evidence::Validation(ValidationSummary {
        suite: "flights".parse().unwrap(),
        passed: true,
        checks: 3,
        failed: 0,
        at: dev.clock.now(),
        data: None,
        suite_digest: None,
        report: None,
    });
    builder.evidence(evidence).note("the first").register().await.unwrap();
    dev.models.sign("churn/1", &SigningKey::generate().unwrap()).await.unwrap();
    let from = dev.models.clone().with_label("sqlite:///srv/dev");

    let copied = from.copy_to("churn/1", &prod.models, Some("churn-eu")).await.unwrap();
    let original = dev.models.version("churn/1").await.unwrap();
    assert!(copied.created);
    assert_eq!(copied.version.id().to_string(), "churn-eu/1");
    assert_eq!(copied.version.digest, original.digest);
    assert_eq!(copied.version.evidence, original.evidence);
    assert_eq!(copied.version.attestations, original.attestations);
    assert_eq!(copied.version.note, "the first");
    assert_eq!(copied.version.origin.as_deref(), Some("sqlite:///srv/dev#churn/1"));
    assert_eq!(prod.objects().await, 2);
    assert!(prod.models.verify(&VerifyModels::default()).await.unwrap().is_ok());

    let again = from.copy_to("churn/1", &prod.models, Some("churn-eu")).await.unwrap();
    assert_eq!((again.created, again.version.number), (false, 1));
    assert_eq!(prod.objects().await, 2);
}

#[tokio::test]
async fn a_replay_plan_says_what_is_there_and_what_is_missing() {
    let f = Fixture::new();
    let run = f.run().await;
    let builder = f.models.register("churn").unwrap().from_run(run).artifacts("model");
    builder.seed("split", 7).unwrap().register().await.unwrap();
    let plan = f.models.replay_plan("churn/1").await.unwrap();
    let missing: Vec<&str> = plan.missing.iter().map(|item| item.what.as_str()).collect();
    assert_eq!(missing, ["lock file"]);
    assert_eq!(plan.steps.last().unwrap(), "train --deep");
    assert!(plan.steps.iter().any(|step| step == "git checkout 4f1a"));
    assert!(plan.to_string().ends_with("1 thing is missing"), "{plan}");

    f.version(b"from nowhere").await;
    let plan = f.models.replay_plan("churn/2").await.unwrap();
    assert!(!plan.is_complete() && plan.have.is_empty() && plan.steps.is_empty());
}

#[tokio::test]
async fn a_large_reader_is_registered_loaded_through_a_cache_and_copied() {
    let (f, prod) = (Fixture::new(), Fixture::new());
    let bytes = vec![7_u8; 9 << 20];
    let reader = BlobSource::reader(io::Cursor::new(bytes.clone()));
    let builder = f.models.register("big").unwrap().file("weights.bin", reader).unwrap();
    builder.register().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let cache = ModelCache::open(dir.path(), 1 << 30).unwrap();
    let cached = f.models.clone().with_cache(cache);
    for _ in 0..2 {
        let loaded = cached.load("big/1").await.unwrap();
        assert!(std::fs::read(loaded.file("weights.bin").unwrap()).unwrap() == bytes);
    }
    f.models.copy_to("big/1", &prod.models, None).await.unwrap();
    let loaded = prod.models.load("big/1").await.unwrap();
    assert!(std::fs::read(loaded.file("weights.bin").unwrap()).unwrap() == bytes);
}

#[tokio::test]
async fn progress_counts_the_bytes_of_all_files() {
    let f = Fixture::new();
    let builder = f.models.register("churn").unwrap().file("a", b"12345".to_vec()).unwrap();
    builder.file("b", b"678".to_vec()).unwrap().register().await.unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let progress = Arc::new(move |done, total| log.lock().unwrap().push((done, total)));
    let dir = tempfile::tempdir().unwrap();
    let options = DownloadModel::default().with_progress(progress);
    f.models.download("churn/1", &dir.path().join("m"), &options).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [(5, 8), (8, 8)]);
}

#[tokio::test]
async fn a_pickle_is_marked_in_the_manifest() {
    let f = Fixture::new();
    // `os.system("true")`, as Python's pickle writes it with protocol 0.
    let pickle = b"cposix\nsystem\n(S'true'\ntR.".to_vec();
    let builder = f.models.register("churn").unwrap().file("model.pkl", pickle.clone()).unwrap();
    let version = builder.register().await.unwrap();
    assert_eq!(version.manifest.files[0].format, FileFormat::Pickle);

    let run = f.models.tracking().run("churn").unwrap().without_capture().start().await.unwrap();
    run.log_artifact("model/any-name", pickle).await.unwrap();
    let id = run.id();
    run.finish().await.unwrap();
    let builder = f.models.register("churn").unwrap().from_run(id).artifacts("");
    let version = builder.register().await.unwrap();
    assert_eq!(version.manifest.files[0].path.as_str(), "model/any-name");
    assert_eq!(version.manifest.files[0].format, FileFormat::Pickle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn equal_bytes_are_there_for_everyone_while_others_purge_them() {
    let f = Fixture::new();
    let task = async |number: usize| {
        for _ in 0..50 {
            let builder = f.models.register(&format!("m{number}")).unwrap();
            let version =
                builder.file("w", b"the same".to_vec()).unwrap().register().await.unwrap();
            let id = version.id();
            let loaded = f.models.load(&id.to_string()).await.unwrap();
            assert_eq!(std::fs::read(loaded.file("w").unwrap()).unwrap(), b"the same");
            let registry = f.models.registry();
            registry.update_version(&id, VersionChanges::delete()).await.unwrap();
            let plan = registry.plan_model_purge(&ModelPurge::Versions(vec![id])).await.unwrap();
            f.models.purge(&plan).await.unwrap();
        }
    };
    futures::join!(task(1), task(2), task(3), task(4));
    assert_eq!(f.objects().await, 0);
    assert!(f.models.verify(&VerifyModels::default()).await.unwrap().is_ok());
}
