//! Values as columns hold them, and back.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};

use super::unusable;
use crate::model::{AccountId, Region, Word};
use crate::store::{StoreError, TargetKey};

/// A time in nanoseconds since 1970. One beyond the year 2262 becomes the last of it: only a broken clock
/// tells such a time.
pub(super) fn nanoseconds(time: Timestamp) -> i64 {
    let nanoseconds = time.as_nanosecond();
    i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}

/// A sequence number as SQLite counts; none can be greater.
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
    pub(super) row: &'r SqliteRow,
    pub(super) name: fn(&SqliteRow) -> String,
}

impl<'r> Fields<'r> {
    /// A value as the database has it.
    pub(super) fn get<T: Decode<'r, Sqlite> + Type<Sqlite>>(
        &self,
        column: &'static str,
    ) -> Result<T, StoreError> {
        self.row.try_get(column).map_err(unusable)
    }

    /// A text that may be absent.
    pub(super) fn text(&self, column: &'static str) -> Result<Option<Box<str>>, StoreError> {
        Ok(self.get::<Option<&str>>(column)?.map(Box::from))
    }

    /// A time that may be absent.
    pub(super) fn time(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        self.get::<Option<i64>>(column)?.map(|time| self.known(column, instant(time))).transpose()
    }

    /// A time that is there.
    pub(super) fn required_time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.known(column, instant(self.get(column)?))
    }

    /// A word of a closed set.
    pub(super) fn word<T: Word>(&self, column: &'static str) -> Result<T, StoreError> {
        let text: &str = self.get(column)?;
        self.known(column, T::from_word(text))
    }

    /// A word of a closed set that may be absent.
    pub(super) fn optional_word<T: Word>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        self.get::<Option<&str>>(column)?.map(|_| self.word(column)).transpose()
    }

    /// What names a target.
    pub(super) fn target(&self) -> Result<TargetKey, StoreError> {
        let account: Option<AccountId> = self.get::<&str>("account")?.parse().ok();
        let region: &str = self.get("region")?;
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

fn instant(nanoseconds: i64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).ok()
}
