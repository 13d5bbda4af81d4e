//! What the aggregates of a view ask for, put in order: columns, tiles and windows.
//!
//! Windows of one resolution share tiles, and aggregates of one column share states: the mean and the sum
//! over 1 d and 7 d keep one sum and one count for each hour.

use mlops_core::features::{
    Aggregate, AggregateFunction, Feature, FeatureType, Table, TableColumn,
};
use mlops_core::{Error, Result};
use xxhash_rust::xxh3::xxh3_64;

use super::acc::{Acc, Kind, Slot};
use super::value::{Cell, plain, unrank, word_of};

/// Most tiles of one window.
pub(crate) const MAX_TILES: i64 = 10_000;
/// Most aggregates of one view.
pub(crate) const MAX_FEATURES: usize = 1_000;

/// The aggregates of a view, compiled: what [`WindowJoin`](super::WindowJoin),
/// [`Folder`](super::Folder) and the online answer work by.
#[derive(Debug, Clone)]
pub(crate) struct WindowPlan {
    pub(super) table: Table,
    /// The columns that are read.
    pub(super) columns: Vec<TableColumn>,
    /// One for each resolution.
    pub(super) groups: Vec<Group>,
    pub(super) outputs: Vec<Output>,
    layout: u64,
}

/// Tiles of one resolution.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) resolution: i64,
    pub(super) slots: Vec<Slot>,
    /// The shortest window first.
    pub(super) lanes: Vec<Lane>,
}

/// One window of a resolution.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    pub(super) window: i64,
    /// Those of the group's slots that its features need.
    pub(super) slots: Vec<usize>,
}

/// One feature of the answer.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) ty: FeatureType,
    function: AggregateFunction,
    input: FeatureType,
    pub(super) group: usize,
    pub(super) lane: usize,
    /// Its states among the group's; the second one is the count of a sum or mean.
    pub(super) slots: [usize; 2],
    /// The same among the lane's.
    pub(super) in_lane: [usize; 2],
}

impl Group {
    /// The tile of an event time.
    #[inline]
    pub(super) fn tile(&self, event_time: i64) -> i64 {
        event_time.div_euclid(self.resolution)
    }

    /// The first tile of a window at `t`.
    #[inline]
    pub(super) fn start(&self, window: i64, t: i64) -> i64 {
        self.tile(t.saturating_sub(window))
    }

    /// The first tile that any window asks for, now and later.
    pub(super) fn oldest(&self, now: i64) -> i64 {
        self.start(self.lanes.last().map_or(0, |lane| lane.window), now)
    }

    pub(super) fn empty(&self) -> Vec<Acc> {
        self.slots.iter().map(Slot::empty).collect()
    }
}

impl WindowPlan {
    /// The plan of these features, all of them aggregates over columns of `table`.
    ///
    /// # Errors
    /// `Invalid` names the feature: no aggregate, a column that is not there, a function that its column's
    /// type does not have, an output of another type, a window of no time or of too many tiles.
    pub(crate) fn new(table: &Table, features: &[Feature]) -> Result<Self> {
        if features.len() > MAX_FEATURES {
            return Err(invalid("there are too many aggregates in one view")
                .with("features", features.len())
                .with("at_most", MAX_FEATURES));
        }
        let mut plan = Self {
            table: table.clone(),
            columns: Vec::new(),
            groups: Vec::new(),
            outputs: Vec::new(),
            layout: 0,
        };
        // Lanes first, so that their places are known when features refer to them.
        for feature in features {
            let aggregate = plan.check(feature)?;
            let resolution = aggregate.resolution().micros();
            let place = plan.groups.iter().position(|group| group.resolution == resolution);
            let place = place.unwrap_or_else(|| {
                plan.groups.push(Group { resolution, slots: Vec::new(), lanes: Vec::new() });
                plan.groups.len() - 1
            });
            let (lanes, window) = (&mut plan.groups[place].lanes, aggregate.window.micros());
            if let Err(at) = lanes.binary_search_by_key(&window, |lane| lane.window) {
                lanes.insert(at, Lane { window, slots: Vec::new() });
            }
        }
        for feature in features {
            let output = plan.output(feature)?;
            plan.outputs.push(output);
        }
        plan.layout = xxh3_64(plan.describe().as_bytes());
        Ok(plan)
    }

    fn check(&self, feature: &Feature) -> Result<Aggregate> {
        let wrong = |problem: &'static str| invalid(problem).with("feature", &feature.name);
        let Some(aggregate) = feature.aggregate else {
            return Err(wrong("a feature of an aggregated view is no aggregate"));
        };
        let (window, resolution) = (aggregate.window, aggregate.resolution());
        if window.is_zero() || resolution.is_zero() {
            return Err(wrong("a window and its resolution must be longer than no time")
                .with("window", window)
                .with("resolution", resolution));
        }
        if window.micros() / resolution.micros() > MAX_TILES {
            return Err(wrong("a window has too many tiles")
                .with("window", window)
                .with("resolution", resolution)
                .with("at_most", MAX_TILES)
                .with_hint("take a longer resolution"));
        }
        self.input(feature, aggregate)?;
        Ok(aggregate)
    }

    /// The column that is read, and its type; none for a count of rows.
    fn input(
        &self,
        feature: &Feature,
        aggregate: Aggregate,
    ) -> Result<(Option<TableColumn>, FeatureType)> {
        use AggregateFunction::{Count, Distinct, Last, Max, Mean, Min, Sum};
        use FeatureType::{Bytes, Float, Float32, Int, Vector};
        let wrong = |problem: &'static str| {
            invalid(problem).with("feature", &feature.name).with(
                "function",
                format_args!("{:?}", aggregate.function).to_string().to_lowercase(),
            )
        };
        let of_rows =
            aggregate.function == Count && feature.column.is_none() && aggregate.input.is_none();
        let column = match self.table.columns.iter().find(|c| c.name == feature.column()) {
            _ if of_rows => None,
            Some(column) => Some(column.clone()),
            None => {
                return Err(wrong("an aggregate's column is not in the table")
                    .with("column", feature.column()));
            }
        };
        let input = column.as_ref().map_or(Int, |column| column.data_type);
        if let Some(said) = aggregate.input.filter(|said| !of_rows && *said != input) {
            return Err(wrong("an aggregate's column is of another type")
                .with("said", said)
                .with("found", input));
        }
        let outputs: &[FeatureType] = match (aggregate.function, input) {
            (Count, _) | (Sum, Int) => &[Int],
            (Distinct, ty) if ty != Vector => &[Int],
            (Sum | Mean, Float) | (Mean, Int) => &[Float],
            (Sum | Mean, Float32) => &[Float32, Float],
            (Min | Max | Last, ty) if ty != Vector && ty != Bytes => &[ty],
            _ => {
                return Err(
                    wrong("an aggregate is not of columns of this type").with("type", input)
                );
            }
        };
        if !outputs.contains(&feature.data_type) {
            return Err(wrong("an aggregate gives another type")
                .with("declared", feature.data_type)
                .with("gives", outputs[0]));
        }
        Ok((column, input))
    }

    fn output(&mut self, feature: &Feature) -> Result<Output> {
        let aggregate = self.check(feature)?;
        let (column, input) = self.input(feature, aggregate)?;
        let column = column.map(|column| {
            let place = self.columns.iter().position(|c| c.name == column.name);
            place.unwrap_or_else(|| {
                self.columns.push(column);
                self.columns.len() - 1
            })
        });
        let kinds: &[Kind] = match aggregate.function {
            // The count tells a sum of no values from one of zero.
            AggregateFunction::Sum | AggregateFunction::Mean => &[Kind::Sum, Kind::Count],
            AggregateFunction::Count => &[Kind::Count],
            AggregateFunction::Min => &[Kind::Min],
            AggregateFunction::Max => &[Kind::Max],
            AggregateFunction::Distinct => &[Kind::Distinct],
            AggregateFunction::Last => &[Kind::Last],
            _ => {
                return Err(invalid("an aggregate's function is not known here")
                    .with("feature", &feature.name));
            }
        };
        let resolution = aggregate.resolution().micros();
        let group = self.groups.iter().position(|g| g.resolution == resolution).unwrap_or(0);
        let Group { slots, lanes, .. } = &mut self.groups[group];
        let lane = lanes.partition_point(|lane| lane.window < aggregate.window.micros());
        let (mut places, mut in_lane) = ([0; 2], [0; 2]);
        for (part, kind) in kinds.iter().enumerate() {
            places[part] = place_of(slots, Slot { kind: *kind, column, ty: input });
            in_lane[part] = place_of(&mut lanes[lane].slots, places[part]);
        }
        Ok(Output {
            ty: feature.data_type,
            function: aggregate.function,
            input,
            group,
            lane,
            slots: places,
            in_lane,
        })
    }

    /// All that the bytes of a state depend on.
    fn describe(&self) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        for column in &self.columns {
            let _ = write!(text, "{:?} {};", column.name, column.data_type);
        }
        for group in &self.groups {
            let longest = group.lanes.last().map_or(0, |lane| lane.window);
            let _ = write!(text, "{} {longest}:", group.resolution);
            for slot in &group.slots {
                let _ = write!(text, "{:?} {:?} {},", slot.kind, slot.column, slot.ty);
            }
        }
        text
    }

    /// Tells apart states that cannot stand for one another: it changes with the columns, resolutions,
    /// states and longest windows.
    pub(crate) fn layout(&self) -> u64 {
        self.layout
    }

    /// The columns that must be read, besides keys and times.
    pub(crate) fn columns(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// The types of the features, in their order.
    pub(crate) fn types(&self) -> impl Iterator<Item = FeatureType> {
        self.outputs.iter().map(|output| output.ty)
    }

    /// Before this no window that ends at `t` or later reaches.
    pub(crate) fn reach(&self, t: i64) -> i64 {
        let starts = self.groups.iter().map(|g| g.oldest(t).saturating_mul(g.resolution));
        starts.min().unwrap_or(t)
    }

    /// Whether a row of this event time is in the longest window that ends at `t`.
    pub(super) fn reaches(&self, event_time: i64, t: i64) -> bool {
        self.groups.iter().any(|group| group.tile(event_time) >= group.oldest(t))
    }
}

fn place_of<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|other| *other == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}

impl Output {
    /// The value of the feature, of its states at these places.
    pub(super) fn value<'a>(&self, accs: &'a [Acc], places: [usize; 2]) -> Cell<'a> {
        let real = |value: f64| Cell::Word(word_of(self.ty, plain(value)));
        let count = match accs.get(places[1]) {
            Some(Acc::Count(count)) => *count,
            _ => 0,
        };
        match (accs.get(places[0]), self.function) {
            (Some(Acc::Count(count)), _) => Cell::Word(*count as i64),
            (Some(Acc::Distinct(set)), _) => Cell::Word(set.count()),
            (Some(Acc::Extreme(Some(value))), _) => match value.cell() {
                Cell::Word(word) => Cell::Word(unrank(self.input, word)),
                cell => cell,
            },
            (Some(Acc::Last(Some((_, value)))), _) => value.cell(),
            (Some(Acc::Whole { .. } | Acc::Real(_)), _) if count == 0 => Cell::Null,
            (Some(Acc::Whole { sum }), AggregateFunction::Mean) => real(*sum as f64 / count as f64),
            (Some(Acc::Real(sum)), AggregateFunction::Mean) => real(sum.mean(count)),
            (Some(Acc::Whole { sum }), _) => i64::try_from(*sum).map_or(Cell::Null, Cell::Word),
            (Some(Acc::Real(sum)), _) if self.ty == FeatureType::Float32 => {
                Cell::Word(i64::from((sum.to_f32() + 0.0).to_bits()))
            }
            (Some(Acc::Real(sum)), _) => real(sum.to_f64()),
            _ => Cell::Null,
        }
    }
}

#[cold]
fn invalid(problem: &'static str) -> Error {
    Error::invalid("features.window", problem)
}
