//! The main job on real data: 336,776 flights that left New York City in 2013.
//!
//! ```text
//! cargo run --release --example flights [STORE]
//! ```
//!
//! Validates the data; trains six models that say, at the scheduled departure, whether a flight will arrive more than half
//! an hour late; tracks each as a run with its metrics at every iteration; compares them and keeps the
//! best with its plots; registers it, promotes it under a policy, promotes a worse one by mistake and
//! rolls back. Then the feature store: weather, aircraft and the history of delays, as known at each
//! flight's schedule; a better model trained on them; and the year replayed, in which 10,000 flights
//! get online, bit for bit, what the model was trained on. Each step is a function, in the order in
//! which a model lives; what later steps show (drift, recovery) joins at the end of `main`.

#![allow(clippy::print_stdout, reason = "an example talks to the one who runs it")]
#![allow(unreachable_pub, reason = "the modules are written as a library would be")]

mod flights {
    pub mod data;
    pub mod design;
    pub mod features;
    pub mod model;
    pub mod plot;
    pub mod quality;
    pub mod stages;
    pub mod year;
}

use std::path::{Path, PathBuf};
use std::time::Instant;

use flights::data::{Encoder, FeatureSet, Flights, Result, Split};
use flights::model::{
    AtThreshold, Metrics, Model, Sample, Settings, at_threshold, log_loss, roc_auc, roc_curve,
};
use flights::plot::{Line, metric_curves, roc};
use flights::{features, quality, stages};
use mlops::blobs::DownloadBlob;
use mlops::tracking::{DatasetContext, DatasetInput, HistoryQuery, Run};
use mlops::validation::Report;
use mlops::{ActiveRun, Key, RunId, Workspace};

/// Where the tables lie; see the README there.
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/nycflights13");

/// The strengths of the penalty on large weights that are tried with each set of features.
const PENALTIES: [f64; 2] = [0.01, 0.2];

#[tokio::main]
async fn main() -> Result<()> {
    let begin = Instant::now();
    let store = std::env::args().nth(1).map_or_else(|| PathBuf::from("mlops"), PathBuf::from);
    let ws = Workspace::open(&store).await?;

    let report = quality::validate(Path::new(DATA)).await?;
    let (flights, split) = read_data()?;
    let parent = train_all(&ws, &flights, &split).await?;
    let runs = compare(&ws, parent).await?;
    let (Some(best), Some(worst)) = (runs.first(), runs.last()) else {
        return Err("no runs".into());
    };
    judge(&ws, best, &flights, &split).await?;
    mlops::log_report(&ws, best.id, &report).await?;
    release(&ws, best, worst, &report, &flights, &split).await?;
    features::story(&ws, Path::new(DATA), &flights, &split, best).await?;
    prove(&ws, parent).await?;

    println!(
        "\ndone in {:.1} s; the store is in {}",
        begin.elapsed().as_secs_f64(),
        store.display()
    );
    println!("look around with: cargo run --release -- --store {} runs list", store.display());
    Ok(())
}

/// Reads the flights and the weather, and splits the year: the past trains, the future judges.
fn read_data() -> Result<(Flights, Split)> {
    let flights = Flights::load(Path::new(DATA))?;
    println!(
        "read {} flights, {} of them without an arrival (cancelled or diverted)",
        flights.rows(),
        flights.without_arrival()
    );
    assert_eq!((flights.rows(), flights.without_arrival()), (336_776, 9_430));
    let split = flights.split();
    Ok((flights, split))
}

/// One run for the whole search, and one nested in it for each setting.
async fn train_all(ws: &Workspace, flights: &Flights, split: &Split) -> Result<RunId> {
    let search = ws.run("flights")?.name("late arrivals")?.start().await?;
    search
        .set_note("Will a flight arrive more than 30 minutes late? Asked at its schedule.")
        .await?;
    log_datasets(&search, split).await?;
    let mut lines = Vec::new();
    for (colour, set) in
        [FeatureSet::Calendar, FeatureSet::CalendarCarrier, FeatureSet::CalendarCarrierWeather]
            .into_iter()
            .enumerate()
    {
        let encoder = Encoder::fit(flights, &split.train, set)?;
        let train = Sample::new(flights, &split.train, &encoder)?;
        let validation = Sample::new(flights, &split.validation, &encoder)?;
        let mut runs = Vec::new();
        for l2 in PENALTIES {
            let run = search.child().name(format!("{set}, L2 {l2}"))?.param("l2", l2)?;
            runs.push((run.param("features", set)?.start().await?, l2));
        }
        let fit = |run: &ActiveRun, l2: f64| {
            let settings = Settings { l2, max_iterations: 20 };
            train_one(run, encoder.clone(), settings, &train, &validation)
        };
        // Logging is synchronous and never waits, so the training threads are plain threads.
        let models: Vec<Result<Model>> = std::thread::scope(|scope| {
            let fit = &fit;
            let threads: Vec<_> =
                runs.iter().map(|(run, l2)| scope.spawn(move || fit(run, *l2))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| "a training thread panicked")?)
                .collect()
        });
        for ((run, l2), model) in runs.into_iter().zip(models) {
            keep_model(&run, &model?).await?;
            run.finish().await?;
            lines.push(Line {
                label: format!("{set}, L2 {l2}"),
                colour,
                dashed: l2 > PENALTIES[0],
                points: curve(ws, run.id(), "validation/log_loss").await?,
            });
        }
    }
    let dir = tempfile::tempdir()?;
    let plot = dir.path().join("curves.png");
    let title = "Later than 30 minutes? Six runs on October, which they have not seen";
    metric_curves(&plot, title, "log loss (less is better)", &lines)?;
    search.log_artifact("plots/curves.png", plot).await?;
    search.finish().await?;
    Ok(search.id())
}

/// Trains one model, logging its metrics at every iteration.
fn train_one(
    run: &ActiveRun,
    encoder: Encoder,
    settings: Settings,
    train: &Sample,
    validation: &Sample,
) -> Result<Model> {
    let mut refused = None;
    let log = |iteration: u64, metrics: &Metrics| {
        let logged = run.log_metrics(
            iteration.cast_signed(),
            &[
                ("train/log_loss", metrics.train_log_loss),
                ("train/auc", metrics.train_auc),
                ("validation/log_loss", metrics.validation_log_loss),
                ("validation/auc", metrics.validation_auc),
            ],
        );
        refused = logged.err();
    };
    let model = Model::train(encoder, settings, train, validation, log)?;
    run.log_system_metrics(0)?;
    refused.map_or(Ok(model), |e| Err(e.into()))
}

async fn log_datasets(run: &ActiveRun, split: &Split) -> Result<()> {
    let file = Path::new(DATA).join("flights.parquet");
    let digest = Key::new(format!("blake3:{}", blake3::hash(&std::fs::read(&file)?)))?;
    for (context, rows) in [
        (DatasetContext::Train, &split.train),
        (DatasetContext::Validation, &split.validation),
        (DatasetContext::Test, &split.test),
    ] {
        let input = DatasetInput::new(Key::new("nycflights13/flights")?, digest.clone(), context)
            .with_source("examples/data/nycflights13/flights.parquet")
            .with_rows(rows.len() as u64);
        run.log_input(input).await?;
    }
    Ok(())
}

async fn keep_model(run: &ActiveRun, model: &Model) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("model.json");
    model.save(&file)?;
    run.log_artifact("model/model.json", file).await?;
    Ok(())
}

/// The history of a metric for drawing; step 0, before the first iteration, would squeeze the rest.
async fn curve(ws: &Workspace, run: RunId, metric: &str) -> Result<Vec<(f64, f64)>> {
    let query = HistoryQuery::default().with_steps(1, i64::from(u32::MAX)).with_max_points(400);
    let history = ws.metric_history(run, &Key::new(metric)?, &query).await?;
    Ok(history.iter().map(|point| (point.step as f64, point.value)).collect())
}

/// Searches the runs of this search, best first, and prints them side by side.
async fn compare(ws: &Workspace, parent: RunId) -> Result<Vec<Run>> {
    let filter = format!("parent = '{parent}' and status = 'finished'");
    let runs = ws.search(&filter, &["metrics.`validation/auc` desc"]).await?;
    println!(
        "\n{:<36} {:>5} {:>9} {:>9} {:>9} {:>7}",
        "run", "steps", "train", "valid.", "log loss", "sec"
    );
    for run in &runs {
        let metric = |key: &str| run.metrics.get(key).map_or(f64::NAN, |m| m.last);
        println!(
            "{:<36} {:>5} {:>9.4} {:>9.4} {:>9.4} {:>7.2}",
            run.name,
            run.metrics.get("train/auc").map_or(0, |m| m.last_step),
            metric("train/auc"),
            metric("validation/auc"),
            metric("validation/log_loss"),
            run.duration_secs().unwrap_or(f64::NAN),
        );
    }
    assert_eq!(runs.len(), 6, "all runs of this search were found");
    let best = runs.first().ok_or("no run")?;
    let auc = best.metrics["validation/auc"].last;
    println!("\nbest: {} with AUC {auc:.4} on October", best.name);
    assert!((0.70..0.75).contains(&auc), "the best AUC is {auc}");
    assert_eq!(best.params["features"], FeatureSet::CalendarCarrierWeather.to_string());
    Ok(runs)
}

/// Loads the best run's model back from the store and judges it on the months that nobody has seen.
async fn judge(ws: &Workspace, best: &Run, flights: &Flights, split: &Split) -> Result<()> {
    let dir = tempfile::tempdir()?;
    ws.download_artifacts(best.id, "model", dir.path(), &DownloadBlob::default()).await?;
    let model = Model::load(&dir.path().join("model/model.json"))?;
    let (y, p) = (flights.target(&split.test)?, model.score(flights, &split.test));
    let auc = roc_auc(&y, &p);
    let marks = [0.4, 0.3, 0.2, 0.1].map(|threshold| at_threshold(&y, &p, threshold));
    println!("on November and December: AUC {auc:.4}, log loss {:.4}", log_loss(&y, &p));
    for AtThreshold { threshold, precision, recall, .. } in &marks {
        println!(
            "  warning from {:.0} %: {:.0} % of the warnings come true, {:.0} % of the late are warned",
            threshold * 100.0,
            precision * 100.0,
            recall * 100.0
        );
    }

    let plot = dir.path().join("roc.png");
    let title = format!("Best run on November and December: area under the curve {auc:.3}");
    roc(&plot, &title, &roc_curve(&y, &p), &marks)?;
    let run = ws.resume(best.id).await?;
    run.log_metric("test/auc", auc, 0)?;
    run.log_artifact("plots/roc.png", plot).await?;
    run.finish().await?;
    Ok(())
}

/// Registers the best model and the worst, and lets the policy decide which one serves.
async fn release(
    ws: &Workspace,
    best: &Run,
    worst: &Run,
    report: &Report,
    flights: &Flights,
    split: &Split,
) -> Result<()> {
    println!();
    let best = stages::register(ws, best, "Logistic regression, all columns").await?;
    let worst = stages::register(ws, worst, "Logistic regression, the calendar only").await?;
    stages::validated(ws, [&best, &worst], report).await?;
    stages::promote(ws, &best, &worst, flights, split).await?;
    let dir = tempfile::tempdir()?;
    stages::deploy(ws, &dir.path().join("deployed")).await
}

/// What the store says afterwards must be what happened.
async fn prove(ws: &Workspace, parent: RunId) -> Result<()> {
    let search = ws.tracker().run(parent).await?;
    assert_eq!(search.inputs.len(), 3);
    ws.journal().seal().await?;
    let proof = ws.journal().verify().await?;
    let filter = format!("parent = '{parent}' and metrics.`test/auc` > 0.7");
    assert_eq!(ws.search(&filter, &[]).await?.len(), 1, "one run of the search was judged");
    println!(
        "\njournal: {} changes, no hole, {} of them under its hash chain",
        proof.events, proof.sealed
    );
    Ok(())
}
