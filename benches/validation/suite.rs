//! The suite of the figures, and whether a report says what is so.

use std::path::Path;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::DateTime;
use futures::executor::block_on;
use mlops::time::Instant;
use mlops::validate::checks::{
    CheckExt, aggregate, compare, foreign_key, freshness, in_set, matches, not_null, range,
    row_count, unique,
};
use mlops::validate::{Engine, Inputs, Plan, Reference};
use mlops::validation::{Check, Data, Options, Report, Status, Suite, Validation, Validator};

use crate::data::{self, FIRST_MICROS, STATUSES, customers, wrong};

/// What an e-mail address of the table looks like.
pub(crate) const EMAIL: &str = r"^u[0-9]+@[a-z0-9.]+\.[a-z]{2,3}$";

/// The twelve checks of all figures, over a table whose totals come to `sum`.
pub(crate) fn suite(sum: f64) -> Suite {
    let all = [
        named("nn_order_id", not_null("order_id")),
        named("nn_customer_id", not_null("customer_id")),
        named("nn_sku", not_null("sku")),
        named("uniq_order_id", unique(["order_id"])),
        named("rng_quantity", range("quantity").min(1).max(100)),
        named("rng_price", range("unit_price").min(0.01).max(10_000.0)),
        named("rng_discount", range("discount").min(0.0).max(1.0)),
        named("set_status", in_set("status", STATUSES)),
        named("re_email", matches("email", EMAIL)),
        named("cross_ship", compare("shipped_at", ">=", "created_at").unwrap()),
        named("fk_customer", foreign_key(["customer_id"], "customers")),
        named(
            "sum_total",
            aggregate("sum(total)").unwrap().min(sum * (1.0 - 1e-9)).max(sum * (1.0 + 1e-9)),
        ),
    ];
    all.into_iter().fold(Suite::new("orders").unwrap(), Suite::with)
}

/// Eight checks that the footer of a file can decide.
pub(crate) fn provable(rows: u64) -> Suite {
    let all = [
        named("nn_order_id", not_null("order_id")),
        named("nn_customer_id", not_null("customer_id")),
        named("nn_status", not_null("status")),
        named("rng_order_id", range("order_id").min(1_000_000_000).below(5_294_967_296_i64)),
        named("rng_customer_id", range("customer_id").min(1).max(1_000_000)),
        named("rng_quantity", range("quantity").min(0).max(100)),
        named("rows", row_count().exactly(rows)),
        named("fresh", freshness("created_at", Duration::from_hours(24))),
    ];
    all.into_iter().fold(Suite::new("provable").unwrap(), Suite::with)
}

/// The suite without the check that remembers keys.
pub(crate) fn without_keys(sum: f64) -> Suite {
    let mut suite = suite(sum);
    suite.checks.retain(|check| check.name() != "uniq_order_id");
    suite
}

/// A check of this name.
pub(crate) fn named(name: &str, check: impl Into<Check>) -> Check {
    check.into().named(name).unwrap()
}

/// An hour after the newest order of a table of so many rows.
pub(crate) fn now(rows: u64) -> Instant {
    let newest = FIRST_MICROS + rows as i64 * 100_000;
    DateTime::from_timestamp_micros(newest + 3_600_000_000).unwrap()
}

/// The suite, compiled.
pub(crate) fn plan(suite: &Suite, rows: u64) -> Plan {
    let (schema, customers) = (data::schema(), customers());
    let table = customers.schema();
    let mut inputs = Inputs::new(now(rows));
    if suite.checks.iter().any(|check| check.rule.name() == "foreign_key") {
        let known = Reference::read(suite, &schema, "customers", &table, &[customers]);
        inputs.references.insert("customers".to_owned(), known.unwrap());
    }
    Plan::new(suite, &schema, &inputs).unwrap()
}

/// One pass over batches, through a state.
pub(crate) fn pass(plan: &Plan, batches: &[RecordBatch]) -> Report {
    let mut state = plan.start();
    for batch in batches {
        state.update(batch).unwrap();
    }
    state.report().unwrap()
}

/// The same through the engine, which reads the customers too and looks again at failing keys.
pub(crate) fn engine(suite: &Suite, validation: Validation) -> Report {
    block_on(Engine::new().validate(suite, validation)).unwrap()
}

/// Orders and customers in memory.
pub(crate) fn in_memory(
    schema: &SchemaRef,
    orders: &[RecordBatch],
    customers: &RecordBatch,
    options: Options,
) -> Validation {
    let rows = orders.iter().map(|batch| batch.num_rows() as u64).sum();
    Validation::new(Data::Batches(schema.clone(), orders.to_vec()), now(rows))
        .with_reference("customers", customers.clone())
        .with_options(options)
}

/// Orders and customers in files.
pub(crate) fn in_files(dir: &Path, rows: u64, options: Options) -> Validation {
    let url = |path: &Path| path.to_str().unwrap().to_owned();
    let orders = Data::files([url(&data::paths(dir, rows).0)]);
    Validation::new(orders, now(rows))
        .with_reference("customers", Data::files([url(&data::customers_path(dir))]))
        .with_options(options)
}

/// Options with so many threads.
pub(crate) fn threads(threads: usize) -> Options {
    let mut options = Options::default();
    options.threads = threads;
    options
}

/// Stops if a report does not count what is wrong with the table.
pub(crate) fn verify(report: &Report, rows: u64) {
    assert_eq!(report.rows, rows);
    let wrong = wrong(rows);
    for outcome in &report.outcomes {
        let (_, expected) = wrong.iter().find(|(name, _)| *name == outcome.check).unwrap();
        let failed = match outcome.check.as_str() {
            "sum_total" => u64::from(outcome.status != Status::Passed),
            _ => outcome.counts.failed,
        };
        assert_eq!(failed, *expected, "{outcome:?}");
        assert_eq!(outcome.status == Status::Passed, *expected == 0, "{outcome:?}");
    }
}
