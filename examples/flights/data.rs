//! The flights that left New York City in 2013, as numbers a model can learn from.
//!
//! The question is asked **at the scheduled departure**: will this flight arrive more than
//! [`LATE_MINUTES`] late? Only what is known by then may be a feature. The real departure time,
//! the departure delay and the time in the air are therefore never read, although they would make
//! the scores look far better: they leak the answer.
//!
//! The same rule decides two finer points. Weather is the observation of the hour *before* the
//! scheduled one, because an observation of the same hour may be made after the flight has left.
//! And everything that is learned from data (a destination's record, the carriers that get a
//! column) is learned by [`Encoder::fit`] from training rows only.
//!
//! The split is by date, as in production: a model is trained on the past and used on the future.
//! January to September trains, October validates, November and December test.

use std::collections::HashMap;
use std::error::Error;
use std::f64::consts::TAU;
use std::fmt;
use std::fs::File;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, TimestampMicrosecondType};
use chrono::{Datelike, NaiveDate};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};

/// An error of any cause; an example has no use for telling them apart.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A flight counts as late when it arrives more than this many minutes after its schedule.
pub const LATE_MINUTES: i32 = 30;

const HOUR_US: i64 = 3_600_000_000;

/// Words stored once, and a number for each row.
#[derive(Debug, Clone, Default)]
pub struct Categorical {
    /// The distinct words, in order of first appearance.
    pub names: Vec<String>,
    /// For each row, an index into `names`.
    pub codes: Vec<u16>,
}

impl Categorical {
    /// The word of one row.
    pub fn get(&self, row: usize) -> &str {
        &self.names[usize::from(self.codes[row])]
    }

    fn push(&mut self, word: &str) -> Result<()> {
        // A year has 16 carriers, 3 origins and 105 destinations: a scan is quicker than a hash.
        let code = if let Some(at) = self.names.iter().position(|name| name == word) {
            at
        } else {
            self.names.push(word.to_owned());
            self.names.len() - 1
        };
        self.codes.push(u16::try_from(code)?);
        Ok(())
    }
}

/// One hour's observation at one airport; a value that was not measured is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Weather {
    /// Temperature, °F.
    pub temp: Option<f64>,
    /// Relative humidity, %.
    pub humid: Option<f64>,
    /// Wind speed, miles per hour.
    pub wind_speed: Option<f64>,
    /// Speed of gusts, miles per hour; stations report it only when there are any.
    pub wind_gust: Option<f64>,
    /// Precipitation in the hour, inches.
    pub precip: Option<f64>,
    /// Pressure at sea level, millibars.
    pub pressure: Option<f64>,
    /// Visibility, miles; the instrument stops at 10.
    pub visib: Option<f64>,
}

/// The timetable of a year, what became of it, and the weather before each departure.
///
/// All columns have one value per row of `flights.parquet`, in the file's order.
#[derive(Debug, Clone, Default)]
pub struct Flights {
    /// Date of the scheduled departure, local time.
    pub date: Vec<NaiveDate>,
    /// Hour of the scheduled departure, local time, 0–23.
    pub hour: Vec<u8>,
    /// The scheduled hour as microseconds since 1970 UTC: the event time.
    pub time_hour_us: Vec<i64>,
    /// Two-letter code of the airline.
    pub carrier: Categorical,
    /// Airport of departure: EWR, JFK or LGA.
    pub origin: Categorical,
    /// Airport of arrival.
    pub dest: Categorical,
    /// Miles between the two.
    pub distance: Vec<f64>,
    /// Flights scheduled to leave the same airport in the same hour, this one included.
    pub departures: Vec<f64>,
    /// Minutes late at arrival; `None` if the flight was cancelled or diverted.
    pub arr_delay: Vec<Option<i32>>,
    /// What was observed at the origin in the hour before the scheduled one, if anything.
    pub weather: Vec<Option<Weather>>,
}

impl Flights {
    /// Reads `flights.parquet` and `weather.parquet` from a folder and joins them.
    pub fn load(folder: &Path) -> Result<Self> {
        let mut flights = Self::default();
        let columns = [
            "year",
            "month",
            "day",
            "hour",
            "time_hour",
            "carrier",
            "origin",
            "dest",
            "distance",
            "arr_delay",
        ];
        for_each_batch(&folder.join("flights.parquet"), &columns, |batch| flights.append(batch))?;
        flights.count_departures();
        flights.join_weather(&folder.join("weather.parquet"))?;
        Ok(flights)
    }

    /// Number of flights, with those that never arrived.
    pub fn rows(&self) -> usize {
        self.arr_delay.len()
    }

    /// Flights without an arrival delay: cancelled or diverted, so neither late nor on time.
    pub fn without_arrival(&self) -> usize {
        self.arr_delay.iter().filter(|delay| delay.is_none()).count()
    }

    /// Whether a flight arrived late; `None` if it did not arrive.
    pub fn late(&self, row: usize) -> Option<bool> {
        self.arr_delay[row].map(|minutes| minutes > LATE_MINUTES)
    }

    /// The rows of each part of the year. Flights that did not arrive belong to none.
    pub fn split(&self) -> Split {
        let mut split = Split::default();
        for row in (0..self.rows()).filter(|&row| self.arr_delay[row].is_some()) {
            match self.date[row].month() {
                1..=9 => split.train.push(row),
                10 => split.validation.push(row),
                _ => split.test.push(row),
            }
        }
        split
    }

    /// The answers of some rows.
    ///
    /// # Errors
    ///
    /// A row that did not arrive has no answer.
    pub fn target(&self, rows: &[usize]) -> Result<Vec<bool>> {
        rows.iter()
            .map(|&row| self.late(row).ok_or_else(|| format!("row {row} did not arrive").into()))
            .collect()
    }

    fn append(&mut self, batch: &RecordBatch) -> Result<()> {
        let year = ints(batch, "year")?;
        let month = ints(batch, "month")?;
        let day = ints(batch, "day")?;
        let hour = ints(batch, "hour")?;
        let delay = ints(batch, "arr_delay")?;
        let distance = ints(batch, "distance")?;
        let time_hour = times(batch, "time_hour")?;
        let carrier = words(batch, "carrier")?;
        let origin = words(batch, "origin")?;
        let dest = words(batch, "dest")?;
        for row in 0..batch.num_rows() {
            let (y, m, d) = (year.value(row), month.value(row), day.value(row));
            let date = NaiveDate::from_ymd_opt(y, u32::try_from(m)?, u32::try_from(d)?);
            self.date.push(date.ok_or_else(|| format!("no such date: {y}-{m}-{d}"))?);
            self.hour.push(u8::try_from(hour.value(row))?);
            self.time_hour_us.push(time_hour.value(row));
            self.carrier.push(carrier.value(row))?;
            self.origin.push(origin.value(row))?;
            self.dest.push(dest.value(row))?;
            self.distance.push(f64::from(distance.value(row)));
            self.arr_delay.push(delay.is_valid(row).then(|| delay.value(row)));
        }
        Ok(())
    }

    /// Counts over all rows: a cancelled flight was in the timetable like any other.
    fn count_departures(&mut self) {
        let keys = || self.origin.codes.iter().copied().zip(self.time_hour_us.iter().copied());
        let mut counts: HashMap<(u16, i64), u32> = HashMap::new();
        for key in keys() {
            *counts.entry(key).or_default() += 1;
        }
        self.departures = keys().map(|key| f64::from(counts[&key])).collect();
    }

    fn join_weather(&mut self, path: &Path) -> Result<()> {
        let mut observed: HashMap<(String, i64), Weather> = HashMap::new();
        let columns = [
            "origin",
            "time_hour",
            "temp",
            "humid",
            "wind_speed",
            "wind_gust",
            "precip",
            "pressure",
            "visib",
        ];
        for_each_batch(path, &columns, |batch| {
            let origin = words(batch, "origin")?;
            let time_hour = times(batch, "time_hour")?;
            let column = |name| floats(batch, name);
            let (temp, humid) = (column("temp")?, column("humid")?);
            let (wind_speed, wind_gust) = (column("wind_speed")?, column("wind_gust")?);
            let (precip, pressure) = (column("precip")?, column("pressure")?);
            let visib = column("visib")?;
            for row in 0..batch.num_rows() {
                let at = |column: &FloatColumn| column.is_valid(row).then(|| column.value(row));
                let weather = Weather {
                    temp: at(temp),
                    humid: at(humid),
                    wind_speed: at(wind_speed),
                    wind_gust: at(wind_gust),
                    precip: at(precip),
                    pressure: at(pressure),
                    visib: at(visib),
                };
                observed.insert((origin.value(row).to_owned(), time_hour.value(row)), weather);
            }
            Ok(())
        })?;
        self.weather = (0..self.rows())
            .map(|row| {
                let hour_before = self.time_hour_us[row] - HOUR_US;
                observed.get(&(self.origin.get(row).to_owned(), hour_before)).copied()
            })
            .collect();
        Ok(())
    }
}

/// Row numbers of the three parts of the year; every row of one is earlier than all of the next.
#[derive(Debug, Clone, Default)]
pub struct Split {
    /// January to September.
    pub train: Vec<usize>,
    /// October.
    pub validation: Vec<usize>,
    /// November and December.
    pub test: Vec<usize>,
}

/// Which groups of columns a model may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeatureSet {
    /// Hour, weekday, season, distance and how busy the airport is.
    Calendar,
    /// The calendar, and who flies from where to where.
    CalendarCarrier,
    /// All of it, and the weather at the origin an hour before.
    CalendarCarrierWeather,
}

impl fmt::Display for FeatureSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calendar => "calendar",
            Self::CalendarCarrier => "calendar+carrier",
            Self::CalendarCarrierWeather => "calendar+carrier+weather",
        })
    }
}

/// A table of numbers stored column by column, which is how both training and scoring read it.
#[derive(Debug, Clone, Default)]
pub struct Features {
    /// One name per column.
    pub names: Vec<String>,
    /// The columns, all of the same length.
    pub columns: Vec<Vec<f64>>,
}

impl Features {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    fn push(&mut self, name: impl Into<String>, values: Vec<f64>) {
        self.names.push(name.into());
        self.columns.push(values);
    }
}

/// How a flight becomes a row of numbers, with what had to be learned for it.
///
/// It is stored next to the model: the same flight must give the same numbers a year later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Encoder {
    set: FeatureSet,
    carriers: Vec<String>,
    origins: Vec<String>,
    destinations: Vec<Destination>,
    late_rate: f64,
}

/// What the training rows say about one destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Destination {
    name: String,
    /// Part of all training flights that went there.
    share: f64,
    /// Part of those that were late, pulled towards the overall rate where flights are few.
    late_rate: f64,
}

impl Encoder {
    /// Learns from the training rows what the columns need.
    pub fn fit(flights: &Flights, rows: &[usize], set: FeatureSet) -> Result<Self> {
        let target = flights.target(rows)?;
        let late_rate = mean(target.iter().map(|&late| f64::from(u8::from(late))));

        let mut tally = vec![(0.0, 0.0); flights.dest.names.len()];
        for (&row, &late) in rows.iter().zip(&target) {
            let (flown, were_late) = &mut tally[usize::from(flights.dest.codes[row])];
            *flown += 1.0;
            *were_late += f64::from(u8::from(late));
        }
        // A destination with a handful of flights would otherwise remember their answers.
        let prior_flights = 100.0;
        let total = rows.len().max(1) as f64;
        let destinations = flights
            .dest
            .names
            .iter()
            .zip(tally)
            .filter(|(_, (flown, _))| *flown > 0.0)
            .map(|(name, (flown, were_late))| Destination {
                name: name.clone(),
                share: flown / total,
                late_rate: (were_late + prior_flights * late_rate) / (flown + prior_flights),
            })
            .collect();

        Ok(Self {
            set,
            carriers: seen(&flights.carrier, rows),
            origins: seen(&flights.origin, rows),
            destinations,
            late_rate,
        })
    }

    /// Turns rows into features. Works for flights whose arrival is not known yet.
    pub fn encode(&self, flights: &Flights, rows: &[usize]) -> Features {
        let mut features = Features::default();
        calendar(flights, rows, &mut features);
        if self.set != FeatureSet::Calendar {
            self.route(flights, rows, &mut features);
        }
        if self.set == FeatureSet::CalendarCarrierWeather {
            weather(flights, rows, &mut features);
        }
        features
    }

    /// A carrier or origin that training never saw gets zeros, a new destination the overall rate.
    fn route(&self, flights: &Flights, rows: &[usize], features: &mut Features) {
        one_hot("carrier", &flights.carrier, &self.carriers, rows, features);
        one_hot("origin", &flights.origin, &self.origins, rows, features);

        let known = |code: &str| self.destinations.iter().find(|dest| dest.name == code);
        let by_code: Vec<(f64, f64)> = flights
            .dest
            .names
            .iter()
            .map(|name| known(name).map_or((0.0, self.late_rate), |d| (d.share, d.late_rate)))
            .collect();
        let record = |row: usize| by_code[usize::from(flights.dest.codes[row])];
        features.push("dest_share", rows.iter().map(|&row| record(row).0).collect());
        features.push("dest_late_rate", rows.iter().map(|&row| record(row).1).collect());
    }
}

fn calendar(flights: &Flights, rows: &[usize], features: &mut Features) {
    // Delays add up over the day and drop at night: no line fits that, a column per hour does.
    for hour in 5..=23 {
        let is = |&row: &usize| f64::from(u8::from(flights.hour[row] == hour));
        features.push(format!("hour={hour:02}"), rows.iter().map(is).collect());
    }
    for (number, name) in (0..).zip(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]) {
        let weekday = |row: usize| flights.date[row].weekday().num_days_from_monday();
        let is = |&row: &usize| f64::from(u8::from(weekday(row) == number));
        features.push(format!("weekday={name}"), rows.iter().map(is).collect());
    }
    // The season is a circle, not a column per month: October to December are not in training,
    // and a column that was always zero there would teach nothing about them.
    let angle = |row: usize| TAU * f64::from(flights.date[row].ordinal0()) / 365.25;
    features.push("season_sin", rows.iter().map(|&row| angle(row).sin()).collect());
    features.push("season_cos", rows.iter().map(|&row| angle(row).cos()).collect());
    features.push("log_distance", rows.iter().map(|&row| flights.distance[row].ln_1p()).collect());
    features.push("departures", rows.iter().map(|&row| flights.departures[row]).collect());
}

fn weather(flights: &Flights, rows: &[usize], features: &mut Features) {
    let mut push = |name: &str, typical: f64, value: fn(&Weather) -> Option<f64>| {
        // A gap gets a typical value rather than an average of the rows at hand, so that a flight
        // is encoded alike alone and in a crowd; `weather_missing` lets the model correct for it.
        let at = |&row: &usize| flights.weather[row].as_ref().and_then(value).unwrap_or(typical);
        features.push(name, rows.iter().map(at).collect());
    };
    push("temp", 55.0, |w| w.temp);
    push("temp_squared", 55.0 * 55.0, |w| w.temp.map(|t| t * t));
    push("humid", 60.0, |w| w.humid);
    push("wind_speed", 10.0, |w| w.wind_speed);
    // No report of gusts means that there were none.
    push("wind_gust", 0.0, |w| w.wind_gust);
    push("pressure", 1018.0, |w| w.pressure);
    // Rain: that it rains matters more than how much, hence a yes or no beside the root.
    push("is_wet", 0.0, |w| w.precip.map(|inches| f64::from(u8::from(inches > 0.0))));
    push("precip_root", 0.0, |w| w.precip.map(f64::sqrt));
    // Below clear sight, each halving is about as bad as the one before.
    push("murk", 0.0, |w| w.visib.map(|miles| -(miles.clamp(0.1, 10.0) / 10.0).ln()));
    let missing = |&row: &usize| f64::from(u8::from(flights.weather[row].is_none()));
    features.push("weather_missing", rows.iter().map(missing).collect());
}

fn one_hot(
    group: &str,
    column: &Categorical,
    words: &[String],
    rows: &[usize],
    features: &mut Features,
) {
    for word in words {
        let wanted = column.names.iter().position(|name| name == word);
        let is = |&row: &usize| f64::from(u8::from(Some(column.codes[row].into()) == wanted));
        features.push(format!("{group}={word}"), rows.iter().map(is).collect());
    }
}

/// The words that some rows use, sorted, so that the columns' order does not depend on the file's.
fn seen(column: &Categorical, rows: &[usize]) -> Vec<String> {
    let mut used = vec![false; column.names.len()];
    for &row in rows {
        used[usize::from(column.codes[row])] = true;
    }
    let pairs = column.names.iter().zip(used);
    let mut names: Vec<String> =
        pairs.filter(|(_, used)| *used).map(|(name, _)| name.clone()).collect();
    names.sort();
    names
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}

type IntColumn = arrow::array::PrimitiveArray<Int32Type>;
type FloatColumn = arrow::array::PrimitiveArray<Float64Type>;
type TimeColumn = arrow::array::PrimitiveArray<TimestampMicrosecondType>;
type WordColumn = arrow::array::LargeStringArray;

/// Reads only the named columns of a parquet file, some thousand rows at a time.
fn for_each_batch(
    path: &Path,
    columns: &[&str],
    mut each: impl FnMut(&RecordBatch) -> Result<()>,
) -> Result<()> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    for batch in builder.with_projection(mask).with_batch_size(16_384).build()? {
        each(&batch?)?;
    }
    Ok(())
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a dyn Array> {
    let found = batch.column_by_name(name).map(AsRef::as_ref);
    found.ok_or_else(|| format!("no column {name:?}").into())
}

fn ints<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a IntColumn> {
    let typed = column(batch, name)?.as_primitive_opt();
    typed.ok_or_else(|| format!("{name}: not a column of 32-bit integers").into())
}

fn floats<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a FloatColumn> {
    let typed = column(batch, name)?.as_primitive_opt();
    typed.ok_or_else(|| format!("{name}: not a column of 64-bit floats").into())
}

fn times<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a TimeColumn> {
    let typed = column(batch, name)?.as_primitive_opt();
    typed.ok_or_else(|| format!("{name}: not a column of microsecond timestamps").into())
}

fn words<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a WordColumn> {
    let typed = column(batch, name)?.as_string_opt();
    typed.ok_or_else(|| format!("{name}: not a column of large strings").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load() -> Result<Flights> {
        // Wherever this file is compiled, the data lies in `examples/data` of this repository.
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/nycflights13");
        Flights::load(Path::new(folder))
    }

    #[test]
    fn the_year_has_the_rows_it_is_known_for() -> Result<()> {
        let flights = load()?;
        assert_eq!(flights.rows(), 336_776);
        assert_eq!(flights.without_arrival(), 9_430);
        assert_eq!(flights.carrier.names.len(), 16);
        assert_eq!(flights.origin.names.len(), 3);
        assert_eq!(flights.dest.names.len(), 105);
        Ok(())
    }

    #[test]
    fn the_parts_follow_each_other_and_leave_out_only_flights_that_did_not_arrive() -> Result<()> {
        let flights = load()?;
        let Split { train, validation, test } = flights.split();
        let rows = train.len() + validation.len() + test.len();
        assert_eq!(rows, flights.rows() - flights.without_arrival());
        let first = |part: &[usize]| part.iter().map(|&row| flights.date[row]).min();
        let last = |part: &[usize]| part.iter().map(|&row| flights.date[row]).max();
        assert!(last(&train) < first(&validation) && last(&validation) < first(&test));
        Ok(())
    }

    #[test]
    fn the_future_does_not_change_how_a_training_row_is_encoded() -> Result<()> {
        let mut flights = load()?;
        let split = flights.split();
        let set = FeatureSet::CalendarCarrierWeather;
        let before = Encoder::fit(&flights, &split.train, set)?;
        for &row in split.validation.iter().chain(&split.test) {
            flights.arr_delay[row] = Some(1_000);
        }
        assert_eq!(Encoder::fit(&flights, &split.train, set)?, before);
        Ok(())
    }

    #[test]
    fn a_flight_is_encoded_alike_alone_and_in_a_crowd() -> Result<()> {
        let flights = load()?;
        let split = flights.split();
        let set = FeatureSet::CalendarCarrierWeather;
        let encoder = Encoder::fit(&flights, &split.train, set)?;
        let crowd = encoder.encode(&flights, &split.test);
        let alone = encoder.encode(&flights, &split.test[..1]);
        for (all, one) in crowd.columns.iter().zip(&alone.columns) {
            assert_eq!(all[..1], one[..]);
            assert!(all.iter().all(|value| value.is_finite()));
        }
        Ok(())
    }
}
