//! Rows as PostgreSQL tells them.

use std::borrow::Cow;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::column::read;
use super::trouble::unusable;
use crate::store::StoreError;
use crate::store::row::Cells;

impl Cells for PgRow {
    fn text(&self, column: &'static str) -> Result<Option<Cow<'_, str>>, StoreError> {
        self.try_get::<Option<&str>, _>(column).map(|text| text.map(read)).map_err(|error| unusable(&error))
    }

    fn number(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        self.try_get(column).map_err(|error| unusable(&error))
    }
}
