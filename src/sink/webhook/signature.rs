//! Signatures as Standard Webhooks define them.
//!
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use hyper::header::{HeaderName, HeaderValue};
use jiff::Timestamp;
use sha2::Sha256;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// How many bytes a secret may have.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Signs with each of its secrets, so that receivers may change from one to the next in their own time.
pub(super) struct Signer {
    keys: Vec<Hmac<Sha256>>,
}

impl Signer {
    /// Reads secrets, one a line.
    ///
    /// # Errors
    /// What is wrong, and what would be right; never the text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
        let keys: Vec<_> = lines.map(|(line, number)| key(line.trim(), number)).collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(format!("is empty; {}", right()));
        }
        Ok(Self { keys })
    }

    /// The headers that sign a body.
    pub(super) fn headers(&self, id: &str, now: Timestamp, body: &str) -> [(HeaderName, HeaderValue); 3] {
        let timestamp = now.as_second().to_string();
        let signatures: Vec<_> = self
            .keys
            .iter()
            .map(|key| {
                let mut signature = key.clone();
                [id, ".", &timestamp, ".", body].iter().for_each(|part| signature.update(part.as_bytes()));
                format!("v1,{}", STANDARD.encode(signature.finalize().into_bytes()))
            })
            .collect();
        let header = |name, value: &str| {
            let value = HeaderValue::from_str(value).expect("ids, numbers and base64 are plain text");
            (HeaderName::from_static(name), value)
        };
        [
            header("webhook-id", id),
            header("webhook-timestamp", &timestamp),
            header("webhook-signature", &signatures.join(" ")),
        ]
    }
}

impl PartialEq for Signer {
    /// Keys that sign alike are alike.
    fn eq(&self, other: &Self) -> bool {
        let sample = |signer: &Self| signer.headers("", Timestamp::UNIX_EPOCH, "");
        sample(self) == sample(other)
    }
}

fn key(line: &str, number: usize) -> Result<Hmac<Sha256>, String> {
    let bytes = line.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
    let bytes = bytes.filter(|bytes| BYTES.contains(&bytes.len()));
    let bytes = bytes.ok_or_else(|| format!("has no secret in line {number}; {}", right()))?;
    Ok(Hmac::new_from_slice(&bytes).expect("HMAC takes keys of any length"))
}

fn right() -> String {
    let (least, most) = (BYTES.start(), BYTES.end());
    format!("write {PREFIX} and the base64 of {least} to {most} random bytes, one secret a line")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn the_known_example_is_signed_as_known() {
        let signer = Signer::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").ok().unwrap();
        let now = Timestamp::from_second(1_614_265_330).unwrap();
        let headers = signer.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", now, r#"{"test": 2432232314}"#);
        let texts = headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        assert_eq!(
            texts,
            [
                "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek",
                "webhook-timestamp: 1614265330",
                "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ]
        );
    }

    #[test]
    fn each_secret_signs() {
        let two = format!("{0}{1}\n\n  {0}{2}\n", PREFIX, STANDARD.encode([1; 24]), STANDARD.encode([2; 64]));
        let headers = Signer::parse(&two).ok().unwrap().headers("id", Timestamp::UNIX_EPOCH, "");
        let signatures = headers[2].1.to_str().unwrap();
        assert_eq!(signatures.split(' ').filter(|signature| signature.starts_with("v1,")).count(), 2);
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_shown() {
        let good = format!("{PREFIX}{}", STANDARD.encode([1; 24]));
        let short = format!("{PREFIX}{}", STANDARD.encode([1; 23]));
        let long = format!("{PREFIX}{}", STANDARD.encode([1; 65]));
        let plain = STANDARD.encode([1; 32]);
        for bad in [&short, &long, &plain, &format!("{PREFIX}!"), &format!("{PREFIX}hunter2")] {
            let error = Signer::parse(&format!("{good}\n{bad}\n")).err().expect(bad);
            assert!(error.starts_with("has no secret in line 2; write whsec_"), "{error}");
            assert!(!error.contains(&bad[PREFIX.len()..]), "{error}");
        }
        assert!(Signer::parse(" \n").err().unwrap().starts_with("is empty; "));
    }
}
