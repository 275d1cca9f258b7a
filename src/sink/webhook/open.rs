//! Making webhooks ready: their files are read, their templates tried, and everything that is wrong is
//! told at once, by the name of the webhook, the key and the path, and never by what a file holds.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url, redirect};

use super::signature::Signer;
use super::template::Template;
use super::{Webhook, content_type};
use crate::clock::Clock;
use crate::config::{self, Source, parse_webhook_url};

/// How long a connection is kept for the next event: shorter than receivers and the balancers before
/// them keep theirs, or an event now and then would be sent into one that has just been closed.
const KEEP_CONNECTION: Duration = Duration::from_secs(15);

/// Something is wrong with a webhook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("webhook `{webhook}`: {problem}")]
pub struct WebhookError {
    /// The name of the webhook.
    pub webhook: String,
    /// What is wrong, and what would be right. One line, free of secrets.
    pub problem: String,
}

/// Everything that is wrong with the webhooks of a configuration; its text has one line for each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct WebhookErrors(pub Vec<WebhookError>);

impl fmt::Display for WebhookErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(WebhookError::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

pub(super) fn open_all(configs: &[config::Webhook], clock: Clock) -> Result<Vec<Webhook>, WebhookErrors> {
    let mut problems = Problems::default();
    let client = client(&mut problems, configs);
    let opened: Vec<_> = configs
        .iter()
        .map(|config| {
            problems.webhook = config.name.to_string();
            open(config, client.as_ref(), clock, &mut problems)
        })
        .collect();
    match opened.into_iter().collect() {
        Some(opened) if problems.found.is_empty() => Ok(opened),
        _ => Err(WebhookErrors(problems.found)),
    }
}

/// What has been found so far.
#[derive(Default)]
struct Problems {
    /// The webhook at hand.
    webhook: String,
    found: Vec<WebhookError>,
}

impl Problems {
    /// What was asked for, or a note of why it is not there.
    fn keep<T>(&mut self, outcome: Result<T, String>) -> Option<T> {
        let note = |problem| self.found.push(WebhookError { webhook: self.webhook.clone(), problem });
        outcome.map_err(note).ok()
    }

    /// What is in a file.
    fn read(&mut self, path: &Path, key: &str) -> Option<String> {
        let text = std::fs::read_to_string(path);
        self.keep(text.map_err(|error| format!("`{key}` {} cannot be read: {error}", path.display())))
    }

    /// A text that is given or in a file, without the blanks around it; and what to call it.
    fn text(&mut self, source: &Source, key: &str, file_key: &str) -> Option<(String, String)> {
        match source {
            Source::Here(text) => Some((text.expose().to_owned(), format!("`{key}`"))),
            Source::File(path) => {
                let text = self.read(path, file_key)?;
                Some((text.trim().to_owned(), format!("`{file_key}` {}", path.display())))
            }
        }
    }
}

/// The one client of all webhooks. It honours the proxies that the environment names, and follows nothing.
fn client(problems: &mut Problems, configs: &[config::Webhook]) -> Option<Client> {
    let client = Client::builder()
        .user_agent(concat!("regwatch/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .pool_idle_timeout(KEEP_CONNECTION)
        .build();
    let problem = client.as_ref().err().map(|error| {
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        format!("HTTPS cannot be had: {cause}; install the system's CA certificates, or name some in SSL_CERT_FILE")
    });
    for (config, problem) in configs.iter().zip(problem.iter().cycle()) {
        problems.webhook = config.name.to_string();
        problems.keep::<()>(Err(problem.clone()));
    }
    client.ok()
}

fn open(
    config: &config::Webhook,
    client: Option<&Client>,
    clock: Clock,
    problems: &mut Problems,
) -> Option<Webhook> {
    let url = url(&config.url, problems);
    let signer = match &config.secret_file {
        Some(path) => signer(path, problems).map(Some),
        None => Some(None),
    };
    let headers = headers(config, problems);
    let template = match (&config.template, &headers) {
        (Some(template), Some(headers)) => self::template(template, headers, problems).map(Some),
        (Some(_), None) => None,
        (None, _) => Some(None),
    };
    Some(Webhook {
        name: config.name.clone(),
        on: config.on.clone(),
        url: url?,
        headers: headers?,
        signer: signer?,
        template: template?,
        timeout: config.timeout,
        client: client?.clone(),
        clock,
    })
}

fn url(source: &Source, problems: &mut Problems) -> Option<Url> {
    let (text, what) = problems.text(source, "url", "url_file")?;
    problems.keep(parse_webhook_url(&text).map_err(|wrong| format!("{what} {wrong}")))
}

fn signer(path: &Path, problems: &mut Problems) -> Option<Signer> {
    let text = problems.read(path, "secret_file")?;
    let signer = Signer::parse(&text);
    problems.keep(signer.map_err(|wrong| format!("`secret_file` {} {wrong}", path.display())))
}

fn headers(config: &config::Webhook, problems: &mut Problems) -> Option<HeaderMap> {
    let mut headers = HeaderMap::from_iter([content_type(config.template.is_some())]);
    let mut is_sound = true;
    for (name, source) in &config.headers {
        match header(name, source, problems) {
            Some(value) => drop(headers.insert(name, value)),
            None => is_sound = false,
        }
    }
    is_sound.then_some(headers)
}

fn header(name: &HeaderName, source: &Source, problems: &mut Problems) -> Option<HeaderValue> {
    let key = format!("headers.{name}");
    let (text, what) = problems.text(source, &key, &key)?;
    let value = HeaderValue::from_str(&text).ok().filter(|value| !value.is_empty());
    let mut value = problems
        .keep(value.ok_or_else(|| format!("{what} holds no value of a header; write one on one line")))?;
    value.set_sensitive(true);
    Some(value)
}

fn template(source: &Source, headers: &HeaderMap, problems: &mut Problems) -> Option<Template> {
    let (text, what) = match source {
        Source::Here(text) => (text.expose().to_owned(), "`template`".to_owned()),
        // As it is: lines are counted, and blanks may matter.
        Source::File(path) => {
            (problems.read(path, "template_file")?, format!("`template_file` {}", path.display()))
        }
    };
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_json = content_type.is_some_and(|text| text.contains("json"));
    problems.keep(Template::parse(text, is_json).map_err(|wrong| format!("{what}: {wrong}")))
}
