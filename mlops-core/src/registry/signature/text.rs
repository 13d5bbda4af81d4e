//! The text of a [`ColumnType`]: one spelling out, that spelling with any spaces in.

use std::fmt;
use std::str::FromStr;

use arrow::datatypes::TimeUnit;

use super::column_type::{check_decimal, check_depth, check_size};
use super::{Column, ColumnType, Item};
use crate::{Error, Key, Result};

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(unit @ (TimeUnit::Second | TimeUnit::Millisecond)) => {
                write!(f, "time32[{}]", unit_name(*unit))
            }
            Self::Time(unit) => write!(f, "time64[{}]", unit_name(*unit)),
            Self::Duration(unit) => write!(f, "duration[{}]", unit_name(*unit)),
            Self::Timestamp { unit, zone: None } => write!(f, "timestamp[{}]", unit_name(*unit)),
            Self::Timestamp { unit, zone: Some(zone) } => {
                write!(f, "timestamp[{}, ", unit_name(*unit))?;
                write_name(f, zone, in_zone)?;
                f.write_str("]")
            }
            Self::Decimal128 { precision, scale } => write!(f, "decimal128({precision}, {scale})"),
            Self::Decimal256 { precision, scale } => write!(f, "decimal256({precision}, {scale})"),
            Self::List(item) => write!(f, "list<{item}>"),
            Self::LargeList(item) => write!(f, "large_list<{item}>"),
            Self::FixedList { size, item } => write!(f, "fixed_list[{size}]<{item}>"),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (i, Column { name, data_type, nullable }) in fields.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    write_name(f, name, in_word)?;
                    write!(f, ": {data_type}{}", if *nullable { "?" } else { "" })?;
                }
                f.write_str(">")
            }
            plain => f.write_str(PLAIN.iter().find(|(_, t)| t == plain).map_or("", |(n, _)| n)),
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.data_type, if self.nullable { "?" } else { "" })
    }
}

impl FromStr for ColumnType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parser = Parser { text, at: 0 };
        let data_type = parser.data_type(1)?;
        match parser.rest() {
            "" => Ok(data_type),
            _ => Err(parser.error("expected the end of the type")),
        }
    }
}

impl TryFrom<String> for ColumnType {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<ColumnType> for String {
    fn from(data_type: ColumnType) -> Self {
        data_type.to_string()
    }
}

/// The types that are one word.
const PLAIN: [(&str, ColumnType); 16] = [
    ("boolean", ColumnType::Boolean),
    ("int8", ColumnType::Int8),
    ("int16", ColumnType::Int16),
    ("int32", ColumnType::Int32),
    ("int64", ColumnType::Int64),
    ("uint8", ColumnType::UInt8),
    ("uint16", ColumnType::UInt16),
    ("uint32", ColumnType::UInt32),
    ("uint64", ColumnType::UInt64),
    ("float16", ColumnType::Float16),
    ("float32", ColumnType::Float32),
    ("float64", ColumnType::Float64),
    ("utf8", ColumnType::Utf8),
    ("binary", ColumnType::Binary),
    ("date32", ColumnType::Date32),
    ("date64", ColumnType::Date64),
];

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

const UNITS: [TimeUnit; 4] =
    [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];

/// What a word is made of.
fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What the name of a time zone is made of: `Etc/GMT+1`, `-03:30`.
fn in_zone(c: char) -> bool {
    in_word(c) || matches!(c, '+' | '-' | ':' | '/')
}

fn in_number(c: char) -> bool {
    c.is_ascii_digit() || c == '-'
}

/// `name` as it is if all of it can stand `bare`, else as a JSON string.
fn write_name(f: &mut fmt::Formatter<'_>, name: &str, bare: fn(char) -> bool) -> fmt::Result {
    if name.chars().all(bare) {
        return f.write_str(name);
    }
    f.write_str(&serde_json::to_string(name).map_err(|_| fmt::Error)?)
}

/// What the type that elsewhere is called `word` is called here.
fn usual(word: &str) -> &'static str {
    match word {
        "bool" => "this type is called boolean",
        "byte" => "this type is called int8 or uint8",
        "short" => "this type is called int16",
        "int" | "integer" => "this type is called int32",
        "long" => "this type is called int64",
        "half" => "this type is called float16",
        "float" | "real" => "this type is called float32",
        "double" => "this type is called float64",
        "string" | "str" | "text" | "large_utf8" => "this type is called utf8",
        "bytes" | "large_binary" => "this type is called binary",
        "date" => "this type is called date32",
        "datetime" => "this type is called timestamp[us] or timestamp[us, UTC]",
        "time" => "this type is called time64[us]",
        "decimal" => "this type is called decimal128(38, 9), with its precision and scale",
        "array" => "this type is called list<T>",
        "fixed_size_list" => "this type is called fixed_list[n]<T>",
        "map" => "use list<struct<key: K, value: V>>",
        "object" => "this type is called struct<name: T>",
        _ => "the documentation of ColumnType lists the types",
    }
}

/// Reads a type from `text`, of which the bytes before `at` are done.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn data_type(&mut self, depth: usize) -> Result<ColumnType> {
        check_depth(depth)?;
        self.skip_spaces();
        let start = self.at;
        let word = self.word(in_word);
        if let Some((_, plain)) = PLAIN.iter().find(|(name, _)| *name == word) {
            return Ok(plain.clone());
        }
        Ok(match word {
            "time32" => {
                ColumnType::Time(self.in_brackets(&[TimeUnit::Second, TimeUnit::Millisecond])?)
            }
            "time64" => {
                ColumnType::Time(self.in_brackets(&[TimeUnit::Microsecond, TimeUnit::Nanosecond])?)
            }
            "duration" => ColumnType::Duration(self.in_brackets(&UNITS)?),
            "timestamp" => {
                self.expect("[")?;
                let unit = self.unit(&UNITS)?;
                let zone = if self.take(",") { Some(self.name(in_zone)?) } else { None };
                self.expect("]")?;
                ColumnType::Timestamp { unit, zone }
            }
            "decimal128" => {
                let (precision, scale) = self.decimal(38)?;
                ColumnType::Decimal128 { precision, scale }
            }
            "decimal256" => {
                let (precision, scale) = self.decimal(76)?;
                ColumnType::Decimal256 { precision, scale }
            }
            "list" => ColumnType::List(self.item(depth)?),
            "large_list" => ColumnType::LargeList(self.item(depth)?),
            "fixed_list" => {
                self.expect("[")?;
                let size = self.number()?;
                check_size(size)?;
                self.expect("]")?;
                ColumnType::FixedList { size, item: self.item(depth)? }
            }
            "struct" => ColumnType::Struct(self.fields(depth)?),
            other => {
                self.at = start;
                return Err(self.error("not the name of a type").with_hint(usual(other)));
            }
        })
    }

    fn item(&mut self, depth: usize) -> Result<Box<Item>> {
        self.expect("<")?;
        let data_type = self.data_type(depth + 1)?;
        let nullable = self.take("?");
        self.expect(">")?;
        Ok(Box::new(Item { data_type, nullable }))
    }

    fn fields(&mut self, depth: usize) -> Result<Vec<Column>> {
        self.expect("<")?;
        let mut fields = Vec::new();
        if self.take(">") {
            return Ok(fields);
        }
        loop {
            let name = self.name(in_word)?;
            self.expect(":")?;
            let data_type = self.data_type(depth + 1)?;
            fields.push(Column { name, data_type, nullable: self.take("?") });
            if self.take(">") {
                return Ok(fields);
            }
            self.expect(",")?;
        }
    }

    fn in_brackets(&mut self, units: &[TimeUnit]) -> Result<TimeUnit> {
        self.expect("[")?;
        let unit = self.unit(units)?;
        self.expect("]")?;
        Ok(unit)
    }

    fn unit(&mut self, units: &[TimeUnit]) -> Result<TimeUnit> {
        self.skip_spaces();
        let start = self.at;
        let word = self.word(in_word);
        units.iter().copied().find(|unit| unit_name(*unit) == word).ok_or_else(|| {
            self.at = start;
            let names: Vec<_> = units.iter().map(|unit| unit_name(*unit)).collect();
            self.error("expected a unit of time").with("one_of", names.join(", "))
        })
    }

    fn decimal(&mut self, max: u8) -> Result<(u8, i8)> {
        self.expect("(")?;
        let precision = self.number()?;
        self.expect(",")?;
        let scale = self.number()?;
        self.expect(")")?;
        check_decimal(precision, scale, max)?;
        Ok((precision, scale))
    }

    fn number<N: FromStr>(&mut self) -> Result<N> {
        self.skip_spaces();
        let start = self.at;
        let digits = self.word(in_number);
        digits.parse().map_err(|_| {
            self.at = start;
            self.error("expected a number in range")
        })
    }

    /// A name that stands `bare`, or a JSON string.
    fn name(&mut self, bare: fn(char) -> bool) -> Result<Key> {
        let rest = self.rest();
        if !rest.starts_with('"') {
            let word = self.word(bare);
            return Key::new(word)
                .map_err(|error| self.error("expected a name").with_source(error));
        }
        let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        let Some(Ok(name)) = strings.next() else {
            return Err(self.error("expected a JSON string"));
        };
        let key = Key::new(name)
            .map_err(|error| self.error("not a name in quotes").with_source(error))?;
        self.at += strings.byte_offset();
        Ok(key)
    }

    /// The longest run of characters that are `allowed`.
    fn word(&mut self, allowed: fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !allowed(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &'static str) -> Result<()> {
        if self.take(token) {
            return Ok(());
        }
        Err(self.error("expected another character").with("expected", token))
    }

    fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.text[self.at..].trim_start().len();
    }

    /// What is left after spaces.
    fn rest(&mut self) -> &'a str {
        self.skip_spaces();
        &self.text[self.at..]
    }

    fn error(&self, message: &'static str) -> Error {
        Error::invalid("column_type", message)
            .with("text", super::quoted(self.text))
            .with("byte", self.at)
    }
}
