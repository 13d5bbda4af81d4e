//! Metric points as columns, and the two encodings in which they rest.
//!
//! A chunk of a few points is stored as it is ([`RAW`]): a Parquet footer would be larger than the
//! points. Everything else is Parquet, sorted by key and cut into row groups at key boundaries, so
//! that reading one metric of a sealed run skips the others, and any tool can read the file. Within a
//! key, rows stay in the order in which they were written.
//!
//! A sealed object ([`PARQUET`]) is verified by its digest before it comes here. A chunk in a database
//! is not, so its bytes begin with a checksum ([`RAW`], [`CHECKED_PARQUET`]): a Parquet reader that is
//! given damaged bytes may panic, and must never see them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, AsArray, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Field, Float64Type, Int32Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType,
};
use bytes::Bytes;
use mlops_core::tracking::{MetricHistory, MetricPoint, MetricSummary};
use mlops_core::{Error, ErrorKind, Key, Result};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnPath;
use xxhash_rust::xxh3::xxh3_64;

/// The codec of a chunk of a few points.
pub(crate) const RAW: u8 = 1;
/// The codec of sealed objects: a Parquet file and nothing else.
pub(crate) const PARQUET: u8 = 2;
/// The codec of larger chunks: a checksum, then a Parquet file.
pub(crate) const CHECKED_PARQUET: u8 = 3;
/// The bytes of the checksum (XXH3 of the rest).
const CHECKSUM_BYTES: usize = 8;

/// Up to this many points are stored raw: 28 bytes each, no footer.
const RAW_AT_MOST: usize = 128;
/// A row group is closed at the first key boundary after this many rows.
const ROW_GROUP_ROWS: usize = 32_768;

const OP: &str = "metrics";

/// Points of several metrics in the order in which they were written, as columns of equal length.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Points {
    /// The keys that `key` points into.
    pub(crate) keys: Vec<Key>,
    pub(crate) key: Vec<u32>,
    pub(crate) step: Vec<i64>,
    pub(crate) time: Vec<i64>,
    pub(crate) value: Vec<f64>,
}

impl Points {
    pub(crate) fn len(&self) -> usize {
        self.value.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    pub(crate) fn push(&mut self, key: u32, point: MetricPoint) {
        self.key.push(key);
        self.step.push(point.step);
        self.time.push(point.time_micros);
        self.value.push(point.value);
    }

    /// The first `count` points are taken away.
    pub(crate) fn skip(&mut self, count: usize) {
        let count = count.min(self.len());
        self.key.drain(..count);
        self.step.drain(..count);
        self.time.drain(..count);
        self.value.drain(..count);
    }

    /// All but the first `count` points are taken away.
    #[cfg(feature = "sqlite")]
    pub(crate) fn cut(&mut self, count: usize) {
        self.key.truncate(count);
        self.step.truncate(count);
        self.time.truncate(count);
        self.value.truncate(count);
    }

    fn point(&self, i: usize) -> MetricPoint {
        MetricPoint { step: self.step[i], time_micros: self.time[i], value: self.value[i] }
    }

    /// A summary of each key that occurs, in the order of first occurrence.
    pub(crate) fn summaries(&self) -> Vec<(Key, MetricSummary)> {
        let mut found: Vec<Option<MetricSummary>> = vec![None; self.keys.len()];
        let mut order = Vec::new();
        for i in 0..self.len() {
            let one = MetricSummary::of(self.point(i));
            match &mut found[self.key[i] as usize] {
                Some(summary) => summary.append(&one),
                empty => {
                    *empty = Some(one);
                    order.push(self.key[i] as usize);
                }
            }
        }
        order.into_iter().filter_map(|k| found[k].map(|s| (self.keys[k].clone(), s))).collect()
    }

    /// Adds all points of `other`, which were written later.
    pub(crate) fn append(&mut self, other: &Self) {
        let mut index: HashMap<Key, u32> =
            self.keys.iter().enumerate().map(|(i, k)| (k.clone(), i as u32)).collect();
        let map: Vec<u32> = other
            .keys
            .iter()
            .map(|key| {
                *index.entry(key.clone()).or_insert_with(|| {
                    self.keys.push(key.clone());
                    self.keys.len() as u32 - 1
                })
            })
            .collect();
        self.key.extend(other.key.iter().map(|k| map[*k as usize]));
        self.step.extend_from_slice(&other.step);
        self.time.extend_from_slice(&other.time);
        self.value.extend_from_slice(&other.value);
    }

    /// The codec that suits this many points, and the bytes.
    pub(crate) fn encode(&self) -> Result<(u8, Bytes)> {
        if self.len() <= RAW_AT_MOST {
            Ok((RAW, self.encode_raw()?))
        } else {
            Ok((CHECKED_PARQUET, self.encode_checked()?))
        }
    }

    fn encode_checked(&self) -> Result<Bytes> {
        self.write_parquet(vec![0; CHECKSUM_BYTES]).map(with_checksum)
    }

    fn encode_raw(&self) -> Result<Bytes> {
        let keys = serde_json::to_vec(&self.keys).map_err(|e| internal("keys").with_source(e))?;
        let mut out = vec![0; CHECKSUM_BYTES];
        out.reserve(4 + keys.len() + self.len() * 28);
        out.extend_from_slice(&(keys.len() as u32).to_le_bytes());
        out.extend_from_slice(&keys);
        for i in 0..self.len() {
            out.extend_from_slice(&self.key[i].to_le_bytes());
            out.extend_from_slice(&self.step[i].to_le_bytes());
            out.extend_from_slice(&self.time[i].to_le_bytes());
            out.extend_from_slice(&self.value[i].to_bits().to_le_bytes());
        }
        Ok(with_checksum(out))
    }

    /// The points as one Parquet file.
    pub(crate) fn encode_parquet(&self) -> Result<Bytes> {
        self.write_parquet(Vec::new()).map(Bytes::from)
    }

    /// Writes a Parquet file after what `bytes` holds already.
    fn write_parquet(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        bytes.reserve(self.len() * 8 + 1_024);
        let order = self.order_by_key();
        // `name_rank[k]` is the place of key `k` among the sorted keys: the dictionary's order.
        let mut sorted: Vec<usize> = (0..self.keys.len()).collect();
        sorted.sort_by(|a, b| self.keys[*a].cmp(&self.keys[*b]));
        let mut rank = vec![0i32; self.keys.len()];
        for (place, k) in sorted.iter().enumerate() {
            rank[*k] = place as i32;
        }
        let dictionary: Arc<dyn Array> =
            Arc::new(StringArray::from_iter_values(sorted.iter().map(|k| self.keys[*k].as_str())));

        let schema = schema();
        let mut writer = ArrowWriter::try_new(&mut bytes, Arc::clone(&schema), Some(properties()?))
            .map_err(|e| internal("encoding").with_source(e))?;
        let mut start = 0;
        while start < order.len() {
            let end = self.group_end(&order, start);
            let rows = &order[start..end];
            let pick =
                |column: &[i64]| rows.iter().map(|i| column[*i as usize]).collect::<Vec<_>>();
            let keys: Int32Array =
                rows.iter().map(|i| rank[self.key[*i as usize] as usize]).collect();
            let batch = RecordBatch::try_new(
                Arc::clone(&schema),
                vec![
                    Arc::new(
                        DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(&dictionary))
                            .map_err(|e| internal("keys").with_source(e))?,
                    ),
                    Arc::new(Int64Array::from(pick(&self.step))),
                    Arc::new(
                        TimestampMicrosecondArray::from(pick(&self.time)).with_timezone("UTC"),
                    ),
                    Arc::new(Float64Array::from_iter_values(
                        rows.iter().map(|i| self.value[*i as usize]),
                    )),
                ],
            )
            .and_then(|batch| {
                writer.write(&batch)?;
                writer.flush()?;
                Ok(())
            });
            batch.map_err(|e| internal("encoding").with_source(e))?;
            start = end;
        }
        writer.close().map_err(|e| internal("encoding").with_source(e))?;
        Ok(bytes)
    }

    /// The rows ordered by key name; rows of one key stay in written order (a counting sort).
    fn order_by_key(&self) -> Vec<u32> {
        let mut names: Vec<usize> = (0..self.keys.len()).collect();
        names.sort_by(|a, b| self.keys[*a].cmp(&self.keys[*b]));
        let mut counts = vec![0usize; self.keys.len()];
        for key in &self.key {
            counts[*key as usize] += 1;
        }
        let mut next = vec![0usize; self.keys.len()];
        let mut total = 0;
        for k in names {
            next[k] = total;
            total += counts[k];
        }
        let mut order = vec![0u32; self.len()];
        for (row, key) in self.key.iter().enumerate() {
            let slot = &mut next[*key as usize];
            order[*slot] = row as u32;
            *slot += 1;
        }
        order
    }

    fn group_end(&self, order: &[u32], start: usize) -> usize {
        let mut end = (start + ROW_GROUP_ROWS).min(order.len());
        while end < order.len()
            && self.key[order[end] as usize] == self.key[order[end - 1] as usize]
        {
            end += 1;
        }
        end
    }
}

fn schema() -> Arc<Schema> {
    let key = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("key", key, false),
        Field::new("step", DataType::Int64, false),
        Field::new("time", time, false),
        Field::new("value", DataType::Float64, false),
    ]))
}

fn properties() -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(3).map_err(|e| internal("zstd level").with_source(e))?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(None);
    // Curves step evenly and tick nearly evenly: differences are small. Values share exponents, not
    // mantissas: splitting the bytes lets the compressor find the shared part.
    for (column, encoding) in [
        ("step", Encoding::DELTA_BINARY_PACKED),
        ("time", Encoding::DELTA_BINARY_PACKED),
        ("value", Encoding::BYTE_STREAM_SPLIT),
    ] {
        let path = ColumnPath::from(column);
        properties = properties
            .set_column_encoding(path.clone(), encoding)
            .set_column_dictionary_enabled(path, false);
    }
    Ok(properties.build())
}

/// Which points a reader wants.
pub(crate) struct Wanted<'a> {
    /// One metric.
    pub(crate) key: &'a Key,
    /// Which of its points, by step and time.
    pub(crate) holds: &'a dyn Fn(i64, i64) -> bool,
}

/// Adds the wanted points of an encoded chunk to `history`.
///
/// # Errors
/// `Corrupt` if the bytes are not what [`Points::encode`] wrote.
pub(crate) fn decode_into(
    codec: u8,
    bytes: &Bytes,
    wanted: &Wanted<'_>,
    history: &mut MetricHistory,
) -> Result<()> {
    if codec == RAW {
        let points = decode_raw(bytes)?;
        let Some(key) = points.keys.iter().position(|k| k == wanted.key) else { return Ok(()) };
        for i in 0..points.len() {
            if points.key[i] as usize == key && (wanted.holds)(points.step[i], points.time[i]) {
                history.push(points.point(i));
            }
        }
        return Ok(());
    }
    read_parquet(codec, bytes, Some(wanted.key), |batch| {
        let Columns { keys, names, step, time, value } = columns(batch)?;
        let Some(id) = names.iter().position(|n| n == Some(wanted.key.as_str())) else {
            return Ok(());
        };
        let id = id as i32;
        history.steps.reserve(step.len());
        history.times_micros.reserve(step.len());
        history.values.reserve(step.len());
        for i in 0..keys.len() {
            if keys[i] == id && (wanted.holds)(step[i], time[i]) {
                history.steps.push(step[i]);
                history.times_micros.push(time[i]);
                history.values.push(value[i]);
            }
        }
        Ok(())
    })
}

/// All points of an encoded chunk, sorted by key; within a key in written order.
///
/// # Errors
/// `Corrupt` if the bytes are not what [`Points::encode`] wrote.
pub(crate) fn decode(codec: u8, bytes: &Bytes) -> Result<Points> {
    if codec == RAW {
        return decode_raw(bytes);
    }
    let mut points = Points::default();
    read_parquet(codec, bytes, None, |batch| {
        let Columns { keys, names, step, time, value } = columns(batch)?;
        let mut part = Points {
            keys: names.iter().map(|n| Key::new(n.unwrap_or_default())).collect::<Result<_>>()?,
            ..Points::default()
        };
        part.key = keys.iter().map(|k| *k as u32).collect();
        part.step = step.to_vec();
        part.time = time.to_vec();
        part.value = value.to_vec();
        points.append(&part);
        Ok(())
    })?;
    Ok(points)
}

/// Writes the checksum into the room that was left for it.
fn with_checksum(mut bytes: Vec<u8>) -> Bytes {
    let check = xxh3_64(&bytes[CHECKSUM_BYTES..]);
    bytes[..CHECKSUM_BYTES].copy_from_slice(&check.to_le_bytes());
    bytes.into()
}

/// What follows the checksum, which must be right.
fn checked(bytes: &Bytes) -> Result<Bytes> {
    match bytes.split_first_chunk::<CHECKSUM_BYTES>() {
        Some((check, rest)) if u64::from_le_bytes(*check) == xxh3_64(rest) => {
            Ok(bytes.slice(CHECKSUM_BYTES..))
        }
        _ => Err(Error::corrupt(OP, "a stored chunk of points is cut or changed")),
    }
}

fn decode_raw(bytes: &Bytes) -> Result<Points> {
    let bad = || Error::corrupt(OP, "a stored chunk of points is not what was written");
    let bytes = checked(bytes)?;
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or_else(bad)?;
    let (keys, rows) = rest.split_at_checked(u32::from_le_bytes(*head) as usize).ok_or_else(bad)?;
    let keys: Vec<Key> = serde_json::from_slice(keys).map_err(|e| bad().with_source(e))?;
    let (rows, []) = rows.as_chunks::<28>() else { return Err(bad()) };
    let mut points = Points { keys, ..Points::default() };
    for row in rows {
        let word = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&row[at..at + 8]);
            i64::from_le_bytes(bytes)
        };
        let key = u32::from_le_bytes([row[0], row[1], row[2], row[3]]);
        if key as usize >= points.keys.len() {
            return Err(bad());
        }
        let value = f64::from_bits(word(20) as u64);
        points.push(key, MetricPoint { step: word(4), time_micros: word(12), value });
    }
    Ok(points)
}

fn read_parquet(
    codec: u8,
    bytes: &Bytes,
    key: Option<&Key>,
    mut each: impl FnMut(&RecordBatch) -> Result<()>,
) -> Result<()> {
    let bytes = match codec {
        PARQUET => bytes.clone(),
        CHECKED_PARQUET => checked(bytes)?,
        _ => {
            return Err(Error::new(ErrorKind::Unsupported, OP, "points of an unknown encoding")
                .with("codec", codec)
                .with_hint("a newer version of this library wrote them"));
        }
    };
    let corrupt = |source: parquet::errors::ParquetError| {
        Error::corrupt(OP, "stored points are not readable Parquet").with_source(source)
    };
    let options = ArrowReaderOptions::new().with_schema(schema());
    let mut builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)
        .map_err(corrupt)?
        .with_batch_size(65_536);
    if let Some(key) = key {
        let groups = builder.metadata().row_groups().iter().enumerate();
        let wanted = groups.filter(|(_, g)| may_hold(g, key)).map(|(i, _)| i).collect();
        builder = builder.with_row_groups(wanted);
    }
    for batch in builder.build().map_err(corrupt)? {
        each(&batch.map_err(|e| corrupt(e.into()))?)?;
    }
    Ok(())
}

fn may_hold(group: &RowGroupMetaData, key: &Key) -> bool {
    let Some(Statistics::ByteArray(stats)) = group.column(0).statistics() else { return true };
    let above = stats.min_opt().is_none_or(|min| min.data() <= key.as_bytes());
    // A cut maximum is a prefix rounded up or simply cut: only an exact one may exclude.
    let below =
        !stats.max_is_exact() || stats.max_opt().is_none_or(|max| max.data() >= key.as_bytes());
    above && below
}

struct Columns<'a> {
    keys: &'a [i32],
    names: &'a StringArray,
    step: &'a [i64],
    time: &'a [i64],
    value: &'a [f64],
}

fn columns(batch: &RecordBatch) -> Result<Columns<'_>> {
    let bad = || Error::corrupt(OP, "stored points have other columns than key, step, time, value");
    let keys = batch.column(0).as_any_dictionary_opt().ok_or_else(bad)?;
    Ok(Columns {
        keys: keys.keys().as_primitive_opt::<Int32Type>().ok_or_else(bad)?.values(),
        names: keys.values().as_string_opt::<i32>().ok_or_else(bad)?,
        step: batch.column(1).as_primitive_opt::<Int64Type>().ok_or_else(bad)?.values(),
        time: batch
            .column(2)
            .as_primitive_opt::<TimestampMicrosecondType>()
            .ok_or_else(bad)?
            .values(),
        value: batch.column(3).as_primitive_opt::<Float64Type>().ok_or_else(bad)?.values(),
    })
}

fn internal(message: &'static str) -> Error {
    Error::new(ErrorKind::Internal, OP, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points() -> impl Strategy<Value = Points> {
        let row = (0..4u32, -5i64..5_000, 0i64..1 << 50, any::<f64>());
        proptest::collection::vec(row, 0..400).prop_map(|rows| {
            let keys = ["loss", "acc", "lr/µ", "z"].iter().map(|k| Key::new(k).unwrap()).collect();
            let mut points = Points { keys, ..Points::default() };
            for (key, step, time_micros, value) in rows {
                points.push(key, MetricPoint { step, time_micros, value });
            }
            points
        })
    }

    fn bits(history: &MetricHistory) -> Vec<(i64, i64, u64)> {
        history.iter().map(|p| (p.step, p.time_micros, p.value.to_bits())).collect()
    }

    proptest! {
        #[test]
        fn every_point_comes_back_bit_for_bit_in_written_order(points in points()) {
            for (codec, bytes) in [
                (RAW, points.encode_raw().unwrap()),
                (PARQUET, points.encode_parquet().unwrap()),
                (CHECKED_PARQUET, points.encode_checked().unwrap()),
            ] {
                for (k, key) in points.keys.iter().enumerate() {
                    let mut history = MetricHistory::default();
                    let wanted = Wanted { key, holds: &|_, _| true };
                    decode_into(codec, &bytes, &wanted, &mut history).unwrap();
                    let expected: Vec<_> = (0..points.len())
                        .filter(|i| points.key[*i] as usize == k)
                        .map(|i| (points.step[i], points.time[i], points.value[i].to_bits()))
                        .collect();
                    prop_assert_eq!(bits(&history), expected);
                }
                prop_assert_eq!(decode(codec, &bytes).unwrap().len(), points.len());
            }
        }

        #[test]
        fn a_changed_chunk_is_corrupt(points in points(), at in any::<prop::sample::Index>()) {
            for (codec, bytes) in [
                (RAW, points.encode_raw().unwrap()),
                (CHECKED_PARQUET, points.encode_checked().unwrap()),
            ] {
                let mut bytes = bytes.to_vec();
                let at = at.index(bytes.len());
                bytes[at] ^= 0x55;
                let changed = decode(codec, &bytes.clone().into()).unwrap_err();
                prop_assert_eq!(changed.kind(), ErrorKind::Corrupt);
                bytes.truncate(at);
                let cut = decode(codec, &bytes.into()).unwrap_err();
                prop_assert_eq!(cut.kind(), ErrorKind::Corrupt);
            }
        }
    }
}
