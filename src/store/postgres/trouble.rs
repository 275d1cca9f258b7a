//! What errors of PostgreSQL mean.

use std::io;
use std::time::Duration;

use tokio::time::timeout;

use crate::store::{StoreError, Trouble};

/// Why an operation has failed.
#[derive(Debug)]
pub(super) enum Failed {
    /// By the server, or on the way to it.
    Sql(sqlx::Error),
    /// By what was found.
    Store(StoreError),
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Sql(error) => unusable(&error),
            Failed::Store(error) => error,
        }
    }
}

/// Lets an operation take so long, and no longer: nothing else ends one whose connection was cut.
pub(super) async fn within<T>(
    limit: Duration,
    operation: impl Future<Output = Result<T, Failed>>,
) -> Result<T, StoreError> {
    match timeout(limit, operation).await {
        Ok(outcome) => outcome.map_err(StoreError::from),
        Err(_) => Err(StoreError::Unusable {
            trouble: Trouble::Timeout,
            detail: format!("the database did not answer within {} s", limit.as_secs()),
        }),
    }
}

/// What an error says, without what the store holds: of the server's own the message alone, which names
/// tables, columns and roles. Details and hints may quote values.
pub(super) fn unusable(error: &sqlx::Error) -> StoreError {
    let (trouble, detail) = match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            (trouble(&code), format!("{} (SQLSTATE {code})", error.message()))
        }
        sqlx::Error::Io(error) => (Trouble::Unreachable, error.to_string()),
        sqlx::Error::Tls(error) => (Trouble::Refused, error.to_string()),
        sqlx::Error::PoolClosed => (Trouble::Other, "it is closed".to_owned()),
        other => (Trouble::Other, other.to_string()),
    };
    match error {
        // So rustls tells what it thinks of a certificate.
        sqlx::Error::Io(io) if io.kind() == io::ErrorKind::InvalidData => {
            StoreError::Unusable { trouble: Trouble::Refused, detail }
        }
        _ => StoreError::Unusable { trouble, detail },
    }
}

/// What a code of the server means; see
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn trouble(code: &str) -> Trouble {
    match code {
        "25006" => Trouble::ReadOnly,
        "53100" => Trouble::Full,
        // Too many connections; a lock that others hold.
        "53300" | "55P03" => Trouble::Busy,
        // The server, or a transaction, has waited for too long.
        "57014" | "25P03" | "25P04" => Trouble::Timeout,
        // It goes down, has crashed, comes up.
        "57P01" | "57P02" | "57P03" => Trouble::Unreachable,
        // No such database or schema; no right to it.
        "3D000" | "3F000" | "42501" => Trouble::Refused,
        _ => match code.get(..2) {
            Some("08") => Trouble::Unreachable,
            Some("28") => Trouble::Refused,
            Some("40") => Trouble::Conflict,
            _ => Trouble::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_meaning() {
        let cases = [
            ("25006", Trouble::ReadOnly),
            ("28P01", Trouble::Refused),
            ("40P01", Trouble::Conflict),
            ("40001", Trouble::Conflict),
            ("08006", Trouble::Unreachable),
            ("53300", Trouble::Busy),
            ("57P01", Trouble::Unreachable),
            ("42P01", Trouble::Other),
            ("", Trouble::Other),
        ];
        for (code, expected) in cases {
            assert_eq!(trouble(code), expected, "{code}");
        }
    }
}
