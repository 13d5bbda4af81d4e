//! Every case of `OnlineStore` against every online store of this process, each as a test of its own; and
//! the cases against themselves.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::sync::Arc;

use libtest_mimic::Arguments;
use mlops_core::time::SystemClock;
use mlops_features::OnlineStore;
use mlops_features::online::{EmbeddedOnline, MemoryOnline};
use mlops_testkit::Absent;
use mlops_testkit::features::{
    FeatureBackend, OnlineFixture, feature_trials, online_cases, online_saboteur_trials,
};

fn main() {
    let mut tests = online_saboteur_trials();
    for backend in
        [FeatureBackend::online("memory", memory), FeatureBackend::online("embedded", embedded)]
    {
        tests.extend(feature_trials(&backend, &online_cases()));
    }
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}

#[expect(clippy::unnecessary_wraps, reason = "a backend may be absent")]
fn memory() -> Result<OnlineFixture, Absent> {
    Ok(OnlineFixture::new(Arc::new(MemoryOnline::new())))
}

/// A store in a directory of its own.
fn embedded() -> Result<OnlineFixture, Absent> {
    let directory = tempfile::tempdir().map_err(|error| Absent(error.to_string()))?;
    let path = directory.path().join("online");
    let open = move || -> Arc<dyn OnlineStore> {
        Arc::new(EmbeddedOnline::open(&path, Arc::new(SystemClock)).unwrap())
    };
    let mut fixture = OnlineFixture::new(open());
    fixture.reopen = Some(Arc::new(open));
    fixture.keep = Arc::new(directory);
    Ok(fixture)
}
