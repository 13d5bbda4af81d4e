//! Directories that people download into.

use std::fs;
use std::path::Path;

use mlops_core::ErrorKind;

use super::Fixture;
use crate::models::DownloadModel;

async fn download(f: &Fixture, to: &Path) -> mlops_core::Result<()> {
    f.models.download("churn/1", to, &DownloadModel::default()).await.map(drop)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[cfg(unix)]
#[tokio::test]
async fn a_directory_that_is_there_stays_the_one_that_it_is() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let f = Fixture::new();
    f.version(b"bytes").await;
    let dir = tempfile::tempdir().unwrap();
    let (empty, link) = (dir.path().join("empty"), dir.path().join("link"));
    fs::create_dir(&empty).unwrap();
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o2750)).unwrap();
    std::os::unix::fs::symlink("empty", &link).unwrap();
    let before = fs::metadata(&empty).unwrap();
    download(&f, &link).await.unwrap();
    let after = fs::metadata(&empty).unwrap();
    assert_eq!((before.ino(), before.mode()), (after.ino(), after.mode()));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(names(&empty), ["model.json"]);
    assert_eq!(names(dir.path()), ["empty", "link"]);
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_directory_is_refused_before_anything_is_fetched() {
    let f = Fixture::new();
    f.version(b"bytes").await;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "mine").unwrap();
    std::os::unix::fs::symlink("nothing", dir.path().join("dangling")).unwrap();
    for name in ["file", "dangling"] {
        let refused = download(&f, &dir.path().join(name)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists, "{name}");
    }
    assert_eq!(names(dir.path()), ["dangling", "file"]);
}

#[tokio::test]
async fn what_fails_leaves_the_directory_empty() {
    use object_store::ObjectStoreExt;
    let f = Fixture::new();
    let version = f.version(b"true").await;
    let blob = f.models.tracking().tracker().find_blob(version.manifest.files[0].digest).await;
    f.objects.delete(&blob.unwrap().unwrap().location.0.into()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    download(&f, dir.path()).await.unwrap_err();
    assert!(names(dir.path()).is_empty());
}
