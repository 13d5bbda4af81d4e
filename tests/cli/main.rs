//! The command `mlops`, run as a person and as a program run it, on a store that the library filled.
//!
//! `docs/cli.md` and `docs/ci.md` are tests: each of their blocks is run, in order, and must print what
//! stands there. A line may hold `[..]` for what differs from day to day. After a change of what is
//! printed, copy the file that the failed test names over the page, and read the difference.

#![allow(clippy::unwrap_used, reason = "helpers of tests; a failure is a failed test")]

mod ci;
mod commands;
mod features;
mod feed;
mod models;
mod moves;
mod page;
mod store;
mod validate;

#[test]
fn every_block_of_the_documentation_is_what_the_command_prints() {
    let store = store::Store::filled();
    let page = page::Page::read("cli.md");
    let found = page.blocks.iter().map(|block| page::run(block, &store, &[])).collect();
    page.is_what_was_found(found);
}
