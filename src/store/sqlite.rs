//! SQLite as the engine: its connections, and what its errors mean.

mod copy;
mod history;
mod inspect;
mod members;
mod prune;
mod read;
mod row;
mod schema;
mod write;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Sqlite as Database, Transaction};

use self::inspect::Found;
use super::{OpenError, StoreError, Trouble};

/// How long a connection waits for a lock that another process holds, a backup's for example.
const BUSY: Duration = Duration::from_secs(3);

/// Connections that read a file: the sinks', the API's and a few streams'. Each is a thread.
const READERS: u32 = 4;

/// To what size the write-ahead log is cut back after a transaction that was larger, in bytes.
const WAL_SIZE: &str = "16777216";

/// A database in a file or in memory. Cheap to clone.
///
/// One connection writes, so that none ever waits for another's lock; those that read see the last
/// commit and wait for nobody. In memory there is one connection for both, since each would have a
/// database of its own.
#[derive(Clone, Debug)]
pub(super) struct Sqlite {
    write: SqlitePool,
    read: SqlitePool,
    /// Whether states are kept: what is in memory nobody will read again.
    keeps_states: bool,
}

impl Sqlite {
    /// A new database in memory.
    pub(super) async fn in_memory() -> Result<Self, OpenError> {
        let name = Path::new("in memory");
        let pool = SqlitePoolOptions::new()
            // To close the connection would be to forget everything. The test goes too: whoever gives up
            // while it runs takes the connection along.
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options())
            .await
            .map_err(|error| refused(name, error))?;
        let engine = Self { write: pool.clone(), read: pool, keeps_states: false };
        engine.migrate(name, Found::Empty).await?;
        Ok(engine)
    }

    /// The database in a file, made or brought up to date where need be. The caller holds its lock.
    pub(super) async fn open(path: &Path) -> Result<Self, OpenError> {
        let found = inspect::inspect(path, &schema::migrator()).await?;
        let options = options()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // Each commit is on the disk before it counts. With NORMAL a power cut may take back the last
            // ones: an event that a receiver has had would be found anew, under another id, and another
            // would get its sequence number. It costs one sync a commit, of which there are few.
            .synchronous(SqliteSynchronous::Full)
            // No auto_vacuum: what pruning frees is used again, so the file stays at the size that
            // `max_events` once filled. Giving room back would move pages at each pruning, for a disk
            // that has to have it again next month.
            .pragma("journal_size_limit", WAL_SIZE);
        let write =
            pool(1).idle_timeout(None).connect_with(options).await.map_err(|error| refused(path, error))?;
        let engine = Self { write, read: reader(path, false), keeps_states: true };
        engine.prove_writable(path).await?;
        engine.migrate(path, found).await?;
        Ok(engine)
    }

    /// The database in a file, to read only: nothing of it is written, and a daemon may use it besides.
    pub(super) async fn open_to_read(path: &Path) -> Result<Self, OpenError> {
        match inspect::inspect(path, &schema::migrator()).await? {
            Found::Nothing => Err(OpenError::Missing { path: path.to_owned() }),
            Found::Empty | Found::Older => Err(OpenError::Older { path: path.to_owned() }),
            Found::Current => {
                let read = reader(path, true);
                Ok(Self { write: read.clone(), read, keeps_states: true })
            }
        }
    }

    /// Puts what is in the write-ahead log into the file, and lets go of both.
    pub(super) async fn close(&self) {
        // The last connection of all does it, and one that only reads may not.
        self.read.close().await;
        self.write.close().await;
    }

    /// A transaction that has the right to write from its start, so that it cannot lose it on the way.
    async fn begin(&self) -> Result<Transaction<'static, Database>, StoreError> {
        self.write.begin_with("BEGIN IMMEDIATE").await.map_err(unusable)
    }

    /// SQLite opens what it may not write, and says so at the first write only.
    pub(super) async fn prove_writable(&self, path: &Path) -> Result<(), OpenError> {
        let transaction = self.write.begin_with("BEGIN IMMEDIATE").await.map_err(|e| refused(path, e))?;
        transaction.rollback().await.map_err(|error| refused(path, error))
    }

    /// Runs a statement on the connection that writes, as a test wants it.
    #[cfg(test)]
    pub(super) async fn run(&self, sql: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&self.write).await.expect("a test's own SQL");
    }

    /// Ends a transaction behind the back of sqlx, as SQLite does when a disk is full.
    #[cfg(test)]
    pub(super) async fn spoil(&self) {
        let mut transaction = self.begin().await.expect("it can be written");
        sqlx::raw_sql("ROLLBACK").execute(&mut *transaction).await.expect("it has begun");
    }

    async fn migrate(&self, path: &Path, found: Found) -> Result<(), OpenError> {
        if matches!(found, Found::Nothing | Found::Empty) {
            // Before anything else, so that a half-made file is known as ours.
            let mark = sqlx::query(schema::MARK_AS_OURS).execute(&self.write).await;
            mark.map_err(|error| refused(path, error))?;
        }
        let migrated = schema::migrator().run(&self.write).await;
        migrated.map_err(|error| OpenError::Refused {
            path: path.to_owned(),
            source: StoreError::unusable(error.to_string()),
        })
    }
}

/// What holds for every connection. Statements are not logged: there is nothing in them for an operator.
fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new().busy_timeout(BUSY).foreign_keys(true).disable_statement_logging()
}

/// Connections that read a file.
fn reader(path: &Path, is_alone: bool) -> SqlitePool {
    let options = options().filename(path).pragma("query_only", "ON");
    let options = if is_alone { untouched(options, path) } else { options };
    pool(READERS).connect_lazy_with(options)
}

/// Options that leave everything as it is. Without a write-ahead log nobody is at work on the file, and
/// it is read as it lies, for even a reader would make such a log and leave it behind.
fn untouched(options: SqliteConnectOptions, path: &Path) -> SqliteConnectOptions {
    options.filename(path).read_only(true).immutable(!write_ahead_log(path).exists())
}

fn write_ahead_log(path: &Path) -> PathBuf {
    super::lock::beside(path, "-wal")
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .max_lifetime(None)
        // SQLite ends a transaction by itself when the disk is full; the rollback that follows fails, and
        // sqlx goes on believing in the transaction. Such a connection is replaced, or nothing could be
        // written ever again.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

/// What an error says, without what the store holds: SQLite's texts name tables and columns only.
fn unusable(error: sqlx::Error) -> StoreError {
    let (trouble, detail) = match &error {
        sqlx::Error::Database(error) => match error.code() {
            Some(code) => (trouble(&code), format!("{} (SQLite code {code})", error.message())),
            None => (Trouble::Other, error.message().to_owned()),
        },
        sqlx::Error::PoolTimedOut => (Trouble::Busy, "its connections were busy for too long".to_owned()),
        sqlx::Error::PoolClosed => (Trouble::Other, "it is closed".to_owned()),
        other => (Trouble::Other, other.to_string()),
    };
    StoreError::Unusable { trouble, detail }
}

/// What an extended result code of SQLite means; see <https://www.sqlite.org/rescode.html>.
fn trouble(code: &str) -> Trouble {
    // The low byte is the kind.
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(3) => Trouble::Refused,
        Ok(5 | 6) => Trouble::Busy,
        Ok(8) => Trouble::ReadOnly,
        Ok(13) => Trouble::Full,
        Ok(14) => Trouble::Unreachable,
        _ => Trouble::Other,
    }
}

/// Why a file could not be opened.
fn refused(path: &Path, error: sqlx::Error) -> OpenError {
    let path = path.to_owned();
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    // The low byte is the kind; see https://www.sqlite.org/rescode.html.
    match code.map(|code| code & 0xff) {
        Some(8) => OpenError::ReadOnly { path },
        Some(11) => OpenError::Damaged { path, finding: unusable(error).to_string() },
        Some(26) => OpenError::Foreign { path, what: "no SQLite database" },
        _ => OpenError::Refused { path, source: unusable(error) },
    }
}
