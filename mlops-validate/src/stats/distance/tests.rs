use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::stats::special::ln_gamma;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
    gamma_upper: Vec<(f64, f64, f64)>,
    ln_gamma: Vec<(f64, f64)>,
    kolmogorov: Vec<(f64, f64)>,
}

#[derive(Deserialize)]
struct Case {
    a: Vec<u64>,
    b: Vec<u64>,
    psi: f64,
    jensen_shannon: f64,
    chi_square: f64,
    chi_square_dof: usize,
    chi_square_p: f64,
    total_variation: f64,
    ks: f64,
    ks_p: f64,
    wasserstein: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../tests/golden/distance.json")).unwrap()
}

#[track_caller]
fn close(found: f64, expected: f64) {
    let error = (found - expected).abs();
    assert!(error <= 1e-11 * expected.abs() + 1e-14, "{found} instead of {expected}");
}

#[test]
fn distances_are_those_of_scipy() {
    for case in golden().cases {
        let (a, b) = (&case.a, &case.b);
        close(psi(a, b).unwrap(), case.psi);
        // Of nearly equal samples scipy's own value has few digits.
        let error = jensen_shannon(a, b).unwrap().powi(2) - case.jensen_shannon.powi(2);
        assert!(error.abs() < 1e-15, "{error}");
        close(total_variation(a, b).unwrap(), case.total_variation);
        close(wasserstein(a, b).unwrap(), case.wasserstein);
        let chi = chi_square(a, b).unwrap();
        close(chi.statistic, case.chi_square);
        close(chi.p_value, case.chi_square_p);
        assert_eq!(chi.degrees, case.chi_square_dof);
        let ks = kolmogorov_smirnov(a, b).unwrap();
        close(ks.statistic, case.ks);
        close(ks.p_value, case.ks_p);
    }
}

#[test]
fn special_functions_are_those_of_scipy() {
    let golden = golden();
    for (a, x, expected) in golden.gamma_upper {
        assert!((gamma_upper(a, x) - expected).abs() <= 1e-11 * expected + 1e-13, "{a} {x}");
    }
    for (x, expected) in golden.ln_gamma {
        assert!((ln_gamma(x) - expected).abs() <= 1e-12 * expected.abs() + 1e-13, "{x}");
    }
    for (x, expected) in golden.kolmogorov {
        assert!((kolmogorov_upper(x) - expected).abs() <= 1e-12 * expected + 1e-15, "{x}");
    }
}

#[test]
fn what_cannot_be_compared_says_why() {
    assert_eq!(
        psi(&[1], &[1, 2]).unwrap_err().to_string(),
        "validate.distance: invalid: two samples must be counted in the same cells \
         (reference: 1, current: 2); hint: count both with the same bins",
    );
    assert!(wasserstein(&[], &[]).is_err());
    assert!(chi_square(&[0, 0], &[1, 0]).is_err());
    assert_eq!(chi_square(&[4], &[9]).unwrap().p_value, 1.0);
    assert_eq!(wasserstein(&[4], &[9]).unwrap(), 0.0);
}

type Distance = fn(&[u64], &[u64]) -> Result<f64>;

proptest! {
    #[test]
    fn distances_are_symmetric_bounded_and_zero_only_for_equal_shares(
        a in prop::collection::vec(prop_oneof![Just(0u64), 0u64..50, Just(u64::MAX)], 1..12),
        seed in prop::collection::vec(0u64..50, 12),
        factor in 1u64..9,
    ) {
        let b = &seed[..a.len()];
        prop_assume!(a.iter().any(|c| *c > 0) && b.iter().any(|c| *c > 0));
        for (distance, limit) in [
            (psi as Distance, f64::INFINITY), (jensen_shannon, 1.0), (total_variation, 1.0), (wasserstein, 1.0),
        ] {
            let there = distance(&a, b).unwrap();
            let back = distance(b, &a).unwrap();
            prop_assert!((0.0..=limit).contains(&there));
            prop_assert!((there - back).abs() <= 1e-12 * there.max(1.0));
            let more: Vec<u64> = b.iter().map(|count| count * factor).collect();
            prop_assert_eq!(distance(b, &more).unwrap(), 0.0);
        }
        let ks = kolmogorov_smirnov(&a, b).unwrap();
        prop_assert!((0.0..=1.0).contains(&ks.statistic) && (0.0..=1.0).contains(&ks.p_value));
        let chi = chi_square(&a, b).unwrap();
        prop_assert!(chi.statistic >= 0.0 && (0.0..=1.0).contains(&chi.p_value));
    }
}
