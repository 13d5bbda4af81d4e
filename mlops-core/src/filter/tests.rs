//! The grammar point by point, every error by its text, and the laws of the tree.

mod errors;
mod grammar;
mod laws;
mod matching;
mod subjects;

use super::Filter;

fn parse(text: &str) -> Filter {
    Filter::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// What is printed for `text`, after checking that it parses to the same tree.
fn canonical(text: &str) -> String {
    let filter = parse(text);
    let printed = filter.to_string();
    assert_eq!(parse(&printed), filter, "{text:?} is printed as {printed:?}");
    printed
}
