//! `mlops features show`: everything of one service, view, transform or entity.

mod view;

use mlops::features::{
    Definitions, Entity, FeatureName, FeatureStore, OnDemand, Registered, ServiceRecord,
    ServiceRef, ServiceVersion,
};
use mlops::registry::Role;
use mlops::{Error, Result};
use serde_json::json;

use super::list::{keys_of, names, or_dash, pins};
use super::service::{asked, columns, version_of};
use super::{LONGEST, LONGEST_NAME, Opened, definitions};
use crate::args::Kind;
use crate::failure::{COMMAND, Failure};
use crate::format;
use crate::output::{Output, pairs, table};

const ORDER: [Kind; 4] = [Kind::Service, Kind::View, Kind::Transform, Kind::Entity];

pub(super) async fn run(
    opened: &Opened,
    name: &str,
    kind: Option<Kind>,
    yaml: bool,
    output: &mut Output,
) -> std::result::Result<(), Failure> {
    let registered = opened.store.registered().await?;
    let asked: ServiceRef = name.parse()?;
    let kind = meant(&registered, &asked, kind)?;
    if yaml {
        let definition = definition_of(&registered, &asked, kind)?;
        return if output.is_json() {
            output.document(&json!(definition))
        } else {
            output.bytes(definition.to_yaml().as_bytes())
        };
    }
    let name = &asked.name;
    match kind {
        Kind::View => view::show(opened, &registered, name, output).await,
        Kind::Service => of_service(opened, &registered, &asked, output).await,
        Kind::Transform => {
            let transform = registered.on_demand.get(name).ok_or_else(|| nothing(name))?;
            of_transform(&registered, transform, output)
        }
        Kind::Entity => {
            let entity = registered.entities.get(name).ok_or_else(|| nothing(name))?;
            of_entity(&registered, entity, output)
        }
    }
}

/// What a name is of; nothing is guessed where several have it.
fn meant(registered: &Registered, asked: &ServiceRef, kind: Option<Kind>) -> Result<Kind> {
    let name = &asked.name;
    let has = |kind: &Kind| match kind {
        Kind::Service => registered.services.contains_key(name),
        // Only services are named with their version.
        _ if asked.version.is_some() => false,
        Kind::View => registered.views.contains_key(name),
        Kind::Transform => registered.on_demand.contains_key(name),
        Kind::Entity => registered.entities.contains_key(name),
    };
    let found: Vec<Kind> = match kind {
        Some(kind) => [kind].into_iter().filter(has).collect(),
        None => ORDER.into_iter().filter(has).collect(),
    };
    match found.as_slice() {
        [] => Err(nothing(name)),
        [kind] => Ok(*kind),
        several => {
            let kinds: Vec<&str> = several.iter().map(|kind| kind.as_str()).collect();
            Err(Error::invalid(COMMAND, "several things have this name")
                .with("name", name)
                .with("kinds", kinds.join(", "))
                .with_hint("say which with --kind"))
        }
    }
}

fn nothing(name: &FeatureName) -> Error {
    Error::not_found(COMMAND, "nothing that is defined has this name")
        .with("name", name)
        .with_hint("`mlops features list` shows what is defined")
}

/// The definition as a file could have it.
fn definition_of(registered: &Registered, asked: &ServiceRef, kind: Kind) -> Result<Definitions> {
    let name = &asked.name;
    let all = Definitions::new();
    let found = match kind {
        Kind::Service => {
            return Ok(all.service(service_of(registered, asked)?.1.definition.clone()));
        }
        Kind::View => {
            registered.views.get(name).map(|record| all.view(record.last().definition.clone()))
        }
        Kind::Transform => registered.on_demand.get(name).cloned().map(|it| all.on_demand(it)),
        Kind::Entity => registered.entities.get(name).cloned().map(|it| all.entity(it)),
    };
    found.ok_or_else(|| nothing(name))
}

fn service_of<'a>(
    registered: &'a Registered,
    asked: &ServiceRef,
) -> Result<(&'a ServiceRecord, &'a ServiceVersion)> {
    let record = registered.services.get(&asked.name).ok_or_else(|| nothing(&asked.name))?;
    let version = version_of(registered, asked).ok_or_else(|| {
        Error::not_found(COMMAND, "the service has no such version")
            .with("service", asked)
            .with_hint(format!("its last version is {}", record.last().version))
    })?;
    Ok((record, version))
}

async fn of_service(
    opened: &Opened,
    registered: &Registered,
    asked_for: &ServiceRef,
    output: &mut Output,
) -> std::result::Result<(), Failure> {
    let (record, version) = service_of(registered, asked_for)?;
    let columns = columns(registered, version);
    let asked = asked(registered, version);
    let service = ServiceRef::version(asked_for.name.clone(), version.version);
    // That models may be seen here is what the access rules say of reading definitions.
    opened.features(Role::Viewer).await?;
    let uses = definitions::model_uses(&opened.ws).await?;
    let models: Vec<&str> =
        uses.iter().filter(|used| used.service == service).map(|used| used.name.as_str()).collect();
    if output.is_json() {
        let columns = columns.iter().map(|column| {
            json!({ "name": column.name, "type": column.data_type, "from": column.from,
                "description": column.description, "pii": column.pii })
        });
        let asked = asked.iter().map(|(name, what)| json!({ "name": name, "type": what }));
        return output.document(&json!({
            "kind": "service",
            "service": service,
            "version": version,
            "versions": record.versions.iter().map(|v| v.version).collect::<Vec<_>>(),
            "asks_for": asked.collect::<Vec<_>>(),
            "columns": columns.collect::<Vec<_>>(),
            "models": models,
        }));
    }
    let definition = &version.definition;
    let mut shown = pairs();
    let mut row = |name: &str, value: String| {
        shown.add_row([name.to_owned(), value]);
    };
    row("service", service.to_string());
    row("digest", version.digest.to_string());
    row("versions", names(record.versions.iter().map(|version| version.version)));
    row("views", names(pins(version)));
    row("owner", or_dash(&definition.owner, LONGEST));
    row("description", or_dash(&definition.description, LONGEST));
    row("asks for", names(asked.iter().map(|(name, what)| format!("{name} {what}"))));
    row("models", names(&models));
    output.table(shown)?;
    output.line("")?;
    let mut shown = table(["column", "type", "from", "person", "description"]);
    for column in columns {
        shown.add_row([
            format::text(&column.name, LONGEST_NAME),
            column.data_type.to_string(),
            column.from,
            person(column.pii),
            or_dash(column.description, LONGEST),
        ]);
    }
    output.table(shown)
}

/// Whether it tells something of a person.
fn person(pii: Option<bool>) -> String {
    match pii {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    }
    .to_owned()
}

fn of_transform(
    registered: &Registered,
    transform: &OnDemand,
    output: &mut Output,
) -> std::result::Result<(), Failure> {
    let uses =
        |record: &&ServiceRecord| record.last().definition.on_demand.contains(&transform.name);
    let users: Vec<&FeatureName> = registered
        .services
        .values()
        .filter(uses)
        .map(|record| &record.last().definition.name)
        .collect();
    if output.is_json() {
        return output
            .document(&json!({ "kind": "transform", "definition": transform, "used_by": users }));
    }
    let mut shown = pairs();
    shown.add_row(["transform".to_owned(), transform.name.to_string()]);
    shown.add_row(["owner".to_owned(), or_dash(&transform.owner, LONGEST)]);
    shown.add_row(["description".to_owned(), or_dash(&transform.description, LONGEST)]);
    let asked = transform.request.iter().map(|f| format!("{} {}", f.name, f.data_type));
    shown.add_row(["asks for".to_owned(), names(asked)]);
    shown.add_row(["used by".to_owned(), names(users)]);
    output.table(shown)?;
    output.line("")?;
    let mut shown = table(["feature", "type", "is", "description"]);
    for feature in &transform.features {
        let is = match (&feature.expr, &feature.function) {
            (Some(expr), _) => expr.clone(),
            (None, Some(function)) => format!("{function}({})", feature.inputs.join(", ")),
            (None, None) => String::new(),
        };
        shown.add_row([
            feature.name.to_string(),
            feature.data_type.to_string(),
            or_dash(&is, LONGEST),
            or_dash(&feature.description, LONGEST),
        ]);
    }
    output.table(shown)
}

fn of_entity(
    registered: &Registered,
    entity: &Entity,
    output: &mut Output,
) -> std::result::Result<(), Failure> {
    let has = |name: &&FeatureName| {
        let record = registered.views.get(*name);
        record.is_some_and(|record| record.last().definition.entities.contains(&entity.name))
    };
    let views: Vec<&FeatureName> = registered.views.keys().filter(has).collect();
    if output.is_json() {
        return output.document(&json!({ "kind": "entity", "definition": entity, "views": views }));
    }
    let mut shown = pairs();
    shown.add_row(["entity".to_owned(), entity.name.to_string()]);
    shown.add_row(["keys".to_owned(), keys_of(entity)]);
    shown.add_row(["owner".to_owned(), or_dash(&entity.owner, LONGEST)]);
    shown.add_row(["description".to_owned(), or_dash(&entity.description, LONGEST)]);
    shown.add_row(["views".to_owned(), names(views)]);
    output.table(shown)
}
