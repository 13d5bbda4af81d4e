//! Delivery to a webhook: headers, signature, and what the answer means.
//!
//! 2xx is delivered. Everything else is tried again, also what is said to be the sender's fault
//! (404 while a server is being set up is common), until the event is parked. A redirect is an
//! answer like any other: followed, it would lead a signed message, or this machine's requests,
//! where nobody looked.

#[cfg(not(feature = "webhooks"))]
pub(super) use self::absent::Sender;
#[cfg(feature = "webhooks")]
pub(super) use self::present::Sender;

#[cfg(feature = "webhooks")]
mod present {
    use std::sync::Arc;

    use mlops_core::time::Clock;
    use mlops_core::{Error, Secret};

    use crate::feed::attempt::Failure;
    use crate::feed::http::{Answer, Client};
    use crate::feed::message::Message;
    use crate::feed::options::FeedOptions;
    use crate::feed::subscription::Webhook;
    use crate::feed::{address, sign};

    /// Signs and sends; clones share the TLS configuration.
    #[derive(Clone)]
    pub(in crate::feed) struct Sender {
        pub(in crate::feed) client: Arc<Client>,
        clock: Arc<dyn Clock>,
    }

    impl Sender {
        pub(in crate::feed) fn new(options: &FeedOptions, clock: Arc<dyn Clock>) -> Self {
            let client = Client::new(options, Arc::clone(&clock));
            Self { client: Arc::new(client), clock }
        }

        pub(in crate::feed) fn send(
            &self,
            hook: &Webhook,
            secret: &Secret<String>,
            message: &Message,
        ) -> Result<(), Failure> {
            let url =
                address::check_url(&hook.url, hook.permit_private).map_err(Failure::Blocked)?;
            let body = message.body.as_bytes();
            let timestamp = self.clock.now().timestamp().to_string();
            let signature = sign::signature(secret, &timestamp, body);
            let headers = [
                ("content-type", "application/json"),
                (sign::EVENT_HEADER, &message.operation),
                (sign::DELIVERY_HEADER, &message.sequence.to_string()),
                (sign::TIMESTAMP_HEADER, &timestamp),
                (sign::SIGNATURE_HEADER, &signature),
            ];
            let Answer { status, retry_after } =
                self.client.post(&url, hook.permit_private, &headers, body)?;
            let refused = |message: &'static str| {
                Error::unavailable("feed.webhook", message)
                    .with("status", status)
                    .with("host", url.host_str().unwrap_or_default())
            };
            let error = match status {
                200..=299 => return Ok(()),
                300..=399 => refused("the receiver answered with a redirect")
                    .with_hint("redirects are not followed; subscribe with the final URL"),
                408 | 429 | 500..=599 => refused("the receiver cannot take it now"),
                _ => refused("the receiver refused it"),
            };
            Err(Failure::Refused { error, after: retry_after })
        }
    }
}

#[cfg(not(feature = "webhooks"))]
mod absent {
    use std::sync::Arc;

    use mlops_core::time::Clock;
    use mlops_core::{Error, ErrorKind, Secret};

    use crate::feed::attempt::Failure;
    use crate::feed::message::Message;
    use crate::feed::options::FeedOptions;
    use crate::feed::subscription::Webhook;

    /// Says that it cannot.
    #[derive(Clone)]
    pub(in crate::feed) struct Sender;

    impl Sender {
        pub(in crate::feed) fn new(_: &FeedOptions, _: Arc<dyn Clock>) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "the same signature as with the feature")]
        pub(in crate::feed) fn send(
            &self,
            _: &Webhook,
            _: &Secret<String>,
            _: &Message,
        ) -> Result<(), Failure> {
            let message = "this program was built without webhooks";
            let error = Error::new(ErrorKind::Unsupported, "feed.webhook", message);
            Err(Failure::Blocked(error.with_hint("turn on the cargo feature `webhooks`")))
        }
    }
}
