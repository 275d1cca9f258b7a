//! Answers and errors, in the form of each protocol.

use std::fmt;

use hyper::body::Bytes;
use serde_json::{Map, Value, json};

use super::Outcome;
use super::operation::Protocol;

/// The namespace that STS puts its XML into.
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// What goes back for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) request_id: String,
    /// The value of `x-amzn-ErrorType`.
    pub(super) error_type: Option<String>,
    /// The value of `Retry-After`, in seconds.
    pub(super) retry_after: Option<u32>,
    pub(super) body: Bytes,
}

/// What an operation answers when all is well.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// The members of a JSON object.
    Json(Value),
    /// What goes into the result element of an operation of STS.
    Xml {
        /// The operation's name.
        operation: &'static str,
        /// The result's members, as XML.
        members: String,
    },
}

impl Answer {
    /// The answer without any of its members.
    pub(super) fn emptied(self) -> Self {
        match self {
            Self::Json(_) => Self::Json(json!({})),
            Self::Xml { operation, .. } => Self::Xml { operation, members: String::new() },
        }
    }

    pub(super) fn into_reply(self, protocol: Protocol) -> Reply {
        let request_id = request_id();
        let body = match self {
            Self::Json(members) => members.to_string(),
            Self::Xml { operation, members } => format!(
                "<{operation}Response xmlns=\"{STS_NAMESPACE}\"><{operation}Result>{members}</{operation}Result>\
                 <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
            ),
        };
        Reply { body: body.into(), ..Reply::empty(200, protocol, request_id) }
    }
}

/// An error that AWS answers with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// Further members of the error's shape.
    pub(super) members: Map<String, Value>,
    /// The value of `Retry-After`, in seconds.
    pub(super) retry_after: Option<u32>,
    /// Whether AWS's front door says it, and not the service.
    pub(super) common: bool,
    /// What the record says of it.
    pub(super) outcome: Outcome,
}

impl Refusal {
    /// An error of the service itself.
    pub(super) fn new(outcome: Outcome, status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, code, message, members: Map::new(), retry_after: None, common: false, outcome }
    }

    /// The same, said by the front door that all services share.
    pub(super) fn common(self) -> Self {
        Self { common: true, ..self }
    }

    /// With one more member of its shape.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn into_reply(self, protocol: Protocol) -> Reply {
        let request_id = request_id();
        let mut error_type = None;
        let body = match protocol {
            Protocol::Query => format!(
                "<ErrorResponse xmlns=\"{STS_NAMESPACE}\"><Error><Type>{fault}</Type><Code>{code}</Code>\
                 <Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
                fault = if self.status < 500 { "Sender" } else { "Receiver" },
                code = self.code,
                message = Escaped(&self.message),
            ),
            Protocol::Json10 | Protocol::Json11 => {
                let mut members = self.members;
                // The front door names its own namespace; a client has to cut it off.
                let prefix = if self.common { "com.amazon.coral.service#" } else { "" };
                members.insert("__type".to_owned(), format!("{prefix}{}", self.code).into());
                // Organizations spells its own errors' member with a capital letter.
                let capital = protocol == Protocol::Json11 && !self.common;
                members.insert(if capital { "Message" } else { "message" }.to_owned(), self.message.into());
                if protocol == Protocol::Json10 {
                    error_type = Some(self.code.to_owned());
                }
                Value::Object(members).to_string()
            }
            Protocol::RestJson => {
                // The front door adds an address; a client has to cut it off.
                let suffix = ":http://internal.amazon.com/coral/com.amazon.coral.service/";
                error_type = Some(format!("{}{}", self.code, if self.common { suffix } else { "" }));
                let mut members = self.members;
                members.insert("message".to_owned(), self.message.into());
                Value::Object(members).to_string()
            }
        };
        let retry_after = self.retry_after;
        Reply {
            body: body.into(),
            error_type,
            retry_after,
            ..Reply::empty(self.status, protocol, request_id)
        }
    }
}

impl Reply {
    /// A page of HTML, as a proxy sends it.
    pub(super) fn html(status: u16) -> Self {
        let page =
            "<html><head><title>Sign in</title></head><body><h1>Sign in to continue</h1></body></html>";
        let empty = Self::empty(status, Protocol::RestJson, request_id());
        Self { content_type: "text/html; charset=utf-8", body: Bytes::from_static(page.as_bytes()), ..empty }
    }

    /// An error that has a message and no code.
    pub(super) fn uncoded(status: u16, protocol: Protocol) -> Self {
        let body = match protocol {
            Protocol::Query => "<ErrorResponse><Error><Message>No code</Message></Error></ErrorResponse>",
            Protocol::Json10 | Protocol::Json11 | Protocol::RestJson => r#"{"message":"No code"}"#,
        };
        Self { body: body.into(), ..Self::empty(status, protocol, request_id()) }
    }

    /// What AWS says to a request for nothing that it knows.
    pub(super) fn unknown_operation() -> Self {
        let empty = Self::empty(404, Protocol::Query, request_id());
        Self { body: Bytes::from_static(b"<UnknownOperationException/>\n"), ..empty }
    }

    fn empty(status: u16, protocol: Protocol, request_id: String) -> Self {
        let content_type = match protocol {
            Protocol::Json10 => "application/x-amz-json-1.0",
            Protocol::Json11 => "application/x-amz-json-1.1",
            Protocol::RestJson => "application/json",
            Protocol::Query => "text/xml",
        };
        Self { status, content_type, request_id, error_type: None, retry_after: None, body: Bytes::new() }
    }
}

/// A text as XML may hold it.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            other => write!(f, "{other}"),
        })
    }
}

/// A new request id, in the form of a random UUID (RFC 9562, version 4).
fn request_id() -> String {
    let random = fastrand::u128(..) & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{random:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(reply: &Reply) -> Value {
        serde_json::from_slice(&reply.body).unwrap()
    }

    #[test]
    fn each_protocol_names_an_error_in_its_own_place() {
        let refusal = Refusal::new(Outcome::Throttled, 400, "ThrottlingException", "Rate exceeded")
            .with("quotaCode", "L-1");
        let reply = refusal.clone().into_reply(Protocol::Json10);
        let expected =
            json!({"__type": "ThrottlingException", "message": "Rate exceeded", "quotaCode": "L-1"});
        assert_eq!((json(&reply), reply.error_type.as_deref()), (expected, Some("ThrottlingException")));

        let reply = refusal.clone().into_reply(Protocol::Json11);
        assert_eq!((&json(&reply)["Message"], &reply.error_type), (&json!("Rate exceeded"), &None));

        let reply = refusal.clone().into_reply(Protocol::RestJson);
        assert_eq!(json(&reply), json!({"message": "Rate exceeded", "quotaCode": "L-1"}));
        assert_eq!(reply.error_type.as_deref(), Some("ThrottlingException"));

        let reply =
            Refusal::new(Outcome::Denied, 403, "AccessDenied", "a < b & c").into_reply(Protocol::Query);
        let body = str::from_utf8(&reply.body).unwrap();
        assert!(body.contains("<Code>AccessDenied</Code><Message>a &lt; b &amp; c</Message>"), "{body}");
    }

    #[test]
    fn the_front_door_wraps_its_codes() {
        let refusal =
            Refusal::new(Outcome::Unauthenticated, 400, "UnrecognizedClientException", "who?").common();
        let typed = json(&refusal.clone().into_reply(Protocol::Json10))["__type"].clone();
        assert_eq!(typed, "com.amazon.coral.service#UnrecognizedClientException");
        let error_type = refusal.into_reply(Protocol::RestJson).error_type.unwrap();
        assert!(error_type.starts_with("UnrecognizedClientException:http://"), "{error_type}");
    }

    #[test]
    fn request_ids_are_random_uuids() {
        let id = request_id();
        let lengths: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
        assert_ne!(id, request_id());
    }
}
