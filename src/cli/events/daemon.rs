//! The running daemon, as its API shows it.

use std::error::Error;
use std::{io, iter};

use anyhow::Context;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;

use super::wanted::Wanted;

/// A daemon that may run.
#[derive(Debug)]
pub(super) struct Daemon {
    client: Client,
    url: Url,
}

/// A page of events, each a CloudEvent.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    /// The events, the oldest first.
    pub(super) items: Vec<Value>,
    /// Where the next page begins; `None` on the last.
    pub(super) next: Option<u64>,
}

/// The daemon did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub(super) enum DaemonError {
    /// Nobody is there.
    #[error("nothing listens at {url}; start the daemon, or say with --url where it serves HTTP")]
    Refused { url: String },
    /// It could not be reached, or did not finish.
    #[error("cannot read from {url}: {reason}")]
    Unreachable { url: String, reason: String },
    /// It will answer later, perhaps.
    #[error("{url} answered {status}: {detail}")]
    Unavailable { url: String, status: StatusCode, detail: String },
    /// It will not answer.
    #[error("{url} answered {status}: {detail}")]
    Denied { url: String, status: StatusCode, detail: String },
}

impl DaemonError {
    /// Whether trying again may help.
    pub(super) const fn is_passing(&self) -> bool {
        !matches!(self, Self::Denied { .. })
    }
}

impl Daemon {
    /// The one that serves HTTP there.
    pub(super) fn at(url: &Url) -> anyhow::Result<Self> {
        let client = Client::builder().user_agent(concat!("regwatch/", env!("CARGO_PKG_VERSION")));
        Ok(Self { client: client.build().context("no HTTP client")?, url: url.clone() })
    }

    /// Where it is, without what may be secret.
    pub(super) fn url(&self) -> String {
        let mut url = self.url.clone();
        // Both fail only for URLs that cannot have any.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.to_string().trim_end_matches('/').to_owned()
    }

    /// Events after a sequence number, the oldest first.
    pub(super) async fn page(&self, wanted: &Wanted, after: u64, limit: u64) -> Result<Page, DaemonError> {
        let mut parameters = wanted.parameters();
        parameters.extend([("after", after.to_string()), ("limit", limit.to_string())]);
        let answer = self.get("events", parameters, None).await?;
        let text = answer.text().await.map_err(|error| self.unreachable(error))?;
        serde_json::from_str(&text).map_err(|error| DaemonError::Unreachable {
            url: self.url(),
            reason: format!("its answer is no page of events: {error}"),
        })
    }

    /// Events as they happen: after the last that was received; where none was, from now on, or from
    /// the beginning if they are wanted since some time.
    pub(super) async fn stream(&self, wanted: &Wanted, last: Option<u64>) -> Result<Response, DaemonError> {
        let mut parameters = wanted.parameters();
        if wanted.since.is_some() {
            parameters.push(("after", "0".to_owned()));
        }
        self.get("events/stream", parameters, last).await
    }

    /// What went wrong with an answer under way.
    pub(super) fn unreachable(&self, error: reqwest::Error) -> DaemonError {
        let url = self.url();
        // The URL may hold a password; the innermost cause is the one that tells.
        let error = error.without_url();
        let causes = iter::successors(Some(&error as &(dyn Error + 'static)), |&cause| cause.source());
        let io = causes.clone().filter_map(|cause| cause.downcast_ref::<io::Error>());
        if io.into_iter().any(|cause| cause.kind() == io::ErrorKind::ConnectionRefused) {
            return DaemonError::Refused { url };
        }
        let reason = causes.last().map(ToString::to_string).unwrap_or_default();
        DaemonError::Unreachable { url, reason }
    }

    async fn get(
        &self,
        resource: &str,
        parameters: Vec<(&'static str, String)>,
        last_event_id: Option<u64>,
    ) -> Result<Response, DaemonError> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/api/v1/{resource}", self.url.path().trim_end_matches('/')));
        url.query_pairs_mut().clear().extend_pairs(parameters);
        let mut request = self.client.get(url);
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        let answer = request.send().await.map_err(|error| self.unreachable(error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let detail = detail(answer).await;
        let is_passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        Err(match is_passing {
            true => DaemonError::Unavailable { url: self.url(), status, detail },
            false => DaemonError::Denied { url: self.url(), status, detail },
        })
    }
}

/// What an answer says of why it is none.
async fn detail(answer: Response) -> String {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }
    let is_problem =
        answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
    let text = answer.text().await.unwrap_or_default();
    match serde_json::from_str::<Problem>(&text) {
        Ok(problem) if is_problem => problem.detail,
        _ => "is it a regwatch, and of this version?".to_owned(),
    }
}
