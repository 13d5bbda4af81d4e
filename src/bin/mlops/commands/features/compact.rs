//! `mlops features compact`.

use mlops::features::{Compaction, CompactionWatcher, FeatureStore, Source};
use mlops::registry::Role;
use serde_json::{Value, json};

use super::{Opened, span_micros, views_of};
use crate::args::Compact;
use crate::failure::Failure;
use crate::output::{Output, right, table};
use crate::progress::Bar;

pub(super) async fn run(
    opened: &Opened,
    asked: &Compact,
    output: &mut Output,
) -> Result<(), Failure> {
    let registered = opened.store.registered().await?;
    let offline = opened.features(Role::Contributor).await?.offline();
    let mut done = Vec::new();
    for (name, record) in views_of(&registered, &asked.views)? {
        let table = &record.last().table;
        if table.source != Source::Log {
            continue;
        }
        let bar = Bar::rows("compacting");
        let mut how = Compaction::default();
        how.full = asked.full;
        how.grace = span_micros(asked.grace);
        how.progress = bar.watcher().map(CompactionWatcher);
        done.push((name, offline.compact(table, how).await?));
    }
    if output.is_json() {
        let document = |(view, report): &(_, _)| json!({ "view": view, "report": report });
        return output.document(&done.iter().map(document).collect::<Value>());
    }
    let mut shown = table(["view", "merged", "made", "rows", "deleted", "position"]);
    for (view, report) in &done {
        shown.add_row([
            view.to_string(),
            report.merged.to_string(),
            report.made.to_string(),
            report.rows.to_string(),
            report.deleted.to_string(),
            report.position.to_string(),
        ]);
    }
    right(&mut shown, [1, 2, 3, 4, 5]);
    output.table(shown)
}
