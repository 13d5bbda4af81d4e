//! How many crates a user of the library compiles, against a budget.
//!
//! The count is what `cargo tree` prints for this machine, normal dependencies, each version once. A
//! budget is raised here, in the same change as the dependency, with a line in the changelog.

use std::collections::BTreeSet;

use crate::process::{cargo, read};
use crate::project::Project;
use crate::report::Outcome;

/// What is counted, and how many crates it may have.
struct Budget {
    label: &'static str,
    arguments: &'static [&'static str],
    crates: usize,
}

const BUDGETS: [Budget; 2] = [
    Budget { label: "mlops", arguments: &["-p", "mlops"], crates: 206 },
    Budget { label: "mlops-core", arguments: &["-p", "mlops-core"], crates: 107 },
];

/// The step.
pub(crate) fn run(project: &Project) -> Outcome {
    let mut sizes = Vec::new();
    let mut findings = Vec::new();
    for Budget { label, arguments, crates: budget } in &BUDGETS {
        let rest = ["tree", "-e", "normal", "--prefix", "none", "--format", "{p}"];
        match read(cargo(&project.root, &[&rest, *arguments].concat())) {
            Ok(tree) => {
                let size = count(&tree);
                sizes.push(format!("{label} {size} crates of {budget}"));
                if size > *budget {
                    findings.push(format!("{label} links {size} crates; the budget is {budget}"));
                }
            }
            Err(problem) => findings.push(problem),
        }
    }
    Outcome::findings(sizes.join(", "), &findings)
}

/// Distinct `name version` in the output of `cargo tree`.
fn count(tree: &str) -> usize {
    let crates: BTreeSet<Vec<&str>> = tree
        .lines()
        .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>())
        .filter(|words| !words.is_empty())
        .collect();
    crates.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_and_local_crates_count_once() {
        let tree = "a v0.1.0 (/x/a)\nserde v1.0.0\nserde v1.0.0 (*)\nsyn v2.0.0 (proc-macro)\n";
        assert_eq!(count(tree), 3);
    }
}
