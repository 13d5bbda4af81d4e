use arrow::array::StringArray;
use mlops_core::ErrorKind;

use super::*;
use crate::codec::Value;

const ORDER: WriteOrder = WriteOrder { event_time: 10, created: 10, seq: 0 };

/// Counts the bytes of its state, and says nothing of its second feature.
#[derive(Debug)]
struct Counting {
    twice: bool,
}

impl Aggregated for Counting {
    fn answer(
        &self,
        state: Option<&[u8]>,
        now: i64,
        out: &mut Cells<'_>,
    ) -> mlops_core::Result<RowStatus> {
        out.set(0, Value::Int(state.map_or(0, <[u8]>::len) as i64 + now))?;
        if self.twice {
            out.set(0, Value::Int(0))?;
        }
        Ok(if state.is_some() { RowStatus::Found } else { RowStatus::NotFound })
    }
}

fn counting(twice: bool) -> PreparedView {
    let feature = |name: &str, data_type| PreparedFeature { name: name.to_owned(), data_type };
    PreparedView {
        alias: "counts".to_owned(),
        table: table("counts"),
        keys: vec![key("id", KeyType::Int)],
        visibility: Visibility::default(),
        features: vec![feature("n", FeatureType::Int), feature("last", FeatureType::String)],
        kind: PreparedKind::Aggregated(Arc::new(Counting { twice })),
    }
}

fn rows(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn each_view_has_its_own_keys_rule_and_status() {
    let store = Shelf::default();
    let mut flights = KeyBatch::new();
    for (carrier, number) in [("UA", 12), ("U", 212)] {
        flights.text(carrier.as_bytes());
        flights.int(number);
        flights.end(true).unwrap();
    }
    write(&store, "flight", &flights, &[ORDER; 2], &floats("delay", vec![Some(3.0), None]), 20);
    let airports = int_keys([1, 2]);
    let both = [ORDER, WriteOrder { event_time: 4, ..ORDER }];
    write(&store, "wind", &airports, &both, &floats("wind", vec![Some(5.0), Some(6.0)]), 20);
    let one = floats("moon", vec![Some(0.5)]);
    let mut empty = KeyBatch::new();
    empty.end(true).unwrap();
    write(&store, "sky", &empty, &[ORDER], &one, 20);

    let (delay, wind, moon) = (
        [column("delay", FeatureType::Float)],
        [column("wind", FeatureType::Float)],
        [column("moon", FeatureType::Float)],
    );
    let rule = Visibility { ttl: 10, ..Visibility::default() };
    let flight = [key("carrier", KeyType::String), key("number", KeyType::Int)];
    let service = Prepared::new(
        Arc::new(store),
        vec![
            view("flight", "", &flight, &delay, Visibility::default()),
            view("wind", "from_", &[key("origin", KeyType::Int)], &wind, rule),
            view("wind", "to_", &[key("dest", KeyType::Int)], &wind, rule),
            view("sky", "", &[], &moon, Visibility::default()),
        ],
    )
    .unwrap();
    let names: Vec<_> = service.request().iter().map(|key| key.column.as_str()).collect();
    assert_eq!(names, ["carrier", "number", "origin", "dest"]);
    let answer = service.answer_local(
        &rows(vec![
            ("dest", Arc::new(Int64Array::from(vec![Some(2), None, Some(3)]))),
            ("origin", Arc::new(Int64Array::from(vec![1, 2, 3]))),
            ("number", Arc::new(Int64Array::from(vec![12, 212, 12]))),
            ("carrier", Arc::new(StringArray::from(vec!["UA", "U", "U"]))),
        ]),
        20,
    );
    let answer = answer.unwrap();
    let (found, none, old) = (RowStatus::Found, RowStatus::NotFound, RowStatus::Expired);
    assert_eq!(
        answer.views,
        [vec![found, found, none], vec![found, old, none], vec![old, none, none], vec![found; 3]]
    );
    let shown = |name: &str| {
        let column = answer.batch.column_by_name(name).unwrap().as_primitive::<Float64Type>();
        column.iter().collect::<Vec<_>>()
    };
    assert_eq!(shown("delay"), [Some(3.0), None, None]);
    assert_eq!(shown("from_wind"), [Some(5.0), None, None]);
    assert_eq!(shown("to_wind"), [None; 3]);
    assert_eq!(shown("moon"), [Some(0.5); 3]);

    let mut row = Row::new();
    let asked = [KeyValue::Str("U"), KeyValue::Int(212), KeyValue::Int(2), KeyValue::Int(1)];
    service.row(&asked, 20, &mut row).unwrap();
    let statuses: Vec<_> = (0..5).map(|feature| row.status(feature)).collect();
    assert_eq!(
        statuses,
        [Status::Null, Status::Expired, Status::Present, Status::Present, Status::NotFound]
    );
}

#[test]
fn a_view_of_aggregates_answers_of_its_state() {
    let store = Shelf::default();
    let payload = b"state";
    let keys = int_keys([7]);
    let order = WriteOrder { event_time: 0, created: 0, seq: 9 };
    let write = OnlineRow { key: keys.get(0).unwrap(), order, payload, expires: None };
    block_on(store.write(&table("counts"), &[write], 20)).unwrap();
    let store: Arc<dyn OnlineStore> = Arc::new(store);
    let service = Prepared::new(Arc::clone(&store), vec![counting(false)]).unwrap();
    let mut row = Row::new();
    service.row(&[KeyValue::Int(7)], -100, &mut row).unwrap();
    assert_eq!(
        (row.int(0), row.status(0), row.status(1)),
        (Some(-95), Status::Present, Status::Null)
    );
    service.row(&[KeyValue::Int(8)], 20, &mut row).unwrap();
    assert_eq!((row.int(0), row.status(0), row.text(1)), (Some(20), Status::NotFound, None));
    let twice = Prepared::new(store, vec![counting(true)]).unwrap();
    let error = twice.row(&[KeyValue::Int(7)], 20, &mut row).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.to_string().contains("view: counts"), "{error}");
}

#[test]
fn what_cannot_be_prepared_is_said() {
    let store: Arc<dyn OnlineStore> = Arc::new(Shelf::default());
    let columns = [column("x", FeatureType::Float)];
    let (id, text) = ([key("id", KeyType::Int)], [key("id", KeyType::String)]);
    let make = |name: &str, prefix: &str, keys: &[RequestKey]| {
        view(name, prefix, keys, &columns, Visibility::default())
    };
    let refused = |views| Prepared::new(Arc::clone(&store), views).unwrap_err().to_string();
    let twice = refused(vec![make("a", "", &id), make("b", "", &id)]);
    assert!(twice.contains("two features have one name (feature: x)"), "{twice}");
    let types = refused(vec![make("a", "", &id), make("b", "b_", &text)]);
    assert!(types.contains("column: id, type: string, other_type: int, view: b_b"), "{types}");
    let mut wrong = make("a", "", &id);
    wrong.features[0].data_type = FeatureType::Int;
    assert!(refused(vec![wrong]).contains("not of the types"));
}

#[test]
fn what_a_store_does_wrong_is_an_error_that_names_the_view() {
    let columns = [column("x", FeatureType::Float)];
    let keys = [key("id", KeyType::Int)];
    let ids = rows(vec![("id", Arc::new(Int64Array::from(vec![1, 2])))]);
    for elsewhere in [false, true] {
        let store = Shelf { elsewhere, short: true, ..Shelf::default() };
        let views = vec![view("v", "", &keys, &columns, Visibility::default())];
        let service = Prepared::new(Arc::new(store), views.clone()).unwrap();
        let error = block_on(service.answer(&ids, 20)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert_eq!(service.is_local(), !elsewhere);

        let store = Shelf { elsewhere, ..Shelf::default() };
        let damaged = store.board(&table("v"));
        damaged.entries.lock().unwrap().insert(int_keys([1]).get(0).unwrap().to_vec(), vec![1, 1]);
        let service = Prepared::new(Arc::new(store), views).unwrap();
        let error = block_on(service.answer(&ids, 20)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("view: v"), "{error}");
        let local = service.answer_local(&ids, 20).unwrap_err();
        let expected = if elsewhere { ErrorKind::Unsupported } else { ErrorKind::Corrupt };
        assert_eq!(local.kind(), expected);
    }
}
