//! `mlops models list` and `mlops models versions`, a page or all pages.

use mlops::filter::{Attribute, Field, Filter, Member, OrderBy, Record, Subject};
use mlops::registry::{Model, ModelQuery, ModelVersion, Stage, VersionQuery};
use mlops::tracking::{Page, PageToken};
use mlops::{ModelName, Models, Result};
use serde_json::{Value, json};

use super::{document, hinted};
use crate::args::Listing;
use crate::columns;
use crate::commands::list::say_next;
use crate::failure::Failure;
use crate::format;
use crate::output::{Output, right, table};

const LONGEST_NAME: usize = 40;

pub(crate) async fn models(
    models: &Models,
    filter: &str,
    asked: Listing,
    output: &mut Output,
) -> Result<(), Failure> {
    let order: Vec<&str> = asked.order_by.iter().map(String::as_str).collect();
    let mut query = ModelQuery::parse(filter, &order)?
        .with_view(asked.view.view.into())
        .with_limit(asked.page.limit);
    query.page = asked.page.page.clone().map(PageToken);
    let fields = columns::parse(Subject::Model, &asked.columns)?;
    let find = async |page| {
        let mut query = query.clone();
        query.page = Option::or(page, query.page);
        models.registry().search_models(&query).await
    };
    let (found, next) = pages(asked.page.all, find).await?;
    if output.is_json() {
        return as_json(found.iter().map(|model| json!(model)), next, output);
    }
    let shown = if fields.is_empty() {
        let mut shown = table(["model", "versions", "Production", "Staging", "aliases", "updated"]);
        for model in &found {
            shown.add_row([
                format::text(&model.name, LONGEST_NAME),
                model.last_number.to_string(),
                holders(model, Stage::Production),
                holders(model, Stage::Staging),
                aliases(model),
                format::instant(model.updated),
            ]);
        }
        right(&mut shown, [1]);
        shown
    } else {
        let mut rows =
            table(["model".to_owned()].into_iter().chain(fields.iter().map(columns::heading)));
        for model in &found {
            let cells = fields.iter().map(|field| columns::value(model, field));
            rows.add_row([format::text(&model.name, LONGEST_NAME)].into_iter().chain(cells));
        }
        rows
    };
    output.table(shown)?;
    if found.is_empty() {
        output.note("no model matches", None)?;
    }
    say_next(next, output)
}

pub(crate) async fn versions(
    models: &Models,
    what: &str,
    asked: Listing,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut query = query(models, what, &asked.order_by)
        .await?
        .with_view(asked.view.view.into())
        .with_limit(asked.page.limit);
    query.page = asked.page.page.clone().map(PageToken);
    let mut fields = columns::parse(Subject::Version, &asked.columns)?;
    if fields.is_empty() {
        fields = default(query.order_by.iter().map(|o| &o.field).chain(query.filter.fields()));
    }
    let find = async |page| {
        let mut query = query.clone();
        query.page = Option::or(page, query.page);
        models.registry().search_versions(&query).await
    };
    let (found, next) = pages(asked.page.all, find).await?;
    if output.is_json() {
        return as_json(found.iter().map(document), next, output);
    }
    output.table(table_of(&found, &fields))?;
    if found.is_empty() {
        output.note("no version matches", None)?;
    }
    say_next(next, output)
}

/// The versions of a model, or those that a filter matches: what is a filter is taken for one.
async fn query(models: &Models, what: &str, order_by: &[String]) -> Result<VersionQuery> {
    let order: Vec<&str> = order_by.iter().map(String::as_str).collect();
    let looks_like_a_filter = what.contains(['=', '<', '>', '(', '\'', '"']);
    let filter = Filter::parse_for(Subject::Version, what);
    if filter.is_ok() || looks_like_a_filter {
        let mut query = VersionQuery::parse("", &order)?;
        query.filter = filter?;
        return Ok(query);
    }
    let name = ModelName::new(what)?;
    models.model(&name).await.map_err(|e| hinted(e, "list"))?;
    let mut query = VersionQuery::of(name);
    let parse = |text: &&str| OrderBy::parse_for(Subject::Version, text);
    query.order_by = order.iter().map(parse).collect::<Result<_>>()?;
    Ok(query)
}

/// Where a version is and of when, and what the question is about.
pub(super) fn default<'a>(asked: impl IntoIterator<Item = &'a Field>) -> Vec<Field> {
    let mut fields = vec![
        Field::Member(Member::Stage),
        Field::Member(Member::Alias),
        Field::Attribute(Attribute::Started),
        Field::Attribute(Attribute::User),
    ];
    for field in asked {
        let shown = matches!(
            field,
            Field::Dataset(_) | Field::Attribute(Attribute::Name | Attribute::Version)
        );
        if !shown && !fields.contains(field) {
            fields.push(field.clone());
        }
    }
    fields
}

/// The versions as a table: their ids and these columns.
pub(super) fn table_of(versions: &[ModelVersion], fields: &[Field]) -> comfy_table::Table {
    let heading = |field: &Field| match field {
        Field::Attribute(Attribute::Started) => "registered".to_owned(),
        Field::Attribute(Attribute::User) => "by".to_owned(),
        field => columns::heading(field),
    };
    let mut shown = table(["version".to_owned()].into_iter().chain(fields.iter().map(heading)));
    for version in versions {
        let cells = fields.iter().map(|field| columns::value(version as &dyn Record, field));
        let id = format::text(&version.id().to_string(), LONGEST_NAME);
        shown.add_row([id].into_iter().chain(cells));
    }
    let numbers = fields.iter().enumerate().filter(|(_, field)| columns::is_number(field));
    right(&mut shown, numbers.map(|(at, _)| at + 1));
    shown
}

/// One page, or all that follow.
async fn pages<T>(
    all: bool,
    find: impl AsyncFn(Option<PageToken>) -> Result<Page<T>>,
) -> Result<(Vec<T>, Option<PageToken>)> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let page = find(token).await?;
        found.extend(page.items);
        if page.next.is_none() || !all {
            return Ok((found, page.next));
        }
        token = page.next;
    }
}

fn as_json(
    documents: impl Iterator<Item = Value>,
    next: Option<PageToken>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut array = output.array()?;
    for document in documents {
        array.push(&document)?;
    }
    array.end()?;
    say_next(next, output)
}

/// `3`, or `3, 5` where several are; the last one came last.
pub(super) fn holders(model: &Model, stage: Stage) -> String {
    let numbers = model.stages.get(&stage).into_iter().flatten();
    let numbers: Vec<String> = numbers.map(ToString::to_string).collect();
    if numbers.is_empty() { "-".to_owned() } else { numbers.join(", ") }
}

/// `champion=3, challenger=4`
pub(super) fn aliases(model: &Model) -> String {
    let pairs: Vec<String> =
        model.aliases.iter().map(|(name, at)| format!("{name}={at}")).collect();
    if pairs.is_empty() { "-".to_owned() } else { format::text(&pairs.join(", "), LONGEST_NAME) }
}
