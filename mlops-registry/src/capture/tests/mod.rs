//! Against real repositories in temporary directories, this machine, and written-out answers of
//! tools that this machine lacks.

mod environment;
mod source;
mod system;

use super::*;

#[test]
fn tags_hold_the_few_words_worth_a_search() {
    let env = Environment {
        process: 7,
        arch: "x86_64".into(),
        os: Some("Debian GNU/Linux".into()),
        os_version: Some("12".into()),
        command: vec!["train".into(), "--lr".into(), "0.1".into()],
        build: Some(BuildInfo::new("churn", "0.3.1")),
        ..Environment::default()
    };
    let source =
        SourceState { commit: Some("c0ffee".into()), dirty: Some(true), ..SourceState::default() };
    let tags = tags(Some(&source), &env);
    let tags: Vec<_> = tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        tags,
        [
            ("mlops.source.commit", "c0ffee"),
            ("mlops.source.dirty", "true"),
            ("mlops.process", "7"),
            ("mlops.command", "train --lr 0.1"),
            ("mlops.os", "Debian GNU/Linux 12"),
            ("mlops.arch", "x86_64"),
            ("mlops.package", "churn 0.3.1"),
        ]
    );
}

#[test]
fn every_tag_is_a_valid_key_with_a_bounded_value() {
    let mut env = Environment::capture(&EnvironmentOptions::default());
    env.command = vec!["é\0".repeat(10_000)];
    let tags = tags(None, &env);
    for (name, value) in &tags {
        assert!(mlops_core::Key::new(name).is_ok(), "{name}");
        assert!(!value.is_empty() && value.len() <= MAX_TAG_BYTES && !value.contains('\0'));
    }
    let command = tags.iter().find(|(name, _)| name == "mlops.command").unwrap();
    assert!(command.1.ends_with('…'));
}
