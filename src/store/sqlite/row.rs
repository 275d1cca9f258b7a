//! Rows as SQLite tells them.

use std::borrow::Cow;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::unusable;
use crate::store::StoreError;
use crate::store::row::Cells;

impl Cells for SqliteRow {
    fn text(&self, column: &'static str) -> Result<Option<Cow<'_, str>>, StoreError> {
        self.try_get::<Option<&str>, _>(column).map(|text| text.map(Cow::Borrowed)).map_err(unusable)
    }

    fn number(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        self.try_get(column).map_err(unusable)
    }
}
