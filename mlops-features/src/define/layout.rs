//! What a service's answer looks like: which columns the rows that ask must have, and which come back.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use mlops_core::features::{
    Feature, FeatureName, FeatureType, FeatureView, KeyType, OnDemand, RequestField, TableKey,
    ViewUse,
};
use mlops_expr::{Expr, Parameters};

use super::nearest::hint;

/// What comes after a view's prefix in the columns of statuses and times.
const STATUS_COLUMNS: [&str; 3] = ["status", "event_time", "created"];

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OutputColumn {
    /// Its name.
    pub(super) name: String,
    /// Its type.
    data_type: FeatureType,
    /// Which of the service's views it comes from; none, if a transform makes it.
    view: Option<usize>,
}

/// What a service's answer looks like.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    /// The key columns that the rows that ask must have, each once.
    pub(crate) keys: Vec<TableKey>,
    /// Of each use of a view, the column of the rows for each of its join keys.
    pub(crate) key_columns: Vec<Vec<String>>,
    /// Of each use of a view, the features that are used.
    pub(crate) features: Vec<Vec<Feature>>,
    /// The columns that transforms ask of the rows, beside keys.
    pub(crate) request: Vec<RequestField>,
    /// The answer's columns.
    pub(crate) columns: Vec<OutputColumn>,
    /// Prefix of each use.
    prefixes: Vec<FeatureName>,
}

impl Layout {
    /// The layout of views alone; what is wrong is added to `problems`.
    pub(super) fn new(
        full_names: bool,
        views: &[(&ViewUse, &FeatureView, &[TableKey])],
        problems: &mut Vec<String>,
    ) -> Self {
        let mut layout = Self::default();
        for (index, (used, view, keys)) in views.iter().enumerate() {
            if layout.prefixes.contains(used.prefix()) {
                problems.push(format!(
                    "view `{}` is used twice as `{}`; give one of them an alias",
                    used.view,
                    used.prefix()
                ));
            }
            layout.prefixes.push(used.prefix().clone());
            layout.add_keys(used, keys, problems);
            let features = used_features(used, view, problems);
            for definition in &features {
                let name = if full_names {
                    format!("{}__{}", used.prefix(), definition.name)
                } else {
                    definition.name.to_string()
                };
                let column =
                    OutputColumn { name, data_type: definition.data_type, view: Some(index) };
                layout.add(column, problems);
            }
            layout.features.push(features);
        }
        for column in &layout.columns {
            layout.check_free(&column.name, problems);
        }
        layout
    }

    /// Adds transforms.
    pub(super) fn with_on_demand(
        mut self,
        transforms: &[&OnDemand],
        problems: &mut Vec<String>,
    ) -> Self {
        for transform in transforms {
            for field in &transform.request {
                self.add_request(transform, field, problems);
            }
        }
        for transform in transforms {
            for definition in &transform.features {
                // A feature sees what was made before it, by its own transform too.
                let before = self.input_schema();
                if let Some(text) = &definition.expr {
                    let made = check_expr(text, &before, definition.data_type);
                    if let Err(problem) = made {
                        problems.push(format!(
                            "feature `{}` of on-demand transform `{}`: {problem}",
                            definition.name, transform.name
                        ));
                    }
                }
                for input in &definition.inputs {
                    if before.index_of(input).is_err() {
                        let names = before.fields().iter().map(|field| field.name().as_str());
                        problems.push(format!(
                            "feature `{}` of on-demand transform `{}`: there is no column \
                             `{input}`; {}",
                            definition.name,
                            transform.name,
                            hint(input, names)
                        ));
                    }
                }
                let column = OutputColumn {
                    name: definition.name.to_string(),
                    data_type: definition.data_type,
                    view: None,
                };
                self.check_free(&column.name, problems);
                self.add(column, problems);
            }
        }
        self
    }

    /// The columns that transforms may name: the answer's so far, and the request's.
    pub(crate) fn input_schema(&self) -> SchemaRef {
        let answered = self.columns.iter().map(|c| Field::new(&c.name, c.data_type.arrow(), true));
        let asked = self.request.iter().map(|f| Field::new(&f.name, f.data_type.arrow(), true));
        Arc::new(Schema::new(answered.chain(asked).collect::<Vec<_>>()))
    }

    /// The answer's columns.
    pub(crate) fn schema(&self) -> SchemaRef {
        let fields = self.columns.iter().map(|c| Field::new(&c.name, c.data_type.arrow(), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    fn add(&mut self, column: OutputColumn, problems: &mut Vec<String>) {
        if let Some(there) = self.columns.iter().find(|there| there.name == column.name) {
            let of = |view: Option<usize>| match view {
                Some(view) => format!("view `{}`", self.prefixes[view]),
                None => "an on-demand transform".to_owned(),
            };
            problems.push(format!(
                "column `{}` comes from {} and from {}; set `full_names: true`, or name the \
                 features that are wanted",
                column.name,
                of(there.view),
                of(column.view)
            ));
        }
        self.columns.push(column);
    }

    fn add_keys(&mut self, used: &ViewUse, keys: &[TableKey], problems: &mut Vec<String>) {
        for join_key in used.keys.keys() {
            if !keys.iter().any(|key| key.name == *join_key) {
                problems.push(format!(
                    "view `{}` has no join key `{join_key}`; {}",
                    used.view,
                    hint(join_key, keys.iter().map(|key| key.name.as_str()))
                ));
            }
        }
        let mut columns = Vec::new();
        for key in keys {
            let column = used.keys.get(&key.name).unwrap_or(&key.name);
            if column.is_empty() || column.starts_with('_') {
                problems.push(format!(
                    "join key `{}` of view `{}` comes from column `{column}`, which is no column \
                     that rows may have",
                    key.name, used.view
                ));
            }
            match self.keys.iter().find(|there| there.name == *column) {
                Some(there) if there.data_type != key.data_type => problems.push(format!(
                    "column `{column}` is a key of type {} and, for view `{}`, of type {}; take \
                     one of them from another column",
                    there.data_type, used.view, key.data_type
                )),
                Some(_) => {}
                None => {
                    self.keys.push(TableKey { name: column.clone(), data_type: key.data_type });
                }
            }
            columns.push(column.clone());
        }
        self.key_columns.push(columns);
    }

    fn add_request(&mut self, of: &OnDemand, field: &RequestField, problems: &mut Vec<String>) {
        let name = &field.name;
        if let Some(key) = self.keys.iter().find(|key| key.name == *name)
            && as_feature(key.data_type) != field.data_type
        {
            problems.push(format!(
                "column `{name}` is a key of type {} and on-demand transform `{}` asks for {}",
                key.data_type, of.name, field.data_type
            ));
        }
        if self.columns.iter().any(|column| column.name == *name) {
            problems.push(format!(
                "on-demand transform `{}` asks for a column `{name}`, which is one of the answer's",
                of.name
            ));
        }
        match self.request.iter().find(|there| there.name == *name) {
            Some(there) if there.data_type != field.data_type => problems.push(format!(
                "request column `{name}` is {} for one on-demand transform and {} for `{}`",
                there.data_type, field.data_type, of.name
            )),
            Some(_) => {}
            None => self.request.push(field.clone()),
        }
    }

    /// That a column of the answer is not one that the rows have or that statuses are given in.
    fn check_free(&self, name: &str, problems: &mut Vec<String>) {
        if self.keys.iter().any(|key| key.name == name) {
            problems.push(format!("column `{name}` of the answer is called as a key's column"));
        }
        if self.request.iter().any(|field| field.name == name) {
            problems.push(format!("column `{name}` of the answer is called as a request column"));
        }
        let status = name.rsplit_once("__").is_some_and(|(prefix, rest)| {
            STATUS_COLUMNS.contains(&rest) && self.prefixes.iter().any(|p| p.as_str() == prefix)
        });
        if status {
            problems.push(format!("column `{name}` of the answer is called as a view's status"));
        }
    }
}

/// The features of a view that are used, in the order of the answer.
fn used_features(used: &ViewUse, view: &FeatureView, problems: &mut Vec<String>) -> Vec<Feature> {
    if used.features.is_empty() {
        return view.features.clone();
    }
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let mut features = Vec::new();
    for name in &used.features {
        *counts.entry(name).or_default() += 1;
        if counts.get(name.as_str()) == Some(&2) {
            problems.push(format!("feature `{name}` of view `{}` comes twice", used.prefix()));
        }
        match view.feature(name) {
            Some(feature) => features.push(feature.clone()),
            None => problems.push(format!(
                "view `{}` has no feature `{name}`; {}",
                used.view,
                hint(name, view.features.iter().map(|feature| feature.name.as_str()))
            )),
        }
    }
    features
}

/// What is wrong with an expression over these columns that should make this type.
fn check_expr(text: &str, columns: &Schema, made: FeatureType) -> Result<(), String> {
    // What does not parse was said of the transform itself.
    let Ok(expr) = text.parse::<Expr>() else { return Ok(()) };
    let bound = expr.bind(columns, &Parameters::new()).map_err(|e| match e.hint() {
        Some(hint) => format!("{}; {hint}", e.message()),
        None => e.message().to_owned(),
    })?;
    let (found, wanted) = (bound.data_type(), made.arrow());
    // What the transform itself brings to the type without loss; see `transform`.
    let fits = *found == wanted
        || match made {
            FeatureType::Int => found.is_integer() && *found != DataType::UInt64,
            FeatureType::Float => found.is_floating(),
            FeatureType::Float32 => matches!(found, DataType::Float16),
            FeatureType::String => matches!(found, DataType::LargeUtf8 | DataType::Utf8View),
            FeatureType::Timestamp => {
                matches!(found, DataType::Timestamp(TimeUnit::Microsecond, _))
            }
            _ => false,
        }
        || *found == DataType::Null;
    if fits {
        Ok(())
    } else {
        Err(format!("the expression makes {found}, and its type is {made}; write a CAST"))
    }
}

fn as_feature(key: KeyType) -> FeatureType {
    match key {
        KeyType::Int => FeatureType::Int,
        KeyType::String => FeatureType::String,
        _ => FeatureType::Bytes,
    }
}
