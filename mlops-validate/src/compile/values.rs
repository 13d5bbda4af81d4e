//! Rules about the values of one row.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::ArrowPrimitiveType;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};
use mlops_core::validation::{Check, Compare, Length, LengthUnit, Literal, NanPolicy, Range, Rule};
use mlops_core::{Error, ErrorKind, Result};

use super::{Compiler, Parts, expecting};
use crate::expression::{Condition, ExpressionRule};
use crate::kernel::RowRule;
use crate::rules::column::{OnColumn, ValueRule};
use crate::rules::filled::{Filled, FilledRule};
use crate::rules::literal::{Side, float, misfit, scaled, text};
use crate::rules::nulls::NullRule;
use crate::rules::range::{FloatRange, Nothing, OrderedRange, TextRange};
use crate::rules::set::{BoolSet, Fits, FloatSet, NativeSet, TextSet};
use crate::rules::text::{FormatRule, LengthRule, ListLengthRule, PatternRule};
use crate::slots::{is_list, value_type};
use crate::text::pattern::Pattern;

/// Runs `$body` with `$T` being the Arrow type of an ordered type that counts in integers.
macro_rules! with_ordered {
    ($data_type:expr, $T:ident => $body:expr, else $other:expr) => {
        match $data_type {
            DataType::Int8 => with_ordered!(@ Int8Type, $T, $body),
            DataType::Int16 => with_ordered!(@ Int16Type, $T, $body),
            DataType::Int32 => with_ordered!(@ Int32Type, $T, $body),
            DataType::Int64 => with_ordered!(@ Int64Type, $T, $body),
            DataType::UInt8 => with_ordered!(@ UInt8Type, $T, $body),
            DataType::UInt16 => with_ordered!(@ UInt16Type, $T, $body),
            DataType::UInt32 => with_ordered!(@ UInt32Type, $T, $body),
            DataType::UInt64 => with_ordered!(@ UInt64Type, $T, $body),
            DataType::Date32 => with_ordered!(@ Date32Type, $T, $body),
            DataType::Date64 => with_ordered!(@ Date64Type, $T, $body),
            DataType::Time32(TimeUnit::Second) => with_ordered!(@ Time32SecondType, $T, $body),
            DataType::Time32(_) => with_ordered!(@ Time32MillisecondType, $T, $body),
            DataType::Time64(TimeUnit::Microsecond) => {
                with_ordered!(@ Time64MicrosecondType, $T, $body)
            }
            DataType::Time64(_) => with_ordered!(@ Time64NanosecondType, $T, $body),
            DataType::Timestamp(TimeUnit::Second, _) => {
                with_ordered!(@ TimestampSecondType, $T, $body)
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                with_ordered!(@ TimestampMillisecondType, $T, $body)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                with_ordered!(@ TimestampMicrosecondType, $T, $body)
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                with_ordered!(@ TimestampNanosecondType, $T, $body)
            }
            DataType::Duration(TimeUnit::Second) => with_ordered!(@ DurationSecondType, $T, $body),
            DataType::Duration(TimeUnit::Millisecond) => {
                with_ordered!(@ DurationMillisecondType, $T, $body)
            }
            DataType::Duration(TimeUnit::Microsecond) => {
                with_ordered!(@ DurationMicrosecondType, $T, $body)
            }
            DataType::Duration(TimeUnit::Nanosecond) => {
                with_ordered!(@ DurationNanosecondType, $T, $body)
            }
            DataType::Decimal32(..) => with_ordered!(@ Decimal32Type, $T, $body),
            DataType::Decimal64(..) => with_ordered!(@ Decimal64Type, $T, $body),
            DataType::Decimal128(..) => with_ordered!(@ Decimal128Type, $T, $body),
            DataType::Decimal256(..) => with_ordered!(@ Decimal256Type, $T, $body),
            _ => $other,
        }
    };
    (@ $type:ident, $T:ident, $body:expr) => {{
        type $T = $type;
        $body
    }};
}

impl Compiler<'_> {
    pub(super) fn value(&mut self, check: &Check) -> Result<Parts> {
        let (column, rule, expected): (_, Box<dyn ValueRule>, _) = match &check.rule {
            Rule::NotNull(rule) => return self.nulls(check, &rule.column, true),
            Rule::IsNull(rule) => return self.nulls(check, &rule.column, false),
            Rule::AllOrNone(rule) => {
                let expected = "all of them, or none".to_owned();
                return self.filled(check, &rule.columns, Filled::AllOrNone, expected);
            }
            Rule::MutuallyExclusive(rule) => {
                let least = u64::from(rule.required);
                let expected = if rule.required { "exactly one" } else { "at most one" };
                let filled = Filled::Between(least, 1);
                return self.filled(check, &rule.columns, filled, expected.to_owned());
            }
            Rule::RowCompleteness(rule) => {
                let expected = format!("at least {} of them", rule.min);
                let filled = Filled::Between(rule.min, u64::MAX);
                if rule.min > rule.columns.len() as u64 {
                    return Err(Error::invalid("suite", "no row can have so many columns")
                        .with("min", rule.min)
                        .with("columns", rule.columns.len()));
                }
                return self.filled(check, &rule.columns, filled, expected);
            }
            Rule::Compare(rule) => return self.compare(check, rule),
            Rule::Length(rule) => return self.length(check, rule),
            Rule::Range(rule) => {
                let data_type = self.values_of(&rule.column)?;
                (&rule.column, range(rule, &data_type, check.nan)?, range_text(rule))
            }
            Rule::InSet(rule) => {
                let data_type = self.values_of(&rule.column)?;
                let set = set(&rule.values, &data_type, false, check.nan)?;
                (&rule.column, set, format!("one of {}", listed(&rule.values)))
            }
            Rule::NotInSet(rule) => {
                let data_type = self.values_of(&rule.column)?;
                let set = set(&rule.values, &data_type, true, check.nan)?;
                (&rule.column, set, format!("none of {}", listed(&rule.values)))
            }
            Rule::Matches(rule) => {
                self.text_column(&rule.column)?;
                let pattern = Pattern::new(&rule.pattern, rule.full)?;
                let whole = if rule.full { "all of it matches" } else { "matches" };
                let expected = format!("{whole} {}", rule.pattern);
                (&rule.column, Box::new(PatternRule { pattern, forbidden: false }), expected)
            }
            Rule::NotMatches(rule) => {
                self.text_column(&rule.column)?;
                let pattern = Pattern::new(&rule.pattern, rule.full)?;
                let expected = format!("does not match {}", rule.pattern);
                (&rule.column, Box::new(PatternRule { pattern, forbidden: true }), expected)
            }
            Rule::HasFormat(rule) => {
                self.text_column(&rule.column)?;
                let name = serde_json::to_string(&rule.format).unwrap_or_default();
                let expected = format!("format {}", name.trim_matches('"'));
                (&rule.column, Box::new(FormatRule { format: rule.format }), expected)
            }
            other => {
                return Err(Error::new(ErrorKind::Unsupported, "suite", "this rule is not known")
                    .with("rule", other.name()));
            }
        };
        let slot = self.slots.slot(column)?;
        let expected = expecting(expected, check.mostly);
        Ok(self.rows(check, Arc::new(OnColumn { slot, rule }), vec![slot], expected))
    }

    /// The type of the values of a column: of its dictionary, of its items.
    fn values_of(&mut self, column: &str) -> Result<DataType> {
        let slot = self.slots.slot(column)?;
        Ok(value_type(self.slots.data_type(slot)).clone())
    }

    fn text_column(&mut self, column: &str) -> Result<()> {
        let data_type = self.values_of(column)?;
        if is_text(&data_type) {
            return Ok(());
        }
        Err(Error::invalid("suite", "the rule is for text")
            .with("column", column)
            .with("type", data_type))
    }

    fn nulls(&mut self, check: &Check, column: &str, null_fails: bool) -> Result<Parts> {
        let slot = self.slots.slot(column)?;
        let expected = if null_fails { "not null" } else { "null" };
        let expected = expecting(expected.to_owned(), check.mostly);
        Ok(self.rows(check, Arc::new(NullRule { slot, null_fails }), vec![slot], expected))
    }

    fn filled(
        &mut self,
        check: &Check,
        columns: &[String],
        filled: Filled,
        expected: String,
    ) -> Result<Parts> {
        if columns.len() < 2 {
            return Err(Error::invalid("suite", "the rule is about two columns or more")
                .with("columns", columns.join(", ")));
        }
        let slots = self.slots.all(columns)?;
        let rule = FilledRule { slots: slots.clone(), filled };
        Ok(self.rows(check, Arc::new(rule), slots, expecting(expected, check.mostly)))
    }

    fn compare(&mut self, check: &Check, rule: &Compare) -> Result<Parts> {
        if rule.left == rule.right {
            return Err(Error::invalid("suite", "a column is compared with itself")
                .with("column", &rule.left)
                .with_hint("`right` is another column"));
        }
        let slots = vec![self.slots.slot(&rule.left)?, self.slots.slot(&rule.right)?];
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let sign = if rule.op.as_str() == "!=" { "<>" } else { rule.op.as_str() };
        let sql = format!("{} {sign} {}", quoted(&rule.left), quoted(&rule.right));
        let condition = Condition::over(&sql, slots.clone(), &self.slots)?;
        let expected = expecting(rule.to_string(), check.mostly);
        let floats = slots
            .iter()
            .copied()
            .filter(|slot| value_type(self.slots.data_type(*slot)).is_floating())
            .collect();
        let rule = ExpressionRule { condition, floats, nan: check.nan };
        Ok(self.rows(check, Arc::new(rule), slots, expected))
    }

    pub(super) fn expression(&mut self, check: &Check, sql: &str) -> Result<Parts> {
        let condition = Condition::new(sql, &mut self.slots, &self.inputs.parameters)?;
        let slots = condition.slots().to_vec();
        let rule = ExpressionRule { condition, floats: Vec::new(), nan: NanPolicy::Fail };
        Ok(self.rows(check, Arc::new(rule), slots, expecting(sql.to_owned(), check.mostly)))
    }

    fn length(&mut self, check: &Check, rule: &Length) -> Result<Parts> {
        let slot = self.slots.slot(&rule.column)?;
        let data_type = self.slots.data_type(slot);
        let (min, max) = (rule.min.unwrap_or(0), rule.max.unwrap_or(u64::MAX));
        if rule.min.is_none() && rule.max.is_none() || min > max {
            return Err(Error::invalid(
                "suite",
                "a length has a least or a greatest value, in order",
            )
            .with("column", &rule.column));
        }
        let unit = match (rule.unit, is_list(data_type)) {
            (_, true) => "items",
            (LengthUnit::Bytes, _) => "bytes",
            (LengthUnit::Chars, _) => "characters",
        };
        let expected = match (rule.min, rule.max) {
            (Some(min), Some(max)) if min == max => format!("{min} {unit}"),
            (Some(min), Some(max)) => format!("{min} to {max} {unit}"),
            (Some(min), None) => format!("at least {min} {unit}"),
            (_, max) => format!("at most {} {unit}", max.unwrap_or_default()),
        };
        let kernel: Arc<dyn RowRule> = if is_list(data_type) {
            Arc::new(ListLengthRule { slot, min, max })
        } else if is_text(value_type(data_type)) || is_binary(value_type(data_type)) {
            Arc::new(OnColumn { slot, rule: Box::new(LengthRule { min, max, unit: rule.unit }) })
        } else {
            return Err(Error::invalid("suite", "text, bytes and lists have a length")
                .with("column", &rule.column)
                .with("type", data_type));
        };
        Ok(self.rows(check, kernel, vec![slot], expecting(expected, check.mostly)))
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_binary(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
    )
}

fn range(rule: &Range, data_type: &DataType, nan: NanPolicy) -> Result<Box<dyn ValueRule>> {
    if rule.min.is_none() && rule.max.is_none() {
        return Err(Error::invalid("suite", "a range has a least or a greatest value")
            .with("column", &rule.column));
    }
    let low = Side::Min { excluded: rule.exclusive_min };
    let high = Side::Max { excluded: rule.exclusive_max };
    if is_text(data_type) {
        let end = |literal: &Option<Literal>, excluded| -> Result<_> {
            let Some(literal) = literal else { return Ok(None) };
            Ok(Some((text(literal, data_type)?.as_bytes().to_vec(), excluded)))
        };
        let min = end(&rule.min, rule.exclusive_min)?;
        let max = end(&rule.max, rule.exclusive_max)?;
        if let (Some((min, _)), Some((max, _))) = (&min, &max)
            && min > max
        {
            return Err(crossed(rule));
        }
        return Ok(Box::new(TextRange { min, max }));
    }
    if data_type.is_floating() {
        let end = |literal: &Option<Literal>, side, open: f64| {
            literal.as_ref().map_or(Ok(open), |literal| float(literal, side, data_type))
        };
        let min = end(&rule.min, low, f64::NEG_INFINITY)?;
        let max = end(&rule.max, high, f64::INFINITY)?;
        if min > max {
            return Err(crossed(rule));
        }
        return Ok(match data_type {
            DataType::Float16 => {
                Box::new(FloatRange::<Float16Type> { min, max, nan, of: PhantomData })
            }
            DataType::Float32 => {
                Box::new(FloatRange::<Float32Type> { min, max, nan, of: PhantomData })
            }
            _ => Box::new(FloatRange::<Float64Type> { min, max, nan, of: PhantomData }),
        });
    }
    let end = |literal: &Option<Literal>, side, open: i256| {
        let Some(literal) = literal else { return Ok(open) };
        Ok(scaled(literal, data_type)?.bound(side))
    };
    let unordered = || {
        Error::invalid("suite", "values of this type have no range")
            .with("column", &rule.column)
            .with("type", data_type)
    };
    with_ordered!(data_type, T => {
        let min = end(&rule.min, low, i256::MIN)?;
        let max = end(&rule.max, high, i256::MAX)?;
        if min > max {
            return Err(crossed(rule));
        }
        Ok(ordered::<T>(min, max))
    }, else Err(unordered()))
}

fn ordered<T: ArrowPrimitiveType + std::fmt::Debug>(min: i256, max: i256) -> Box<dyn ValueRule>
where
    T::Native: Fits + PartialOrd + std::fmt::Debug,
{
    let (least, greatest) = T::Native::ends();
    let zero = i256::ZERO;
    // What lies beyond the type's ends is every value of the type, or none.
    let min = match T::Native::fit(min) {
        Some(min) => min,
        None if min < zero => least,
        None => return Box::new(Nothing),
    };
    let max = match T::Native::fit(max) {
        Some(max) => max,
        None if max > zero => greatest,
        None => return Box::new(Nothing),
    };
    Box::new(OrderedRange::<T> { min, max })
}

#[cold]
fn crossed(rule: &Range) -> Error {
    Error::invalid("suite", "no value is in this range")
        .with("column", &rule.column)
        .with("range", range_text(rule))
}

fn set(
    values: &[Literal],
    data_type: &DataType,
    forbidden: bool,
    nan: NanPolicy,
) -> Result<Box<dyn ValueRule>> {
    if values.is_empty() {
        return Err(Error::invalid("suite", "a set has at least one value"));
    }
    if is_text(data_type) {
        let texts: Vec<&str> =
            values.iter().map(|value| text(value, data_type)).collect::<Result<_>>()?;
        return Ok(Box::new(TextSet::new(texts, forbidden)));
    }
    if *data_type == DataType::Boolean {
        let (mut has_true, mut has_false) = (false, false);
        for value in values {
            match value {
                Literal::Bool(true) => has_true = true,
                Literal::Bool(false) => has_false = true,
                other => return Err(misfit(other, data_type, "true or false")),
            }
        }
        return Ok(Box::new(BoolSet {
            allows_true: has_true != forbidden,
            allows_false: has_false != forbidden,
        }));
    }
    if data_type.is_floating() {
        return float_set(values, data_type, forbidden, nan);
    }
    with_ordered!(
        data_type,
        T => native_set::<T>(values, data_type, forbidden),
        else Err(Error::invalid("suite", "values of this type cannot be listed")
            .with("type", data_type))
    )
}

fn native_set<T: ArrowPrimitiveType + std::fmt::Debug>(
    values: &[Literal],
    data_type: &DataType,
    forbidden: bool,
) -> Result<Box<dyn ValueRule>>
where
    T::Native: Fits + Ord + std::fmt::Debug,
{
    let mut members = Vec::with_capacity(values.len());
    for value in values {
        let found = scaled(value, data_type)?;
        let member = if found.exact { T::Native::fit(found.whole) } else { None };
        members.push(member.ok_or_else(|| {
            misfit(value, data_type, "no value of this type is equal to it: take it out")
        })?);
    }
    members.sort_unstable();
    members.dedup();
    Ok(Box::new(NativeSet::<T> { values: members, forbidden }))
}

fn float_set(
    values: &[Literal],
    data_type: &DataType,
    forbidden: bool,
    nan: NanPolicy,
) -> Result<Box<dyn ValueRule>> {
    let mut members = Vec::with_capacity(values.len());
    for value in values {
        let least = float(value, Side::Min { excluded: false }, data_type)?;
        let greatest = float(value, Side::Max { excluded: false }, data_type)?;
        if least != greatest {
            return Err(misfit(value, data_type, "no float is equal to it"));
        }
        // A column of 32 bits holds the float that is nearest to what was written.
        let member = match data_type {
            DataType::Float32 => f64::from(least as f32),
            _ => least,
        };
        members.push(member + 0.0);
    }
    members.sort_unstable_by(f64::total_cmp);
    members.dedup();
    Ok(match data_type {
        DataType::Float16 => {
            Box::new(FloatSet::<Float16Type> { values: members, forbidden, nan, of: PhantomData })
        }
        DataType::Float32 => {
            Box::new(FloatSet::<Float32Type> { values: members, forbidden, nan, of: PhantomData })
        }
        _ => Box::new(FloatSet::<Float64Type> { values: members, forbidden, nan, of: PhantomData }),
    })
}

fn range_text(rule: &Range) -> String {
    let min = rule.min.as_ref();
    let max = rule.max.as_ref();
    match (min, max, rule.exclusive_min, rule.exclusive_max) {
        (Some(min), Some(max), false, false) => format!("{min} to {max}"),
        (Some(min), Some(max), ..) => {
            let above = if rule.exclusive_min { "above" } else { "at least" };
            let below = if rule.exclusive_max { "below" } else { "at most" };
            format!("{above} {min}, {below} {max}")
        }
        (Some(min), None, false, _) => format!("at least {min}"),
        (Some(min), None, true, _) => format!("above {min}"),
        (None, Some(max), _, false) => format!("at most {max}"),
        (None, Some(max), _, true) => format!("below {max}"),
        (None, None, ..) => String::new(),
    }
}

/// The first few of a set.
fn listed(values: &[Literal]) -> String {
    const FEW: usize = 12;
    let few: Vec<String> = values.iter().take(FEW).map(ToString::to_string).collect();
    let more = values.len().saturating_sub(FEW);
    if more == 0 { few.join(", ") } else { format!("{} and {more} more", few.join(", ")) }
}
