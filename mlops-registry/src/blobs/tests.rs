//! Each case runs on a directory (whose reads are files) and on a store in memory (whose reads are
//! streams), under `block_on` without any runtime; one goes the whole way under tokio.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path as FsPath;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::executor::block_on;
use futures::{StreamExt, TryStreamExt};
use mlops_core::ErrorKind;
use mlops_core::time::{Instant, from_micros_lossy};
use mlops_core::tracking::{Blob, BlobLocation, Digest};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use proptest::prelude::*;
use tempfile::TempDir;

use super::{BlobSource, Blobs, DownloadBlob, Progress, PutBlob, part_bytes};
use crate::durable::DurableLocal;

const MIB: usize = 1 << 20;

struct Fixture {
    dir: TempDir,
    store: Arc<dyn ObjectStore>,
    blobs: Blobs,
}

impl Fixture {
    fn on_disk() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(DurableLocal::open(dir.path().join("objects")).unwrap());
        Self { dir, store: store.clone(), blobs: Blobs::new(store) }
    }

    fn in_memory() -> Self {
        let store = Arc::new(InMemory::new());
        Self { dir: tempfile::tempdir().unwrap(), store: store.clone(), blobs: Blobs::new(store) }
    }

    fn both() -> [Self; 2] {
        [Self::on_disk(), Self::in_memory()]
    }

    fn put(&self, source: impl Into<BlobSource>) -> mlops_core::Result<Blob> {
        block_on(self.blobs.put(source, PutBlob::default()))
    }

    fn get(&self, blob: &Blob) -> mlops_core::Result<Bytes> {
        block_on(self.blobs.get_bytes(blob))
    }

    fn objects(&self) -> usize {
        block_on(self.store.list(None).try_collect::<Vec<_>>()).unwrap().len()
    }

    /// Replaces the stored bytes, as a failing disk would.
    fn damage(&self, blob: &Blob, bytes: Vec<u8>) {
        let path = Path::from(blob.location.0.as_str());
        block_on(self.store.put(&path, PutPayload::from(bytes))).unwrap();
    }

    fn file(&self, name: &str, bytes: &[u8]) -> std::path::PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn random_bytes(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(&size.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

fn names_in(directory: &FsPath) -> HashSet<String> {
    let name = |e: io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
    fs::read_dir(directory).unwrap().map(name).collect()
}

/// Files anywhere below the store's directory.
fn staged_left(f: &Fixture) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![f.dir.path().join("objects")];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

type Calls = Arc<Mutex<Vec<(u64, u64)>>>;

fn recorder() -> (Progress, Calls) {
    let calls = Calls::default();
    let log = Arc::clone(&calls);
    (Arc::new(move |done, total| log.lock().unwrap().push((done, total))), calls)
}

#[test]
fn bytes_files_and_readers_come_back_as_they_went_in() {
    for f in Fixture::both() {
        for size in [0, 1, 1_000, 3 * MIB, 20 * MIB] {
            let bytes = random_bytes(size);
            let file = f.file("source", &bytes);
            let sources: [BlobSource; 3] = [
                Bytes::from(bytes.clone()).into(),
                file.as_path().into(),
                BlobSource::reader(io::Cursor::new(bytes.clone())),
            ];
            for source in sources {
                let what = format!("{source:?} of {size} in {:?}", f.blobs);
                let blob = f.put(source).unwrap();
                assert_eq!((blob.digest, blob.size), (digest(&bytes), size as u64), "{what}");
                assert!(f.get(&blob).unwrap() == bytes, "{what}");
            }
        }
    }
}

#[test]
fn a_location_is_digest_and_generation_and_no_two_uploads_share_one() {
    let f = Fixture::in_memory();
    let (one, two) = (f.put(vec![7; 10]).unwrap(), f.put(vec![7; 10]).unwrap());
    assert_eq!(one.digest, two.digest);
    assert_ne!(one.location, two.location);
    let hex = one.digest.to_string();
    let start = format!("blobs/{}/{hex}-", &hex[..2]);
    assert!(one.location.0.starts_with(&start), "{:?}", one.location);
    assert_eq!(one.location.0.len(), start.len() + 8);

    block_on(f.blobs.delete(&one.location)).unwrap();
    assert_eq!(f.get(&two).unwrap(), vec![7; 10]);
}

#[test]
fn prepare_stores_nothing_and_one_prepared_may_be_uploaded_again() {
    for f in Fixture::both() {
        let bytes = random_bytes(9 * MIB);
        let reader = BlobSource::reader(io::Cursor::new(bytes.clone()));
        let prepared = block_on(f.blobs.prepare(reader)).unwrap();
        assert_eq!((prepared.digest(), prepared.size()), (digest(&bytes), 9 * MIB as u64));
        assert_eq!(f.objects(), 0);
        for _ in 0..2 {
            let blob = block_on(f.blobs.upload(&prepared, PutBlob::default())).unwrap();
            assert!(f.get(&blob).unwrap() == bytes);
        }
        assert_eq!(f.objects(), 2);
    }
}

#[test]
fn a_large_reader_is_gathered_in_the_staging_directory_and_leaves_nothing_there() {
    let f = Fixture::in_memory();
    let staging = f.dir.path().join("staging");
    let blobs = f.blobs.clone().with_staging_dir(&staging);
    let reader = || BlobSource::reader(io::Cursor::new(random_bytes(9 * MIB)));
    assert_eq!(block_on(blobs.prepare(reader())).unwrap_err().kind(), ErrorKind::NotFound);
    fs::create_dir(&staging).unwrap();
    let prepared = block_on(blobs.prepare(reader())).unwrap();
    assert_eq!(names_in(&staging).len(), 1);
    drop(prepared);
    assert!(names_in(&staging).is_empty());
}

#[test]
fn the_prefix_is_no_part_of_the_location() {
    let f = Fixture::in_memory();
    let team = f.blobs.clone().with_prefix("team/a").unwrap();
    let blob = block_on(team.put(vec![1, 2, 3], PutBlob::default())).unwrap();
    assert!(blob.location.0.starts_with("blobs/"));
    assert!(block_on(f.store.head(&Path::from(format!("team/a/{}", blob.location.0)))).is_ok());
    assert_eq!(block_on(team.get_bytes(&blob)).unwrap(), vec![1, 2, 3]);
    let listed: Vec<_> = block_on(team.list().try_collect()).unwrap();
    assert_eq!(listed[0].location, blob.location);
    assert_eq!(f.blobs.clone().with_prefix("a/../b").unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_changed_byte_is_corrupt_and_the_last_chunk_never_comes() {
    for f in Fixture::both() {
        for size in [1, 3 * MIB] {
            let mut bytes = random_bytes(size);
            let blob = f.put(bytes.clone()).unwrap();
            bytes[size - 1] ^= 1;
            let found = digest(&bytes);
            f.damage(&blob, bytes);
            let mut reader = block_on(f.blobs.get(&blob)).unwrap();
            let (mut received, error) = block_on(async {
                let mut received = 0;
                loop {
                    match reader.next().await {
                        Some(Ok(chunk)) => received += chunk.len(),
                        Some(Err(e)) => break (received, e),
                        None => panic!("ended without an error"),
                    }
                }
            });
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            for named in [blob.location.0.clone(), blob.digest.to_string(), found.to_string()] {
                assert!(error.to_string().contains(&named), "{error}");
            }
            assert!(received < size);
            received += block_on(reader.count());
            assert!(received < size, "nothing comes after the error");
        }
    }
}

#[test]
fn a_truncated_or_longer_object_is_corrupt_at_once() {
    for f in Fixture::both() {
        let bytes = random_bytes(3 * MIB);
        let blob = f.put(bytes.clone()).unwrap();
        for damaged in [bytes[..bytes.len() - 1].to_vec(), [&bytes[..], b"x"].concat(), Vec::new()]
        {
            let sizes = format!("expected_bytes: {}, found_bytes: {}", bytes.len(), damaged.len());
            f.damage(&blob, damaged);
            let error = block_on(f.blobs.get(&blob)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains(&sizes), "{error}");
        }
    }
}

#[test]
fn a_file_cut_short_while_it_is_read_is_corrupt() {
    let f = Fixture::on_disk();
    let blob = f.put(random_bytes(5 * MIB)).unwrap();
    let mut reader = block_on(f.blobs.get(&blob)).unwrap();
    block_on(reader.try_next()).unwrap();
    let object = f.dir.path().join("objects").join(&blob.location.0);
    fs::File::options().write(true).open(object).unwrap().set_len(MIB as u64).unwrap();
    let error = block_on(reader.bytes()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn a_missing_object_is_corrupt_and_not_not_found() {
    for f in Fixture::both() {
        let blob = f.put(vec![1]).unwrap();
        block_on(f.blobs.delete(&blob.location)).unwrap();
        let error = f.get(&blob).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("named but missing"), "{error}");
    }
}

#[test]
fn a_location_of_another_form_or_digest_never_reaches_the_store() {
    let f = Fixture::on_disk();
    let blob = f.put(vec![1]).unwrap();
    let other = f.put(vec![2]).unwrap();
    let at = |location: &str| Blob { location: BlobLocation(location.into()), ..blob.clone() };
    let upper = blob.location.0.to_uppercase();
    let longer = format!("{}0", blob.location.0);
    let climbing = format!("{}/../x", blob.location.0);
    for bad in ["", "x", "../../etc/passwd", "/etc/passwd", &upper, &longer, &climbing] {
        assert_eq!(f.get(&at(bad)).unwrap_err().kind(), ErrorKind::Invalid, "{bad}");
        let deleted = block_on(f.blobs.delete(&BlobLocation(bad.into())));
        assert_eq!(deleted.unwrap_err().kind(), ErrorKind::Invalid, "{bad}");
    }
    assert_eq!(f.get(&at(&other.location.0)).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_file_that_changed_between_prepare_and_upload_is_a_conflict_and_no_object() {
    for f in Fixture::both() {
        for size in [10, 20 * MIB] {
            let path = f.file("source", &random_bytes(size));
            let prepared = block_on(f.blobs.prepare(path.as_path())).unwrap();
            let upload = || block_on(f.blobs.upload(&prepared, PutBlob::default()));
            let mut other = random_bytes(size);
            other[size / 2] ^= 1;
            for changed in
                [other.clone(), other[1..].to_vec(), [&random_bytes(size)[..], b"more"].concat()]
            {
                fs::write(&path, changed).unwrap();
                assert_eq!(upload().unwrap_err().kind(), ErrorKind::Conflict);
                assert_eq!(f.objects(), 0);
            }
            fs::remove_file(&path).unwrap();
            assert_eq!(upload().unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
}

#[test]
fn a_file_that_changes_during_the_upload_is_a_conflict_and_no_object() {
    for f in Fixture::both() {
        let path = f.dir.path().join("source");
        let file = fs::File::create(&path).unwrap();
        file.set_len(80 * MIB as u64).unwrap();
        let touch = Mutex::new(file);
        let progress: Progress = Arc::new(move |_, _| {
            let mut file = touch.lock().unwrap();
            file.seek(SeekFrom::End(-1)).unwrap();
            file.write_all(b"!").unwrap();
        });
        let put = f.blobs.put(path.as_path(), PutBlob::default().with_progress(progress));
        let error = block_on(put).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().contains("changed while it was read"), "{error}");
        assert_eq!(f.objects(), 0);
        assert!(staged_left(&f).is_empty(), "nothing is left of the parts either");
    }
}

#[test]
fn directories_devices_and_pipes_are_invalid_and_links_are_followed() {
    let f = Fixture::in_memory();
    let put = |path: &FsPath| f.put(path);
    assert_eq!(put(f.dir.path()).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(put(FsPath::new("/no/such/file")).unwrap_err().kind(), ErrorKind::NotFound);
    let below = f.file("file", b"content").join("below");
    assert_eq!(put(&below).unwrap_err().kind(), ErrorKind::Invalid);

    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        assert_eq!(put(FsPath::new("/dev/null")).unwrap_err().kind(), ErrorKind::Invalid);
        let pipe = f.dir.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert_eq!(put(&pipe).unwrap_err().kind(), ErrorKind::Invalid);

        let link = |to: &str| {
            let link = f.dir.path().join(format!("link-to-{to}"));
            symlink(f.dir.path().join(to), &link).unwrap();
            link
        };
        let blob = put(&link("file")).unwrap();
        assert_eq!(f.get(&blob).unwrap(), "content");
        assert_eq!(put(&link("pipe")).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(put(&link("nothing")).unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[test]
fn a_reader_that_fails_stores_nothing() {
    struct Failing(usize);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let some = buffer.len().min(self.0);
            self.0 -= some;
            if some == 0 { Err(io::Error::other("the cable is out")) } else { Ok(some) }
        }
    }
    let f = Fixture::in_memory();
    for size in [10, 10 * MIB] {
        let error = f.put(BlobSource::reader(Failing(size))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(format!("{error:?}").contains("the cable is out"), "{error:?}");
    }
    assert_eq!(f.objects(), 0);
}

#[test]
fn progress_only_grows_and_ends_with_the_total() {
    for f in Fixture::both() {
        for (size, least) in [(0, 1), (10, 1), (20 * MIB, 3)] {
            let (progress, calls) = recorder();
            let put = PutBlob::default().with_progress(progress);
            let blob = block_on(f.blobs.put(random_bytes(size), put)).unwrap();
            let calls = std::mem::take(&mut *calls.lock().unwrap());
            assert!(calls.len() >= least && calls.is_sorted());
            assert_eq!(calls.last(), Some(&(size as u64, size as u64)));

            let (progress, calls) = recorder();
            let to = f.dir.path().join(format!("down-{size}"));
            let options = DownloadBlob::default().with_progress(progress);
            block_on(f.blobs.download(&blob, to, options)).unwrap();
            let calls = calls.lock().unwrap();
            assert!(calls.is_sorted());
            assert_eq!(calls.last(), Some(&(size as u64, size as u64)));
        }
    }
}

#[test]
fn download_writes_the_whole_file_and_replaces_only_when_asked() {
    for f in Fixture::both() {
        let bytes = random_bytes(3 * MIB);
        let blob = f.put(bytes.clone()).unwrap();
        let out = f.dir.path().join("out");
        fs::create_dir(&out).unwrap();
        let to = out.join("model.bin");
        let download = |to: &FsPath, options| block_on(f.blobs.download(&blob, to, options));
        download(&to, DownloadBlob::default()).unwrap();
        assert!(fs::read(&to).unwrap() == bytes);

        fs::write(&to, b"mine").unwrap();
        let error = download(&to, DownloadBlob::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&to).unwrap(), b"mine");
        download(&to, DownloadBlob::default().with_overwrite()).unwrap();
        assert!(fs::read(&to).unwrap() == bytes);

        let anyway = DownloadBlob::default().with_overwrite();
        assert_eq!(download(&out, anyway.clone()).unwrap_err().kind(), ErrorKind::Invalid);
        let nowhere = download(&out.join("no/such"), anyway.clone()).unwrap_err();
        assert_eq!(nowhere.kind(), ErrorKind::NotFound);
        let below = download(&to.join("below"), anyway).unwrap_err();
        assert_eq!(below.kind(), ErrorKind::Invalid);
        assert_eq!(names_in(&out), HashSet::from(["model.bin".to_owned()]));
    }
}

#[test]
fn a_corrupt_download_leaves_what_was_there_and_nothing_else() {
    for f in Fixture::both() {
        let mut bytes = random_bytes(3 * MIB);
        let blob = f.put(bytes.clone()).unwrap();
        bytes[5] ^= 1;
        f.damage(&blob, bytes);
        let out = f.dir.path().join("out");
        fs::create_dir(&out).unwrap();
        fs::write(out.join("old"), b"old").unwrap();
        for name in ["new", "old"] {
            let options = DownloadBlob::default().with_overwrite();
            let error = block_on(f.blobs.download(&blob, out.join(name), options)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
        assert_eq!(names_in(&out), HashSet::from(["old".to_owned()]));
        assert_eq!(fs::read(out.join("old")).unwrap(), b"old");
    }
}

#[cfg(unix)]
#[test]
fn a_downloaded_file_has_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let f = Fixture::on_disk();
    let blob = f.put(vec![1]).unwrap();
    let (to, ordinary) = (f.dir.path().join("to"), f.file("ordinary", b""));
    block_on(f.blobs.download(&blob, &to, DownloadBlob::default())).unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(to), mode(ordinary));
}

#[test]
fn sweep_takes_what_is_old_and_unnamed_and_nothing_else() {
    let ever = from_micros_lossy(mlops_core::time::MAX_MICROS);
    let never = from_micros_lossy(0);
    for f in Fixture::both() {
        let kept = f.put(vec![1; 10]).unwrap();
        let orphan = f.put(vec![2; 20]).unwrap();
        f.put(vec![1; 10]).unwrap();
        let strange = Path::from("blobs/README");
        block_on(f.store.put(&strange, PutPayload::from_static(b"not a blob"))).unwrap();
        let named = |asked: Vec<BlobLocation>| {
            let named = asked.into_iter().filter(|l| *l == kept.location).collect();
            async move { Ok(named) }
        };
        let sweep = |older_than: Instant| block_on(f.blobs.sweep(older_than, named)).unwrap();
        assert_eq!(sweep(never).objects, 0);
        let planned = block_on(f.blobs.orphans(ever, named)).unwrap();
        assert_eq!(planned.len(), 2);
        assert!(planned.iter().any(|b| b.location == orphan.location && b.size == 20));
        let swept = sweep(ever);
        assert_eq!((swept.objects, swept.bytes), (2, 30));
        assert_eq!(f.get(&kept).unwrap(), vec![1; 10]);
        assert!(block_on(f.store.head(&strange)).is_ok());
        assert_eq!(sweep(ever).objects, 0);
        block_on(f.blobs.delete(&orphan.location)).unwrap();
    }
}

#[test]
fn an_error_of_the_naming_database_stops_the_sweep() {
    let f = Fixture::in_memory();
    f.put(vec![1]).unwrap();
    let ever = from_micros_lossy(mlops_core::time::MAX_MICROS);
    let away = |_| async { Err(mlops_core::Error::unavailable("test", "away")) };
    assert_eq!(block_on(f.blobs.sweep(ever, away)).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(f.objects(), 1);
}

#[test]
fn a_store_whose_place_is_taken_by_a_file_is_an_error_and_not_a_panic() {
    let f = Fixture::on_disk();
    fs::write(f.dir.path().join("objects/blobs"), b"in the way").unwrap();
    for size in [1, 9 * MIB] {
        assert_eq!(f.put(random_bytes(size)).unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[test]
fn parts_are_eight_mib_until_there_would_be_too_many() {
    assert_eq!(part_bytes(0), 8 * MIB);
    assert_eq!(part_bytes(64 << 30), 8 * MIB);
    assert_eq!(part_bytes(5 << 40), 583 * MIB);
    for size in [1_u64, 1 << 30, 100 << 30, 5 << 40] {
        assert!(size.div_ceil(part_bytes(size) as u64) <= 9_000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_it_works_under_tokio_and_in_tasks() {
    let f = Fixture::on_disk();
    let bytes = random_bytes(20 * MIB);
    let path = f.file("source", &bytes);
    let uploads = (0..3).map(|_| {
        let (blobs, path) = (f.blobs.clone(), path.clone());
        tokio::spawn(async move { blobs.put(path, PutBlob::default()).await })
    });
    for upload in uploads.collect::<Vec<_>>() {
        let blob = upload.await.unwrap().unwrap();
        let (blobs, to) = (f.blobs.clone(), f.dir.path().join("out"));
        let download = async move {
            let options = DownloadBlob::default().with_overwrite();
            blobs.download(&blob, &to, options).await.map(|()| fs::read(&to).unwrap())
        };
        assert!(tokio::spawn(download).await.unwrap().unwrap() == bytes);
    }
    let ever = from_micros_lossy(mlops_core::time::MAX_MICROS);
    let blobs = f.blobs.clone();
    let sweep = async move { blobs.sweep(ever, |_| async { Ok(HashSet::new()) }).await };
    assert_eq!(tokio::spawn(sweep).await.unwrap().unwrap().objects, 3);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn any_size_around_a_buffer_boundary_survives_the_round_trip(
        boundary in prop::sample::select(vec![0, 256 << 10, MIB, 2 * MIB, 8 * MIB, 16 * MIB]),
        around in -3_i64..=3,
        kind in 0..3,
        on_disk in any::<bool>(),
    ) {
        let size = usize::try_from(boundary as i64 + around).unwrap_or(0);
        let f = if on_disk { Fixture::on_disk() } else { Fixture::in_memory() };
        let bytes = random_bytes(size);
        let blob = match kind {
            0 => f.put(bytes.clone()),
            1 => f.put(f.file("source", &bytes)),
            _ => f.put(BlobSource::reader(io::Cursor::new(bytes.clone()))),
        }.unwrap();
        prop_assert_eq!((blob.digest, blob.size), (digest(&bytes), size as u64));
        prop_assert!(f.get(&blob).unwrap() == bytes);
        let to = f.dir.path().join("down");
        block_on(f.blobs.download(&blob, &to, DownloadBlob::default())).unwrap();
        prop_assert!(fs::read(&to).unwrap() == bytes);
    }
}
