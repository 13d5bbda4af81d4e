//! [`Subscription`]: who wants to hear of what, and how. A document of the catalog.

use std::path::Path;

use mlops_core::journal::Event;
use mlops_core::lineage::NodeKind;
use mlops_core::registry::Document;
use mlops_core::{Error, Key, ModelName, Result};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::address;
use super::pattern::EventPattern;

/// The kind of a subscription's document; its name is the subscription's.
pub const SUBSCRIPTION_KIND: &str = "subscription";
/// Longest name of a subscription, in bytes: room for a number behind it.
pub const MAX_SUBSCRIPTION_BYTES: usize = 200;
/// Most patterns, models or arguments in one subscription.
const MAX_ITEMS: usize = 256;
/// Where a document says where its subscription began.
const AFTER: &str = "after";
/// Longest time that a command may be given, in seconds: a day.
const MAX_COMMAND_SECS: u64 = 86_400;

/// Who wants to hear of what.
///
/// ```
/// use mlops_registry::feed::{Start, Subscription, Target};
///
/// let subscription: Subscription = serde_json::from_str(
///     r#"{
///         "events": ["version.promote", "version.rollback"],
///         "models": ["churn"],
///         "to": {"webhook": {"url": "https://hooks.example.com/mlops", "secret": "HOOK_SECRET"}}
///     }"#,
/// )?;
/// subscription.check()?;
/// assert_eq!(subscription.from, Start::Now);
/// assert!(matches!(subscription.to, Target::Webhook(hook) if !hook.permit_private));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Subscription {
    /// Which operations; at least one pattern.
    pub events: Vec<EventPattern>,
    /// Only events about these models, their versions and stages; all events if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelName>,
    /// How they are delivered.
    pub to: Target,
    /// Where a new subscription starts; of no meaning once it has.
    #[serde(default)]
    pub from: Start,
}

/// How events are delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Target {
    /// A signed HTTP request.
    Webhook(Webhook),
    /// A program that reads the event from its standard input.
    Command(Command),
    /// A function of the program that runs the feed: see [`Feed::on`](super::Feed::on).
    Callback,
}

/// A signed HTTP POST; the module `feed::sign` tells how the receiver checks it. Needs the feature
/// `webhooks` where it is delivered; it can be stored without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Webhook {
    /// Where to: http or https, no credentials. Redirects are not followed.
    pub url: String,
    /// The *name* of the secret that deliveries are signed with, of the shape of a variable's:
    /// letters, digits and `_`, no digit first. The secret itself is never stored.
    pub secret: String,
    /// Allows loopback, private, link-local and other addresses that are not public.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub permit_private: bool,
}

impl Webhook {
    /// A webhook to a public address.
    pub fn new(url: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { url: url.into(), secret: secret.into(), permit_private: false }
    }

    /// The URL as it can be shown to anybody who may list subscriptions: scheme, host and port, and
    /// `…` for the rest, which is a secret with many receivers.
    pub fn shown_url(&self) -> String {
        address::shown(&self.url)
    }

    /// Allows addresses that are not public.
    pub fn permitting_private(mut self) -> Self {
        self.permit_private = true;
        self
    }
}

/// A program on the machine that runs the feed. Exit code 0 says that the event was dealt with.
///
/// It gets the message of a webhook on its standard input, `MLOPS_EVENT` and `MLOPS_DELIVERY`
/// (operation and number), and otherwise only the environment of
/// [`FeedOptions`](super::FeedOptions).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Command {
    /// The absolute path of the program; no shell is asked.
    pub program: String,
    /// Its arguments, as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// After so many seconds it is killed with its children, and the event is tried again.
    #[serde(default = "Command::default_timeout_secs")]
    pub timeout_secs: u64,
}

impl Command {
    /// A program without arguments that may take a minute.
    pub fn new(program: impl Into<String>) -> Self {
        let timeout_secs = Self::default_timeout_secs();
        Self { program: program.into(), args: Vec::new(), timeout_secs }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sets [`Command::timeout_secs`].
    pub fn with_timeout_secs(mut self, secs: u64) -> Self {
        self.timeout_secs = secs;
        self
    }

    fn default_timeout_secs() -> u64 {
        60
    }
}

/// Where a new subscription starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// With the first event after it was made.
    #[default]
    Now,
    /// With the first event of the journal.
    Start,
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match value.as_str() {
            Some("now") => Ok(Self::Now),
            Some("start") => Ok(Self::Start),
            _ => Err(serde::de::Error::custom(format!("`from` is `now` or `start`, not {value}"))),
        }
    }
}

impl Subscription {
    /// Of the events that one of `events` matches, from now on.
    ///
    /// # Errors
    /// `Invalid` for a pattern that no event matches.
    pub fn new<P: AsRef<str>>(events: impl IntoIterator<Item = P>, to: Target) -> Result<Self> {
        let events = events.into_iter().map(EventPattern::new).collect::<Result<_>>()?;
        Ok(Self { events, models: Vec::new(), to, from: Start::Now })
    }

    /// Only events about this model too; the first call narrows, further ones widen again.
    pub fn about(mut self, model: ModelName) -> Self {
        self.models.push(model);
        self
    }

    /// From the journal's first event.
    pub fn from_start(mut self) -> Self {
        self.from = Start::Start;
        self
    }

    /// Checks everything that can be known before a delivery.
    ///
    /// # Errors
    /// `Invalid`: no patterns; a URL that [`Webhook`] does not allow; no name of a secret; a
    /// program that is not an absolute path; a timeout of nothing or of more than a day.
    pub fn check(&self) -> Result<()> {
        let invalid = |message: &'static str| Error::invalid("feed.subscription", message);
        if self.events.is_empty() {
            return Err(invalid("no events are asked for").with_hint("`*` stands for all of them"));
        }
        if self.events.len().max(self.models.len()) > MAX_ITEMS {
            return Err(invalid("too many patterns or models").with("at_most", MAX_ITEMS));
        }
        match &self.to {
            Target::Webhook(hook) => {
                if !is_variable(&hook.secret) {
                    // Without the text: it may be the secret itself.
                    return Err(invalid("`secret` is not the name of a secret").with_hint(
                        "the name of the variable that holds it, such as HOOK_SECRET; the secret \
                         itself is never stored",
                    ));
                }
                address::check_url(&hook.url, hook.permit_private).map(drop)
            }
            Target::Command(command) => {
                let texts = || command.args.iter().chain([&command.program]);
                if !Path::new(&command.program).is_absolute() {
                    return Err(invalid("a command's program is an absolute path")
                        .with("program", command.program.escape_debug())
                        .with_hint("what `PATH` finds depends on who runs the feed"));
                }
                if texts().any(|text| text.contains('\0')) || command.args.len() > MAX_ITEMS {
                    return Err(invalid("too many arguments, or one with a zero byte"));
                }
                if !(1..=MAX_COMMAND_SECS).contains(&command.timeout_secs) {
                    return Err(invalid("a command is given between a second and a day")
                        .with("timeout_secs", command.timeout_secs));
                }
                Ok(())
            }
            Target::Callback => Ok(()),
        }
    }

    /// Whether an event is meant.
    ///
    /// Never the documents in which the feed notes what it could not deliver: two subscribers that
    /// are both away would report each other's failures for ever.
    pub fn wants(&self, event: &Event) -> bool {
        self.events.iter().any(|pattern| pattern.matches(&event.operation))
            && (self.models.is_empty() || self.models.iter().any(|model| is_about(event, model)))
            && !super::dead_letter::is_about(event)
    }
}

/// Whether a text has the shape of a variable's name.
fn is_variable(text: &str) -> bool {
    text.len() <= MAX_SUBSCRIPTION_BYTES
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether an event's node is a model, or a version or stage of it.
fn is_about(event: &Event, model: &ModelName) -> bool {
    let id = event.node.id.as_str();
    match event.node.kind {
        NodeKind::Model => id == model.as_str(),
        // Names of models hold no slash.
        NodeKind::ModelVersion | NodeKind::Stage => {
            id.split_once('/').is_some_and(|(name, _)| name == model.as_str())
        }
        _ => false,
    }
}

/// A subscription as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscribed {
    /// Its name.
    pub name: Key,
    /// The version of its document.
    pub version: u64,
    /// What it says.
    pub subscription: Subscription,
    /// The number of the event after which it began: the last one of the journal when it was made,
    /// or 0. Kept in the document, beside what the subscription says.
    pub after: u64,
}

impl Subscribed {
    /// Reads a document; what is stored is checked again, since anybody may store a document.
    pub(super) fn read(document: &Document) -> Result<Self> {
        let none = |cause: String| {
            Error::invalid("feed.subscription", "the document is no subscription")
                .with("name", &document.name)
                .with("cause", cause)
        };
        let mut body = document.body.clone().unwrap_or_default();
        let after = match body.as_object_mut().and_then(|body| body.remove(AFTER)) {
            None => 0,
            Some(after) => after.as_u64().ok_or_else(|| none("`after` is no number".to_owned()))?,
        };
        let subscription: Subscription =
            serde_json::from_value(body).map_err(|e| none(e.to_string()))?;
        check_name(&document.name)?;
        subscription.check()?;
        let name = document.name.clone();
        Ok(Self { name, version: document.version, subscription, after })
    }

    /// The document that says this.
    pub(super) fn body(subscription: &Subscription, after: u64) -> Result<Value> {
        let mut body = serde_json::to_value(subscription).map_err(|e| {
            Error::invalid("feed.subscribe", "the subscription cannot be written").with_source(e)
        })?;
        body[AFTER] = after.into();
        Ok(body)
    }
}

/// Leaves room for what is written behind the name.
pub(super) fn check_name(name: &Key) -> Result<()> {
    if name.len() <= MAX_SUBSCRIPTION_BYTES {
        return Ok(());
    }
    Err(Error::invalid("feed.subscription", "the name is too long")
        .with("bytes", name.len())
        .with("at_most", MAX_SUBSCRIPTION_BYTES))
}

#[cfg(test)]
mod tests;
