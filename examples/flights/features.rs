//! The feature store on the same flights: defined in YAML, joined for training, served for requests, and
//! the proof that both give the same answer.
//!
//! The rule of [`data`](super::data) holds here too, and the store keeps it: the question is asked at
//! the scheduled departure, and each row of the store has the instant from which on it was known. The
//! weather of an hour is known when the hour is over. A delay is known when the flight has arrived;
//! the data has no such instant in UTC, so it is the departure, the time in the air and an hour on the
//! ground. With that the history of a carrier's or a route's delays is a
//! window that ends at the question, and a flight's own delay is never in it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use mlops::feature_store::Features;
use mlops::features::{
    Definitions, EntityRows, FeatureStore, Historical, Materialize, RowStatus, ServiceRef, Status,
    TrainingSet,
};
use mlops::time::{Clock, ManualClock};
use mlops::tracking::Run;
use mlops::{BackendUrl, Workspace};

use super::data::{Flights, Result, Split};
use super::design::{Design, column, history, with_weather};
use super::model::{Model, Sample, Settings, roc_auc};
use super::year::{DAY, START, Year, scheduled, spans};

/// Entities, views, the transform and the service.
const DEFINITIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/features/flights.yaml");

/// The service's views, as its answer calls them.
const VIEWS: [&str; 4] = ["weather", "plane", "carrier", "route"];

/// How many flights are asked for online.
const SAMPLE: usize = 10_000;

/// Shows what the definitions change, and applies them.
pub async fn define(features: &Features) -> Result<()> {
    let definitions = Definitions::from_yaml(&std::fs::read_to_string(DEFINITIONS)?)?;
    let plan = features.plan(&definitions).await?;
    print!("{plan}");
    Ok(features.apply(&plan).await?)
}

/// Appends the year, and asks what was known of each flight at its schedule.
pub async fn training_set(features: &Features, year: &Year) -> Result<TrainingSet> {
    let begin = Instant::now();
    let mut rows = [0; 4];
    for month in spans(30 * DAY) {
        let appended = year.append(features, month).await?;
        rows.iter_mut().zip(appended).for_each(|(sum, rows)| *sum += rows);
    }
    let [weather, planes, arrivals, _] = rows;
    println!(
        "appended {weather} hours of weather, {planes} planes, {arrivals} arrivals by carrier and by \
         route in {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    assert_eq!(rows, [26_115, 3_322, 327_346, 327_346]);

    let begin = Instant::now();
    let asking = EntityRows::new(year.asking.clone()).at("scheduled");
    let options = Historical::default().with_statuses();
    let set = features.historical(&service()?, asking, options).await?;
    println!(
        "joined {} flights with what was known at their schedule in {:.1} s",
        set.batch.num_rows(),
        begin.elapsed().as_secs_f64()
    );
    no_answer_is_of_the_future(&set, year)?;
    Ok(set)
}

/// What a leak would show in: the instant of the youngest row behind each answer.
fn no_answer_is_of_the_future(set: &TrainingSet, year: &Year) -> Result<()> {
    let asked = scheduled(&set.batch)?;
    for view in VIEWS {
        let status = column(&set.batch, &format!("{view}__status"))?.as_string::<i32>();
        let count = |word: &str| status.iter().filter(|status| *status == Some(word)).count();
        let of = column(&set.batch, &format!("{view}__event_time"))?;
        let of = of.as_primitive::<TimestampMicrosecondType>();
        let ages = of.iter().zip(asked.values()).filter_map(|(of, asked)| Some(asked - of?));
        let youngest = ages.min().ok_or("a view without answers")?;
        assert!(youngest >= 0, "{view} answers with a row that was not known yet");
        println!(
            "  {view:<8} {:>7} found {:>6} not found {:>4} expired",
            count("found"),
            count("not_found"),
            count("expired")
        );
    }
    let soonest = year.soonest_minutes();
    println!("  a delay is known {soonest} min after the schedule at the soonest");
    assert!(soonest > 0, "a flight's own delay is not known at its schedule");
    Ok(())
}

fn service() -> Result<ServiceRef> {
    Ok("late_arrival".parse()?)
}

/// Trains the same model on the store's answers, and says how much better it is than the best without.
pub async fn train(
    ws: &Workspace,
    flights: &Flights,
    split: &Split,
    best: &Run,
    set: &TrainingSet,
) -> Result<(Design, Model)> {
    let all: Vec<usize> = (0..flights.rows()).collect();
    let flights = &with_weather(flights, &all, &set.batch)?;
    let history = history(&set.batch)?;
    let design = Design::fit(flights, &split.train, &history)?;
    let sample = |rows: &[usize]| -> Result<Sample> {
        Ok(Sample { x: design.encode(flights, rows, &history, rows), y: flights.target(rows)? })
    };
    let (train, validation, test) =
        (sample(&split.train)?, sample(&split.validation)?, sample(&split.test)?);

    let l2 = crate::PENALTIES[0];
    let name = format!("all, and the delays before, L2 {l2}");
    let run = ws.run("flights")?.name(name)?.param("l2", l2)?;
    let run = run.param("features", &set.receipt.service)?.start().await?;
    mlops::log_training_set(ws, run.id(), set, mlops::tracking::DatasetContext::Train).await?;
    let settings = Settings { l2, max_iterations: 20 };
    let model = crate::train_one(&run, design.encoder.clone(), settings, &train, &validation)?;
    crate::keep_model(&run, &model).await?;
    let judged = roc_auc(&test.y, &model.predict(&test.x));
    run.log_metric("test/auc", judged, 0)?;
    run.finish().await?;

    let before = ws.tracker().run(best.id).await?;
    let before = |metric: &str| before.metrics.get(metric).map_or(f64::NAN, |m| m.last);
    let known = roc_auc(&validation.y, &model.predict(&validation.x));
    println!("\n{:<36} {:>9} {:>9}", "AUC", "October", "Nov., Dec.");
    let line = |name: &str, a: f64, b: f64| println!("{name:<36} {a:>9.4} {b:>10.4}");
    line(&best.name, before("validation/auc"), before("test/auc"));
    line("the same, and the delays before", known, judged);
    assert!(known > before("validation/auc") && judged > before("test/auc"));
    Ok((design, model))
}

/// The year once more, as a server lives it: in a store of its own, week by week, under a clock that is
/// set to each flight's schedule. What it answers must be what the model was trained on.
pub async fn serve(
    year: &Year,
    flights: &Flights,
    set: &TrainingSet,
    (design, model): &(Design, Model),
) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let clock = Arc::new(ManualClock::at_micros(0));
    let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let store = Workspace::builder(BackendUrl::directory(dir.path())).clock(time);
    let begin = Instant::now();
    let at = |instant: i64| clock.advance_micros(instant - clock.now_micros());
    at(START);
    let features = store.open().await?.features().await?;
    let definitions = Definitions::from_yaml(&std::fs::read_to_string(DEFINITIONS)?)?;
    features.apply(&features.plan(&definitions).await?).await?;
    let prepared = features.prepare(&service()?).await?;

    let rows = year.sample(SAMPLE)?;
    let times = scheduled(&year.asking)?;
    let (mut answers, mut statuses) = (Vec::new(), vec![Vec::new(); VIEWS.len()]);
    let (mut spent, mut next) = (Duration::ZERO, rows.iter().peekable());
    let mut folded = START;
    for week in spans(7 * DAY) {
        // The week's rows are ahead of the clock, and wait: each is seen from its instant on.
        folded = week.start;
        at(folded);
        year.append(&features, week.clone()).await?;
        features.materialize(Materialize::default()).await?;
        while let Some(row) = next.next_if(|row| week.contains(&times.value(**row))) {
            at(times.value(*row));
            let request = year.asking.slice(*row, 1);
            let begin = Instant::now();
            let answer = prepared.answer(&request, clock.now_micros()).await?;
            spent += begin.elapsed();
            answers.push(answer.batch);
            statuses.iter_mut().zip(answer.views).for_each(|(all, one)| all.extend(one));
        }
    }
    let took = begin.elapsed();
    let again = Instant::now();
    for row in &rows {
        prepared.answer(&year.asking.slice(*row, 1), folded).await?;
    }
    let again = again.elapsed();
    let online = concat_batches(&answers[0].schema(), &answers)?;
    let places: UInt32Array = rows.iter().map(|row| Some(*row as u32)).collect();
    let asking = EntityRows::new(take_record_batch(&year.asking, &places)?).at("scheduled");
    let options = Historical::default().with_statuses();
    let offline = features.historical(&service()?, asking, options).await?;
    let tally = compare(&online, &statuses, &offline.batch)?;
    println!(
        "\n{} of {} flights: online = offline, {} values compared ({} null, {} expired, {} not found)",
        tally.equal,
        rows.len(),
        tally.values,
        tally.null,
        tally.expired,
        tally.not_found
    );
    let micros = |spent: Duration| spent.as_secs_f64() * 1e6 / rows.len() as f64;
    println!(
        "the year was replayed in {:.1} s; a read takes {:.0} µs while a week of rows waits, {:.0} µs \
         when it is folded",
        took.as_secs_f64(),
        micros(spent),
        micros(again)
    );
    assert_eq!((online.num_rows(), tally.equal), (SAMPLE, SAMPLE));
    // And the store that the model was trained on, which got the year in other batches.
    let trained = take_record_batch(&set.batch, &places)?;
    assert_eq!(compare(&online, &statuses, &trained)?, tally);

    let score = |answers: &RecordBatch| -> Result<Vec<f64>> {
        let flights = with_weather(flights, &rows, answers)?;
        let places: Vec<usize> = (0..rows.len()).collect();
        Ok(model.predict(&design.encode(&flights, &rows, &history(answers)?, &places)))
    };
    assert_eq!(score(&online)?, score(&trained)?, "so the model says the same");
    Ok(())
}

/// What was compared.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    /// Flights with the same bits and the same statuses.
    equal: usize,
    values: usize,
    null: usize,
    expired: usize,
    not_found: usize,
}

fn compare(
    online: &RecordBatch,
    statuses: &[Vec<RowStatus>],
    offline: &RecordBatch,
) -> Result<Tally> {
    let mut same = vec![true; online.num_rows()];
    let mut tally = Tally::default();
    for (view, statuses) in VIEWS.iter().zip(statuses) {
        let others = column(offline, &format!("{view}__status"))?.as_string::<i32>();
        for (row, status) in statuses.iter().enumerate() {
            let word = match status {
                RowStatus::Found => "found",
                RowStatus::NotFound => "not_found",
                RowStatus::Expired => "expired",
            };
            same[row] &= others.value(row) == word;
        }
    }
    for (field, values) in online.schema().fields().iter().zip(online.columns()) {
        let others = bits(column(offline, field.name())?)?;
        let prefix = field.name().split("__").next();
        let view = VIEWS.iter().position(|view| Some(*view) == prefix);
        for (row, value) in bits(values)?.into_iter().enumerate() {
            same[row] &= value == others[row];
            tally.values += 1;
            let status = view.map_or(RowStatus::Found, |view| statuses[view][row]);
            match Status::of(status, value.is_none()) {
                Status::Present => {}
                Status::Null => tally.null += 1,
                Status::Expired => tally.expired += 1,
                Status::NotFound => tally.not_found += 1,
            }
        }
    }
    tally.equal = same.iter().filter(|same| **same).count();
    Ok(tally)
}

/// Values with nothing rounded.
fn bits(column: &ArrayRef) -> Result<Vec<Option<u64>>> {
    if let Some(floats) = column.as_primitive_opt::<Float64Type>() {
        return Ok(floats.iter().map(|value| value.map(f64::to_bits)).collect());
    }
    let ints = column.as_primitive_opt::<Int64Type>().ok_or("neither a float nor an int")?;
    Ok(ints.iter().map(|value| value.map(i64::cast_unsigned)).collect())
}

/// All of it, in order.
pub async fn story(
    ws: &Workspace,
    data: &Path,
    flights: &Flights,
    split: &Split,
    best: &Run,
) -> Result<()> {
    println!("\n-- features: defined, appended, joined as of each flight's schedule");
    let features = ws.features().await?;
    define(&features).await?;
    let year = Year::load(data)?;
    let set = training_set(&features, &year).await?;
    let learned = train(ws, flights, split, best, &set).await?;
    serve(&year, flights, &set, &learned).await
}
