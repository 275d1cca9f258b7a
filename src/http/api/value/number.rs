//! Parameters that are numbers.

use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::Value;

/// The largest sequence number that JSON readers keep exactly: 2^53 − 1 (RFC 8259, section 6).
const MAX_SEQUENCE: u64 = (1 << 53) - 1;

/// How many items an answer has at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http::api) struct Limit(pub(in crate::http::api) u32);

impl Limit {
    const MAX: u32 = 1000;
}

impl Default for Limit {
    fn default() -> Self {
        Self(100)
    }
}

impl Value for Limit {
    fn read(text: &str) -> Option<Self> {
        let number = u32::try_from(whole_number(text)?).ok()?;
        (1..=Self::MAX).contains(&number).then_some(Self(number))
    }

    fn right() -> String {
        format!("a whole number from 1 to {}", Self::MAX)
    }

    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1u32))
            .maximum(Some(Self::MAX))
            .default(Some(Self::default().0.into()))
            .build()
    }
}

/// The place of an event in the event log; 0 is before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http::api) struct Sequence(pub(in crate::http::api) u64);

impl Value for Sequence {
    fn read(text: &str) -> Option<Self> {
        whole_number(text).filter(|number| *number <= MAX_SEQUENCE).map(Self)
    }

    fn right() -> String {
        "the sequence number of an event, or 0 for before the first".to_owned()
    }

    fn schema() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0u64))
            .maximum(Some(MAX_SEQUENCE))
            .build()
    }
}

/// Digits and nothing else, unlike what `parse` takes.
fn whole_number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::tests::refuses;
    use super::*;

    #[test]
    fn numbers_have_bounds_and_no_signs() {
        assert_eq!(Limit::read("1000"), Some(Limit(1000)));
        refuses::<Limit>(&["0", "1001", "+5", "-1", "5.0", " 5", "", "4294967297", "٣"]);
        assert_eq!(Sequence::read("0"), Some(Sequence(0)));
        refuses::<Sequence>(&["9007199254740992", "99999999999999999999", "1e3"]);
    }
}
