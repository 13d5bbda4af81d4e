//! Closures over plain values, made into functions over columns.
//!
//! The loop over a column calls the closure, and a single row is a column of one. So there is only one
//! code for both, and it is compiled once.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float32Array, Float64Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use mlops_core::features::FeatureType;
use mlops_core::{Error, Result};

use super::functions::{Functions, ScalarFunction};

/// An instant, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

/// A day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Days(pub i32);

/// What a function can take: `f64`, `f32`, `i64`, `bool`, `&str`, [`Micros`], [`Days`], and `Option`s of them.
pub trait Input: 'static {
    /// The type in definitions.
    const TYPE: FeatureType;
    /// The column.
    type Array: Array + 'static;
    /// The value of a row.
    type Value<'a>;

    /// The value of a row; `None` if the function is not to be called.
    fn read(array: &Self::Array, row: usize) -> Option<Self::Value<'_>>;
}

/// What a function can give: `f64`, `f32`, `i64`, `bool`, `String`, [`Micros`], [`Days`], and `Option`s of them.
pub trait Output: 'static {
    /// The type in definitions.
    const TYPE: FeatureType;

    /// The column of these values.
    fn collect(values: impl Iterator<Item = Option<Self>>) -> ArrayRef
    where
        Self: Sized;
}

macro_rules! plain {
    ($($value:ty, $array:ty, $ty:ident, $of:expr, $to:expr;)+) => {$(
        impl Input for $value {
            const TYPE: FeatureType = FeatureType::$ty;
            type Array = $array;
            type Value<'a> = $value;

            #[inline]
            fn read(array: &$array, row: usize) -> Option<$value> {
                array.is_valid(row).then(|| $of(array.value(row)))
            }
        }

        impl Output for $value {
            const TYPE: FeatureType = FeatureType::$ty;

            fn collect(values: impl Iterator<Item = Option<Self>>) -> ArrayRef {
                $to(values)
            }
        }
    )+};
}

fn array<V, A: Array + FromIterator<Option<V>> + 'static>(
    values: impl Iterator<Item = Option<V>>,
) -> ArrayRef {
    Arc::new(values.collect::<A>())
}

plain! {
    f64, Float64Array, Float, std::convert::identity, array::<f64, Float64Array>;
    f32, Float32Array, Float32, std::convert::identity, array::<f32, Float32Array>;
    i64, Int64Array, Int, std::convert::identity, array::<i64, Int64Array>;
    bool, BooleanArray, Bool, std::convert::identity, array::<bool, BooleanArray>;
    Days, Date32Array, Date, Days,
        |days| array::<i32, Date32Array>(Iterator::map(days, |day: Option<Days>| day.map(|day| day.0)));
    Micros, TimestampMicrosecondArray, Timestamp, Micros, |times| -> ArrayRef {
        let micros = Iterator::map(times, |time: Option<Micros>| time.map(|time| time.0));
        Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
}

impl Input for &'static str {
    const TYPE: FeatureType = FeatureType::String;
    type Array = StringArray;
    type Value<'a> = &'a str;

    #[inline]
    fn read(array: &StringArray, row: usize) -> Option<&str> {
        array.is_valid(row).then(|| array.value(row))
    }
}

impl Output for String {
    const TYPE: FeatureType = FeatureType::String;

    fn collect(values: impl Iterator<Item = Option<Self>>) -> ArrayRef {
        array::<String, StringArray>(values)
    }
}

impl<T: Input> Input for Option<T> {
    const TYPE: FeatureType = T::TYPE;
    type Array = T::Array;
    type Value<'a> = Option<T::Value<'a>>;

    #[inline]
    fn read(array: &T::Array, row: usize) -> Option<Option<T::Value<'_>>> {
        Some(T::read(array, row))
    }
}

impl<T: Output> Output for Option<T> {
    const TYPE: FeatureType = T::TYPE;

    fn collect(values: impl Iterator<Item = Option<Self>>) -> ArrayRef {
        T::collect(values.map(Option::flatten))
    }
}

fn column<A: Input>(columns: &[ArrayRef], place: usize, rows: usize) -> Result<&A::Array> {
    let column = columns.get(place).and_then(|array| array.as_any().downcast_ref::<A::Array>());
    let column = column.ok_or_else(|| {
        Error::invalid("features.functions", "a function's input is of another type")
            .with("input", place + 1)
            .with("expected", A::TYPE)
    })?;
    if column.len() < rows {
        return Err(Error::invalid("features.functions", "a function's input has too few rows")
            .with("input", place + 1)
            .with("expected", rows)
            .with("found", column.len()));
    }
    Ok(column)
}

macro_rules! functions {
    ($($with:ident, $name:ident, $doc:literal, $($arg:ident $value:ident $at:literal),+;)+) => {$(
        struct $name<F, O, $($arg),+> {
            call: F,
            inputs: Vec<FeatureType>,
            types: PhantomData<fn($($arg),+) -> O>,
        }

        impl<F, O, $($arg),+> ScalarFunction for $name<F, O, $($arg),+>
        where
            F: for<'a> Fn($($arg::Value<'a>),+) -> O + Send + Sync + 'static,
            O: Output,
            $($arg: Input,)+
        {
            fn inputs(&self) -> &[FeatureType] {
                &self.inputs
            }

            fn output(&self) -> FeatureType {
                O::TYPE
            }

            fn eval(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
                $(let $value = column::<$arg>(columns, $at, rows)?;)+
                Ok(O::collect((0..rows).map(|row| {
                    Some((self.call)($($arg::read($value, row)?),+))
                })))
            }
        }

        impl Functions {
            #[doc = $doc]
            ///
            /// # Errors
            /// As [`Functions::with`].
            pub fn $with<$($arg: Input,)+ O: Output>(
                self,
                name: &str,
                version: u32,
                call: impl for<'a> Fn($($arg::Value<'a>),+) -> O + Send + Sync + 'static,
            ) -> Result<Self> {
                let inputs = vec![$($arg::TYPE),+];
                let types = PhantomData::<fn($($arg),+) -> O>;
                self.with(name, version, Arc::new($name { call, inputs, types }))
            }
        }
    )+};
}

functions! {
    with_fn1, Function1, "Adds a function of one value.", A a 0;
    with_fn2, Function2, "Adds a function of two values.", A a 0, B b 1;
    with_fn3, Function3, "Adds a function of three values.", A a 0, B b 1, C c 2;
    with_fn4, Function4, "Adds a function of four values.", A a 0, B b 1, C c 2, D d 3;
}
