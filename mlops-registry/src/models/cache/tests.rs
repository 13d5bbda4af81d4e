use std::collections::BTreeMap;
use std::fs::{self, File};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use futures::executor::block_on;
use mlops_core::ErrorKind;
use mlops_core::registry::{FileFormat, Manifest};
use tempfile::TempDir;

use super::*;

/// A model of a few files, and a store that counts what is fetched from it.
struct Source {
    digest: Digest,
    files: Vec<ManifestFile>,
    bytes: BTreeMap<String, Vec<u8>>,
    fetched: AtomicUsize,
}

impl Source {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let bytes: BTreeMap<String, Vec<u8>> =
            files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
        let file = |(path, bytes): (&String, &Vec<u8>)| ManifestFile {
            path: path.parse().unwrap(),
            digest: Digest(*blake3::hash(bytes).as_bytes()),
            size: bytes.len() as u64,
            format: FileFormat::Other,
        };
        let manifest = Manifest::new(bytes.iter().map(file).collect()).unwrap();
        let digest = manifest.digest();
        Self { digest, files: manifest.files, bytes, fetched: AtomicUsize::new(0) }
    }

    /// A model of `size` bytes that are `number`.
    fn filled(number: u8, size: usize) -> Self {
        Self::new(&[("model.bin", &vec![number; size])])
    }

    fn fetched(&self) -> usize {
        self.fetched.swap(0, Ordering::SeqCst)
    }

    async fn load(&self, cache: &ModelCache) -> Result<CachedModel> {
        let fetch = |file: ManifestFile, to: PathBuf| {
            self.fetched.fetch_add(1, Ordering::SeqCst);
            fs::write(to, &self.bytes[file.path.as_str()]).unwrap();
            async { Ok(()) }
        };
        cache.load(self.digest, &self.files, fetch).await
    }

    fn check(&self, model: &CachedModel) {
        for (path, bytes) in &self.bytes {
            assert_eq!(&fs::read(model.path().join(path)).unwrap(), bytes, "{path}");
        }
    }
}

fn churn() -> Source {
    Source::new(&[("model.json", b"{}"), ("data/a/weights.bin", &[7; 5000]), ("empty", b"")])
}

fn cache(max_bytes: u64) -> (TempDir, ModelCache) {
    let directory = tempfile::tempdir().unwrap();
    let cache = ModelCache::open(directory.path(), max_bytes).unwrap();
    (directory, cache)
}

/// What lies in the cache's directory, but for the lock of its space.
fn listing(cache: &ModelCache) -> Vec<String> {
    let names = fs::read_dir(cache.directory()).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != ".space.lock");
    names.sort();
    names
}

fn versions(cache: &ModelCache) -> usize {
    listing(cache).iter().filter(|name| name.len() == 64).count()
}

fn used_at(cache: &ModelCache, source: &Source, secs: u64) {
    let path = cache.directory().join(format!("{}.lock", source.digest));
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
    File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

#[test]
fn a_version_is_fetched_once_and_verified_ever_after() {
    let (source, (_directory, cache)) = (churn(), cache(1 << 20));
    let model = block_on(source.load(&cache)).unwrap();
    source.check(&model);
    assert_eq!((source.fetched(), model.files().len(), model.digest()), (3, 3, source.digest));
    drop(model);
    let again = block_on(source.load(&cache)).unwrap();
    source.check(&again);
    assert_eq!(source.fetched(), 0);
    let digest = source.digest.to_string();
    assert_eq!(listing(&cache), [digest.clone(), format!("{digest}.lock")]);
    let other = ModelCache::open(cache.directory(), 1 << 20).unwrap();
    source.check(&block_on(source.load(&other)).unwrap());
    assert_eq!(source.fetched(), 0);
}

#[test]
fn a_version_larger_than_the_bound_is_invalid_with_both_numbers() {
    let (source, (_directory, cache)) = (Source::filled(1, 101), cache(100));
    let error = block_on(source.load(&cache)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("(version_bytes: 101, cache_bytes: 100)"), "{error}");
    assert_eq!((source.fetched(), listing(&cache).len()), (0, 0));
}

#[test]
fn whatever_is_done_to_an_entry_is_put_right() {
    let (source, (_directory, cache)) = (churn(), cache(1 << 20));
    let model = block_on(source.load(&cache)).unwrap();
    let root = model.path().to_path_buf();
    assert_eq!(source.fetched(), 3);
    let put = |path: &str, bytes: &[u8]| {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), bytes).unwrap();
    };
    let mut changed = vec![7; 5000];
    changed[4321] ^= 1;
    let harm: [(usize, &dyn Fn()); 8] = [
        (1, &|| put("data/a/weights.bin", &changed)),
        (1, &|| put("model.json", b"{} ")),
        (1, &|| fs::remove_file(root.join("empty")).unwrap()),
        (1, &|| fs::remove_dir_all(root.join("data")).unwrap()),
        (0, &|| put("sitecustomize.py", b"import os")),
        (0, &|| put("data/a/more/x", b"x")),
        (1, &|| {
            fs::remove_file(root.join("model.json")).unwrap();
            put("model.json/x", b"x");
        }),
        (1, &|| {
            fs::remove_dir_all(root.join("data")).unwrap();
            put("data", b"x");
        }),
    ];
    for (at, (fetched, harm)) in harm.into_iter().enumerate() {
        harm();
        // The one who holds the version sees it put right, too.
        let healed = block_on(source.load(&cache)).unwrap();
        source.check(&healed);
        source.check(&model);
        assert_eq!(source.fetched(), fetched, "{at}");
        assert_eq!(fs::read_dir(&root).unwrap().count(), 3, "{at}");
        assert_eq!(fs::read_dir(root.join("data/a")).unwrap().count(), 1, "{at}");
    }
    assert_eq!(listing(&cache).len(), 2);
}

#[cfg(unix)]
#[test]
fn a_link_is_no_file_of_a_version_even_if_what_it_points_to_is_right() {
    let (source, (directory, cache)) = (churn(), cache(1 << 20));
    let model = block_on(source.load(&cache)).unwrap();
    let outside = directory.path().join("outside");
    fs::rename(model.path().join("data"), &outside).unwrap();
    std::os::unix::fs::symlink(&outside, model.path().join("data")).unwrap();
    fs::remove_file(model.path().join("empty")).unwrap();
    std::os::unix::fs::symlink("/dev/null", model.path().join("empty")).unwrap();
    source.fetched();
    let healed = block_on(source.load(&cache)).unwrap();
    assert_eq!(source.fetched(), 2);
    assert!(fs::symlink_metadata(healed.path().join("data")).unwrap().is_dir());
    assert!(fs::symlink_metadata(healed.path().join("empty")).unwrap().is_file());
    assert!(outside.join("a/weights.bin").exists(), "what a link points to is not the cache's");

    let name = model.path().to_path_buf();
    fs::rename(&name, directory.path().join("away")).unwrap();
    std::os::unix::fs::symlink(directory.path().join("away"), &name).unwrap();
    source.check(&block_on(source.load(&cache)).unwrap());
    assert!(fs::symlink_metadata(&name).unwrap().is_dir());
}

#[test]
fn wrong_bytes_from_the_store_are_corrupt_and_leave_nothing() {
    let (source, (_directory, cache)) = (churn(), cache(1 << 20));
    for wrong in [&b"{]"[..], b"{}x", b""] {
        let fetch = async |file: ManifestFile, to: PathBuf| {
            let good = &source.bytes[file.path.as_str()];
            let bytes = if file.path.as_str() == "model.json" { wrong } else { good };
            fs::write(to, bytes).unwrap();
            Ok(())
        };
        let error = block_on(cache.load(source.digest, &source.files, fetch)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("file: model.json"), "{error}");
        assert_eq!(versions(&cache), 0);
    }
    let fetch = async |_, _| Err(Error::not_found("test", "is gone"));
    let error = block_on(cache.load(source.digest, &source.files, fetch)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let nothing = async |_, _| Ok(());
    let error = block_on(cache.load(source.digest, &source.files, nothing)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let reopened = ModelCache::open(cache.directory(), 1 << 20).unwrap();
    assert_eq!(listing(&reopened), [""; 0]);
}

#[test]
fn a_fetch_that_is_dropped_or_killed_leaves_nothing_visible() {
    let (source, (_directory, cache)) = (churn(), cache(1 << 20));
    let never = |_, to: PathBuf| {
        fs::write(to, b"half").unwrap();
        futures::future::pending()
    };
    let load = cache.load(source.digest, &source.files, never);
    assert!(futures::FutureExt::now_or_never(load).is_none());
    assert_eq!(versions(&cache), 0);
    // What SIGKILL leaves: a directory, and a lock file that nobody holds.
    fs::create_dir(cache.directory().join(".fetch-dead")).unwrap();
    fs::write(cache.directory().join(".fetch-dead/half"), b"half").unwrap();
    fs::write(cache.directory().join(".fetch-dead.lock"), b"").unwrap();
    fs::create_dir(cache.directory().join(".fetch-deader")).unwrap();
    // And what somebody is at just now.
    let alive = cache.disk.stage(&source.files).unwrap();
    let reopened = ModelCache::open(cache.directory(), 1 << 20).unwrap();
    assert_eq!(listing(&reopened).len(), 2, "{:?}", listing(&reopened));
    assert!(alive.path().exists());
    drop(alive);
    assert_eq!(listing(&cache), [""; 0]);
    source.check(&block_on(source.load(&cache)).unwrap());
}

#[test]
fn the_longest_unused_goes_first_and_what_is_held_stays() {
    let (_directory, cache) = cache(250);
    let [a, b, c, d] = [1, 2, 3, 4].map(|number| Source::filled(number, 100));
    for (source, secs) in [(&a, 10), (&b, 20)] {
        drop(block_on(source.load(&cache)).unwrap());
        used_at(&cache, source, secs);
    }
    // Used again: now `b` is the longest unused.
    drop(block_on(a.load(&cache)).unwrap());
    drop(block_on(c.load(&cache)).unwrap());
    let there = |source: &Source| cache.directory().join(source.digest.to_string()).exists();
    assert!(there(&a) && !there(&b) && there(&c));

    used_at(&cache, &a, 10);
    let held = block_on(a.load(&cache)).unwrap();
    used_at(&cache, &a, 10);
    drop(block_on(d.load(&cache)).unwrap());
    assert!(there(&a) && !there(&c) && there(&d));
    a.check(&held);

    let also = block_on(d.load(&cache)).unwrap();
    let full = block_on(b.load(&cache)).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Unavailable);
    assert!(full.to_string().contains("in_use_bytes: 200, cache_bytes: 250"), "{full}");
    drop((held, also));
    b.check(&block_on(b.load(&cache)).unwrap());
}

#[test]
fn eight_threads_with_a_tiny_bound_never_see_a_wrong_byte() {
    let (_directory, cache) = cache(25_000);
    let sources: Vec<Source> = (0..5).map(|number| Source::filled(number, 10_000)).collect();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (cache, sources) = (ModelCache::open(cache.directory(), 25_000).unwrap(), &sources);
            scope.spawn(move || {
                for round in 0..25 {
                    let source = &sources[(thread * 7 + round * 3) % sources.len()];
                    let model = loop {
                        match block_on(source.load(&cache)) {
                            Ok(model) => break model,
                            Err(e) if e.is_retryable() => std::thread::yield_now(),
                            Err(e) => panic!("{e:?}"),
                        }
                    };
                    source.check(&model);
                }
            });
        }
    });
    assert!((1..=2).contains(&versions(&cache)), "{:?}", listing(&cache));
    let reopened = ModelCache::open(cache.directory(), 25_000).unwrap();
    assert_eq!(listing(&reopened).len(), 2 * versions(&cache), "{:?}", listing(&reopened));
}

#[test]
fn the_first_of_two_that_fetch_the_same_wins() {
    let (source, (_directory, cache)) = (churn(), cache(1 << 20));
    let fetch = async |file: ManifestFile, to: PathBuf| {
        // While this one fetches, the other one comes to its end.
        let first = source.load(&cache).await.unwrap();
        source.check(&first);
        fs::write(to, &source.bytes[file.path.as_str()]).unwrap();
        Ok(())
    };
    let second = block_on(cache.load(source.digest, &source.files, fetch)).unwrap();
    source.check(&second);
    assert_eq!(source.fetched(), 3);
    assert_eq!(listing(&cache).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loads_run_on_tokio_and_are_send() {
    let (_directory, cache) = cache(1 << 20);
    let source = Arc::new(churn());
    let jobs = (0..4).map(|_| {
        let (source, cache) = (Arc::clone(&source), cache.clone());
        tokio::spawn(async move {
            let bytes = source.bytes.clone();
            let fetch = move |file: ManifestFile, to: PathBuf| {
                let bytes = bytes[file.path.as_str()].clone();
                async move {
                    tokio::task::spawn_blocking(move || fs::write(to, bytes))
                        .await
                        .map(|_| ())
                        .map_err(|e| Error::unavailable("test", e.to_string()))
                }
            };
            let model = cache.load(source.digest, &source.files, fetch).await.unwrap();
            source.check(&model);
        })
    });
    futures::future::try_join_all(jobs).await.unwrap();
    assert_eq!(versions(&cache), 1);
}
