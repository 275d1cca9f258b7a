//! Signature Version 4, from the side of the one who checks.
//!
//! A signature is right if signing the same request with the known secret gives the same. The signing
//! library is the one of AWS's SDK for Rust; botocore, which signs with code of its own, is the check
//! on both.

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use hyper::http::request::Parts;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::operation::text;
use super::principal::Key;

/// How far the clocks may differ, for every service but S3.
const ALLOWED_SKEW: SignedDuration = SignedDuration::from_mins(15);

/// The form of `x-amz-date`.
const DATE_FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// What an `Authorization` header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    date: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

/// Why a request is not who it says it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// There is no signature.
    Missing,
    /// The signature lacks a part, or one does not read.
    Incomplete,
    /// The access key is unknown, or its session token is not the one that came with it.
    UnknownKey,
    /// The session is over.
    Expired,
    /// The signature is of another time.
    Skewed {
        /// What the request says.
        signed: Timestamp,
        /// What the clock says.
        now: Timestamp,
    },
    /// The signature is for another service.
    OtherService,
    /// The signature is not the one that the secret makes.
    Mismatch,
}

impl<'a> Authorization<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// `Missing` or `Incomplete`.
    pub(super) fn of(parts: &'a Parts) -> Result<Self, Rejection> {
        let header = text(&parts.headers, "authorization");
        let fields = header.strip_prefix("AWS4-HMAC-SHA256 ").ok_or(Rejection::Missing)?;
        let field = |name: &str| {
            let named = |field: &'a str| field.trim().strip_prefix(name)?.strip_prefix('=');
            fields.split(',').find_map(named).ok_or(Rejection::Incomplete)
        };
        let mut scope = field("Credential")?.split('/');
        let mut next = || scope.next().ok_or(Rejection::Incomplete);
        let (access_key_id, date, region, service, end) = (next()?, next()?, next()?, next()?, next()?);
        let (signed_headers, signature) = (field("SignedHeaders")?, field("Signature")?);
        if end != "aws4_request" || scope.next().is_some() {
            return Err(Rejection::Incomplete);
        }
        Ok(Self { access_key_id, region, service, date, signed_headers, signature })
    }

    /// Whether the request is signed with this key, now, for this service.
    ///
    /// # Errors
    /// The first reason why not.
    pub(super) fn check(
        &self,
        parts: &Parts,
        body: &[u8],
        key: &Key,
        service: &str,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        if text(&parts.headers, "x-amz-security-token") != key.session.as_ref().map_or("", |it| &it.token) {
            return Err(Rejection::UnknownKey);
        }
        let date = text(&parts.headers, "x-amz-date");
        let signed = timestamp(date).ok_or(Rejection::Incomplete)?;
        if !date.starts_with(self.date) {
            return Err(Rejection::Mismatch);
        }
        if now.duration_since(signed).abs() > ALLOWED_SKEW {
            return Err(Rejection::Skewed { signed, now });
        }
        if self.service != service {
            return Err(Rejection::OtherService);
        }
        if self.recomputed(parts, body, key, signed.into()).ok_or(Rejection::Incomplete)? != self.signature {
            return Err(Rejection::Mismatch);
        }
        match &key.session {
            Some(session) if session.expires <= now => Err(Rejection::Expired),
            _ => Ok(()),
        }
    }

    /// The signature that the key makes of the headers that were signed; `None` if they cannot be signed.
    fn recomputed(&self, parts: &Parts, body: &[u8], key: &Key, time: SystemTime) -> Option<String> {
        let headers: Option<Vec<_>> = self
            .signed_headers
            .split(';')
            .map(|name| parts.headers.get(name)?.to_str().ok().map(|value| (name, value)))
            .collect();
        let mut settings = SigningSettings::default();
        // The client chose what to sign, and signed no header that it meant to leave out.
        settings.excluded_headers = None;
        let params = v4::SigningParams::builder()
            .identity(&key.identity)
            .region(self.region)
            .name(self.service)
            .time(time)
            .settings(settings)
            .build()
            .ok()?
            .into();
        // The host header is among those signed; the address only has to read as one.
        // A client behind a proxy sends the whole URL; what is signed is the host and what follows it.
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = format!("http://{}{path}", text(&parts.headers, "host"));
        let body = SignableBody::Bytes(body);
        let request = SignableRequest::new(parts.method.as_str(), uri, headers?.into_iter(), body).ok()?;
        Some(sign(request, &params).ok()?.into_parts().1)
    }
}

fn timestamp(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime(DATE_FORMAT, text).ok()?;
    time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// A time as `x-amz-date` has it.
pub(super) fn amz_date(time: Timestamp) -> String {
    time.strftime(DATE_FORMAT).to_string()
}

impl Rejection {
    /// AWS's words.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Missing => "Missing Authentication Token".to_owned(),
            Self::Incomplete => {
                "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters, and \
                 the request an 'X-Amz-Date' header."
                    .to_owned()
            }
            Self::UnknownKey => "The security token included in the request is invalid.".to_owned(),
            Self::Expired => "The security token included in the request is expired".to_owned(),
            Self::Skewed { signed, now } => {
                let (word, limit, sign) = if signed < now {
                    ("expired", now.saturating_sub(ALLOWED_SKEW), '-')
                } else {
                    ("not yet current", now.saturating_add(ALLOWED_SKEW), '+')
                };
                let relation = if signed < now { "now earlier" } else { "still later" };
                let (signed, limit) = (amz_date(*signed), amz_date(limit.unwrap_or(*now)));
                let now = amz_date(*now);
                format!("Signature {word}: {signed} is {relation} than {limit} ({now} {sign} 15 min.)")
            }
            Self::OtherService => "Credential should be scoped to correct service.".to_owned(),
            Self::Mismatch => {
                "The request signature we calculated does not match the signature you provided. Check your AWS \
                 Secret Access Key and signing method. Consult the service documentation for details."
                    .to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;

    use super::super::principal::{Principal, SessionPart};
    use super::*;

    /// The "get-vanilla" case of the test suite that AWS publishes for Signature Version 4.
    const SIGNED_AT: &str = "20150830T123600Z";
    const SIGNATURE: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

    fn vanilla(signature: &str) -> Parts {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={signature}"
        );
        let request = hyper::Request::get("/")
            .header("host", "example.amazonaws.com")
            .header("x-amz-date", SIGNED_AT)
            .header("authorization", authorization);
        request.body(()).unwrap().into_parts().0
    }

    fn key(session: Option<SessionPart>) -> Key {
        let account = "111122223333".parse().unwrap();
        let principal = Principal { account, arn: String::new(), user_id: String::new(), is_session: false };
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let token = session.as_ref().map(|session| session.token.clone());
        let identity = Credentials::new("AKIDEXAMPLE", secret, token, None, "test").into();
        Key { principal, identity, session }
    }

    fn check(parts: &Parts, service: &str, minutes_later: i64) -> Result<(), Rejection> {
        let now = timestamp(SIGNED_AT).unwrap() + SignedDuration::from_mins(minutes_later);
        Authorization::of(parts)?.check(parts, b"", &key(None), service, now)
    }

    #[test]
    fn the_published_example_is_right_and_nothing_else() {
        assert_eq!(check(&vanilla(SIGNATURE), "service", 0), Ok(()));
        assert_eq!(check(&vanilla(&SIGNATURE.replace('5', "6")), "service", 0), Err(Rejection::Mismatch));
        assert_eq!(check(&vanilla(SIGNATURE), "iotfleetwise", 0), Err(Rejection::OtherService));
        let mut unsigned_host = vanilla(SIGNATURE);
        unsigned_host.headers.insert("host", "elsewhere.amazonaws.com".parse().unwrap());
        assert_eq!(check(&unsigned_host, "service", 0), Err(Rejection::Mismatch));
    }

    #[test]
    fn clocks_may_differ_by_fifteen_minutes() {
        for (minutes, allowed) in [(-16, false), (-15, true), (15, true), (16, false)] {
            assert_eq!(check(&vanilla(SIGNATURE), "service", minutes).is_ok(), allowed, "{minutes}");
        }
        let late = check(&vanilla(SIGNATURE), "service", 16).unwrap_err().message();
        let expected = "Signature expired: 20150830T123600Z is now earlier than 20150830T123700Z \
                        (20150830T125200Z - 15 min.)";
        assert_eq!(late, expected);
    }

    #[test]
    fn what_is_no_signature_is_told_from_what_is_not_whole() {
        let with = |authorization: &str| {
            let mut parts = vanilla(SIGNATURE);
            parts.headers.insert("authorization", authorization.parse().unwrap());
            Authorization::of(&parts).err()
        };
        assert_eq!(with("Bearer abc"), Some(Rejection::Missing));
        let scope = "AWS4-HMAC-SHA256 Credential=A/20150830/us-east-1/service";
        let rest = ", SignedHeaders=host, Signature=0";
        assert_eq!(with(&format!("{scope}{rest}")), Some(Rejection::Incomplete));
        assert_eq!(with(&format!("{scope}/aws4_request, SignedHeaders=host")), Some(Rejection::Incomplete));
        assert_eq!(with(&format!("{scope}/aws4_request{rest}")), None);
    }

    #[test]
    fn a_session_needs_its_token() {
        let parts = vanilla(SIGNATURE);
        let now = timestamp(SIGNED_AT).unwrap();
        let key = key(Some(SessionPart { token: "token".to_owned(), expires: now }));
        let result = Authorization::of(&parts).unwrap().check(&parts, b"", &key, "service", now);
        assert_eq!(result, Err(Rejection::UnknownKey));
    }
}
