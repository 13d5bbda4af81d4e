//! One attempt to deliver one event, and what its failure means.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use mlops_core::journal::Event;
use mlops_core::{Error, ErrorKind, Result, Secret};

use super::message::Message;
use super::options::FeedOptions;
use super::subscription::{Command, Target, Webhook};
use super::{Callback, command};

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The subscriber did not take it; it may another time.
    Refused {
        /// What it said.
        error: Error,
        /// How long it asked to be left alone.
        after: Option<Duration>,
    },
    /// It was not even tried: somebody has to correct something. Never counts as an attempt, so
    /// that a secret that is missing for a day loses no event.
    Blocked(Error),
}

impl Failure {
    pub(super) fn refused(error: Error) -> Self {
        Self::Refused { error, after: None }
    }
}

/// Everything that an attempt needs; owned, so that it can go to a thread where it may block.
pub(super) enum Attempt {
    Webhook { hook: Webhook, secret: Secret<String>, sender: super::Sender, message: Message },
    Command { command: Command, options: Arc<FeedOptions>, message: Message },
    Callback { callback: Callback, event: Event },
}

impl Attempt {
    /// Gathers what the attempt needs.
    ///
    /// # Errors
    /// [`Failure::Blocked`] if the secret is unknown. `Ok(None)` for a callback that this program
    /// does not have.
    pub(super) fn prepare(
        feed: &super::Parts,
        name: &mlops_core::Key,
        target: &Target,
        store: &str,
        event: Event,
    ) -> Result<Option<Self>, Failure> {
        let options = &feed.options;
        let message = || Message::new(store, &event);
        Ok(Some(match target {
            Target::Webhook(hook) => {
                let secret = (feed.secrets)(&hook.secret).filter(|s| !s.expose().is_empty());
                let Some(secret) = secret else {
                    return Err(Failure::Blocked(
                        Error::new(
                            ErrorKind::NotFound,
                            "feed.webhook",
                            "the secret is not known here",
                        )
                        .with("secret", &hook.secret)
                        .with_hint("the program that runs the feed looks secrets up by name"),
                    ));
                };
                let sender = feed.sender.clone();
                Self::Webhook { hook: hook.clone(), secret, sender, message: message() }
            }
            Target::Command(command) => Self::Command {
                command: command.clone(),
                options: Arc::clone(options),
                message: message(),
            },
            Target::Callback => match feed.callback(name) {
                Some(callback) => Self::Callback { callback, event },
                None => return Ok(None),
            },
        }))
    }

    /// Carries it out; blocks.
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Webhook { hook, secret, sender, message } => {
                sender.send(&hook, &secret, &message)
            }
            Self::Command { command, options, message } => {
                command::run(&command, &options.command_env, &message).map_err(Failure::refused)
            }
            Self::Callback { callback, event } => {
                // A callback's bug is that subscription's trouble, and must not end the feed's
                // thread.
                let called = catch_unwind(AssertUnwindSafe(|| callback(&event)));
                called
                    .unwrap_or_else(|_| {
                        Err(Error::new(
                            ErrorKind::Internal,
                            "feed.callback",
                            "the callback panicked",
                        ))
                    })
                    .map_err(Failure::refused)
            }
        }
    }
}
