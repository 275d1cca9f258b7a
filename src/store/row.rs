//! Values as columns hold them, and back, whichever engine keeps them: all are texts and whole numbers.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{StoreError, TargetKey};
use crate::model::{AccountId, Region, Word};

/// A row that an engine has found.
pub(super) trait Cells {
    /// A text; `None` for NULL.
    fn text(&self, column: &'static str) -> Result<Option<Cow<'_, str>>, StoreError>;

    /// A number; `None` for NULL.
    fn number(&self, column: &'static str) -> Result<Option<i64>, StoreError>;
}

/// A time in nanoseconds since 1970. One beyond the year 2262 becomes the last of it: only a broken clock
/// tells such a time.
pub(super) fn nanoseconds(time: Timestamp) -> i64 {
    let nanoseconds = time.as_nanosecond();
    i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}

/// A sequence number as databases count; none can be greater.
pub(super) fn signed(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

/// A sequence number or a count from the database; none is negative.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// A region; empty for none.
pub(super) fn region(region: &Option<Region>) -> &str {
    region.as_ref().map_or("", Region::as_str)
}

/// A row, and how it is called where it cannot be understood.
pub(super) struct Fields<'r> {
    row: &'r dyn Cells,
    name: fn(&dyn Cells) -> String,
}

impl<'r> Fields<'r> {
    pub(super) fn new(row: &'r dyn Cells, name: fn(&dyn Cells) -> String) -> Self {
        Self { row, name }
    }

    /// A text that may be absent.
    pub(super) fn text(&self, column: &'static str) -> Result<Option<Box<str>>, StoreError> {
        Ok(self.row.text(column)?.map(Box::from))
    }

    /// A text that is there.
    pub(super) fn required_text(&self, column: &'static str) -> Result<Cow<'r, str>, StoreError> {
        self.known(column, self.row.text(column)?)
    }

    /// A number that is there.
    pub(super) fn number(&self, column: &'static str) -> Result<i64, StoreError> {
        self.known(column, self.row.number(column)?)
    }

    /// A time that may be absent.
    pub(super) fn time(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        self.row.number(column)?.map(|time| self.known(column, instant(time))).transpose()
    }

    /// A time that is there.
    pub(super) fn required_time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.known(column, instant(self.number(column)?))
    }

    /// A word of a closed set.
    pub(super) fn word<T: Word>(&self, column: &'static str) -> Result<T, StoreError> {
        self.known(column, T::from_word(&self.required_text(column)?))
    }

    /// A word of a closed set that may be absent.
    pub(super) fn optional_word<T: Word>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        self.row.text(column)?.map(|text| self.known(column, T::from_word(&text))).transpose()
    }

    /// What names a target.
    pub(super) fn target(&self) -> Result<TargetKey, StoreError> {
        let account: Option<AccountId> = self.required_text("account")?.parse().ok();
        let region = self.required_text("region")?;
        Ok(TargetKey {
            account: self.known("account", account)?,
            probe: self.word("probe")?,
            region: Some(region).filter(|region| !region.is_empty()).map(Region::new),
        })
    }

    /// A value that was understood, or which one was not.
    pub(super) fn known<T>(&self, column: &'static str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| StoreError::Unknown { row: (self.name)(self.row), column })
    }
}

/// A text of a row that could not be understood.
pub(super) fn part(row: &dyn Cells, column: &'static str) -> String {
    row.text(column).ok().flatten().map_or_else(|| "?".to_owned(), Cow::into_owned)
}

fn instant(nanoseconds: i64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).ok()
}
