//! Bad input: refused before anything is looked up, and nothing is stored.

use mlops_core::ErrorKind;
use mlops_core::registry::check::{MAX_MANIFEST_BYTES, MAX_ORIGIN_BYTES};
use mlops_core::registry::{
    Attestation, CreateModel, ImportedVersion, Manifest, ModelChanges, ModelUri, RegisterVersion,
    Signature, VersionChanges, VersionId,
};
use mlops_core::time::{MAX_MICROS, from_micros_lossy};
use mlops_core::tracking::{DatasetContext, MAX_VALUE_BYTES};
use mlops_core::{Alias, ModelName};
use serde_json::json;

use crate::build::{
    at, attestation, blob, churn, dataset, digest, file, key, manifest, model_name, object, path,
    uploaded, version,
};
use crate::case::{Case, Fixture, cases, fails};

pub(super) fn cases() -> Vec<Case> {
    cases![
        names_that_are_paths_uris_or_numbers_are_no_names,
        a_name_of_the_longest_length_is_stored_whole,
        texts_of_a_model_that_are_too_long_or_hold_nul_are_invalid,
        a_label_of_a_model_that_is_set_and_taken_away_at_once_is_invalid,
        an_alias_to_version_zero_is_invalid,
        a_manifest_that_contradicts_itself_is_invalid,
        objects_that_are_not_those_of_the_files_are_invalid,
        a_manifest_that_is_too_large_is_invalid,
        params_and_inputs_of_a_manifest_are_checked_like_those_of_a_run,
        texts_of_a_version_that_are_too_long_or_hold_nul_are_invalid,
        an_attestation_of_wrong_form_is_invalid,
        an_origin_that_is_too_long_or_holds_control_characters_is_invalid,
        an_imported_number_or_instant_that_cannot_be_is_invalid,
        texts_of_the_registry_come_back_byte_for_byte,
        what_is_wrong_in_itself_is_invalid_before_anything_is_looked_up,
    ]
}

async fn names_that_are_paths_uris_or_numbers_are_no_names(f: Fixture) {
    let long = "x".repeat(251);
    for bad in [
        "",
        " ",
        ".",
        "..",
        "a/b",
        "../a",
        "/a",
        "a\\b",
        "C:",
        "a:b",
        "a@b",
        "a%2fb",
        "a?b",
        "a#b",
        "a\0b",
        "a\nb",
        " a",
        "a ",
        "\u{a0}a",
        long.as_str(),
    ] {
        fails(ErrorKind::Invalid, ModelName::new(bad));
        fails(ErrorKind::Invalid, Alias::new(bad));
        let json: Result<ModelName, _> = serde_json::from_value(json!(bad));
        assert!(json.is_err(), "{bad:?} comes in through JSON");
    }
    for bad in ["latest", "LATEST", "3", "v3", "V03", "0"] {
        fails(ErrorKind::Invalid, Alias::new(bad));
    }
    for bad in [
        "models:/churn",
        "models:/churn/0",
        "models:/churn/-1",
        "models:/churn/03",
        "models:/churn/3/4",
        "models:/../3",
        "models:/churn@",
        "models:/churn@v3",
        "models:/churn@a@b",
        "models:/churn/18446744073709551616",
        "models:/churn/9223372036854775808",
        "s3:/churn/3",
    ] {
        fails(ErrorKind::Invalid, bad.parse::<ModelUri>());
    }
    for bad in ["churn", "churn/", "/3", "churn/0", "churn/03", "churn/+3", "churn/x", "a/b/3"] {
        fails(ErrorKind::Invalid, bad.parse::<VersionId>());
    }
    for fine in [
        "' or 1=1; --",
        "a\"b",
        "ü",
        "null",
        "%s".replace('%', "$").as_str(),
        "-rf",
        "~",
        "a b",
        "3",
    ] {
        let made = f.make_model(fine).await;
        assert_eq!(f.registry.model(&made.name).await.unwrap().name.as_str(), fine);
    }
}

async fn a_name_of_the_longest_length_is_stored_whole(f: Fixture) {
    let longest = "ü".repeat(125);
    f.make_model(&longest).await;
    f.add(&longest, version("1")).await;
    let name = model_name(&longest);
    let moved = ModelChanges::default().with_alias(Alias::new(&longest).unwrap(), 1);
    f.registry.update_model(&name, moved).await.unwrap();
    let read = f.registry.model(&name).await.unwrap();
    assert_eq!(
        (read.name.as_str(), read.aliases.keys().next().unwrap().as_str()),
        (&*longest, &*longest)
    );
}

async fn texts_of_a_model_that_are_too_long_or_hold_nul_are_invalid(f: Fixture) {
    let made = f.make_model("churn").await;
    let long = "x".repeat(MAX_VALUE_BYTES + 1);
    for bad in [long.as_str(), "a\0b"] {
        let other = model_name("other");
        for options in
            [CreateModel::default().with_note(bad), CreateModel::default().with_tag(key("a"), bad)]
        {
            fails(ErrorKind::Invalid, f.registry.create_model(&other, options).await);
        }
        fails(ErrorKind::NotFound, f.registry.model(&other).await);
        for changes in [
            ModelChanges::default().with_note(bad),
            ModelChanges::default().with_tag(key("a"), bad),
        ] {
            fails(ErrorKind::Invalid, f.registry.update_model(&made.name, changes).await);
        }
    }
    for micros in [-1, MAX_MICROS + 1] {
        let options = CreateModel::default().with_created(from_micros_lossy(micros));
        fails(ErrorKind::Invalid, f.registry.create_model(&model_name("other"), options).await);
    }
    assert_eq!(f.churn().await, made);
}

async fn a_label_of_a_model_that_is_set_and_taken_away_at_once_is_invalid(f: Fixture) {
    f.versions(1).await;
    let both = ModelChanges::default().with_tag(key("a"), "1").without_tag(key("a"));
    fails(ErrorKind::Invalid, f.registry.update_model(&model_name("churn"), both).await);
    let both = VersionChanges::default().with_tag(key("a"), "1").without_tag(key("a"));
    fails(ErrorKind::Invalid, f.registry.update_version(&churn(1), both).await);
}

async fn an_alias_to_version_zero_is_invalid(f: Fixture) {
    f.versions(1).await;
    let zero = ModelChanges::default().with_alias(crate::build::alias("a"), 0);
    fails(ErrorKind::Invalid, f.registry.update_model(&model_name("churn"), zero).await);
    assert!(f.churn().await.aliases.is_empty());
}

/// Registers a manifest as it came from outside, with objects for all its files.
async fn refused(f: &Fixture, manifest: Manifest) {
    let mut options = RegisterVersion::new(manifest.clone());
    let mut seen = Vec::new();
    for file in &manifest.files {
        if !seen.contains(&file.digest) {
            seen.push(file.digest);
            let mut object = blob("", "somewhere");
            (object.digest, object.size) = (file.digest, file.size);
            options = options.with_uploaded(object);
        }
    }
    fails(ErrorKind::Invalid, f.registry.register(&model_name("churn"), options).await);
}

async fn a_manifest_that_contradicts_itself_is_invalid(f: Fixture) {
    f.make_model("churn").await;
    let of = |files: Vec<_>| {
        let mut manifest = Manifest::default();
        manifest.files = files;
        manifest
    };
    refused(&f, of(vec![])).await;
    refused(&f, of(vec![file("a", "1"), file("a", "1")])).await;
    refused(&f, of(vec![file("a", "1"), file("a", "2")])).await;
    refused(&f, of(vec![file("b", "1"), file("a", "2")])).await;
    refused(&f, of(vec![file("a", "1"), file("a/b", "2")])).await;
    refused(&f, of(vec![file("a", "1"), file("a-b", "2"), file("a/b", "3")])).await;
    let mut huge = file("a", "1");
    huge.size = u64::MAX;
    refused(&f, of(vec![huge])).await;
    let mut profile = manifest(&[("a", "1")]);
    profile.profile = Some(path("b"));
    refused(&f, profile).await;
    let mut signature = manifest(&[("a", "1")]);
    let twice = json!({ "name": "x", "type": "int64", "nullable": false });
    let twice: Signature =
        serde_json::from_value(json!({ "inputs": [twice, twice], "outputs": [] })).unwrap();
    signature.signature = Some(twice);
    refused(&f, signature).await;
    assert_eq!(f.churn().await.last_number, 0);
}

async fn objects_that_are_not_those_of_the_files_are_invalid(f: Fixture) {
    f.make_model("churn").await;
    let two = || RegisterVersion::new(manifest(&[("a", "1"), ("b", "2")]));
    let mut shorter = object("2");
    shorter.size += 1;
    for options in [
        two(),
        two().with_uploaded(object("1")),
        two().with_known(object("1")),
        two().with_uploaded(object("1")).with_uploaded(object("1")),
        two().with_uploaded(object("1")).with_uploaded(object("2")).with_uploaded(object("3")),
        two().with_uploaded(object("1")).with_uploaded(object("2")).with_known(object("2")),
        two().with_uploaded(object("1")).with_uploaded(shorter),
        two().with_uploaded(object("1")).with_uploaded(blob("2", "")),
    ] {
        fails(ErrorKind::Invalid, f.registry.register(&model_name("churn"), options).await);
    }
    f.add("churn", uploaded(manifest(&[("a", "1"), ("b", "2")]), &["2", "1"])).await;
}

async fn a_manifest_that_is_too_large_is_invalid(f: Fixture) {
    f.make_model("churn").await;
    let mut options = version("1");
    options.manifest.environment = Some(json!("x".repeat(MAX_MANIFEST_BYTES)));
    fails(ErrorKind::Invalid, f.registry.register(&model_name("churn"), options).await);
    assert_eq!(f.churn().await.last_number, 0);
}

async fn params_and_inputs_of_a_manifest_are_checked_like_those_of_a_run(f: Fixture) {
    f.make_model("churn").await;
    let long = "x".repeat(MAX_VALUE_BYTES + 1);
    for bad in [long.as_str(), "a\0b"] {
        let mut options = version("1");
        options.manifest.params.insert(key("a"), bad.to_owned());
        fails(ErrorKind::Invalid, f.registry.register(&model_name("churn"), options).await);
        let mut options = version("1");
        let input = dataset("a", "sha256:1", DatasetContext::Train).with_source(bad);
        options.manifest.inputs.push(input);
        fails(ErrorKind::Invalid, f.registry.register(&model_name("churn"), options).await);
    }
    assert_eq!(f.churn().await.last_number, 0);
}

async fn texts_of_a_version_that_are_too_long_or_hold_nul_are_invalid(f: Fixture) {
    f.versions(1).await;
    let long = "x".repeat(MAX_VALUE_BYTES + 1);
    for bad in [long.as_str(), "a\0b"] {
        for options in [version("2").with_note(bad), version("2").with_tag(key("a"), bad)] {
            fails(ErrorKind::Invalid, f.registry.register(&model_name("churn"), options).await);
        }
        for changes in [
            VersionChanges::default().with_note(bad),
            VersionChanges::default().with_tag(key("a"), bad),
        ] {
            fails(ErrorKind::Invalid, f.registry.update_version(&churn(1), changes).await);
        }
    }
    assert_eq!(f.churn().await.last_number, 1);
}

async fn an_attestation_of_wrong_form_is_invalid(f: Fixture) {
    f.versions(1).await;
    let good = attestation(0xab, 0xcd);
    let with = |key: &str, signature: &str| Attestation {
        key: key.to_owned(),
        signature: signature.to_owned(),
        at: at(0),
    };
    for bad in [
        with("", ""),
        with(&good.key[1..], &good.signature),
        with(&good.key, &good.signature[2..]),
        with(&good.key.to_uppercase(), &good.signature),
        with(&good.key, &good.signature.to_uppercase()),
        with(&good.key.replace('a', "g"), &good.signature),
        with(&"ü".repeat(32), &good.signature),
        with(&good.signature, &good.key),
    ] {
        let changes = VersionChanges::default().with_attestation(bad.clone());
        fails(ErrorKind::Invalid, f.registry.update_version(&churn(1), changes).await);
        let options = version("2").with_attestation(bad);
        fails(ErrorKind::Invalid, f.registry.register(&model_name("churn"), options).await);
    }
    f.change_version(1, VersionChanges::default().with_attestation(good)).await;
}

async fn an_origin_that_is_too_long_or_holds_control_characters_is_invalid(f: Fixture) {
    f.make_model("churn").await;
    let longest = "x".repeat(MAX_ORIGIN_BYTES);
    for bad in [format!("{longest}x"), "a\nb".to_owned(), "a\0b".to_owned()] {
        let options = version("1").with_origin(bad);
        fails(ErrorKind::Invalid, f.registry.register(&model_name("churn"), options).await);
    }
    let made = f.add("churn", version("1").with_origin(longest.clone())).await;
    assert_eq!(made.version.origin, Some(longest));
}

async fn an_imported_number_or_instant_that_cannot_be_is_invalid(f: Fixture) {
    f.make_model("churn").await;
    let import = ImportedVersion::default;
    for facts in [
        import().with_number(0),
        import().with_number(i64::MAX as u64 + 1),
        import().with_number(u64::MAX),
        import().with_created(from_micros_lossy(-1)),
        import().with_created(from_micros_lossy(MAX_MICROS + 1)),
    ] {
        let options = version("1").with_imported(facts);
        fails(ErrorKind::Invalid, f.registry.register(&model_name("churn"), options).await);
    }
    assert_eq!(f.churn().await.last_number, 0);
}

async fn texts_of_the_registry_come_back_byte_for_byte(f: Fixture) {
    f.versions(1).await;
    let longest = "x".repeat(MAX_VALUE_BYTES);
    let strange = [
        "",
        " ",
        "\n\t\r",
        "' or 1=1; --",
        "%_\\",
        "\u{1}\u{7f}",
        "e\u{301}",
        "\u{10FFFF}",
        &longest,
    ];
    for text in strange {
        let model = ModelChanges::default().with_note(text).with_tag(key("a"), text);
        f.change_model(model).await;
        f.change_version(1, VersionChanges::default().with_note(text).with_tag(key("a"), text))
            .await;
        let (model, version) = (f.churn().await, f.read_version(1).await);
        assert_eq!((model.note.as_str(), model.tags["a"].as_str()), (text, text));
        assert_eq!((version.note.as_str(), version.tags["a"].as_str()), (text, text));
    }
}

async fn what_is_wrong_in_itself_is_invalid_before_anything_is_looked_up(f: Fixture) {
    let absent = model_name("absent");
    let changes = ModelChanges::default().with_note("\0");
    fails(ErrorKind::Invalid, f.registry.update_model(&absent, changes).await);
    let options = version("1").with_note("\0");
    fails(ErrorKind::Invalid, f.registry.register(&absent, options).await);
    let changes = VersionChanges::default().with_note("\0");
    fails(ErrorKind::Invalid, f.registry.update_version(&churn(1), changes).await);
    f.make_model("churn").await;
    let again = CreateModel::default().with_note("\0");
    fails(ErrorKind::Invalid, f.registry.create_model(&model_name("churn"), again).await);
    assert_eq!(f.tracker.find_blob(digest("1")).await.unwrap(), None);
}
