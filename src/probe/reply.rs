//! Reading replies strictly: the SDK invents a value for each required member that AWS left out.

use aws_smithy_types::DateTime;
use jiff::Timestamp;

use crate::model::{Failure, FailureReason};

/// What the SDK puts in the place of a required enum that AWS left out.
const INVENTED: &str = "no value was set";

/// The text of a required enum value.
///
/// # Errors
/// `malformed_reply` for a value that AWS did not send.
pub(super) fn enum_text<'a>(member: &str, text: &'a str) -> Result<&'a str, Failure> {
    if text.is_empty() || text == INVENTED {
        return Err(malformed(&format!("the reply has no {member}")));
    }
    Ok(text)
}

/// A required time: the SDK's invention for one is the epoch.
///
/// # Errors
/// `malformed_reply` for a time that AWS did not send or that no calendar has.
pub(super) fn time(member: &str, time: &DateTime) -> Result<Timestamp, Failure> {
    let nanos = i32::try_from(time.subsec_nanos());
    let read = nanos.ok().and_then(|nanos| Timestamp::new(time.secs(), nanos).ok());
    match read {
        Some(read) if read > Timestamp::UNIX_EPOCH => Ok(read),
        _ => Err(malformed(&format!("the reply has no sensible {member}"))),
    }
}

/// A reply that the API does not promise.
pub(super) fn malformed(message: &str) -> Failure {
    Failure::new(FailureReason::MalformedReply, message)
}

/// An optional text; an empty one says nothing.
pub(super) fn text(text: &str) -> Option<Box<str>> {
    (!text.is_empty()).then(|| text.into())
}
