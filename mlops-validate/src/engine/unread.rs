//! Files that cannot be read, where a check asks just that.
//!
//! Then the report says that the source is not as it should be, and of every other check that it had
//! nothing to judge.

use mlops_core::validation::{Basis, Counts, Evidence, Outcome, Report, Rule, Status, Suite};

/// Whether a suite says itself what is to be said of files that are missing.
pub(super) fn asks_for_source(suite: &Suite) -> bool {
    suite.checks.iter().any(|check| matches!(check.rule, Rule::Source(_)))
}

/// The checks that need no data.
pub(super) fn source_only(suite: &Suite) -> Suite {
    let mut only = suite.clone();
    only.checks.retain(|check| matches!(check.rule, Rule::Source(_)));
    only
}

/// Adds the checks that had nothing to judge, in the suite's order.
pub(super) fn add_unjudged(report: &mut Report, suite: &Suite) {
    let mut judged = std::mem::take(&mut report.outcomes).into_iter();
    report.outcomes = suite
        .checks
        .iter()
        .filter_map(|check| match &check.rule {
            Rule::Source(_) => judged.next(),
            rule => Some(Outcome {
                check: check.name(),
                rule: rule.name().to_owned(),
                columns: rule.columns().into_iter().map(str::to_owned).collect(),
                severity: check.severity,
                status: Status::Vacuous,
                counts: Counts::default(),
                expected: rule.to_string(),
                observed: None,
                detail: Some("not judged: none of the files can be read".to_owned()),
                samples: Vec::new(),
                evidence: Evidence { basis: Basis::Source, rows_by_statistics: 0 },
                nanos: 0,
                description: check.description.clone(),
            }),
        })
        .collect();
    report.suite_digest = suite.digest();
    report.verdict = Report::verdict_of(&report.outcomes, suite.on_empty);
}
