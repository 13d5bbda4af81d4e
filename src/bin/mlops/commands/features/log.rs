//! `mlops features append`, `materialize` and `lag`: rows that come, and how far they got.

use std::collections::BTreeSet;
use std::path::Path;

use mlops::arrow::array::RecordBatch;
use mlops::feature_store::trust::{FreshnessRule, FreshnessState};
use mlops::features::{
    Append as How, Appended, FeatureName, FeatureStore, Lag, Materialize as What, Progress,
    Registered, Source, Span,
};
use mlops::time::{Clock, SystemClock};
use mlops::{Error, ErrorKind, Key, Result};
use serde_json::{Value, json};

use super::read::{self, joined, types_of};
use super::{Opened, range, span_micros, view_of, views_of};
use crate::args::{Append, Lag as LagAsked, Materialize};
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::{Output, right, table};
use crate::progress::Bar;

/// Rows of one append, about: what memory holds at once.
const PART_ROWS: usize = 1 << 20;

pub(super) async fn append(
    opened: &Opened,
    asked: &Append,
    output: &mut Output,
) -> std::result::Result<(), Failure> {
    let view = FeatureName::new(&asked.view)?;
    let registered = opened.store.registered().await?;
    let types = types_of(&view_of_library(opened, &registered, &view).await?.table);
    // A file that cannot be read is found before a row of another one is appended.
    for file in &asked.files {
        read::open(file, &types)?;
    }
    let mut appending = Appending {
        opened,
        view: &view,
        token: asked.token.as_deref(),
        push: asked.push,
        parts: 0,
        rows: 0,
    };
    let mut done = Vec::new();
    for file in &asked.files {
        let parts = appending.file(file, &types).await.map_err(|e| {
            let named = e.context().any(|(name, _)| name == "file");
            let e = if named { e } else { e.with("file", file.display()) };
            match appending.rows {
                0 => e,
                rows => e.with("appended_before", rows),
            }
        })?;
        done.push((file, parts));
    }
    if output.is_json() {
        let document = |(file, parts): &(_, Vec<Appended>)| json!({ "file": file, "rows": rows_of(parts), "appends": parts });
        return output.document(&done.iter().map(document).collect::<Value>());
    }
    for (file, parts) in &done {
        let rows = format::count(rows_of(parts), "row");
        let position = parts.last().map_or(0, |last| last.position);
        let online = if asked.push { ", and online" } else { "" };
        let file = format::text(&file.to_string_lossy(), 250);
        output.line(format!("{file}: {rows} in the log of {view}, position {position}{online}"))?;
    }
    Ok(())
}

/// The last version of a view; the library says what an unknown name was meant to be.
async fn view_of_library<'a>(
    opened: &Opened,
    registered: &'a Registered,
    view: &FeatureName,
) -> Result<&'a mlops::features::ViewVersion> {
    match view_of(registered, view) {
        Ok(record) => Ok(record.last()),
        Err(unknown) => match opened.features.used_by(view, None).await {
            Err(nearest) => Err(nearest),
            Ok(_) => Err(unknown),
        },
    }
}

fn rows_of(parts: &[Appended]) -> u64 {
    parts.iter().map(|part| part.rows).sum()
}

/// Files on their way to a log.
struct Appending<'a> {
    opened: &'a Opened,
    view: &'a FeatureName,
    token: Option<&'a str>,
    push: bool,
    /// Appends that were made.
    parts: usize,
    rows: u64,
}

impl Appending<'_> {
    async fn file(&mut self, file: &Path, types: &read::Types) -> Result<Vec<Appended>> {
        let bar = Bar::rows("appending");
        let watcher = bar.watcher();
        let rows = read::open(file, types)?;
        let (mut part, mut held, mut done) = (Vec::new(), 0, Vec::new());
        for batch in rows.batches {
            let batch = batch?;
            held += batch.num_rows();
            part.push(batch);
            if held >= PART_ROWS {
                done.push(self.part(&std::mem::take(&mut part)).await?);
                held = 0;
                if let Some(watcher) = &watcher {
                    watcher(Progress { rows: rows_of(&done), of: rows.of });
                }
            }
        }
        if !part.is_empty() {
            done.push(self.part(&part).await?);
        }
        Ok(done)
    }

    async fn part(&mut self, batches: &[RecordBatch]) -> Result<Appended> {
        let Some(first) = batches.first() else {
            return Err(Error::invalid(COMMAND, "there are no rows"));
        };
        let rows = joined(&first.schema(), batches)?;
        let asked = rows.num_rows() as u64;
        let mut how = How::default();
        if let Some(token) = self.token {
            // Each part its own name, the same when the command is said again.
            let name =
                if self.parts == 0 { token.to_owned() } else { format!("{token}/{}", self.parts) };
            how = how.with_token(Key::new(name)?);
        }
        let store = &self.opened.store;
        let appended = if self.push {
            store.push(self.view, rows, how).await?.appended
        } else {
            store.append(self.view, rows, how).await?
        };
        if appended.rows != asked {
            return Err(Error::new(
                ErrorKind::Conflict,
                COMMAND,
                "the token named other rows before",
            )
            .with("rows", asked)
            .with("rows_then", appended.rows)
            .with_hint("give these rows another token"));
        }
        self.parts += 1;
        self.rows += appended.rows;
        Ok(appended)
    }
}

pub(super) async fn materialize(
    opened: &Opened,
    asked: &Materialize,
    output: &mut Output,
) -> std::result::Result<(), Failure> {
    let mut what = What::default();
    for view in &asked.views {
        what = what.view(FeatureName::new(view)?);
    }
    if asked.full {
        what = what.full();
    }
    if let (Some(from), Some(until)) = (asked.from, asked.until) {
        let (from, until) = range(from, until)?;
        what = what.range(from, until);
    }
    let bar = Bar::rows("materializing");
    what.progress = bar.watcher();
    let done = opened.store.materialize(what).await?;
    drop(bar);
    if output.is_json() {
        return output.document(&json!(done));
    }
    if done.views.is_empty() {
        return output.note("no view is in use", None);
    }
    let mut shown = table(["view", "rows", "changed", "stale", "next row"]);
    for view in &done.views {
        shown.add_row([
            view.view.to_string(),
            view.rows.to_string(),
            view.changed.to_string(),
            view.stale.to_string(),
            view.next_seq.to_string(),
        ]);
    }
    right(&mut shown, [1, 2, 3, 4]);
    output.table(shown)
}

pub(super) async fn lag(
    opened: &Opened,
    asked: &LagAsked,
    output: &mut Output,
) -> std::result::Result<(), Failure> {
    let registered = opened.store.registered().await?;
    let views = views_of(&registered, &asked.views)?;
    let views: BTreeSet<&FeatureName> = views.into_iter().map(|(name, _)| name).collect();
    let mut lags = opened.store.lag().await?;
    lags.retain(|lag| views.contains(&lag.view));
    let now = SystemClock.now_micros();
    let mut late = Vec::new();
    // Of a view of files it is not known how fresh it is.
    for lag in lags.iter().filter(|lag| is_log(&registered, &lag.view)) {
        let found = rule_of(asked, &lag.view)?.judge(lag, now);
        if found.state == FreshnessState::Late {
            late.push(found.to_string());
        }
    }
    if output.is_json() {
        output.document(&json!(lags))?;
    } else {
        show(&lags, output)?;
    }
    if late.is_empty() {
        return Ok(());
    }
    output.flush()?;
    Err(Error::new(ErrorKind::Denied, COMMAND, "refused: views are late")
        .with("views", late.join("; "))
        .into())
}

fn is_log(registered: &Registered, view: &FeatureName) -> bool {
    registered.views.get(view).is_some_and(|record| record.last().table.source == Source::Log)
}

fn rule_of(asked: &LagAsked, view: &FeatureName) -> Result<FreshnessRule> {
    let mut rule = FreshnessRule::new(view.clone());
    if let Some(most) = asked.max_age {
        rule = rule.max_age(Span::from_micros(span_micros(most))?);
    }
    if let Some(most) = asked.max_wait {
        rule = rule.max_wait(Span::from_micros(span_micros(most))?);
    }
    if let Some(most) = asked.max_rows {
        rule = rule.max_lag_rows(most);
    }
    Ok(rule)
}

fn show(lags: &[Lag], output: &mut Output) -> std::result::Result<(), Failure> {
    if lags.is_empty() {
        return output.note("there are no views", None);
    }
    let mut shown =
        table(["view", "not online", "waits since", "newest event", "last append", "materialized"]);
    let at = |micros: Option<i64>| micros.map_or_else(|| "-".to_owned(), format::micros);
    for lag in lags {
        shown.add_row([
            lag.view.to_string(),
            lag.rows.to_string(),
            at(lag.waiting_since),
            at(lag.newest_event_time),
            at(lag.appended_at),
            at(lag.materialized_at),
        ]);
    }
    right(&mut shown, [1]);
    output.table(shown)
}
