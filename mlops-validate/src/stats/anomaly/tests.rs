use super::*;

/// Seeded normal values.
struct Normal(u64);

impl Normal {
    fn uniform(&mut self) -> f64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[test]
fn usual_values_raise_as_many_alarms_as_promised() {
    const TRIALS: u32 = 40_000;
    for (n, naive) in [(8, 0.100), (14, 0.058), (30, 0.029)] {
        let mut normal = Normal(n as u64);
        let rules = [0.05, 0.01, 0.003].map(|rate| {
            (rate, AnomalyRule::for_values().with_min_history(8).with_false_alarms(rate))
        });
        let (mut alarms, mut plain) = ([0u32; 3], 0u32);
        for _ in 0..TRIALS {
            let history: Vec<f64> = (0..n).map(|_| 50.0 + 3.0 * normal.next()).collect();
            let value = 50.0 + 3.0 * normal.next();
            for ((_, rule), alarms) in rules.iter().zip(&mut alarms) {
                let judgement = rule.judge(&history, value).unwrap();
                *alarms += u32::from(judgement.verdict == Verdict::Unusual);
            }
            let z = rules[0].1.judge(&history, value).unwrap().z.unwrap();
            plain += u32::from(z.abs() > 2.576);
        }
        let share = |count: u32| f64::from(count) / f64::from(TRIALS);
        for ((rate, _), alarms) in rules.iter().zip(alarms) {
            let noise = 4.0 * (rate * (1.0 - rate) / f64::from(TRIALS)).sqrt();
            assert!((share(alarms) - rate).abs() < noise, "{n} {rate}: {}", share(alarms));
        }
        assert!((share(plain) - naive).abs() < 0.006, "{n}: {}", share(plain));
    }
}

#[test]
fn the_table_is_what_the_script_made() {
    let text = include_str!("../../../tests/golden/anomaly.json");
    let made: serde_json::Value = serde_json::from_str(text).unwrap();
    let rows: Vec<(usize, [f64; 7])> = serde_json::from_value(made["rows"].clone()).unwrap();
    assert_eq!(rows, CRITICAL);
    assert_eq!(serde_json::from_value::<[f64; 7]>(made["alphas"].clone()).unwrap(), RATES);
}

#[test]
fn a_floor_keeps_equal_runs_from_alarming_at_nothing() {
    let equal = [10_000.0; 10];
    let unusual = |rule: AnomalyRule, value: f64| {
        rule.judge(&equal, value).unwrap().verdict == Verdict::Unusual
    };
    assert!(unusual(AnomalyRule::for_values(), 10_001.0));
    assert!(!unusual(AnomalyRule::for_values(), 10_000.0));
    assert!(!unusual(AnomalyRule::for_counts(), 10_300.0));
    assert!(unusual(AnomalyRule::for_counts(), 10_700.0));
    assert!(!unusual(AnomalyRule::for_rates(10.0), 10_040.0));
    assert!(unusual(AnomalyRule::for_rates(10.0), 10_060.0));
    let patient = AnomalyRule::for_values().with_ignored_change(0.02);
    assert!(!unusual(patient, 10_200.0) && unusual(patient, 10_201.0));
    assert!(unusual(AnomalyRule::for_counts(), f64::NAN));
    assert!(unusual(AnomalyRule::for_counts(), f64::NEG_INFINITY));
}

#[test]
fn one_wild_run_and_old_ones_do_not_widen_the_range() {
    let mut runs: Vec<f64> = vec![1e6; 50];
    runs.extend((0..30).map(|i| 100.0 + f64::from(i % 5)));
    runs[70] = 1e9;
    runs[71] = f64::NAN;
    let judgement = AnomalyRule::for_counts().judge(&runs, 180.0).unwrap();
    assert_eq!((judgement.verdict, judgement.history), (Verdict::Unusual, 29));
}

#[test]
fn a_rule_that_cannot_keep_its_promise_is_refused() {
    let rule = AnomalyRule::for_counts();
    for bad in [
        rule.with_false_alarms(0.5),
        rule.with_false_alarms(f64::NAN),
        rule.with_window(3),
        rule.with_ignored_change(-1.0),
        rule.with_floor(Floor::Absolute(-1.0)),
        AnomalyRule::for_rates(f64::INFINITY),
    ] {
        assert!(bad.judge(&[], 0.0).is_err(), "{bad:?}");
    }
    assert_eq!(
        rule.with_false_alarms(1e-9).check().unwrap_err().to_string(),
        "validate.anomaly: invalid: a rate of false alarms is between 0.001 and 0.1 (rate: 0.000000001)",
    );
    assert_eq!(rule.judge(&[1.0; 4], 1.0).unwrap().verdict, Verdict::TooFewRuns);
}
