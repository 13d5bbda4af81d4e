//! How the feature store's answers become numbers for the model: the same code for training and for
//! requests.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use serde::Serialize;

use super::data::{Encoder, FeatureSet, Features as Columns, Flights, Result, Weather};

/// How an answer of the store becomes numbers for the model.
#[derive(Debug, Clone, Serialize)]
pub struct Design {
    /// The columns that the other models have too, with the store's weather.
    pub encoder: Encoder,
    history: Vec<Past>,
}

/// A column of the store.
#[derive(Debug, Clone, Serialize)]
struct Past {
    name: String,
    /// Stands for what is missing: the mean of the training rows.
    typical: f64,
    /// Whether a column says where it is missing; columns that miss the same rows share one.
    marks: bool,
}

/// The store's columns that are history, as numbers.
pub type History = Vec<(String, Float64Array)>;

impl Design {
    /// Learns from the training rows what stands for what is missing.
    pub fn fit(flights: &Flights, rows: &[usize], history: &History) -> Result<Self> {
        let encoder = Encoder::fit(flights, rows, FeatureSet::CalendarCarrierWeather)?;
        let mut marked = Vec::new();
        let columns = history.iter().map(|(name, column)| {
            let known = rows.iter().filter(|row| column.is_valid(**row));
            let (count, sum) =
                known.fold((0.0, 0.0), |(count, sum), row| (count + 1.0, sum + column.value(*row)));
            let marks = count < rows.len() as f64 && !marked.contains(&column.nulls());
            if marks {
                marked.push(column.nulls());
            }
            Past { name: name.clone(), typical: sum / f64::max(count, 1.0), marks }
        });
        let history = columns.collect();
        Ok(Self { encoder, history })
    }

    /// Of flights with the store's weather; each one's history is at the place of the same order.
    pub fn encode(
        &self,
        flights: &Flights,
        rows: &[usize],
        history: &History,
        places: &[usize],
    ) -> Columns {
        let mut columns = self.encoder.encode(flights, rows);
        for (past, (_, column)) in self.history.iter().zip(history) {
            let value =
                |&at: &usize| if column.is_valid(at) { column.value(at) } else { past.typical };
            columns.names.push(past.name.clone());
            columns.columns.push(places.iter().map(value).collect());
            if past.marks {
                let missing = |&at: &usize| f64::from(u8::from(column.is_null(at)));
                columns.names.push(format!("{}_missing", past.name));
                columns.columns.push(places.iter().map(missing).collect());
            }
        }
        columns
    }
}

/// The columns of an answer that are history.
pub fn history(answers: &RecordBatch) -> Result<History> {
    let mut found = Vec::new();
    for (field, column) in answers.schema().fields().iter().zip(answers.columns()) {
        let name = field.name();
        let is_history = ["carrier__", "route__", "plane__seats", "plane_age"]
            .iter()
            .any(|start| name.starts_with(start));
        if !is_history || !matches!(field.data_type(), DataType::Float64 | DataType::Int64) {
            continue;
        }
        let numbers = cast(column, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        // A minute more matters less the later it is; shares and the plane are as they are.
        let plain = name.contains("late") || name.starts_with("plane");
        let numbers = if plain {
            numbers.clone()
        } else {
            numbers.unary(|x: f64| x.signum() * x.abs().ln_1p())
        };
        found.push((name.clone(), numbers));
    }
    Ok(found)
}

/// The flights with the weather that the store answers, at the places of the same order.
pub fn with_weather(flights: &Flights, rows: &[usize], answers: &RecordBatch) -> Result<Flights> {
    let value = |name: &str| floats(answers, &format!("weather__{name}"));
    let (temp, humid, precip) = (value("temp")?, value("humid")?, value("precip")?);
    let (wind_speed, wind_gust) = (value("wind_speed")?, value("wind_gust")?);
    let (pressure, visib) = (value("pressure")?, value("visib")?);
    let mut flights = flights.clone();
    for (place, row) in rows.iter().enumerate() {
        let at = |column: &Float64Array| column.is_valid(place).then(|| column.value(place));
        let weather = Weather {
            temp: at(temp),
            humid: at(humid),
            wind_speed: at(wind_speed),
            wind_gust: at(wind_gust),
            precip: at(precip),
            pressure: at(pressure),
            visib: at(visib),
        };
        flights.weather[*row] = (weather != Weather::default()).then_some(weather);
    }
    Ok(flights)
}

fn floats<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Float64Array> {
    let typed = column(batch, name)?.as_primitive_opt();
    typed.ok_or_else(|| format!("{name}: not a column of doubles").into())
}

/// A column by its name.
pub fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| format!("no column {name:?}").into())
}
