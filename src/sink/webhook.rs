//! A webhook: each event a POST.
//!
//! The body is the event as a [`CloudEvent`], or what a template makes of one; it may be signed. Where it is
//! sent, what it is signed with and what its headers say may all be secrets: nothing here shows them.

mod answer;
mod open;
mod signature;
mod template;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Url};

pub use answer::Answer;
pub use open::{WebhookError, WebhookErrors};

use super::cloudevent::CloudEvent;
use super::delivery::{Deliver, Refusal, RefusalReason};
use crate::clock::Clock;
use crate::config;
use crate::config::On;
use crate::model::Entry;
use signature::Signer;
use template::Template;

/// A webhook that is ready to send.
pub struct Webhook {
    name: Arc<str>,
    on: On,
    url: Url,
    /// All that are the same for each event.
    headers: HeaderMap,
    signer: Option<Signer>,
    /// `None` for the [`CloudEvent`] as it is.
    template: Option<Template>,
    timeout: Duration,
    client: Client,
    clock: Clock,
}

impl Webhook {
    /// Makes one webhook ready: reads its files, and tries its template.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn open(config: &config::Webhook, clock: Clock) -> Result<Self, WebhookErrors> {
        let mut opened = Self::open_all(std::slice::from_ref(config), clock)?;
        Ok(opened.pop().expect("one was asked for"))
    }

    /// Makes webhooks ready, which share their connections.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn open_all(configs: &[config::Webhook], clock: Clock) -> Result<Vec<Self>, WebhookErrors> {
        open::open_all(configs, clock)
    }

    /// Whether another sends the same to the same place in the same way, secrets included.
    pub fn is_same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.on == other.on
            && self.url == other.url
            && self.headers == other.headers
            && self.signer == other.signer
            && self.template == other.template
            && self.timeout == other.timeout
    }

    /// What logs and metrics call it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Which events it wants.
    pub fn on(&self) -> &On {
        &self.on
    }

    /// Sends an event, wanted or not, and waits for the answer, whatever it is.
    ///
    /// # Errors
    /// If there is no body to send, or no answer.
    pub async fn send(&self, entry: &Entry) -> Result<Answer, Refusal> {
        let event = CloudEvent::from(entry);
        let body = match &self.template {
            Some(template) => template.render(&event).map_err(|wrong| Refusal {
                reason: RefusalReason::Template,
                detail: format!("its template: {wrong}"),
                retry_after: None,
            })?,
            None => serde_json::to_string(&event).expect("its keys are texts, and it has no number but one"),
        };
        let mut headers = self.headers.clone();
        if let Some(signer) = &self.signer {
            headers.extend(signer.headers(&event.id, self.clock.now(), &body));
        }
        let request = self.client.post(self.url.clone()).headers(headers).timeout(self.timeout).body(body);
        Answer::read(request.send().await, self.clock.now()).await
    }
}

/// Shared, so that what is at work can be compared with what a reload would put in its place.
impl Deliver for Arc<Webhook> {
    async fn deliver(&mut self, entry: &Entry) -> Result<(), Refusal> {
        self.send(entry).await?.taken()
    }
}

impl fmt::Debug for Webhook {
    /// Its URL and its headers may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("name", &self.name).field("on", &self.on).finish_non_exhaustive()
    }
}

/// The type of the body, unless the configuration says otherwise.
fn content_type(is_template: bool) -> (hyper::header::HeaderName, HeaderValue) {
    let text = if is_template { "application/json" } else { CloudEvent::CONTENT_TYPE };
    (CONTENT_TYPE, HeaderValue::from_static(text))
}

#[cfg(test)]
mod tests;
