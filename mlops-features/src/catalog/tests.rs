use async_trait::async_trait;
use futures::executor::block_on;
use futures::stream::BoxStream;
use mlops_core::time::ManualClock;
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    PutMultipartOptions, PutResult,
};
use serde_json::{Value, json};

use super::*;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn put(name: &str, body: Value) -> PutDocument {
    PutDocument::new(key("feature_view"), key(name), body)
}

fn open(store: &Arc<dyn ObjectStore>) -> ObjectCatalog {
    let clock = Arc::new(ManualClock::at_micros(1));
    let actor = Actor::new("ann").unwrap();
    ObjectCatalog::unprobed(Arc::clone(store), "p", clock, actor).unwrap()
}

fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

#[test]
fn versions_follow_one_another_and_the_last_is_the_document() {
    block_on(async {
        let store = memory();
        let (catalog, view) = (open(&store), key("feature_view"));
        assert!(catalog.document(&view, &key("a")).await.unwrap().is_none());
        for n in 1..=40 {
            let stored = catalog.put_document(put("a", json!(n)).expecting(n - 1)).await.unwrap();
            assert_eq!((stored.version, stored.body), (n, Some(json!(n))));
            // Someone who remembers nothing finds the last one.
            let found = open(&store).document(&view, &key("a")).await.unwrap().unwrap();
            assert_eq!(found.version, n);
        }
        let history = catalog.document_history(&view, &key("a")).await.unwrap();
        assert!(history.iter().map(|document| document.version).eq(1..=40));
    });
}

#[test]
fn the_same_body_again_is_the_version_that_is_there_and_another_expectation_a_conflict() {
    block_on(async {
        let (first, second) = {
            let store = memory();
            (open(&store), open(&store))
        };
        let one = first.put_document(put("a", json!(1))).await.unwrap();
        assert_eq!(second.put_document(put("a", json!(1))).await.unwrap(), one);
        second.put_document(put("a", json!(2)).expecting(1)).await.unwrap();
        let error = first.put_document(put("a", json!(3)).expecting(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert_eq!(first.put_document(put("a", json!(3))).await.unwrap().version, 3);
    });
}

#[test]
fn a_deleted_document_is_not_there_and_keeps_its_history() {
    block_on(async {
        let (catalog, view) = (open(&memory()), key("feature_view"));
        let delete = || PutDocument::delete(view.clone(), key("a"));
        let error = catalog.put_document(delete()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        catalog.put_document(put("a", json!(1))).await.unwrap();
        assert_eq!(catalog.put_document(delete()).await.unwrap().version, 2);
        assert_eq!(catalog.put_document(delete()).await.unwrap().version, 2);
        assert!(catalog.document(&view, &key("a")).await.unwrap().is_none());
        assert!(catalog.documents(&view).await.unwrap().is_empty());
        assert_eq!(catalog.put_document(put("a", json!(1))).await.unwrap().version, 3);
    });
}

#[test]
fn names_of_any_text_are_listed_by_name() {
    block_on(async {
        let (catalog, view) = (open(&memory()), key("feature_view"));
        let long = "x".repeat(240);
        let mut names = vec!["a/b", "..", "é", "a b", "plain.1", long.as_str()];
        for name in &names {
            catalog.put_document(put(name, json!({ "of": name }))).await.unwrap();
        }
        names.sort_unstable();
        let found = catalog.documents(&view).await.unwrap();
        assert!(found.iter().map(|document| document.name.as_str()).eq(names));
    });
}

#[test]
fn of_eight_writers_of_one_version_one_wins() {
    let store = memory();
    let catalogs: Vec<_> = (0..8).map(|_| open(&store)).collect();
    let won = std::thread::scope(|scope| {
        let writers: Vec<_> = catalogs
            .iter()
            .enumerate()
            .map(|(n, catalog)| {
                scope.spawn(move || block_on(catalog.put_document(put("a", json!(n)).expecting(0))))
            })
            .collect();
        writers.into_iter().filter_map(|writer| writer.join().unwrap().ok()).count()
    });
    assert_eq!(won, 1);
}

/// A store that ignores `If-None-Match`.
#[derive(Debug)]
struct Careless(InMemory);

impl fmt::Display for Careless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("careless")
    }
}

#[async_trait]
impl ObjectStore for Careless {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        _: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.0.put(location, payload).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, path: &Path, opts: GetOptions) -> object_store::Result<GetResult> {
        self.0.get_opts(path, opts).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, a: &Path, b: &Path, opts: CopyOptions) -> object_store::Result<()> {
        self.0.copy_opts(a, b, opts).await
    }
}

#[test]
fn a_store_that_honours_create_if_absent_is_taken_again_and_again() {
    let store = memory();
    for _ in 0..3 {
        let clock = Arc::new(ManualClock::at_micros(1));
        let actor = Actor::new("ann").unwrap();
        block_on(ObjectCatalog::open(Arc::clone(&store), "p", clock, actor)).unwrap();
    }
}

#[test]
fn a_store_that_ignores_create_if_absent_is_refused() {
    let clock = Arc::new(ManualClock::at_micros(1));
    let store = Arc::new(Careless(InMemory::new()));
    let opened = ObjectCatalog::open(store, "", clock, Actor::new("ann").unwrap());
    let error = block_on(opened).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}
