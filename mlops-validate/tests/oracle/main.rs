//! The engine against an oracle that judges one row after the other.
//!
//! The oracle knows the rules from their documentation alone and works on plain values
//! ([`value::Value`]), with decimal arithmetic on digits. A case is a seed: a random table, random
//! checks for it, and the table in random encodings and cuts. Every number of every outcome must be
//! what the oracle says, whatever the encoding.

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
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

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

#[test]
fn survey() {
    let mut seen = std::collections::BTreeMap::<String, (usize, String)>::new();
    for seed in 0..1500_u64 {
        let rows = [0, 1, 2, 3, 5, 8, 40, 200][(seed % 8) as usize];
        let found = std::panic::catch_unwind(|| check_case(seed, rows, 10));
        let text = match found {
            Ok(Ok(())) => continue,
            Ok(Err(text)) => text,
            Err(p) => format!(
                "PANIC seed {seed} rows {rows}: {}",
                p.downcast_ref::<String>()
                    .cloned()
                    .or(p.downcast_ref::<&str>().map(|s| s.to_string()))
                    .unwrap_or_default()
            ),
        };
        let key = if let Some(at) = text.find("\"check\":\"") {
            let r = &text[at + 9..];
            let r = &r[..r.find('"').unwrap_or(8)];
            let l: String = text.lines().nth(3).unwrap_or("").chars().take(10).collect();
            format!("{r} {l}")
        } else {
            text.lines()
                .last()
                .unwrap_or("")
                .chars()
                .filter(|c| !c.is_ascii_digit())
                .take(60)
                .collect()
        };
        let e = seen.entry(key).or_insert((0, text.clone()));
        e.0 += 1;
        if text.len() < e.1.len() {
            e.1 = text;
        }
    }
    for (k, (n, t)) in seen {
        println!("=== {k} x{n}\n{}\n", t.chars().take(1500).collect::<String>());
    }
}
