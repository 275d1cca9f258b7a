//! What a parameter may be: how it is read, what is told to who gives something else, and how OpenAPI
//! describes it. One place for the three, so that they agree.

mod number;

use jiff::Timestamp;
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};

use crate::model::{AccountId, Region, Word};

pub(super) use self::number::{Limit, Sequence};

/// The longest name of a sink taken.
const MAX_SINK: usize = 256;

/// A parameter's value.
pub(super) trait Value: Sized {
    /// The value that a text is; `None` if it is none.
    fn read(text: &str) -> Option<Self>;

    /// What would be right, to follow "expected".
    fn right() -> String;

    /// The texts that [`Value::read`] takes, and no others.
    fn schema() -> Object;
}

/// The schema of one of a few words.
pub(super) fn words<T: Word>() -> Object {
    let words = T::ALL.iter().map(|value| value.word());
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

impl<T: Word> Value for T {
    fn read(text: &str) -> Option<Self> {
        T::from_word(text)
    }

    fn right() -> String {
        let words: Vec<_> = T::ALL.iter().map(|value| value.word()).collect();
        format!("one of {}", words.join(", "))
    }

    fn schema() -> Object {
        words::<T>()
    }
}

impl Value for bool {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn right() -> String {
        "true or false".to_owned()
    }

    fn schema() -> Object {
        ObjectBuilder::new().schema_type(Type::Boolean).build()
    }
}

impl Value for AccountId {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn right() -> String {
        "an AWS account id of exactly 12 digits".to_owned()
    }

    fn schema() -> Object {
        matching("^[0-9]{12}$")
    }
}

impl Value for Region {
    fn read(text: &str) -> Option<Self> {
        let is_region = (1..=Self::LONGEST).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        is_region.then(|| Self::new(text))
    }

    fn right() -> String {
        "a region code such as us-east-1".to_owned()
    }

    fn schema() -> Object {
        matching(&format!("^[a-z0-9-]{{1,{}}}$", Self::LONGEST))
    }
}

impl Value for Timestamp {
    fn read(text: &str) -> Option<Self> {
        // Other forms of ISO 8601 are read as well, but not promised.
        text.parse().ok()
    }

    fn right() -> String {
        "a time of RFC 3339 such as 2026-11-21T12:00:00Z".to_owned()
    }

    fn schema() -> Object {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).build()
    }
}

/// The name of a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SinkName(pub(super) String);

impl Value for SinkName {
    fn read(text: &str) -> Option<Self> {
        let is_name = (1..=MAX_SINK).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        is_name.then(|| Self(text.to_owned()))
    }

    fn right() -> String {
        "the name of a sink: letters, digits, `_`, `.` and `-`".to_owned()
    }

    fn schema() -> Object {
        matching(&format!("^[A-Za-z0-9_.-]{{1,{MAX_SINK}}}$"))
    }
}

/// The schema of a text that matches a pattern.
pub(super) fn matching(pattern: &str) -> Object {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).build()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::{Probe, Status};

    /// Asserts that none of the texts is a value.
    pub(in crate::http::api) fn refuses<T: Value>(texts: &[&str]) {
        for text in texts {
            assert!(T::read(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn words_are_taken_as_they_are_written() {
        assert_eq!(Status::read("ACTIVE"), Some(Status::Active));
        assert_eq!(bool::read("false"), Some(false));
        refuses::<Status>(&["active", "", "ACTIVE "]);
        refuses::<bool>(&["True", "1", ""]);
        assert_eq!(Probe::right(), "one of fleetwise, govcloud");
    }

    #[test]
    fn names_are_of_harmless_letters() {
        assert_eq!(Region::read("us-gov-west-1"), Some(Region::new("us-gov-west-1")));
        refuses::<Region>(&["", "US-EAST-1", "us east", "us-east-1\n", &"a".repeat(33)]);
        assert_eq!(SinkName::read("pager.duty_1"), Some(SinkName("pager.duty_1".to_owned())));
        refuses::<SinkName>(&["", "a b", "ü", &"a".repeat(257)]);
    }

    #[test]
    fn times_are_of_rfc_3339() {
        assert_eq!(Timestamp::read("1970-01-01T01:00:00+01:00"), Some(Timestamp::UNIX_EPOCH));
        refuses::<Timestamp>(&["", "yesterday", "24h", "2026-11-21", "2026-11-21T12:00:00"]);
    }
}
