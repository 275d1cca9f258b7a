//! What a receiver answers, and whether that means that it took the event.

use std::error::Error;
use std::iter::successors;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderMap, RETRY_AFTER};
use jiff::Timestamp;

use super::super::delivery::{Refusal, RefusalReason};

/// How much of an answer's body is read: enough for a person to see what is wrong.
const TEXT: usize = 8 * 1024;

/// The longest that a receiver may ask to be left alone. Its clock may be wrong, or its mind.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// What a receiver has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The beginning of the body, as a text. It may repeat what was sent, secrets included.
    pub text: String,
    retry_after: Option<Duration>,
}

impl Answer {
    /// Reads what came of a request, at this time.
    pub(super) async fn read(
        response: Result<reqwest::Response, reqwest::Error>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let mut response = response.map_err(no_answer)?;
        let (status, mut text) = (response.status(), Vec::new());
        let retry_after = retry_after(response.headers(), now);
        // The status has said everything: a body that breaks off changes nothing.
        while let Ok(Some(chunk)) = response.chunk().await {
            text.extend_from_slice(&chunk[..chunk.len().min(TEXT - text.len())]);
            if text.len() == TEXT {
                break;
            }
        }
        Ok(Self { status, text: String::from_utf8_lossy(&text).into_owned(), retry_after })
    }

    /// Whether it means that the event was taken.
    ///
    /// # Errors
    /// Why not.
    pub fn taken(&self) -> Result<(), Refusal> {
        let reason = match self.status.as_u16() {
            200..=299 => return Ok(()),
            300..=399 => RefusalReason::Redirected,
            408 => RefusalReason::Timeout,
            429 => RefusalReason::Throttled,
            400..=499 => RefusalReason::Refused,
            _ => RefusalReason::ServerError,
        };
        let may_ask = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&self.status);
        let retry_after = self.retry_after.filter(|_| may_ask);
        let hint = if reason == RefusalReason::Redirected { ", which is not followed" } else { "" };
        Err(Refusal { reason, detail: format!("HTTP {}{hint}", self.status), retry_after })
    }
}

/// Seconds, or a date.
///
/// Source: RFC 9110, section 10.2.3.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse().map(Duration::from_secs) {
        Ok(wait) => wait,
        Err(_) => {
            let date = Timestamp::try_from(httpdate::parse_http_date(text).ok()?).ok()?;
            Duration::try_from(date.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

/// Why there is no answer: what the layers below say, without the URL.
fn no_answer(error: reqwest::Error) -> Refusal {
    let reason = if error.is_timeout() { RefusalReason::Timeout } else { RefusalReason::Unreachable };
    let error = error.without_url();
    let below = successors(error.source(), |&error| error.source());
    let detail = match reason {
        RefusalReason::Timeout => "no answer in time".to_owned(),
        _ => below.last().map_or_else(|| error.to_string(), |cause| format!("no answer: {cause}")),
    };
    Refusal { reason, detail, retry_after: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T12:00:00Z";

    fn answer(status: u16, retry_after: Option<&str>) -> Result<(), Refusal> {
        let headers: HeaderMap =
            retry_after.into_iter().map(|text| (RETRY_AFTER, text.parse().unwrap())).collect();
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            text: String::new(),
            retry_after: super::retry_after(&headers, NOW.parse().unwrap()),
        }
        .taken()
    }

    #[test]
    fn each_status_has_its_meaning() {
        use RefusalReason::{Redirected, Refused, ServerError, Throttled, Timeout};
        assert_eq!([200, 201, 202, 204, 299].map(|status| answer(status, None)), [const { Ok(()) }; 5]);
        let reasons = [
            (301, Redirected),
            (304, Redirected),
            (400, Refused),
            (404, Refused),
            (408, Timeout),
            (410, Refused),
            (429, Throttled),
            (500, ServerError),
            (503, ServerError),
            (599, ServerError),
            (700, ServerError),
        ];
        for (status, reason) in reasons {
            assert_eq!(answer(status, None).unwrap_err().reason, reason, "{status}");
        }
    }

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_until_a_date_and_has_an_end() {
        let wait = |status, text| answer(status, Some(text)).unwrap_err().retry_after;
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(wait(429, "120"), seconds(120));
        assert_eq!(wait(503, " 7 "), seconds(7));
        assert_eq!(wait(429, "Sat, 21 Nov 2026 12:00:30 GMT"), seconds(30));
        assert_eq!(wait(429, "Sat, 21 Nov 2026 11:00:00 GMT"), seconds(0));
        assert_eq!(wait(429, "Sun, 22 Nov 2026 12:00:00 GMT"), seconds(3600));
        assert_eq!(wait(429, "18446744073709551615"), seconds(3600));
        assert_eq!(wait(429, "soon"), None);
        assert_eq!(wait(429, "-1"), None);
        assert_eq!(wait(500, "120"), None, "it is of 429 and 503");
    }
}
