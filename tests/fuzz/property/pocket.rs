//! An AWS that has its answers in its pocket.
//!
//! In an input, a reply has a first line with the call that it answers and the HTTP status, or what became
//! of the connection; header lines follow, then a blank line and the body.

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use regwatch::aws::Overrides;
use tokio::runtime::{Builder, Runtime};

/// What comes of a call.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Whole {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// The connection ends within the body.
    Cut {
        status: u16,
    },
    Timeout,
    Unreachable,
}

impl Reply {
    /// Takes an input apart: the name of a call, and the reply to it.
    pub(super) fn read(input: &[u8]) -> Option<(&str, Self)> {
        let mut rest = input;
        let (call, outcome) = line(&mut rest)?.split_once(' ')?;
        let status = |text: &str| text.parse().ok().filter(|status| (200..=599).contains(status));
        let reply = match (outcome, outcome.strip_prefix("cut ")) {
            ("timeout", _) => Self::Timeout,
            ("unreachable", _) => Self::Unreachable,
            (_, Some(number)) => Self::Cut { status: status(number)? },
            (number, None) => {
                let status = status(number)?;
                let mut headers = Vec::new();
                while let Some((name, value)) = line(&mut rest)?.split_once(": ") {
                    headers.push((name.to_owned(), value.to_owned()));
                }
                Self::Whole { status, headers, body: rest.to_vec() }
            }
        };
        Some((call, reply))
    }

    /// STS tells who calls.
    pub(super) fn caller_identity(account: &str) -> Self {
        let body = format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>{account}</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>"
        );
        Self::Whole { status: 200, headers: Vec::new(), body: body.into_bytes() }
    }

    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Whole { status, .. } | Self::Cut { status } => Some(*status),
            Self::Timeout | Self::Unreachable => None,
        }
    }

    pub(super) fn body(&self) -> &[u8] {
        match self {
            Self::Whole { body, .. } => body,
            _ => &[],
        }
    }

    fn send(&self) -> Result<HttpResponse, ConnectorError> {
        let response =
            |status: u16, body| HttpResponse::new(status.try_into().expect("it was looked at"), body);
        match self {
            Self::Whole { status, headers, body } => {
                let mut response = response(*status, SdkBody::from(body.clone()));
                for (name, value) in headers {
                    // One that HTTP does not allow cannot come.
                    let _ = response.headers_mut().try_append(name.clone(), value.clone());
                }
                Ok(response)
            }
            Self::Cut { status } => Ok(response(*status, SdkBody::taken())),
            Self::Timeout => Err(ConnectorError::timeout("no answer".into())),
            Self::Unreachable => Err(ConnectorError::io("no way".into())),
        }
    }
}

/// Takes the next line.
fn line<'i>(rest: &mut &'i [u8]) -> Option<&'i str> {
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let line = parts.next()?;
    *rest = parts.next().unwrap_or_default();
    std::str::from_utf8(line).ok()
}

/// Whether a request asks STS who calls.
pub(super) fn is_of_caller(request: &HttpRequest) -> bool {
    let body = request.body().bytes().unwrap_or_default();
    body.windows(17).any(|part| part == b"GetCallerIdentity")
}

/// A runtime in which nothing waits for anything but timers, and those for nothing.
pub(super) fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

type Answer = dyn FnMut(&HttpRequest) -> Reply + Send;

/// Who answers the requests of clients.
#[derive(Clone)]
pub(super) struct Pocket(Arc<Mutex<Box<Answer>>>);

impl Default for Pocket {
    /// Nobody is there.
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Box::new(|_| Reply::Unreachable))))
    }
}

impl Pocket {
    /// Answers in this way from now on.
    pub(super) fn fill(&self, answer: impl FnMut(&HttpRequest) -> Reply + Send + 'static) {
        *self.0.lock().expect("nobody panicked with it") = Box::new(answer);
    }

    /// What makes clients ask it.
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            http_client: Some(SharedHttpClient::new(self.clone())),
            ..Overrides::simulated("http://aws.invalid".to_owned(), "AKIDEXAMPLE", "secret")
        }
    }
}

impl fmt::Debug for Pocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pocket")
    }
}

impl HttpConnector for Pocket {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut answer = self.0.lock().expect("nobody panicked with it");
        HttpConnectorFuture::ready(answer(&request).send())
    }
}

impl HttpClient for Pocket {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
