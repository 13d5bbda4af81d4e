//! The contract of an online store, on Redis: driven by a thread, and by tokio on a server that
//! keeps a log.

// Helpers outside of `#[test]` functions assert too.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::BoxFuture;
use libtest_mimic::Arguments;
use mlops_core::Secret;
use mlops_core::features::OnlineStore;
use mlops_features::online::{RedisOnline, RedisOptions};
use mlops_testkit::Absent;
use mlops_testkit::features::{FeatureBackend, OnlineFixture, feature_trials, online_cases};
use mlops_testkit::redis::RedisServer;

/// The servers, each started by the first case that needs it, and stopped at the end.
static SERVERS: [Mutex<Option<Result<RedisServer, Absent>>>; 2] = [const { Mutex::new(None) }; 2];
static STORES: AtomicU32 = AtomicU32::new(0);

fn main() {
    let arguments = Arguments::from_args();
    let thread = FeatureBackend::online("redis", || open(0, &[]));
    let tokio = FeatureBackend {
        block_on: run_in_tokio,
        ..FeatureBackend::online("redis_tokio", || {
            let mut fixture = open(1, &["--appendonly", "yes"])?;
            fixture.block_on = run_in_tokio;
            Ok(fixture)
        })
    };
    let mut trials = feature_trials(&thread, &online_cases());
    trials.extend(feature_trials(&tokio, &online_cases()));
    let conclusion = libtest_mimic::run(&arguments, trials);
    for server in &SERVERS {
        drop(server.lock().unwrap().take());
    }
    conclusion.exit();
}

/// A store of a prefix of its own.
fn open(server: usize, options: &[&str]) -> Result<OnlineFixture, Absent> {
    let mut server = SERVERS[server].lock().unwrap();
    let started = server.get_or_insert_with(|| RedisServer::start_with(options));
    let url = started.as_ref().map_err(Clone::clone)?.url();
    let prefix = format!("case{}", STORES.fetch_add(1, Ordering::Relaxed));
    let connect = move || -> Arc<dyn OnlineStore> {
        let limit = Duration::from_secs(20);
        let options = RedisOptions::default().with_prefix(&prefix).with_read_limit(limit);
        let options = options.with_connect_limit(limit).with_write_limit(limit);
        // Opened by this thread also where a runtime runs on it, which must not be entered twice.
        let url = Secret::new(url.clone());
        let connect = RedisOnline::connect(&url, options);
        Arc::new(std::thread::scope(|scope| {
            scope.spawn(|| block_on(connect)).join().unwrap().unwrap()
        }))
    };
    let mut fixture = OnlineFixture::new(connect());
    fixture.reopen = Some(Arc::new(connect));
    Ok(fixture)
}

fn run_in_tokio(case: BoxFuture<'static, ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(case);
}
