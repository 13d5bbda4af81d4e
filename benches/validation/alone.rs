//! Every check of the suite by itself, and some others, in nanoseconds a row.

use mlops::validate::checks::{
    aggregate, distinctness, expression, format, functional_dependency, implies, length, ordered,
    unique,
};
use mlops::validation::{Check, Format, Suite};
use serde_json::json;

use crate::Sizes;
use crate::data::{self, orders};
use crate::harness::round;
use crate::rounds::rounds;
use crate::suite::{named, pass, plan, suite, verify};

/// One plan for each check, in memory, one thread.
pub(crate) fn alone(sizes: &Sizes) {
    let rows = sizes.few();
    let (orders, checks) = (orders(rows), suite(data::sum(rows)).checks);
    let counted = checks.len();
    for (number, check) in checks.into_iter().chain(others()).enumerate() {
        let name = check.name();
        let plan = plan(&Suite::new("alone").unwrap().with(check), rows);
        let cost = rounds(sizes.rounds, || {
            let report = pass(&plan, &orders);
            if number < counted {
                verify(&report, rows);
            }
        });
        let nanos = round(cost.least() / rows as f64 * 1e9, 3);
        cost.figure(&format!("alone:{name}"), rows, json!({ "rows": rows, "least_ns": nanos }));
    }
}

/// Kinds that the suite has none of.
fn others() -> Vec<Check> {
    vec![
        named("format_email", format("email", Format::Email)),
        named("length_email", length("email").min(3).max(40)),
        named("sql_total", expression("quantity * unit_price >= 0")),
        named("implies_shipped", implies("status = 'shipped'", "shipped_at is not null")),
        named("ordered_created", ordered("created_at")),
        named("quantile_price", aggregate("quantile(unit_price, 0.9)").unwrap().max(10_000)),
        named("mean_price", aggregate("mean(unit_price)").unwrap().max(10_000)),
        named("uniq_composite", unique(["customer_id", "sku"])),
        named("uniq_email", unique(["email"])),
        named("distinct_sketch", distinctness(["email"]).sketched().min(0.1)),
        named("zip_to_state", functional_dependency(["sku"], ["state"])),
    ]
}
