//! A look at a file before anything is done to it: nothing here writes, so what is refused stays as it is.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions, Connection};

use super::schema::APPLICATION_ID;
use super::{OpenError, options, refused, untouched, write_ahead_log};

/// What is in the place of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No file.
    Nothing,
    /// A file with nothing in it, as a start leaves behind that was cut off early.
    Empty,
    /// A store that lacks steps to its latest form.
    Older,
    /// A store in its latest form.
    Current,
}

/// Looks at a file, and through all of it for damage.
pub(super) async fn inspect(path: &Path, known: &Migrator) -> Result<Found, OpenError> {
    let length = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(source) => return Err(OpenError::Unreadable { path: path.to_owned(), source }),
        Ok(found) if !found.is_file() => return Err(OpenError::NoFile { path: path.to_owned() }),
        Ok(found) => found.len(),
    };
    File::open(path).map_err(|source| OpenError::Unreadable { path: path.to_owned(), source })?;
    if length == 0 {
        // SQLite would throw such a log away.
        if fs::metadata(write_ahead_log(path)).is_ok_and(|log| log.len() > 0) {
            let finding = "it is empty, and its write-ahead log is not".to_owned();
            return Err(OpenError::Damaged { path: path.to_owned(), finding });
        }
        return Ok(Found::Empty);
    }
    let mut connection = untouched(options(), path).connect().await.map_err(|error| refused(path, error))?;
    let found = judge(&mut connection, path, known).await;
    connection.close().await.map_err(|error| refused(path, error))?;
    found
}

async fn judge(connection: &mut SqliteConnection, path: &Path, known: &Migrator) -> Result<Found, OpenError> {
    let failed = |error| refused(path, error);
    let owner: u32 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await.map_err(failed)?;
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    if owner == 0 && tables.is_empty() {
        return Ok(Found::Empty);
    }
    if owner != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.to_owned(), what: "a database of another program" });
    }
    if !tables.iter().any(|table| table == "_sqlx_migrations") {
        return Ok(Found::Older);
    }
    let found = compare(connection, path, known).await?;
    let finding: String =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(connection).await.map_err(failed)?;
    if finding != "ok" {
        let finding = finding.replace('\n', " ");
        return Err(OpenError::Damaged { path: path.to_owned(), finding });
    }
    Ok(found)
}

/// Compares the steps that were taken with those that are known.
async fn compare(
    connection: &mut SqliteConnection,
    path: &Path,
    known: &Migrator,
) -> Result<Found, OpenError> {
    let taken: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
            .fetch_all(connection)
            .await
            .map_err(|error| refused(path, error))?;
    let last = known.iter().map(|step| step.version).max().unwrap_or_default();
    for (number, checksum) in &taken {
        match known.iter().find(|step| step.version == *number) {
            None => {
                return Err(OpenError::Newer { path: path.to_owned(), found: *number, known: last });
            }
            Some(step) if *step.checksum != **checksum => {
                return Err(OpenError::Altered { path: path.to_owned(), number: *number });
            }
            Some(_) => {}
        }
    }
    Ok(if taken.len() < known.iter().count() { Found::Older } else { Found::Current })
}
