//! What files and folders are called, and instants of an old type.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, TimestampMicrosecondArray};
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use futures::executor::block_on;
use mlops_core::features::{
    Append, FeatureName, OfflineStore, Probe, RowStatus, Scan, Source, Table, TableId,
};
use parquet::data_type::{Int64Type as ParquetInt64, Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::fixture::World;
use super::{rows, table};

/// Key 1 at these days (of the Julian calendar), as old engines write instants.
fn old_file(path: &std::path::Path, days: &[u32]) {
    let schema = "message m { REQUIRED INT64 driver_id; OPTIONAL INT96 event_time; \
                  OPTIONAL DOUBLE rating; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ParquetInt64>().write_batch(&vec![1; days.len()], None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let instant = |day: &u32| {
        let mut instant = Int96::new();
        instant.set_data(5_000, 0, *day);
        instant
    };
    let instants: Vec<_> = days.iter().map(instant).collect();
    column.typed::<Int96Type>().write_batch(&instants, Some(&vec![1; days.len()]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let none = vec![0; days.len()];
    let typed = column.typed::<parquet::data_type::DoubleType>();
    typed.write_batch(&[], Some(&none), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn instants_of_the_old_type_are_exact_in_any_year() {
    block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("old.parquet");
        // The first of January of 1500, 1970 and 3000.
        let days = [-171_664_i64, 0, 376_200];
        let micros = days.map(|day| day * 86_400_000_000 + 5);
        old_file(&path, &days.map(|day| u32::try_from(day + 2_440_588).unwrap()));
        let mut table = table();
        table.source = Source::Files(vec![path.to_str().unwrap().to_owned()]);
        let store = World::new().open();
        let batches: Vec<_> =
            store.scan(&table, Scan::default()).await.unwrap().try_collect().await.unwrap();
        let found = batches[0].column(1);
        assert_eq!(
            found.as_primitive::<arrow::datatypes::TimestampMicrosecondType>().values(),
            &micros
        );
        let mut times = micros.to_vec();
        times.push(micros[0] - 1);
        let probe = Probe::new(
            vec![Arc::new(Int64Array::from(vec![1; 4]))],
            Arc::new(TimestampMicrosecondArray::from(times)),
            Vec::new(),
        );
        let answer = store.as_of(&table, probe).await.unwrap();
        assert_eq!(&answer.event_time.as_primitive::<Int64Type>().values()[..3], &micros);
        assert_eq!(answer.rows[3], RowStatus::NotFound);
    });
}

#[test]
fn tables_whose_names_differ_in_capitals_have_folders_that_differ_otherwise() {
    block_on(async {
        let (world, small) = (World::new(), table());
        let store = world.open();
        let id = TableId::new(&FeatureName::new("Drivers").unwrap(), 1);
        let mut large = small.clone();
        large.id = id;
        store.append(&small, rows(&[1], 1), Append::default()).await.unwrap();
        store.append(&large, rows(&[2, 3], 1), Append::default()).await.unwrap();
        let of = async |table: &Table| {
            store.manifest(&table.id, None).await.unwrap().segments.remove(0).path
        };
        let (small, large) = (of(&small).await, of(&large).await);
        assert_eq!(small.split('/').nth(1), Some("drivers.1"));
        assert_eq!(large.split('/').nth(1), Some("=drivers.1"));
        let everything: Vec<_> = world.objects.list(None).try_collect().await.unwrap();
        let folder = |path: &str| path.rsplit_once('/').unwrap().0.to_owned();
        let folders = everything.iter().map(|meta| folder(meta.location.as_ref()));
        let folders: BTreeSet<String> = folders.collect();
        let alike: BTreeSet<String> = folders.iter().map(|f| f.to_lowercase()).collect();
        assert_eq!(folders.len(), alike.len(), "{folders:?}");
    });
}
