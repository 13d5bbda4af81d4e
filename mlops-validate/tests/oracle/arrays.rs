//! The same values as Arrow arrays of every encoding: large offsets, views, dictionaries with values
//! that no row uses, slices of something longer, and rubbish below every null.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Date64Array,
    Decimal32Array, Decimal64Array, Decimal128Array, Decimal256Array, DictionaryArray,
    FixedSizeBinaryArray, Float32Array, Float64Array, Int64Array, LargeBinaryArray, LargeListArray,
    LargeStringArray, ListArray, PrimitiveArray, StringArray, StringViewArray, StructArray,
    make_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, Fields, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type, i256,
};

use crate::kind::{Kind, nanos};
use crate::number::Number;
use crate::rng::Rng;
use crate::value::Value;

/// How a column is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Form {
    Plain,
    Large,
    View,
    /// The type of the keys.
    Dictionary(DataType),
}

/// How a column and what is inside of it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    pub(crate) form: Form,
    inside: Vec<Layout>,
}

impl Layout {
    /// As Arrow stores it by default.
    pub(crate) fn plain(kind: &Kind) -> Self {
        Self::of(kind, &mut |_| Form::Plain)
    }

    /// Any other way; dictionaries with keys that are wide enough for `rows` rows.
    pub(crate) fn any(kind: &Kind, rows: usize, rng: &mut Rng) -> Self {
        let mut narrow = vec![DataType::Int32, DataType::UInt32, DataType::Int64, DataType::UInt64];
        if rows < 20_000 {
            narrow.extend([DataType::Int16, DataType::UInt16]);
        }
        if rows < 25 {
            narrow.extend([DataType::Int8, DataType::UInt8]);
        }
        Self::of(kind, &mut |kind| match rng.below(4) {
            0 => Form::Plain,
            1 if kind.is_scalar() => Form::Dictionary(rng.pick(&narrow).clone()),
            2 => Form::Large,
            _ => Form::View,
        })
    }

    fn of(kind: &Kind, form: &mut dyn FnMut(&Kind) -> Form) -> Self {
        let inside = match kind {
            Kind::List(item) => vec![Self::of(item, form)],
            Kind::Struct(fields) => fields.iter().map(|(_, kind)| Self::of(kind, form)).collect(),
            _ => Vec::new(),
        };
        Self { form: form(kind), inside }
    }
}

/// The Arrow type of a kind.
pub(crate) fn data_type(kind: &Kind, layout: &Layout) -> DataType {
    if let Form::Dictionary(keys) = &layout.form {
        let values = data_type(kind, &Layout::plain(kind));
        return DataType::Dictionary(Box::new(keys.clone()), Box::new(values));
    }
    match (kind, &layout.form) {
        (Kind::Bool, _) => DataType::Boolean,
        (Kind::Int(8, true), _) => DataType::Int8,
        (Kind::Int(16, true), _) => DataType::Int16,
        (Kind::Int(32, true), _) => DataType::Int32,
        (Kind::Int(_, true), _) => DataType::Int64,
        (Kind::Int(8, false), _) => DataType::UInt8,
        (Kind::Int(16, false), _) => DataType::UInt16,
        (Kind::Int(32, false), _) => DataType::UInt32,
        (Kind::Int(..), _) => DataType::UInt64,
        (Kind::Float(16), _) => DataType::Float16,
        (Kind::Float(32), _) => DataType::Float32,
        (Kind::Float(_), _) => DataType::Float64,
        (Kind::Decimal(32, scale), _) => DataType::Decimal32(9, *scale),
        (Kind::Decimal(64, scale), _) => DataType::Decimal64(18, *scale),
        (Kind::Decimal(128, scale), _) => DataType::Decimal128(38, *scale),
        (Kind::Decimal(_, scale), _) => DataType::Decimal256(76, *scale),
        (Kind::Text, Form::Large) => DataType::LargeUtf8,
        (Kind::Text, Form::View) => DataType::Utf8View,
        (Kind::Text, _) => DataType::Utf8,
        (Kind::Bytes, Form::Large) => DataType::LargeBinary,
        (Kind::Bytes, Form::View) => DataType::BinaryView,
        (Kind::Bytes, _) => DataType::Binary,
        (Kind::FixedBytes(n), _) => DataType::FixedSizeBinary(*n as i32),
        (Kind::Date(32), _) => DataType::Date32,
        (Kind::Date(_), _) => DataType::Date64,
        (Kind::Time(unit @ (TimeUnit::Second | TimeUnit::Millisecond)), _) => {
            DataType::Time32(*unit)
        }
        (Kind::Time(unit), _) => DataType::Time64(*unit),
        (Kind::Instant(unit, zoned), _) => {
            DataType::Timestamp(*unit, zoned.then(|| "+02:00".into()))
        }
        (Kind::Duration(unit), _) => DataType::Duration(*unit),
        (Kind::List(item), form) => {
            let item = Field::new_list_field(data_type(item, &layout.inside[0]), true);
            match form {
                Form::Large => DataType::LargeList(Arc::new(item)),
                _ => DataType::List(Arc::new(item)),
            }
        }
        (Kind::Struct(fields), _) => DataType::Struct(struct_fields(fields, layout)),
    }
}

fn struct_fields(fields: &[(&'static str, Kind)], layout: &Layout) -> Fields {
    let field = |((name, kind), layout): (&(&'static str, Kind), &Layout)| {
        Field::new(*name, data_type(kind, layout), true)
    };
    fields.iter().zip(&layout.inside).map(field).collect()
}

/// The values as an array that is perhaps a slice of a longer one.
pub(crate) fn array(kind: &Kind, layout: &Layout, values: &[Value], rng: &mut Rng) -> ArrayRef {
    if rng.chance(50) {
        return whole(kind, layout, values, rng);
    }
    let (before, after) = (rng.below(70), rng.below(5));
    let mut longer: Vec<Value> = (0..before).map(|_| kind.value_or_null(rng, 20)).collect();
    longer.extend_from_slice(values);
    longer.extend((0..after).map(|_| kind.value_or_null(rng, 20)));
    whole(kind, layout, &longer, rng).slice(before, values.len())
}

fn whole(kind: &Kind, layout: &Layout, values: &[Value], rng: &mut Rng) -> ArrayRef {
    if let Form::Dictionary(keys) = &layout.form {
        return dictionary(kind, keys, values, rng);
    }
    // What lies below a null is no value, and must not count.
    let filled: Vec<Value> = values
        .iter()
        .map(|value| if value.is_null() { kind.value(rng) } else { value.clone() })
        .collect();
    let there: BooleanBuffer = values.iter().map(|value| !value.is_null()).collect();
    let nulls = (there.count_set_bits() < values.len()).then(|| NullBuffer::new(there));
    let all = filled_array(kind, layout, &filled, rng);
    let Some(nulls) = nulls else { return all };
    make_array(all.to_data().into_builder().nulls(Some(nulls)).build().unwrap())
}

fn exact(value: &Value) -> &Number {
    let Value::Exact(number) = value else { panic!("{value:?} is no exact number") };
    number
}

/// The number in units of `10^-scale`, as text of digits alone.
fn unscaled(value: &Value, scale: i8) -> i256 {
    let text = exact(value).clone().shifted(i32::from(scale)).to_string();
    let (digits, zeros) = text.split_once('e').unwrap_or((&text, "0"));
    let zeros: usize = zeros.parse().unwrap();
    i256::from_string(&format!("{digits}{}", "0".repeat(zeros))).unwrap()
}

fn bits128(value: &Value, scale: i8) -> i128 {
    unscaled(value, scale).to_i128().unwrap()
}

/// An array of values of which none is null.
fn filled_array(kind: &Kind, layout: &Layout, values: &[Value], rng: &mut Rng) -> ArrayRef {
    let to = data_type(kind, layout);
    let natives = |f: &dyn Fn(&Value) -> i128| -> ArrayRef {
        let array: Int64Array = values.iter().map(|value| Some(f(value) as i64)).collect();
        Arc::new(array)
    };
    match kind {
        Kind::Bool => {
            Arc::new(values.iter().map(|v| Some(*v == Value::Bool(true))).collect::<BooleanArray>())
        }
        Kind::Int(64, false) => {
            let native = |v: &Value| Some(u64::try_from(bits128(v, 0)).unwrap());
            Arc::new(values.iter().map(native).collect::<PrimitiveArray<UInt64Type>>())
        }
        Kind::Int(..) => cast(&natives(&|v| bits128(v, 0)), &to).unwrap(),
        Kind::Float(bits) => {
            let floats = values.iter().map(|value| match value {
                Value::Float(value) => *value,
                other => panic!("{other:?} is no float"),
            });
            match bits {
                64 => Arc::new(floats.map(Some).collect::<Float64Array>()),
                bits => {
                    let floats: Float32Array = floats.map(|value| Some(value as f32)).collect();
                    if *bits == 32 { Arc::new(floats) } else { cast(&floats, &to).unwrap() }
                }
            }
        }
        Kind::Decimal(bits, scale) => {
            let precision = Kind::precision(*bits);
            macro_rules! decimals {
                ($array:ident, $native:expr) => {{
                    let native: fn(i256) -> _ = $native;
                    let values = values.iter().map(|v| Some(native(unscaled(v, *scale))));
                    let array = values.collect::<$array>();
                    Arc::new(array.with_precision_and_scale(precision, *scale).unwrap())
                }};
            }
            match bits {
                32 => decimals!(Decimal32Array, |n| n.to_i128().unwrap() as i32),
                64 => decimals!(Decimal64Array, |n| n.to_i128().unwrap() as i64),
                128 => decimals!(Decimal128Array, |n| n.to_i128().unwrap()),
                _ => decimals!(Decimal256Array, |n| n),
            }
        }
        Kind::Text => {
            let texts = values.iter().map(|value| match value {
                Value::Text(text) => text.as_str(),
                other => panic!("{other:?} is no text"),
            });
            match to {
                DataType::LargeUtf8 => Arc::new(LargeStringArray::from_iter_values(texts)),
                DataType::Utf8View => Arc::new(StringViewArray::from_iter_values(texts)),
                _ => Arc::new(StringArray::from_iter_values(texts)),
            }
        }
        Kind::Bytes | Kind::FixedBytes(_) => {
            let bytes = values.iter().map(|value| match value {
                Value::Bytes(bytes) => bytes.as_slice(),
                other => panic!("{other:?} is no bytes"),
            });
            match to {
                DataType::LargeBinary => Arc::new(LargeBinaryArray::from_iter_values(bytes)),
                DataType::BinaryView => Arc::new(BinaryViewArray::from_iter_values(bytes)),
                DataType::FixedSizeBinary(n) => Arc::new(
                    FixedSizeBinaryArray::try_from_sparse_iter_with_size(bytes.map(Some), n)
                        .unwrap(),
                ),
                _ => Arc::new(BinaryArray::from_iter_values(bytes)),
            }
        }
        Kind::Date(bits) => {
            let days = values.iter().map(|value| match value {
                Value::Date(days) => *days,
                other => panic!("{other:?} is no date"),
            });
            match bits {
                32 => Arc::new(days.map(|n| Some(n as i32)).collect::<Date32Array>()),
                _ => Arc::new(days.map(|n| Some(n * 86_400_000)).collect::<Date64Array>()),
            }
        }
        Kind::Time(unit) | Kind::Instant(unit, _) | Kind::Duration(unit) => {
            let ticks = natives(&|value| match value {
                Value::Time(n) | Value::Instant(n) | Value::Duration(n) => n / nanos(*unit),
                other => panic!("{other:?} is no time"),
            });
            let narrow = matches!(to, DataType::Time32(_));
            let ticks = if narrow { cast(&ticks, &DataType::Int32).unwrap() } else { ticks };
            let zone_last = ticks.to_data().into_builder().data_type(to).build();
            make_array(zone_last.unwrap())
        }
        Kind::List(item) => {
            let lists = || {
                values.iter().map(|value| match value {
                    Value::List(items) => items.as_slice(),
                    other => panic!("{other:?} is no list"),
                })
            };
            let items: Vec<Value> = lists().flatten().cloned().collect();
            let child = array(item, &layout.inside[0], &items, rng);
            let field = Arc::new(Field::new_list_field(child.data_type().clone(), true));
            let lengths = lists().map(<[Value]>::len);
            if matches!(to, DataType::LargeList(_)) {
                let offsets = OffsetBuffer::from_lengths(lengths);
                return Arc::new(LargeListArray::new(field, offsets, child, None));
            }
            let offsets = OffsetBuffer::from_lengths(lengths);
            Arc::new(ListArray::new(field, offsets, child, None))
        }
        Kind::Struct(fields) => {
            let mut arrays = Vec::new();
            for (number, ((_, kind), layout)) in fields.iter().zip(&layout.inside).enumerate() {
                let values: Vec<Value> = values
                    .iter()
                    .map(|value| match value {
                        Value::Struct(fields) => fields[number].clone(),
                        other => panic!("{other:?} is no struct"),
                    })
                    .collect();
                arrays.push(array(kind, layout, &values, rng));
            }
            if values.is_empty() {
                return Arc::new(StructArray::new_null(struct_fields(fields, layout), 0));
            }
            Arc::new(StructArray::new(struct_fields(fields, layout), arrays, None))
        }
    }
}

/// A dictionary in no order, with values twice, values that no row uses, and a null among them.
fn dictionary(kind: &Kind, keys: &DataType, values: &[Value], rng: &mut Rng) -> ArrayRef {
    let mut distinct: Vec<Value> = (0..3).map(|_| kind.value(rng)).collect();
    distinct.push(Value::Null);
    let null_at = 3;
    let mut numbers: Vec<Option<usize>> = Vec::with_capacity(values.len());
    for value in values {
        let same = |known: &Value| format!("{known:?}") == format!("{value:?}");
        numbers.push(match value {
            Value::Null => rng.chance(50).then_some(null_at),
            _ => Some(distinct.iter().rposition(same).filter(|_| rng.chance(90)).unwrap_or_else(
                || {
                    distinct.push(value.clone());
                    distinct.len() - 1
                },
            )),
        });
    }
    let mut places: Vec<usize> = (0..distinct.len()).collect();
    rng.shuffle(&mut places);
    let mut shuffled = vec![Value::Null; distinct.len()];
    for (value, place) in distinct.into_iter().zip(&places) {
        shuffled[*place] = value;
    }
    let values = array(kind, &Layout::plain(kind), &shuffled, rng);
    macro_rules! of {
        ($keys:ident) => {{
            let keys: PrimitiveArray<$keys> = numbers
                .iter()
                .map(|number| number.map(|n| places[n].try_into().unwrap()))
                .collect();
            Arc::new(DictionaryArray::new(keys, values))
        }};
    }
    match keys {
        DataType::Int8 => of!(Int8Type),
        DataType::Int16 => of!(Int16Type),
        DataType::Int32 => of!(Int32Type),
        DataType::Int64 => of!(Int64Type),
        DataType::UInt8 => of!(UInt8Type),
        DataType::UInt16 => of!(UInt16Type),
        DataType::UInt32 => of!(UInt32Type),
        _ => of!(UInt64Type),
    }
}
