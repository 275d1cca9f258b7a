//! What an error of the SDK means: one of the closed set of reasons.

use std::error::Error;
use std::time::Duration;

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::model::{Failure, FailureReason};

/// The longest message kept, in bytes; AWS's own are shorter, a proxy's page is not.
const MESSAGE_LIMIT: usize = 300;

/// What a failed call means. Where AWS asked for a wait, by header or by the modelled member that
/// `modelled_wait` reads, the failure says how long.
pub fn classify<E>(
    error: &SdkError<E, HttpResponse>,
    modelled_wait: impl FnOnce(&E) -> Option<Duration>,
) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let (error, response) = (service.err(), service.raw());
            let status = response.status().as_u16();
            // A code of no letters tells nothing.
            let code = error.code().map(first_line).filter(|code| !code.is_empty());
            let message = match (code, error.message()) {
                (Some(code), Some(message)) => format!("{code}: {}", first_line(message)),
                (Some(code), None) => code.to_owned(),
                (None, _) => format!("HTTP status {status} without an AWS error code"),
            };
            let reason = code.map_or_else(|| by_status(status), |code| by_code(code, status));
            let retry_after = modelled_wait(error).max(wait_header(response));
            Failure { retry_after, ..failure(reason, &message) }
        }
        SdkError::ResponseError(response) => {
            let status = response.raw().status().as_u16();
            let message = format!("HTTP status {status}: {}", causes(error));
            let retry_after = wait_header(response.raw());
            Failure { retry_after, ..failure(by_status(status), &message) }
        }
        SdkError::DispatchFailure(dispatch) => {
            let reason = dispatch.as_connector_error().map_or(FailureReason::Other, by_connection);
            failure(reason, &causes(error))
        }
        SdkError::TimeoutError(_) => failure(FailureReason::Timeout, "no complete answer in time"),
        _ => failure(FailureReason::InvalidRequest, &causes(error)),
    }
}

/// AWS's error code of a failed call, where there is one.
pub fn code_of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// A `retryAfterSeconds` member as a duration; the SDK says 0 where AWS sent none.
pub fn seconds(value: i32) -> Option<Duration> {
    u64::try_from(value).ok().filter(|&seconds| seconds > 0).map(Duration::from_secs)
}

fn failure(reason: FailureReason, message: &str) -> Failure {
    let end = message.floor_char_boundary(MESSAGE_LIMIT);
    Failure::new(reason, &message[..end])
}

fn by_code(code: &str, status: u16) -> FailureReason {
    if THROTTLING_ERRORS.contains(&code) {
        return FailureReason::Throttled;
    }
    match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => FailureReason::AccessDenied,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "InvalidToken"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => FailureReason::Credentials,
        "InternalFailure" | "InternalServerError" | "InternalServerException" | "ServiceUnavailable" => {
            FailureReason::ServerError
        }
        "RequestTimeout" | "RequestTimeoutException" => FailureReason::Timeout,
        "ResourceUnavailableException" => FailureReason::Unavailable,
        _ => match by_status(status) {
            FailureReason::MalformedReply => FailureReason::InvalidRequest,
            by_status => by_status,
        },
    }
}

/// What an answer without an AWS error code means. A 4xx of no other meaning did not come from the API:
/// a proxy's page, or a service that does not have the operation.
fn by_status(status: u16) -> FailureReason {
    match status {
        401 => FailureReason::Credentials,
        403 => FailureReason::AccessDenied,
        408 => FailureReason::Timeout,
        424 => FailureReason::Unavailable,
        429 => FailureReason::Throttled,
        500.. => FailureReason::ServerError,
        _ => FailureReason::MalformedReply,
    }
}

fn by_connection(error: &ConnectorError) -> FailureReason {
    if error.is_timeout() {
        FailureReason::Timeout
    } else if error.is_user() {
        FailureReason::InvalidRequest
    } else {
        FailureReason::Unreachable
    }
}

/// `x-amz-retry-after` (milliseconds) or `retry-after` (seconds), whichever is longer.
fn wait_header(response: &HttpResponse) -> Option<Duration> {
    let number = |name| response.headers().get(name).and_then(|value| value.parse().ok());
    number("x-amz-retry-after").map(Duration::from_millis).max(number("retry-after").map(Duration::from_secs))
}

/// The first line alone: after it, a refused signature comes with the signed headers, and so with the
/// session token.
fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

/// An error and what caused it, on one line.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut texts = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        texts.push(first_line(&error.to_string()).to_owned());
        next = error.source();
    }
    texts.dedup();
    texts.join(": ")
}
