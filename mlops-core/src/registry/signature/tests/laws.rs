use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn name() -> BoxedStrategy<Key> {
    let text = prop_oneof![
        3 => select(vec!["a", "b", "c"]).prop_map(str::to_owned),
        1 => "[a-z0-9_]{1,4}",
        1 => "[\\]\\[>,:\"\\\\ ?a]{1,5}",
        1 => any::<String>(),
    ];
    text.prop_filter_map("a key", |text| Key::new(text).ok()).boxed()
}

fn unit() -> impl Strategy<Value = TimeUnit> + Clone {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    select(vec![Second, Millisecond, Microsecond, Nanosecond])
}

fn number() -> BoxedStrategy<ColumnType> {
    use ColumnType::{
        Float16, Float32, Float64, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64,
    };
    let plain =
        vec![Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Float16, Float32, Float64];
    let digits = |max: u8| (1..=max).prop_flat_map(|p| (Just(p), -3..=p as i8));
    prop_oneof![
        4 => select(plain),
        1 => digits(38).prop_map(|(precision, scale)| ColumnType::Decimal128 { precision, scale }),
        1 => digits(76).prop_map(|(precision, scale)| ColumnType::Decimal256 { precision, scale }),
    ]
    .boxed()
}

fn leaf() -> BoxedStrategy<ColumnType> {
    use ColumnType::{Binary, Boolean, Date32, Date64, Utf8};
    prop_oneof![
        4 => number(),
        2 => select(vec![Boolean, Utf8, Binary, Date32, Date64]),
        1 => unit().prop_map(ColumnType::Time),
        1 => unit().prop_map(ColumnType::Duration),
        1 => (unit(), proptest::option::of(name()))
            .prop_map(|(unit, zone)| ColumnType::Timestamp { unit, zone }),
    ]
    .boxed()
}

fn nested(leaf: BoxedStrategy<ColumnType>) -> BoxedStrategy<ColumnType> {
    leaf.prop_recursive(4, 12, 3, |inner| {
        let item = (inner.clone(), any::<bool>())
            .prop_map(|(data_type, nullable)| Box::new(Item { data_type, nullable }));
        prop_oneof![
            item.clone().prop_map(ColumnType::List),
            item.clone().prop_map(ColumnType::LargeList),
            (0..4, item).prop_map(|(size, item)| ColumnType::FixedList { size, item }),
            columns_of(inner).prop_map(ColumnType::Struct),
        ]
    })
    .boxed()
}

fn columns_of(data_type: BoxedStrategy<ColumnType>) -> BoxedStrategy<Vec<Column>> {
    let columns = move |names: BTreeSet<Key>| {
        let column = |name| (Just(name), data_type.clone(), any::<bool>());
        names.into_iter().map(column).collect::<Vec<_>>()
    };
    btree_set(name(), 0..4)
        .prop_flat_map(columns)
        .prop_map(|columns| {
            let column = |(name, data_type, nullable)| Column { name, data_type, nullable };
            columns.into_iter().map(column).collect::<Vec<_>>()
        })
        .prop_shuffle()
        .boxed()
}

fn signature(data_type: BoxedStrategy<ColumnType>) -> BoxedStrategy<Signature> {
    (columns_of(data_type.clone()), columns_of(data_type))
        .prop_map(|(inputs, outputs)| Signature { inputs, outputs })
        .boxed()
}

/// Few names and few types, so that two of them fit each other now and then.
fn crowded() -> BoxedStrategy<Signature> {
    use ColumnType::{Float64, Int8, Int32, Utf8};
    let leaf = select(vec![Int8, Int32, Float64, Utf8]);
    let list = (leaf.clone(), any::<bool>())
        .prop_map(|(data_type, nullable)| ColumnType::List(Box::new(Item { data_type, nullable })));
    let column = |name: &'static str| {
        let data_type = prop_oneof![3 => leaf.clone(), 1 => list.clone()];
        proptest::option::of((data_type, any::<bool>())).prop_map(move |column| {
            let (data_type, nullable) = column?;
            Some(Column::new(name, data_type).unwrap().with_nullable(nullable))
        })
    };
    let side = || (column("a"), column("b")).prop_map(|(a, b)| a.into_iter().chain(b).collect());
    (side(), side()).prop_map(|(inputs, outputs)| Signature { inputs, outputs }).boxed()
}

/// The signature of some other version, near to `of`: some types wider, some flags turned.
fn near(of: &Signature) -> BoxedStrategy<Signature> {
    let change = |column: &Column| {
        let column = column.clone();
        (0..6_u8).prop_map(move |change| match (change, &column.data_type) {
            (0, _) => column.clone().with_nullable(!column.nullable),
            (1, ColumnType::Int8) => Column { data_type: ColumnType::Int32, ..column.clone() },
            (1 | 2, ColumnType::Int32) => {
                Column { data_type: ColumnType::Float64, ..column.clone() }
            }
            _ => column.clone(),
        })
    };
    let side = |columns: &[Column]| columns.iter().map(change).collect::<Vec<_>>().prop_shuffle();
    (side(&of.inputs), side(&of.outputs))
        .prop_map(|(inputs, outputs)| Signature { inputs, outputs })
        .boxed()
}

fn three() -> BoxedStrategy<[Signature; 3]> {
    crowded()
        .prop_flat_map(|a| (near(&a), Just(a)))
        .prop_flat_map(|(b, a)| (near(&b), Just(a), Just(b)))
        .prop_map(|(c, a, b)| [a, b, c])
        .boxed()
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same_type(data_type in nested(leaf())) {
        let text = data_type.to_string();
        prop_assert_eq!(&text.parse::<ColumnType>().unwrap(), &data_type, "{}", text);
        prop_assert_eq!(ColumnType::from_arrow(&data_type.to_arrow()).unwrap(), data_type);
    }

    #[test]
    fn parsing_never_panics_and_prints_what_it_took(text in "[a-z0-9<>\\[\\](),:?\" -]{0,24}|\\PC*") {
        if let Ok(data_type) = text.parse::<ColumnType>() {
            prop_assert_eq!(data_type.to_string().parse::<ColumnType>().unwrap(), data_type);
        }
    }

    #[test]
    fn json_and_arrow_give_back_the_same_signature(signature in signature(nested(leaf()))) {
        signature.check().unwrap();
        let json = serde_json::to_string(&signature).unwrap();
        let read: Signature = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(serde_json::to_string(&read).unwrap(), json);
        prop_assert_eq!(&read, &signature);
        let [inputs, outputs] = [signature.input_schema(), signature.output_schema()];
        prop_assert_eq!(Signature::from_schemas(&inputs, &outputs).unwrap(), signature);
    }

    #[test]
    fn a_signature_fits_itself_and_may_replace_itself(signature in signature(nested(leaf()))) {
        let mut shuffled = signature.clone();
        shuffled.inputs.reverse();
        shuffled.outputs.reverse();
        prop_assert_eq!(
            signature.check_inputs(&shuffled.input_schema()),
            SignatureCheck::default()
        );
        prop_assert_eq!(
            signature.check_outputs(&shuffled.output_schema()),
            SignatureCheck::default()
        );
        prop_assert_eq!(shuffled.incompatibilities(&signature), vec![]);
    }

    #[test]
    fn a_batch_without_rows_has_no_nulls(signature in signature(nested(leaf()))) {
        let batch = RecordBatch::new_empty(Arc::new(signature.input_schema()));
        prop_assert_eq!(signature.check_batch(&batch), SignatureCheck::default());
    }

    #[test]
    fn every_type_widens_into_itself(data_type in nested(leaf())) {
        prop_assert!(data_type.widens_into(&data_type));
    }

    #[test]
    fn what_widens_twice_widens_at_once(types in vec(nested(number()), 12)) {
        for (a, b) in types.iter().flat_map(|a| types.iter().map(move |b| (a, b))) {
            for c in types.iter().filter(|c| a.widens_into(b) && b.widens_into(c)) {
                prop_assert!(a.widens_into(c), "{a} into {b} into {c}");
            }
            // Both ways only between types that differ in nullability alone.
            prop_assert!(!(a.widens_into(b) && b.widens_into(a)) || a.same(b), "{a}, {b}");
        }
    }

    #[test]
    fn what_may_replace_may_be_replaced_in_turn([a, b, c] in three()) {
        if b.incompatibilities(&a).is_empty() && c.incompatibilities(&b).is_empty() {
            prop_assert_eq!(c.incompatibilities(&a), vec![]);
        }
    }

    #[test]
    fn what_fits_a_version_fits_each_that_may_replace_it([data, current, next] in three()) {
        if !next.incompatibilities(&current).is_empty() {
            return Ok(());
        }
        if current.check_inputs(&data.input_schema()).is_ok() {
            prop_assert!(next.check_inputs(&data.input_schema()).is_ok());
        }
        if next.check_outputs(&data.output_schema()).is_ok() {
            prop_assert!(current.check_outputs(&data.output_schema()).is_ok());
        }
    }

    #[test]
    fn what_mlflow_can_hold_comes_back_from_it(signature in signature(nested(leaf()))) {
        if let Ok((inputs, outputs)) = signature.to_mlflow_json() {
            let read = Signature::from_mlflow_json(&inputs, &outputs).unwrap();
            prop_assert_eq!(read.to_mlflow_json().unwrap(), (inputs, outputs));
        }
    }
}
