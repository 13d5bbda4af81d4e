//! A report in the order in which it is read: what failed first.

use mlops_core::validation::{Outcome, Report, Severity, Status, Verdict};

use super::words::{count, integer};

/// What an outcome is shown among.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// Failed, and an error.
    Failed,
    /// Failed, and a warning.
    Warned,
    /// Had nothing to judge, and does not count as failed: shown by itself, whatever it counts as,
    /// because nothing was proved.
    Vacuous,
    /// Passed.
    Passed,
}

impl Group {
    pub(super) fn of(report: &Report, outcome: &Outcome) -> Self {
        match (report.counted(outcome), outcome.severity, outcome.status) {
            (Status::Failed, Severity::Error, _) => Self::Failed,
            (Status::Failed, Severity::Warn, _) => Self::Warned,
            (.., Status::Vacuous) => Self::Vacuous,
            _ => Self::Passed,
        }
    }

    /// In a word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Warned => "warned",
            Self::Vacuous => "vacuous",
            Self::Passed => "passed",
        }
    }
}

/// The outcomes by group, in the suite's order within each.
pub(super) struct View<'a> {
    pub(super) failed: Vec<&'a Outcome>,
    pub(super) warned: Vec<&'a Outcome>,
    pub(super) vacuous: Vec<&'a Outcome>,
    pub(super) passed: Vec<&'a Outcome>,
}

impl<'a> View<'a> {
    pub(super) fn new(report: &'a Report) -> Self {
        let of = |group| {
            let found = report.outcomes.iter().filter(move |o| Group::of(report, o) == group);
            found.collect()
        };
        Self {
            failed: of(Group::Failed),
            warned: of(Group::Warned),
            vacuous: of(Group::Vacuous),
            passed: of(Group::Passed),
        }
    }

    /// The groups that there are, the worst first.
    pub(super) fn groups(&self) -> impl DoubleEndedIterator<Item = (Group, &[&'a Outcome])> {
        let all = [
            (Group::Failed, self.failed.as_slice()),
            (Group::Warned, &self.warned),
            (Group::Vacuous, &self.vacuous),
            (Group::Passed, &self.passed),
        ];
        all.into_iter().filter(|(_, outcomes)| !outcomes.is_empty())
    }

    /// `4 failed, 2 warned, 24 passed`.
    pub(super) fn tally(&self) -> String {
        let parts: Vec<String> = self
            .groups()
            .map(|(group, all)| format!("{} {}", integer(all.len() as u64), group.as_str()))
            .collect();
        parts.join(", ")
    }
}

/// The verdict in a sentence.
pub(super) fn sentence(report: &Report, view: &View<'_>) -> String {
    let all = report.outcomes.len() as u64;
    let (failed, warned) = (view.failed.len() as u64, view.warned.len() as u64);
    let vacuous = view.vacuous.len() as u64;
    match report.verdict {
        Verdict::Failed => {
            format!(
                "{} of {} failed: the data is not fit to use.",
                integer(failed),
                count(all, "check")
            )
        }
        Verdict::Passed if vacuous > 0 => {
            let (vacuous, all) = (integer(vacuous), count(all, "check"));
            format!("Nothing failed; {vacuous} of {all} had nothing to judge.")
        }
        Verdict::Passed if all == 1 => "The one check passed.".into(),
        Verdict::Passed => format!("All {} passed.", count(all, "check")),
        Verdict::Warned => {
            let warnings = (warned > 0).then(|| format!("{} to look at", count(warned, "warning")));
            let empty =
                (vacuous > 0).then(|| format!("{} with nothing to judge", count(vacuous, "check")));
            let why: Vec<String> = warnings.into_iter().chain(empty).collect();
            format!("The data may be used; {}.", why.join(", "))
        }
    }
}

/// What stands above each value of an outcome's samples: its columns, or `value` past their end.
pub(super) fn headings(outcome: &Outcome) -> Vec<&str> {
    let width = outcome.samples.iter().map(|sample| sample.values.len()).max().unwrap_or(0);
    let named = outcome.columns.iter().map(String::as_str);
    named.chain(std::iter::repeat("value")).take(width).collect()
}
