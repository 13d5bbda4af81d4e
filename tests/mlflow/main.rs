//! MLflow itself as the judge: what we export it must open, what it wrote we must import, and what we
//! both can be asked must get the same answer.
//!
//! Each peer is a virtual environment under the target directory, made once from
//! `benches/peers/mlflow/requirements-*.txt`. Where there is no Python, or no package index, the tests
//! that need one are reported as ignored, with the reason; under `MLOPS_TEST_STRICT=1` they fail.
//! `MLOPS_MLFLOW_SCENARIOS` and `MLOPS_MLFLOW_SEED` set how much, and what, the differential test tries.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "all of it is test code; clippy knows only the usual harness"
)]

mod differential;
mod export;
mod import;
mod model_imports;
mod model_searches;
mod models;
mod peer;
mod rich;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use self::peer::Unavailable;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for version in ["2.9.2", "2.22.5", "3.17.2"] {
        trials.push(trial(format!("mlflow_{version}_reads_what_is_exported"), move || {
            export::mlflow_reads_it(version)
        }));
        trials.push(trial(format!("mlflow_{version}_finds_and_downloads_models"), move || {
            models::mlflow_reads_them(version)
        }));
    }
    for version in ["2.9.2", "3.17.2"] {
        trials.push(trial(format!("what_mlflow_{version}_wrote_is_imported"), move || {
            import::what_mlflow_wrote(version)
        }));
    }
    trials.push(trial("searches_answer_as_mlflow_does", differential::searches));
    let alone: [(&str, fn()); 11] = [
        ("an_export_comes_back_as_it_was", import::round_trip),
        ("an_export_is_not_written_over_another_file", export::refuses_other_files),
        ("an_export_may_be_repeated", export::repeats),
        ("what_has_no_counterpart_is_reported", export::findings),
        ("malformed_files_are_reported_and_the_rest_is_imported", import::malformed),
        ("only_what_is_new_is_imported", import::only_what_is_new),
        ("a_changed_history_is_a_conflict_of_its_run", import::changed_history),
        ("models_come_back_as_they_were", models::round_trip),
        ("only_what_changed_of_a_model_is_imported", model_imports::only_what_changed),
        ("a_version_without_readable_files_is_not_imported", model_imports::nothing_is_made_up),
        ("files_outside_of_the_store_are_not_imported", import::outside_files),
    ];
    for (name, test) in alone {
        trials.push(Trial::test(name, move || {
            test();
            Ok(())
        }));
    }
    // Not a test but a measurement: `cargo test --release --test mlflow -- speed_of_a_thousand_runs`.
    if arguments.filter.as_deref() == Some("speed_of_a_thousand_runs") {
        trials.push(Trial::test("speed_of_a_thousand_runs", || {
            import::speed();
            Ok(())
        }));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// A test that needs a peer.
fn trial(
    name: impl Into<String>,
    test: impl FnOnce() -> Result<(), Unavailable> + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || match test() {
        Ok(()) => Ok(Completion::Completed),
        Err(Unavailable(reason)) if peer::is_strict() => Err(Failed::from(reason)),
        Err(Unavailable(reason)) => Ok(Completion::ignored_with(reason)),
    })
}
