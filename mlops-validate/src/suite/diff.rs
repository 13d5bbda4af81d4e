//! Two versions of a suite compared by what they let through.
//!
//! A text diff shows that a number changed; a gate must know whether the change lets through data that
//! was refused before. So each difference has an [`Effect`], and what cannot be told (another pattern,
//! another expression) says so instead of guessing. The non-obvious decision: effects are judged field
//! by field over the checks' JSON, the same form that people review, so the list of differences is
//! complete by construction: a field that is not known here is [`Effect::Unclear`], never left out.

mod effect;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use mlops_core::validation::{Check, Suite};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a difference means for the data that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Data may pass that failed before; no data fails that passed before.
    Loosened,
    /// Data may fail that passed before; no data passes that failed before.
    Tightened,
    /// The same data passes: a name, a description, an order.
    Changed,
    /// It cannot be told, or it is both.
    Unclear,
}

impl Effect {
    /// The effect of the opposite difference.
    pub fn mirrored(self) -> Self {
        match self {
            Self::Loosened => Self::Tightened,
            Self::Tightened => Self::Loosened,
            same => same,
        }
    }

    /// The effect of both together.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Changed, effect) | (effect, Self::Changed) => effect,
            (a, b) if a == b => a,
            _ => Self::Unclear,
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loosened => "loosened",
            Self::Tightened => "tightened",
            Self::Changed => "changed",
            Self::Unclear => "unclear",
        })
    }
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldChange {
    /// Its name in the suite's text.
    pub field: String,
    /// What it was; nothing where it was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
    /// What that means.
    pub effect: Effect,
}

/// A check that is in both suites and differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Its name in the old suite.
    pub old: String,
    /// Its name in the new one.
    pub new: String,
    /// What all differences together mean.
    pub effect: Effect,
    /// The fields that differ, by name.
    pub fields: Vec<FieldChange>,
}

/// How a suite differs from an older one. `Display` is a list for a review.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuiteDiff {
    /// Differences of the suite's own fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suite: Vec<FieldChange>,
    /// Checks that are new, by name. What was not asked before is asked now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// Checks that are gone, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Checks that differ, in the new suite's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Change>,
}

impl SuiteDiff {
    /// Whether nothing differs but perhaps the order of the checks.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether anything is surely looser: a check gone, a bound wider, an error a warning.
    pub fn loosens(&self) -> bool {
        !self.removed.is_empty() || self.effects().any(|effect| effect == Effect::Loosened)
    }

    /// Whether anything may be looser: what a gate asks a person to look at.
    pub fn may_loosen(&self) -> bool {
        self.loosens() || self.effects().any(|effect| effect == Effect::Unclear)
    }

    fn effects(&self) -> impl Iterator<Item = Effect> {
        let fields = self.changed.iter().flat_map(|change| &change.fields);
        self.suite.iter().chain(fields).map(|field| field.effect)
    }
}

impl fmt::Display for SuiteDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("no difference");
        }
        let mut lines = Vec::new();
        let shown = |value: &Option<Value>| match value {
            None => "nothing".to_owned(),
            Some(value) => value.to_string(),
        };
        let of_field = |change: &FieldChange| {
            let (old, new) = (shown(&change.old), shown(&change.new));
            format!("{}: {old} → {new} ({})", change.field, change.effect)
        };
        lines.extend(self.suite.iter().map(|change| format!("~ suite {}", of_field(change))));
        lines.extend(self.removed.iter().map(|name| format!("- {name} (loosened)")));
        lines.extend(self.added.iter().map(|name| format!("+ {name} (tightened)")));
        for change in &self.changed {
            let was = if change.old == change.new {
                String::new()
            } else {
                format!(" (was {})", change.old)
            };
            lines.push(format!("~ {}{was} ({})", change.new, change.effect));
            lines.extend(change.fields.iter().map(|field| format!("    {}", of_field(field))));
        }
        f.write_str(&lines.join("\n"))
    }
}

/// How `new` differs from `old`.
///
/// Checks belong together that have one name; of the rest, those of one rule and the same columns.
/// A check that is surely looser in one field and tighter in another is unclear as a whole, and
/// [`SuiteDiff::loosens`]. A check whose filter leaves no rows is vacuous; that this may warn or fail
/// ([`Suite::on_empty`]) is not counted as tighter.
///
/// ```
/// use mlops_validate::suite::{Template, diff};
/// use std::collections::BTreeMap;
///
/// # fn main() -> mlops_core::Result<()> {
/// let suite = |checks: &str| {
///     Template::parse(&format!("suite: orders\nchecks: [{checks}]"), "a")?.bind(&BTreeMap::new())
/// };
/// let old = suite("{check: range, column: discount, max: 1.0}, {check: not_null, column: id}")?;
/// let new = suite("{check: range, column: discount, max: 2.0, min: 0}")?;
/// let diff = diff(&old, &new);
/// assert!(diff.loosens());
/// assert_eq!(diff.to_string(), "\
/// - not_null(id) (loosened)
/// ~ range(discount) (unclear)
///     max: 1.0 → 2.0 (loosened)
///     min: nothing → 0 (tightened)");
/// # Ok(())
/// # }
/// ```
pub fn diff(old: &Suite, new: &Suite) -> SuiteDiff {
    let (pairs, removed, added) = matched(&old.checks, &new.checks);
    let changed = pairs.into_iter().filter_map(|(old, new)| change(old, new));
    SuiteDiff {
        suite: of_suite(old, new),
        added: added.into_iter().map(Check::name).collect(),
        removed: removed.into_iter().map(Check::name).collect(),
        changed: changed.collect(),
    }
}

/// The pairs in the order of the new checks, then the old and the new ones that have no partner.
fn matched<'a>(
    old: &'a [Check],
    new: &'a [Check],
) -> (Vec<(&'a Check, &'a Check)>, Vec<&'a Check>, Vec<&'a Check>) {
    let mut partner: Vec<Option<usize>> = vec![None; new.len()];
    let mut free: BTreeSet<usize> = (0..old.len()).collect();
    let keys: [fn(&Check) -> String; 2] = [Check::name, |check| {
        format!("{}\0{}", check.rule.name(), check.rule.columns().join("\0"))
    }];
    for key in keys {
        let mut places: BTreeMap<String, VecDeque<usize>> = BTreeMap::new();
        for place in &free {
            places.entry(key(&old[*place])).or_default().push_back(*place);
        }
        for (check, partner) in new.iter().zip(&mut partner).filter(|(_, p)| p.is_none()) {
            *partner = places.get_mut(&key(check)).and_then(VecDeque::pop_front);
            if let Some(place) = partner {
                free.remove(place);
            }
        }
    }
    let both = || new.iter().zip(&partner);
    let pairs = both().filter_map(|(check, place)| Some((&old[(*place)?], check))).collect();
    let added = both().filter(|(_, place)| place.is_none()).map(|(check, _)| check).collect();
    (pairs, free.iter().map(|place| &old[*place]).collect(), added)
}

fn of_suite(old: &Suite, new: &Suite) -> Vec<FieldChange> {
    let head = |suite: &Suite| {
        let mut fields = fields(suite);
        fields.remove("checks");
        fields
    };
    let (old, new) = (head(old), head(new));
    different(&old, &new)
        .map(|(field, old, new)| FieldChange {
            field: field.to_owned(),
            effect: effect::of_suite(field, old, new),
            old: old.cloned(),
            new: new.cloned(),
        })
        .collect()
}

fn change(old: &Check, new: &Check) -> Option<Change> {
    if old == new {
        return None;
    }
    let (old_fields, new_fields) = (fields(old), fields(new));
    let judge = effect::Judge::new(old, new, &old_fields, &new_fields);
    let fields: Vec<FieldChange> = different(&old_fields, &new_fields)
        .map(|(field, old, new)| FieldChange {
            field: field.to_owned(),
            effect: judge.field(field, old, new),
            old: old.cloned(),
            new: new.cloned(),
        })
        .collect();
    let effect = fields.iter().fold(Effect::Changed, |all, field| all.and(field.effect));
    Some(Change { old: old.name(), new: new.name(), effect, fields })
}

fn fields(of: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(of) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// The fields that differ, by name.
fn different<'a>(
    old: &'a Map<String, Value>,
    new: &'a Map<String, Value>,
) -> impl Iterator<Item = (&'a str, Option<&'a Value>, Option<&'a Value>)> {
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).map(String::as_str).collect();
    names
        .into_iter()
        .map(|name| (name, old.get(name), new.get(name)))
        .filter(|(_, old, new)| old != new)
}
