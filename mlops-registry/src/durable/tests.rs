//! What is synced, in which order, and what happens when that fails.
//!
//! Power loss cannot be staged in a unit test, so a probe at the one place that calls `fsync`
//! writes down each call, and whether the final name was already visible, and can make a call fail.

use std::fs;
use std::io;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Mutex;

use futures::executor::block_on;
use futures::{StreamExt, TryStreamExt, stream};
use mlops_core::ErrorKind;
use mlops_core::time::{Instant, from_micros_lossy};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use tempfile::TempDir;

use super::{DurableLocal, StoreError};

/// Hangs on [`super::disk::Disk`] in tests.
#[derive(Debug, Default)]
pub(super) struct Probe {
    synced: Mutex<Vec<PathBuf>>,
    /// Final names that were visible when their staged bytes were synced: must stay empty.
    torn: Mutex<Vec<PathBuf>>,
    fail_on: Mutex<Option<PathBuf>>,
}

impl Probe {
    pub(super) fn on_sync(&self, path: &FsPath) -> io::Result<()> {
        if let Some((name, _)) = path.to_string_lossy().rsplit_once('#')
            && FsPath::new(name).exists()
        {
            self.torn.lock().unwrap().push(name.into());
        }
        self.synced.lock().unwrap().push(path.to_path_buf());
        match &*self.fail_on.lock().unwrap() {
            Some(bad) if bad == path => Err(io::Error::other("the disk is dying")),
            _ => Ok(()),
        }
    }
}

struct Fixture {
    /// Kept for its drop.
    _dir: TempDir,
    store: DurableLocal,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = DurableLocal::open(dir.path().join("objects")).unwrap();
        Self { _dir: dir, store }
    }

    fn put(&self, location: &str, bytes: &'static [u8]) {
        block_on(self.store.put(&location.into(), PutPayload::from_static(bytes))).unwrap();
    }

    fn get(&self, location: &str) -> object_store::Result<Vec<u8>> {
        block_on(async { Ok(self.store.get(&location.into()).await?.bytes().await?.to_vec()) })
    }

    fn file(&self, location: &str) -> PathBuf {
        self.store.root().join(location)
    }

    /// What was synced since the last call, relative to the root, which is `.`.
    fn synced(&self) -> Vec<String> {
        let synced = std::mem::take(&mut *self.store.disk.probe.synced.lock().unwrap());
        let relative = |p: &PathBuf| match p.strip_prefix(self.store.root()).unwrap().to_str() {
            Some("") => ".".to_owned(),
            other => other.unwrap().to_owned(),
        };
        synced.iter().map(relative).collect()
    }

    fn fail_on(&self, location: &str) {
        *self.store.disk.probe.fail_on.lock().unwrap() = Some(self.file(location));
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut todo = vec![self.store.root().to_path_buf()];
        while let Some(dir) = todo.pop() {
            for entry in fs::read_dir(dir).unwrap() {
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
}

fn far_future() -> Instant {
    from_micros_lossy(mlops_core::time::MAX_MICROS)
}

#[test]
fn put_syncs_the_bytes_before_the_name_and_then_every_new_directory() {
    let f = Fixture::new();
    f.put("a/b/c", b"one");
    assert_eq!(f.synced(), ["a/b/c#1", "a/b", "a", "."]);
    f.put("a/b/d", b"two");
    assert_eq!(f.synced(), ["a/b/d#1", "a/b"], "the directories above are known to be durable");
    f.put("top", b"three");
    assert_eq!(f.synced(), ["top#1", "."]);
    assert!(f.store.disk.probe.torn.lock().unwrap().is_empty());
    assert_eq!(f.get("a/b/c").unwrap(), b"one");
}

#[test]
fn a_directory_that_another_process_made_is_synced_too() {
    let f = Fixture::new();
    fs::create_dir_all(f.file("x/y")).unwrap();
    f.put("x/y/z", b"one");
    assert_eq!(f.synced(), ["x/y/z#1", "x/y", "x", "."]);
}

#[test]
fn a_directory_that_was_removed_and_made_again_is_synced_again() {
    let f = Fixture::new();
    f.put("a/b", b"one");
    fs::remove_dir_all(f.file("a")).unwrap();
    f.synced();
    f.put("a/b", b"one");
    assert_eq!(f.synced(), ["a/b#1", "a", "."]);
}

#[test]
fn multipart_is_published_durably_and_only_when_complete() {
    let f = Fixture::new();
    block_on(async {
        let mut upload = f.store.put_multipart(&"m/x".into()).await.unwrap();
        let first = upload.put_part(PutPayload::from_static(b"hello "));
        let second = upload.put_part(PutPayload::from_static(b"world"));
        second.await.unwrap();
        first.await.unwrap();
        assert!(f.store.head(&"m/x".into()).await.is_err(), "invisible until complete");
        assert!(f.synced().is_empty());
        upload.complete().await.unwrap();
    });
    assert_eq!(f.synced(), ["m/x#1", "m", "."]);
    assert_eq!(f.get("m/x").unwrap(), b"hello world");
    assert_eq!(f.files().len(), 1);
}

#[test]
fn an_upload_with_a_part_missing_is_refused_and_leaves_nothing() {
    let f = Fixture::new();
    block_on(async {
        let mut upload = f.store.put_multipart(&"m".into()).await.unwrap();
        drop(upload.put_part(PutPayload::from_static(b"lost")));
        upload.put_part(PutPayload::from_static(b"kept")).await.unwrap();
        let error = upload.complete().await.unwrap_err();
        assert!(error.to_string().contains("only 4 of 8 bytes"), "{error}");
        assert!(upload.complete().await.is_err(), "not a second time either");
    });
    assert!(f.files().is_empty());
}

#[test]
fn aborted_and_dropped_uploads_leave_nothing() {
    let f = Fixture::new();
    block_on(async {
        let mut upload = f.store.put_multipart(&"aborted".into()).await.unwrap();
        upload.put_part(PutPayload::from_static(b"x")).await.unwrap();
        upload.abort().await.unwrap();
        assert!(upload.abort().await.is_err());
        let mut upload = f.store.put_multipart(&"dropped".into()).await.unwrap();
        upload.put_part(PutPayload::from_static(b"x")).await.unwrap();
    });
    assert!(f.files().is_empty());
}

#[test]
fn a_failed_sync_of_the_bytes_fails_the_put_and_shows_nothing() {
    let f = Fixture::new();
    f.fail_on("x#1");
    let error = block_on(f.store.put(&"x".into(), PutPayload::from_static(b"1"))).unwrap_err();
    assert!(error.to_string().contains("sync"), "{error}");
    assert!(f.files().is_empty());
}

#[test]
fn a_failed_sync_of_a_directory_fails_every_kind_of_write() {
    let f = Fixture::new();
    f.put("d/old", b"1");
    f.put("elsewhere", b"1");
    f.fail_on("d");
    block_on(async {
        let (old, new, other) = (Path::from("d/old"), Path::from("d/new"), Path::from("elsewhere"));
        assert!(f.store.put(&new, PutPayload::from_static(b"1")).await.is_err());
        assert!(f.store.copy(&other, &new).await.is_err());
        assert!(f.store.rename(&other, &new).await.is_err());
        let mut upload = f.store.put_multipart(&new).await.unwrap();
        assert!(upload.complete().await.is_err());
        assert!(f.store.delete(&old).await.is_err());
    });
}

#[test]
fn deletions_share_one_sync_for_each_directory_and_all_learn_of_its_failure() {
    let f = Fixture::new();
    for name in ["a/1", "a/2", "b/1"] {
        f.put(name, b"x");
    }
    let delete = |names: [&'static str; 4]| {
        let names = stream::iter(names).map(|n| Ok(Path::from(n))).boxed();
        block_on(f.store.delete_stream(names).collect::<Vec<_>>())
    };
    f.synced();
    let results = delete(["a/1", "missing", "a/2", "b/1"]);
    assert!(results[0].is_ok() && results[2].is_ok() && results[3].is_ok());
    assert!(matches!(results[1], Err(StoreError::NotFound { .. })));
    assert_eq!(f.synced(), ["a", "b"]);

    for name in ["a/1", "a/2", "b/1"] {
        f.put(name, b"x");
    }
    f.fail_on("a");
    let failed: Vec<bool> =
        delete(["a/1", "missing", "a/2", "b/1"]).iter().map(Result::is_err).collect();
    assert_eq!(failed, [true, true, true, false]);
}

#[test]
fn copy_and_rename_sync_the_bytes_first_and_both_directories() {
    let f = Fixture::new();
    f.put("from/x", b"x");
    f.synced();
    block_on(f.store.copy(&"from/x".into(), &"to/y".into())).unwrap();
    assert_eq!(f.synced(), ["from/x", "to", "."]);
    block_on(f.store.rename(&"from/x".into(), &"new/z".into())).unwrap();
    assert_eq!(f.synced(), ["from/x", "new", ".", "from"]);
    block_on(f.store.rename_if_not_exists(&"new/z".into(), &"to/z".into())).unwrap();
    assert_eq!(f.synced(), ["new/z", "to", "new"]);
    let missing = block_on(f.store.copy(&"nowhere".into(), &"to/y".into())).unwrap_err();
    assert!(matches!(missing, StoreError::NotFound { .. }), "{missing}");
    assert_eq!(f.get("to/z").unwrap(), b"x");
}

#[test]
fn create_only_put_keeps_the_first_and_leaves_no_staged_file() {
    let f = Fixture::new();
    let create = || PutOptions::from(PutMode::Create);
    let put =
        |bytes| block_on(f.store.put_opts(&"x".into(), PutPayload::from_static(bytes), create()));
    put(b"first").unwrap();
    assert!(matches!(put(b"second"), Err(StoreError::AlreadyExists { .. })));
    assert_eq!(f.get("x").unwrap(), b"first");
    assert_eq!(f.files().len(), 1);
}

#[test]
fn the_tag_of_a_put_is_the_tag_of_a_head() {
    let f = Fixture::new();
    let put = block_on(f.store.put(&"x".into(), PutPayload::from_static(b"1"))).unwrap();
    assert_eq!(put.e_tag, block_on(f.store.head(&"x".into())).unwrap().e_tag);
}

#[cfg(unix)]
#[test]
fn links_below_the_root_are_refused_and_not_listed() {
    let f = Fixture::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), b"secret").unwrap();
    f.put("dir/plain", b"plain");
    let link = |to: &FsPath, at: &str| std::os::unix::fs::symlink(to, f.file(at)).unwrap();
    link(&outside.path().join("secret"), "dir/file-link");
    link(outside.path(), "dir-link");
    link(&f.file("dir/plain"), "inner-link");

    for linked in ["dir/file-link", "dir-link/secret", "inner-link"] {
        let at = Path::from(linked);
        let denied = |e: StoreError| {
            assert!(matches!(e, StoreError::PermissionDenied { .. }), "{linked}: {e}");
        };
        block_on(async {
            let plain = Path::from("dir/plain");
            denied(f.store.get(&at).await.unwrap_err());
            denied(f.store.head(&at).await.unwrap_err());
            denied(f.store.get_range(&at, 0..1).await.unwrap_err());
            denied(f.store.get_ranges(&at, &[0..1, 2..3]).await.unwrap_err());
            denied(f.store.put(&at, PutPayload::from_static(b"evil")).await.unwrap_err());
            denied(f.store.put_multipart(&at).await.unwrap_err());
            denied(f.store.delete(&at).await.unwrap_err());
            denied(f.store.copy(&at, &plain).await.unwrap_err());
            denied(f.store.copy(&plain, &at).await.unwrap_err());
            denied(f.store.rename(&at, &plain).await.unwrap_err());
            denied(f.store.rename(&plain, &at).await.unwrap_err());
        });
    }
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);

    let listed: Vec<_> = block_on(f.store.list(None).try_collect()).unwrap();
    assert_eq!(listed.iter().map(|o| o.location.as_ref()).collect::<Vec<_>>(), ["dir/plain"]);
    let top = block_on(f.store.list_with_delimiter(None)).unwrap();
    assert_eq!(top.common_prefixes, [Path::from("dir")]);
    assert!(top.objects.is_empty());
    let after = f.store.list_with_offset(None, &"dir/file-link".into());
    assert_eq!(block_on(after.try_collect::<Vec<_>>()).unwrap().len(), 1);
}

#[cfg(unix)]
#[test]
fn the_root_itself_may_be_a_link() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("real")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("real"), dir.path().join("link")).unwrap();
    let store = DurableLocal::open(dir.path().join("link")).unwrap();
    assert_eq!(store.root(), fs::canonicalize(dir.path().join("real")).unwrap());
    block_on(store.put(&"x".into(), PutPayload::from_static(b"1"))).unwrap();
    assert!(dir.path().join("real/x").exists());
}

#[test]
fn what_a_killed_writer_left_is_hidden_and_swept_by_age() {
    let f = Fixture::new();
    f.put("a/b", b"kept");
    f.put("a/c#draft", b"kept: no digits after the sign");
    fs::write(f.file("a/b#1"), b"left behind").unwrap();
    let listed: Vec<_> = block_on(f.store.list(None).try_collect()).unwrap();
    assert_eq!(listed.len(), 2);
    f.put("a/b", b"next");

    let swept = block_on(f.store.sweep_staged(from_micros_lossy(1))).unwrap();
    assert_eq!((swept.files, swept.bytes), (0, 0), "nothing is that old");
    let swept = block_on(f.store.sweep_staged(far_future())).unwrap();
    assert_eq!((swept.files, swept.bytes), (1, 11));
    assert_eq!(f.files().len(), 2);
}

#[test]
fn a_root_under_a_regular_file_is_invalid() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), b"").unwrap();
    let error = DurableLocal::open(dir.path().join("file/below")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

#[test]
fn a_root_that_vanished_is_not_made_again() {
    let f = Fixture::new();
    fs::remove_dir(f.store.root()).unwrap();
    let error = block_on(f.store.put(&"x".into(), PutPayload::from_static(b"1"))).unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
    assert!(!f.store.root().exists());
}

#[test]
fn reading_while_others_write_never_shows_a_torn_object() {
    const VERSIONS: [&[u8]; 2] = [&[b'a'; 100_000], &[b'b'; 60_000]];
    let f = Fixture::new();
    f.put("x", VERSIONS[0]);
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| (0..200).for_each(|i| f.put("x", VERSIONS[i % 2])));
        while !writer.is_finished() {
            let seen = f.get("x").unwrap();
            assert!(VERSIONS.contains(&seen.as_slice()));
        }
    });
}
