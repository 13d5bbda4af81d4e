//! Large files: into the store, out of it, and through the cache.
//!
//! The floor is what the machine itself takes: hashing bytes that are in memory already, and a copy
//! that only reads and writes.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use futures::executor::block_on;
use mlops::Workspace;
use mlops::models::{DownloadModel, Models, VerifyModels};
use serde_json::{Value, json};

use crate::Sizes;
use crate::harness::{Cost, figure, median, median_of, noise, round, timed};

const ROUNDS: usize = 5;
const MIB: usize = 1 << 20;

pub(crate) fn files(sizes: Sizes) {
    let dir = tempfile::tempdir().unwrap();
    let (source, copy) = (dir.path().join("model.bin"), dir.path().join("copy.bin"));
    let megabytes = rates(sizes.mib);
    write_noise(&source, sizes.mib, 1);

    let (cost, ()) = median(ROUNDS, || copy_file(&source, &copy));
    megabytes("floor:read+write+sync", &cost, json!({}));
    std::fs::remove_file(&copy).unwrap();
    let (cost, _) = median(ROUNDS, || hash_file(&source));
    megabytes("floor:read+blake3", &cost, json!({}));

    // A store for each round, or the second would find the bytes there already. The one of the round
    // before is gone, so that the pages it had can be used again.
    let at = dir.path().join("mlops");
    let open = || {
        if at.exists() {
            std::fs::remove_dir_all(&at).unwrap();
        }
        block_on(Workspace::open(&at)).unwrap()
    };
    let (cost, ()) = median_of(ROUNDS, open, |ws| store(ws.models(), &source));
    megabytes("register_file", &cost, json!({ "aim_mib_per_cpu_s": 500 }));

    let ws = block_on(Workspace::open(&at)).unwrap();
    let models = ws.models();
    let (cost, ()) = median(ROUNDS, || store(models, &source));
    megabytes("register_file:again", &cost, json!({ "stored": "nothing" }));
    let target = dir.path().join("out");
    let (cost, ()) = median(ROUNDS, || {
        let options = DownloadModel::default();
        block_on(models.download("models:/large/1", &target, &options)).unwrap();
        std::fs::remove_dir_all(&target).unwrap();
    });
    megabytes("download_file", &cost, json!({ "aim_mib_per_cpu_s": 500, "verified": true }));
    let (cost, ()) = median(ROUNDS, || {
        let proof = block_on(models.verify(&VerifyModels::default())).unwrap();
        assert!(proof.is_ok());
    });
    megabytes("verify_file", &cost, json!({ "aim_mib_per_cpu_s": 500 }));
}

/// The first load fills the cache, the others find it there.
pub(crate) fn load(sizes: Sizes) {
    let dir = tempfile::tempdir().unwrap();
    let mib = (sizes.mib / 4).max(1);
    let megabytes = rates(mib);
    let source = dir.path().join("model.bin");
    write_noise(&source, mib, 2);
    let ws = block_on(Workspace::open(dir.path().join("mlops"))).unwrap();
    store(ws.models(), &source);
    let one = || block_on(ws.models().load("models:/large/1")).unwrap();
    let (cost, _) = timed(one);
    megabytes("load:first", &cost, json!({}));
    let (cost, _) = median(ROUNDS * 3, one);
    megabytes("load:cached", &cost, json!({ "verified": true }));
}

/// Prints figures of operations that each handle so many MiB.
fn rates(mib: usize) -> impl Fn(&str, &Cost, Value) {
    move |operation, cost, mut extra| {
        extra["mib"] = json!(mib);
        extra["mib_per_cpu_s"] = json!(round(mib as f64 / cost.cpu, 0));
        extra["mib_per_wall_s"] = json!(round(mib as f64 / cost.wall, 0));
        figure(operation, 1, cost, extra);
    }
}

fn store(models: &Models, source: &Path) {
    let builder = models.register("large").unwrap().file("model.bin", source).unwrap();
    block_on(builder.register()).unwrap();
}

/// A file that nothing can compress, and that looks like nothing that runs.
fn write_noise(path: &Path, mib: usize, mut seed: u64) {
    let mut file = File::create(path).unwrap();
    let mut block = vec![0; MIB];
    for _ in 0..mib {
        for word in block.chunks_exact_mut(8) {
            word.copy_from_slice(&noise(&mut seed).to_le_bytes());
        }
        file.write_all(&block).unwrap();
    }
    file.sync_all().unwrap();
}

fn copy_file(from: &Path, to: &Path) {
    let (mut from, mut to) = (File::open(from).unwrap(), File::create(to).unwrap());
    each_block(&mut from, |block| to.write_all(block).unwrap());
    to.sync_all().unwrap();
}

fn hash_file(path: &Path) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    each_block(&mut File::open(path).unwrap(), |block| {
        hasher.update(block);
    });
    hasher.finalize()
}

fn each_block(file: &mut File, mut with: impl FnMut(&[u8])) {
    let mut block = vec![0; MIB];
    loop {
        let read = file.read(&mut block).unwrap();
        if read == 0 {
            return;
        }
        with(&block[..read]);
    }
}
