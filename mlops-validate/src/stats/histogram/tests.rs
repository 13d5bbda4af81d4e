use proptest::prelude::*;

use super::*;
use crate::stats::{ExactQuantiles, Rule};

fn of(values: &[f64]) -> Histogram {
    let mut histogram = Histogram::default();
    histogram.add_slice(values);
    histogram
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        1 => any::<f64>(),
        2 => (-20i32..20, -1.0..1.0).prop_map(|(e, m): (i32, f64)| m * 10f64.powi(e)),
        4 => -100.0..100.0,
        2 => (0i32..20).prop_map(f64::from),
        1 => (0u64..1 << 50).prop_map(f64::from_bits),
        1 => Just(f64::NAN),
    ]
}

proptest! {
    // Windows over the whole range of doubles are slow to go through without optimization.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_interval_of_a_quantile_holds_the_exact_one(
        values in prop::collection::vec(any_value(), 1..80), q in 0.0..=1.0,
    ) {
        let histogram = of(&values);
        let mut exact = ExactQuantiles::default();
        exact.add_slice(&values);
        prop_assert_eq!(histogram.count(), exact.count());
        match (histogram.quantile(q), exact.quantile(q, Rule::Linear)) {
            (Some(Interval { lo, hi }), Some(value)) if !value.is_nan() => {
                prop_assert!(lo <= value && value <= hi, "{value} not in {lo}..={hi}");
            }
            // Of nothing, or between −∞ and +∞.
            (None, None) | (Some(_), Some(_)) => {}
            other => prop_assert!(false, "{other:?}"),
        }
        let pivot = values[0];
        let (least, most) = histogram.rank(pivot);
        let rank = values.iter().filter(|value| **value <= pivot).count() as u64;
        prop_assert!(least <= rank && rank <= most);
    }

    #[test]
    fn a_cell_holds_its_value_and_is_narrow(value in any::<f64>()) {
        prop_assume!(value.is_normal());
        let cell = of(&[value]).cells().next().unwrap();
        prop_assert!(cell.lo <= value && value <= cell.hi);
        prop_assert!(cell.hi - cell.lo <= value.abs() / 128.0);
        prop_assert_eq!(Histogram::cell_of(value), Some(Interval { lo: cell.lo, hi: cell.hi }));
    }

    #[test]
    fn order_cuts_and_merges_do_not_matter(
        mut values in prop::collection::vec(any_value(), 0..120), cut in 0usize..120,
    ) {
        let whole = of(&values);
        let cut = cut.min(values.len());
        values.rotate_left(cut / 2);
        let (left, right) = values.split_at(cut);
        let (mut a, mut b) = (of(left), of(right));
        let first = a.clone();
        a.merge(&b);
        b.merge(&first);
        prop_assert_eq!(&a, &b);
        prop_assert_eq!(&a, &whole);
        let json = serde_json::to_string(&a).unwrap();
        prop_assert_eq!(serde_json::from_str::<Histogram>(&json).unwrap(), whole);
    }
}

#[test]
fn cells_come_in_order_and_zero_is_alone() {
    let tiny = f64::from_bits(1);
    let values = [1.0, -0.0, 0.0, -tiny, tiny, -1.0, f64::NEG_INFINITY, f64::INFINITY, f64::NAN];
    let histogram = of(&values);
    let cells: Vec<_> = histogram.cells().collect();
    assert!(cells.windows(2).all(|pair| pair[0].hi < pair[1].lo));
    assert_eq!(cells.iter().map(|cell| cell.count).collect::<Vec<_>>(), [1, 1, 1, 2, 1, 1, 1]);
    assert_eq!((histogram.count(), histogram.nan()), (8, 1));
    assert_eq!(cells[3], Cell { lo: 0.0, hi: 0.0, count: 2 });
}

#[test]
fn one_unit_of_the_last_place_decides_at_an_edge() {
    let edge: f64 = 1.0 + 1.0 / 128.0;
    let below = f64::from_bits(edge.to_bits() - 1);
    assert_eq!(of(&[below, edge]).cells().count(), 2);
    assert_eq!(of(&[1.0, below]).cells().count(), 1);
}

#[test]
fn a_stored_cell_beyond_the_doubles_is_refused() {
    let text = r#"{"zeros":0,"nan":0,"infinite":[0,0],"positive":[[262015,[1,1]]],"negative":[]}"#;
    assert!(serde_json::from_str::<Histogram>(text).is_err());
}
