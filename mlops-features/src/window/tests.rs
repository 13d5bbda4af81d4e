//! Offline, online and brute force agree, bit for bit.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use mlops_core::ErrorKind;
use mlops_core::features::{
    Aggregate, AggregateFunction as F, Boundary, Feature, FeatureName, FeatureType as T, KeyBatch,
    KeyType, KnownAt, RowStatus, Span, Table, TableId, TableKey, Visibility, WriteOrder,
};
use proptest::prelude::*;

use super::answer::Filling;
use super::exact::Exact;
use super::fold::Folded;
use super::value::{Cell, plain, rank};
use super::*;

const COLUMNS: [(&str, T); 7] = [
    ("i", T::Int),
    ("f", T::Float),
    ("g", T::Float32),
    ("s", T::String),
    ("b", T::Bool),
    ("w", T::Timestamp),
    ("d", T::Date),
];

pub(super) fn table() -> Table {
    let id = TableId::new(&FeatureName::new("v").unwrap(), 1);
    let key = TableKey { name: "k".to_owned(), data_type: KeyType::Int };
    COLUMNS.iter().fold(Table::new(id, vec![key]), |table, (name, ty)| table.with(*name, *ty))
}

pub(super) fn feature(name: &str, ty: T, column: Option<&str>, f: F, w: i64, r: i64) -> Feature {
    let span = |micros| Span::from_micros(micros).unwrap();
    let aggregate = Aggregate::new(f, span(w)).with_resolution(span(r));
    let feature = Feature::new(name, ty).unwrap().aggregated(aggregate);
    match column {
        Some(column) => feature.from_column(column),
        None => feature,
    }
}

/// Each function over each type that has it, in windows that do and do not fit their resolution.
fn features() -> Vec<Feature> {
    let mut all = Vec::new();
    let mut windows = [(25, 10), (40, 10), (100, 7), (3, 50), (10, 10), (60, 1)].iter().cycle();
    let mut add = |column: Option<&str>, f, ty| {
        for _ in 0..2 {
            let (w, r) = *windows.next().unwrap();
            all.push(feature(&format!("x{}", all.len()), ty, column, f, w, r));
        }
        windows.next();
    };
    add(None, F::Count, T::Int);
    for (column, ty) in COLUMNS {
        add(Some(column), F::Count, T::Int);
        add(Some(column), F::Distinct, T::Int);
        for f in [F::Min, F::Max, F::Last] {
            add(Some(column), f, ty);
        }
    }
    add(Some("i"), F::Sum, T::Int);
    for column in ["i", "f", "g"] {
        add(Some(column), F::Mean, T::Float);
    }
    add(Some("f"), F::Sum, T::Float);
    add(Some("g"), F::Sum, T::Float);
    add(Some("g"), F::Sum, T::Float32);
    add(Some("g"), F::Mean, T::Float32);
    all
}

/// A cell as bits: words as the columns have them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Bits {
    Null,
    Word(i64),
    Text(String),
}

#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "an event's time is called so everywhere")]
struct Event {
    key: i64,
    event_time: i64,
    created: Option<i64>,
    seq: u64,
    cells: Vec<Bits>,
}

impl Event {
    fn order(&self) -> WriteOrder {
        let created = self.created.unwrap_or(WriteOrder::UNKNOWN);
        WriteOrder { event_time: self.event_time, created, seq: self.seq }
    }
}

fn bits(array: &ArrayRef, row: usize) -> Bits {
    if array.is_null(row) {
        return Bits::Null;
    }
    Bits::Word(match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).to_bits() as i64,
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).to_bits().into(),
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(row).into(),
        DataType::Utf8 => return Bits::Text(array.as_string::<i32>().value(row).to_owned()),
        _ => array.as_primitive::<TimestampMicrosecondType>().value(row),
    })
}

fn batch(events: &[Event]) -> RecordBatch {
    let words = |place: usize| {
        events.iter().map(move |event| match &event.cells[place] {
            Bits::Word(word) => Some(*word),
            _ => None,
        })
    };
    let texts = events.iter().map(|event| match &event.cells[3] {
        Bits::Text(text) => Some(text.as_str()),
        _ => None,
    });
    let f = |word: Option<i64>| word.map(|word| f64::from_bits(word as u64));
    let g = |word: Option<i64>| word.map(|word| f32::from_bits(word as u32));
    let utc =
        |times: TimestampMicrosecondArray| -> ArrayRef { Arc::new(times.with_timezone("UTC")) };
    let event_times = events.iter().map(|event| Some(event.event_time));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("k", Arc::new(events.iter().map(|event| Some(event.key)).collect::<Int64Array>())),
        (Table::EVENT_TIME, utc(event_times.collect())),
        (Table::CREATED, utc(events.iter().map(|event| event.created).collect())),
        (Table::SEQ, Arc::new(events.iter().map(|e| Some(e.seq)).collect::<UInt64Array>())),
        ("i", Arc::new(words(0).collect::<Int64Array>())),
        ("f", Arc::new(words(1).map(f).collect::<Float64Array>())),
        ("g", Arc::new(words(2).map(g).collect::<Float32Array>())),
        ("s", Arc::new(texts.collect::<StringArray>())),
        ("b", Arc::new(words(4).map(|w| w.map(|w| w != 0)).collect::<BooleanArray>())),
        ("w", utc(words(5).collect())),
        ("d", Arc::new(words(6).map(|w| w.map(|w| w as i32)).collect::<Date32Array>())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
        .unwrap()
}

/// Batches as a scan returns them: segments in order, each sorted, cut anywhere.
fn scan(segment: &[Event], cut: usize) -> Vec<RecordBatch> {
    let mut rows = segment.to_vec();
    rows.sort_by_key(|event| (event.key, event.order()));
    rows.chunks(cut.max(1)).map(batch).collect()
}

/// What the definition says, by brute force.
fn oracle(feature: &Feature, events: &[&Event], t: i64) -> Bits {
    let aggregate = feature.aggregate.unwrap();
    let resolution = aggregate.resolution().micros();
    let start = (t - aggregate.window.micros()).div_euclid(resolution) * resolution;
    let mut rows: Vec<_> = events.iter().filter(|event| event.event_time >= start).collect();
    rows.sort_by_key(|event| event.order());
    let Some(column) = &feature.column else { return Bits::Word(rows.len() as i64) };
    let place = COLUMNS.iter().position(|(name, _)| name == column).unwrap();
    let input = COLUMNS[place].1;
    let cells: Vec<_> =
        rows.iter().map(|event| &event.cells[place]).filter(|cell| **cell != Bits::Null).collect();
    let float = |cell: &Bits| match (cell, input) {
        (Bits::Word(word), T::Float) => f64::from_bits(*word as u64),
        (Bits::Word(word), T::Float32) => f32::from_bits(*word as u32).into(),
        (Bits::Word(word), _) => *word as f64,
        _ => unreachable!(),
    };
    let is_float = matches!(input, T::Float | T::Float32);
    let out = |value: f64| match feature.data_type {
        T::Float32 => Bits::Word((plain(value) as f32).to_bits().into()),
        _ => Bits::Word(plain(value).to_bits() as i64),
    };
    let exact = || {
        let mut sum = Exact::default();
        for cell in &cells {
            sum.add(float(cell));
        }
        sum
    };
    let whole = || -> i128 {
        cells
            .iter()
            .map(|cell| if let Bits::Word(word) = cell { i128::from(*word) } else { 0 })
            .sum()
    };
    let ordered = |cell: &Bits| match cell {
        Bits::Word(word) => Bits::Word(rank(input, *word)),
        other => other.clone(),
    };
    let n = cells.len();
    match aggregate.function {
        F::Count => Bits::Word(n as i64),
        F::Distinct => {
            Bits::Word(cells.iter().map(|c| ordered(c)).collect::<HashSet<_>>().len() as i64)
        }
        _ if n == 0 => Bits::Null,
        F::Last => (*cells[n - 1]).clone(),
        F::Sum if is_float && feature.data_type == T::Float32 => {
            Bits::Word((exact().to_f32() + 0.0).to_bits().into())
        }
        F::Sum if is_float => out(exact().to_f64()),
        F::Sum => i64::try_from(whole()).map_or(Bits::Null, Bits::Word),
        F::Mean if is_float => out(exact().mean(n as u64)),
        F::Mean => out(whole() as f64 / n as f64),
        extreme => {
            let mut cells = cells.clone();
            cells.sort_by_key(|cell| ordered(cell));
            match if extreme == F::Min { cells[0] } else { cells[n - 1] } {
                Bits::Word(_) if is_float => {
                    out(float(if extreme == F::Min { cells[0] } else { cells[n - 1] }))
                }
                cell => cell.clone(),
            }
        }
    }
}

fn reach(t: i64) -> i64 {
    let starts = features().into_iter().map(|feature| {
        let a = feature.aggregate.unwrap();
        let r = a.resolution().micros();
        (t - a.window.micros()).div_euclid(r) * r
    });
    starts.min().unwrap()
}

fn key(key: i64) -> Vec<u8> {
    let mut keys = KeyBatch::new();
    keys.int(key);
    keys.end(true).unwrap();
    keys.get(0).unwrap().to_vec()
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-40_i32..40).prop_map(|x| f64::from(x) / 8.0),
        2 => prop::sample::select(vec![0.1, -0.0, 1e308, -1e308, 5e-324, 1e16, 16_777_217.0]),
        1 => prop::sample::select(vec![f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
        1 => any::<f64>(),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let word = |strategy: BoxedStrategy<i64>| {
        prop::option::weighted(0.8, strategy)
            .prop_map(|word| word.map_or(Bits::Null, Bits::Word))
            .boxed()
    };
    let small = -3_i64..4;
    let ints = prop_oneof![8 => small.clone(), 1 => Just(i64::MAX), 1 => Just(i64::MIN)].boxed();
    let texts = prop::sample::select(vec!["", "a", "b", "ab", "é", "日本"]);
    let cells = (
        word(ints),
        word(float().prop_map(|x| x.to_bits() as i64).boxed()),
        word(float().prop_map(|x| (x as f32).to_bits().into()).boxed()),
        prop::option::weighted(0.8, texts)
            .prop_map(|t| t.map_or(Bits::Null, |t| Bits::Text(t.into()))),
        word((0_i64..2).boxed()),
        word(small.clone().boxed()),
        word(small.boxed()),
    );
    (0_i64..3, -30_i64..120, prop::option::weighted(0.8, -30_i64..140), cells).prop_map(
        |(key, event_time, created, (i, f, g, s, b, w, d))| Event {
            key,
            event_time,
            created,
            seq: 0,
            cells: vec![i, f, g, s, b, w, d],
        },
    )
}

fn history() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(event(), 0..60).prop_map(|mut events| {
        for (event, seq) in events.iter_mut().zip(10..) {
            event.seq = seq;
        }
        events
    })
}

fn boundary() -> impl Strategy<Value = Boundary> {
    prop::sample::select(vec![Boundary::Inclusive, Boundary::Strict])
}

fn asked(rows: &[(Option<i64>, i64)]) -> (KeyBatch, ArrayRef) {
    let keys: ArrayRef = Arc::new(rows.iter().map(|(key, _)| *key).collect::<Int64Array>());
    let times: TimestampMicrosecondArray = rows.iter().map(|(_, t)| Some(*t)).collect();
    (KeyBatch::from_columns(&[keys], rows.len()).unwrap(), Arc::new(times))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn offline_is_what_brute_force_finds(
        events in history(),
        mut rows in prop::collection::vec((prop::option::weighted(0.9, 0_i64..4), -40_i64..260), 1..20),
        boundary in boundary(),
        known_at in prop_oneof![
            Just(KnownAt::Now), Just(KnownAt::EventTime), (-30_i64..140).prop_map(KnownAt::Instant),
        ],
        cut in 1_usize..30,
        segment in 1_usize..40,
        nanos in prop::option::of(0_i64..1000),
    ) {
        rows.push(rows[0]);
        let plan = Arc::new(WindowPlan::new(&table(), &features()).unwrap());
        let (keys, mut times) = asked(&rows);
        if let Some(nanos) = nanos {
            let of = |(_, t): &(_, i64)| Some(t * 1000 + nanos);
            times = Arc::new(rows.iter().map(of).collect::<TimestampNanosecondArray>());
        }
        let mut join = WindowJoin::new(plan.clone(), &keys, &times, boundary, known_at).unwrap();
        for segment in events.chunks(segment) {
            for batch in scan(segment, cut) {
                join.push(&batch).unwrap();
            }
        }
        let answer = join.finish().unwrap();
        let visibility = Visibility { ttl: 0, boundary };
        for (row, (key, t)) in rows.iter().enumerate() {
            let ns = t * 1000 + nanos.unwrap_or(0);
            let seen: Vec<&Event> = events.iter().filter(|event| {
                let created = event.created.map_or(WriteOrder::UNKNOWN, |created| created * 1000);
                let cut_off = match known_at {
                    KnownAt::EventTime => Some(ns),
                    KnownAt::Instant(instant) => Some(instant * 1000),
                    _ => None,
                };
                Some(event.key) == *key
                    && visibility.visible(event.event_time * 1000, created, ns, cut_off)
            }).collect();
            for (feature, column) in features().iter().zip(&answer.columns) {
                prop_assert_eq!(
                    bits(column, row), oracle(feature, &seen, *t), "{:?} {:?} {}", feature, key, t
                );
            }
            let newest = seen.iter().map(|event| event.order()).max();
            let newest = newest.filter(|newest| newest.event_time >= reach(*t));
            prop_assert_eq!(answer.rows[row] == RowStatus::Found, newest.is_some());
            let word = |word: Option<i64>| word.map_or(Bits::Null, Bits::Word);
            prop_assert_eq!(bits(&answer.event_time, row), word(newest.map(|n| n.event_time)));
            let created = newest.map(|n| n.created).filter(|c| *c != WriteOrder::UNKNOWN);
            prop_assert_eq!(bits(&answer.created, row), word(created));
        }
    }

    #[test]
    fn online_is_what_offline_is_at_the_same_instant(
        events in history(),
        boundary in boundary(),
        folds in prop::collection::vec((1_usize..30, 0_i64..40, any::<bool>(), 1_usize..20), 1..6),
        ahead in prop::collection::vec(0_i64..150, 1..5),
    ) {
        let plan = Arc::new(WindowPlan::new(&table(), &features()).unwrap());
        let mut states: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let (mut rest, mut now, mut log) = (&events[..], 0, Vec::new());
        for (many, later, replay, cut) in folds {
            let (segment, after) = rest.split_at(many.min(rest.len()));
            (rest, now) = (after, now + later);
            for round in 0..=usize::from(replay) {
                let mut folder = Folder::new(plan.clone());
                let mut complete = Vec::new();
                for batch in scan(segment, cut + round) {
                    complete.extend(folder.push(&batch).unwrap());
                }
                complete.extend(folder.end());
                for rows in complete {
                    let before = states.get(rows.key()).map(Vec::as_slice);
                    let folded = rows.fold(&plan, before, now).unwrap();
                    prop_assert_eq!(folded.is_some(), round == 0);
                    if let Some(folded) = folded {
                        states.insert(rows.key().to_vec(), folded.payload);
                    }
                }
            }
            log.extend_from_slice(segment);
        }
        let rows: Vec<_> =
            ahead.iter().flat_map(|d| (0..4).map(move |key| (Some(key), now + d))).collect();
        let (keys, times) = asked(&rows);
        let mut join = WindowJoin::new(plan.clone(), &keys, &times, boundary, KnownAt::Now).unwrap();
        for batch in scan(&log, 1000) {
            join.push(&batch).unwrap();
        }
        let offline = join.finish().unwrap();
        let all = (0..features().len()).collect();
        let online = Answers::new(WindowPlan::clone(&plan), boundary, all);
        let mut columns = Filling::all(&plan, rows.len());
        let mut statuses = Vec::new();
        for (row, (asked, t)) in rows.iter().enumerate() {
            let state = states.get(&key(asked.unwrap())).map(Vec::as_slice);
            let set = &mut |feature: usize, cell: Cell<'_>| columns[feature].set(row, cell);
            statuses.push(online.visit(state, *t, set).unwrap());
        }
        let columns: Vec<_> = columns.into_iter().map(Filling::finish).collect();
        prop_assert_eq!(offline.rows, statuses);
        for ((feature, offline), online) in features().iter().zip(&offline.columns).zip(&columns) {
            for (row, asked) in rows.iter().enumerate() {
                prop_assert_eq!(
                    bits(offline, row), bits(online, row), "{:?} {:?}", feature, asked
                );
            }
            prop_assert_eq!(offline.data_type(), &feature.data_type.arrow());
            prop_assert_eq!(online.data_type(), offline.data_type());
        }
    }

    #[test]
    fn how_the_log_is_folded_does_not_show_in_the_bytes(
        events in history(),
        cut in 0_usize..60,
        now in 0_i64..150,
    ) {
        let plan = Arc::new(WindowPlan::new(&table(), &features()).unwrap());
        let fold = |parts: &[&[Event]]| {
            let mut states: BTreeMap<Vec<u8>, Folded> = BTreeMap::new();
            for part in parts {
                let mut folder = Folder::new(plan.clone());
                let mut complete = Vec::new();
                for batch in scan(part, 7) {
                    complete.extend(folder.push(&batch).unwrap());
                }
                complete.extend(folder.end());
                for rows in complete {
                    let before = states.get(rows.key()).map(|folded| folded.payload.as_slice());
                    let folded = rows.fold(&plan, before, now).unwrap().unwrap();
                    states.insert(rows.key().to_vec(), folded);
                }
            }
            states
        };
        let (a, b) = events.split_at(cut.min(events.len()));
        prop_assert_eq!(fold(&[&events]), fold(&[a, b]));
    }

    #[test]
    fn damaged_states_are_errors_and_never_panics(
        events in history(),
        at in any::<prop::sample::Index>(),
        byte: u8,
        cut in any::<bool>(),
    ) {
        let plan = Arc::new(WindowPlan::new(&table(), &features()).unwrap());
        let mut folder = Folder::new(plan.clone());
        let mut complete = folder.push(&batch(&events)).unwrap();
        complete.extend(folder.end());
        for rows in complete {
            let mut state = rows.fold(&plan, None, 60).unwrap().unwrap().payload;
            let at = at.index(state.len());
            if cut { state.truncate(at) } else { state[at] ^= byte | 1 }
            let all = (0..features().len()).collect();
            let answers = Answers::new(WindowPlan::clone(&plan), Boundary::Inclusive, all);
            let found = answers.visit(Some(&state), 100, &mut |_, _| Ok(()));
            prop_assert!(!cut || found.is_err());
            let _ = rows.fold(&plan, Some(&state), 100);
        }
    }
}

#[test]
fn aggregates_that_have_no_meaning_are_refused_by_name() {
    let refused = [
        (feature("a", T::String, Some("s"), F::Sum, 10, 1), "not of columns of this type"),
        (feature("a", T::Float, Some("i"), F::Sum, 10, 1), "gives another type"),
        (feature("a", T::Int, Some("i"), F::Mean, 10, 1), "gives another type"),
        (feature("a", T::Float, Some("s"), F::Count, 10, 1), "gives another type"),
        (feature("a", T::Int, Some("nope"), F::Sum, 10, 1), "not in the table"),
        (feature("a", T::Int, Some("i"), F::Sum, 0, 1), "longer than no time"),
        (feature("a", T::Int, Some("i"), F::Sum, 10_001, 1), "too many tiles"),
        (Feature::new("a", T::Int).unwrap(), "no aggregate"),
    ];
    for (feature, problem) in refused {
        let error = WindowPlan::new(&table(), &[feature]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[test]
fn the_state_of_another_view_is_a_conflict() {
    let plan = |f| {
        let features = [feature("a", T::Float, Some("f"), f, 10, 1)];
        Arc::new(WindowPlan::new(&table(), &features).unwrap())
    };
    let mut folder = Folder::new(plan(F::Max));
    let cells = vec![Bits::Null; COLUMNS.len()];
    let event = Event { key: 1, event_time: 5, created: None, seq: 0, cells };
    assert!(folder.push(&batch(&[event])).unwrap().is_empty());
    let rows = folder.end().unwrap();
    assert_eq!((rows.key(), rows.rows()), (&key(1)[..], 1));
    let state = rows.fold(&plan(F::Max), None, 100).unwrap().unwrap();
    assert_eq!(state.order.seq, 1);
    let error = rows.fold(&plan(F::Min), Some(&state.payload), 100).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[test]
fn rows_ahead_of_the_clock_are_bounded() {
    let plan = Arc::new(WindowPlan::new(&table(), &features()).unwrap());
    let cells = vec![Bits::Null; COLUMNS.len()];
    let events: Vec<_> = (0..5_000_u64)
        .map(|seq| Event { key: 1, event_time: 50, created: None, seq, cells: cells.clone() })
        .collect();
    let mut folder = Folder::new(plan.clone());
    folder.push(&batch(&events)).unwrap();
    let rows = folder.end().unwrap();
    assert_eq!(rows.fold(&plan, None, 50).unwrap_err().kind(), ErrorKind::Invalid);
    assert!(rows.fold(&plan, None, 51).unwrap().is_some());
}
