use arrow::array::RecordBatch;
use mlops_core::validation::*;
use mlops_validate::*;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::sync::Arc;

fn read(path: &str) -> Vec<RecordBatch> {
    ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap())
        .unwrap()
        .with_batch_size(131072)
        .build()
        .unwrap()
        .map(|b| b.unwrap())
        .collect()
}
fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let n = std::env::args().nth(2).unwrap();
    let only = std::env::args().nth(3);
    let orders = read(&format!("{dir}/orders_{n}.parquet"));
    let customers = read(&format!("{dir}/customers.parquet"));
    let text =
        std::fs::read_to_string(std::env::args().nth(4).unwrap_or("/tmp/orders.json".into()))
            .unwrap();
    let mut suite: Suite = serde_json::from_str(&text).unwrap();
    if let Some(only) = only.filter(|o| o != "all") {
        suite.checks.retain(|c| c.name() == only);
    }
    let mut inputs = Inputs::new(chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    inputs.references.insert(
        "customers".into(),
        Reference::read(
            &suite,
            &orders[0].schema(),
            "customers",
            &customers[0].schema(),
            &customers,
        )
        .unwrap(),
    );
    let plan = Plan::new(&suite, &orders[0].schema(), &inputs).unwrap();
    for _ in 0..3 {
        let t = std::time::Instant::now();
        let mut state = plan.start();
        for b in &orders {
            state.update(b).unwrap();
        }
        let report = state.report().unwrap();
        let took = t.elapsed();
        println!("{took:?} {:?}", report.verdict);
        for o in &report.outcomes {
            println!(
                "  {:40} {:?} {:?} {:>6.2} ms {:?} {:?}",
                o.check,
                o.status,
                o.counts,
                o.nanos as f64 / 1e6,
                o.detail,
                o.samples.first()
            );
        }
    }
    // one row
    let row = orders[0].slice(17, 1);
    let plan = Arc::new(plan);
    let t = std::time::Instant::now();
    for _ in 0..10000 {
        std::hint::black_box(plan.validate(&row).unwrap());
    }
    println!("one row {:?}", t.elapsed() / 10000);
}
