//! The engine against an oracle that judges one row after the other.
//!
//! The oracle knows the rules from their documentation alone and works on plain values
//! ([`value::Value`]), with decimal arithmetic on digits. A case is a seed: a random table, random
//! checks for it, and the table in random encodings and cuts. Every number of every outcome must be
//! what the oracle says, whatever the encoding.

#![allow(clippy::unwrap_used, clippy::too_many_lines, reason = "an oracle is one long match")]

mod arrays;
mod ask;
mod expect;
mod golden;
mod judge;
mod kind;
mod literal;
mod number;
mod parent;
mod rng;
mod run;
mod sql;
mod table;
mod value;
mod whole;

use proptest::prelude::*;

use self::run::check_case;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_outcome_is_what_the_oracle_says(seed in any::<u64>(), rows in 0_usize..=300) {
        check_case(seed, rows, 8).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn small_tables_too(seed in any::<u64>(), rows in 0_usize..=4) {
        check_case(seed, rows, 12).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn tables_of_several_chunks_too() {
    for seed in 0..6 {
        check_case(seed, 8_192 + 70 * seed as usize, 10).unwrap_or_else(|fault| panic!("{fault}"));
    }
}
