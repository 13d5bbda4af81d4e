//! Random tables, in random pieces, there and back.

use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::*;
use mlops_polars::{from_arrow, to_arrow};
use proptest::prelude::*;

use crate::table;

/// Rows of one column: a seed each, or null.
type Seeds = Vec<Option<i64>>;

/// One column of each kind, grown from seeds.
fn grown(kind: u8, seeds: &Seeds) -> ArrayRef {
    let text = |seed: i64| match seed % 4 {
        0 => String::new(),
        1 => format!("é{seed}"),
        2 => format!("a text that is longer than a view: {seed}"),
        _ => format!("{}", seed % 8),
    };
    let texts = || seeds.iter().map(|seed| seed.map(text));
    let float = |seed: i64| match seed % 5 {
        0 => f64::NAN,
        1 => -0.0,
        2 => f64::NEG_INFINITY,
        _ => f64::from_bits(seed as u64 >> 2),
    };
    let lists = || {
        let items = |seed: i64| (0..seed.rem_euclid(4)).map(|i| (i != 1).then_some(i)).collect();
        seeds.iter().map(|seed| seed.map(items)).collect::<Vec<Option<Vec<Option<i64>>>>>()
    };
    match kind % 19 {
        0 => Arc::new(Int64Array::from(seeds.clone())),
        1 => Arc::new(seeds.iter().map(|s| s.map(|s| s as u8)).collect::<UInt8Array>()),
        2 => Arc::new(seeds.iter().map(|s| s.map(float)).collect::<Float64Array>()),
        3 => Arc::new(seeds.iter().map(|s| s.map(|s| s % 2 == 0)).collect::<BooleanArray>()),
        4 => Arc::new(texts().collect::<StringArray>()),
        5 => Arc::new(texts().collect::<LargeStringArray>()),
        6 => Arc::new(texts().collect::<StringViewArray>()),
        7 => Arc::new(texts().collect::<BinaryArray>()),
        8 => {
            let texts: Vec<Option<String>> = texts().collect();
            let texts = texts.iter().map(Option::as_deref);
            Arc::new(texts.collect::<DictionaryArray<Int32Type>>())
        }
        9 => Arc::new(TimestampMicrosecondArray::from(seeds.clone()).with_timezone("UTC")),
        10 => {
            let values = seeds.iter().map(|s| s.map(i128::from)).collect::<Decimal128Array>();
            Arc::new(values.with_precision_and_scale(38, 6).unwrap())
        }
        11 => Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists())),
        12 => Arc::new(LargeListArray::from_iter_primitive::<Int64Type, _, _>(lists())),
        13 => Arc::new(NullArray::new(seeds.len())),
        14 => {
            let pairs = seeds.iter().map(|seed| seed.map(|seed| [Some(seed), None]));
            Arc::new(FixedSizeListArray::from_iter_primitive::<Int64Type, _, _>(pairs, 2))
        }
        // Lists of what Polars has to convert: each row takes the next values of a column.
        15 => listed::<i32>(&grown(8, seeds), seeds),
        16 => listed::<i64>(&grown(13, seeds), seeds),
        17 => listed::<i32>(&grown(18, seeds), seeds),
        _ => {
            let parts = [4, 11, 2, 13, 3].map(|kind| grown(kind, seeds));
            let fields = parts.iter().enumerate().map(|(number, part)| {
                Field::new(format!("ø{number}"), part.data_type().clone(), true)
            });
            let nulls = seeds.iter().map(Option::is_some).collect::<Vec<_>>().into();
            Arc::new(StructArray::new(fields.collect(), parts.to_vec(), Some(nulls)))
        }
    }
}

/// As many lists as there are seeds, of all values but those of the last.
fn listed<O: OffsetSizeTrait>(values: &ArrayRef, seeds: &Seeds) -> ArrayRef {
    let lengths = seeds.iter().enumerate().map(|(row, seed)| match seed {
        Some(seed) if row > 0 => (seed.rem_euclid(3) as usize).min(2),
        _ => 0,
    });
    let mut left = values.len();
    let lengths: Vec<usize> = lengths
        .map(|length| {
            let length = length.min(left);
            left -= length;
            length
        })
        .collect();
    let item = Arc::new(Field::new("item", values.data_type().clone(), true));
    let nulls = seeds.iter().map(Option::is_some).collect::<Vec<_>>().into();
    let offsets = OffsetBuffer::<O>::from_lengths(lengths);
    Arc::new(GenericListArray::new(item, offsets, values.clone(), Some(nulls)))
}

prop_compose! {
    fn tables()(
        names in proptest::collection::btree_set("\\PC{0,6}", 1..6),
        rows in 0..40_usize,
    )(
        columns in names
            .into_iter()
            .map(|name| {
                let seeds = proptest::collection::vec(proptest::option::weighted(0.8, any::<i64>()), rows);
                (Just(name), any::<u8>(), seeds)
            })
            .collect::<Vec<_>>(),
        cuts in proptest::collection::vec(0..=rows, 0..5),
    ) -> Vec<RecordBatch> {
        let rows = columns[0].2.len();
        let arrays = columns.iter().map(|(name, kind, seeds)| (name, grown(*kind, seeds), true));
        let whole = RecordBatch::try_from_iter_with_nullable(arrays).unwrap();
        let mut cuts = cuts;
        cuts.push(rows);
        cuts.sort_unstable();
        let start = if cuts.len() > 3 { cuts[0] } else { 0 };
        let slice = |ends: &[usize]| whole.slice(ends[0], ends[1] - ends[0]);
        let mut ends = vec![start];
        ends.extend(cuts);
        ends.windows(2).map(slice).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// What is read is the same, whatever the types and wherever it was cut; and a second journey, from
    /// Polars, changes nothing at all.
    #[test]
    fn a_table_that_went_through_polars_reads_the_same(batches in tables()) {
        let frame = from_arrow(&batches).unwrap();
        let back = to_arrow(&frame).unwrap();
        prop_assert_eq!(table(&back), table(&batches));

        let again = from_arrow(&back).unwrap();
        prop_assert!(again.equals_missing(&frame));
        prop_assert_eq!(again.schema(), frame.schema());
        prop_assert_eq!(to_arrow(&again).unwrap(), back);
    }

    /// Slices of a frame, and frames put together from slices.
    #[test]
    fn slices_of_a_frame_are_slices_of_its_table(
        batches in tables(),
        start in 0..40_usize,
        rows in 0..40_usize,
    ) {
        let frame = from_arrow(&batches).unwrap();
        let start = start.min(frame.height());
        let rows = rows.min(frame.height() - start);
        let slice = frame.slice(start as i64, rows);
        let expected: Vec<_> = table(&batches)
            .into_iter()
            .map(|(name, texts)| (name, texts[start..start + rows].to_vec()))
            .collect();
        prop_assert_eq!(table(&to_arrow(&slice).unwrap()), expected);
    }
}
