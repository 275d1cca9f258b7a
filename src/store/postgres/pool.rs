//! Connections to the server, and transactions on them.
//!
//! A connection may be cut without a word, or its server stand still: then whoever waits for it gives up,
//! and it is thrown away as it is. To take it back or to part from it in good order, as pools do, would wait
//! for the same server.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use super::address::Address;
use super::trouble::Failed;

/// How long an unused connection is kept. Firewalls forget one in some minutes.
const KEEP: Duration = Duration::from_secs(60);

/// How long a connection that was there may take to begin before a new one is made.
const BEGIN: Duration = Duration::from_secs(1);

/// For how long the server waits for the next statement of a transaction. A replica that stands still in
/// the middle of one holds back all others, and its leases cannot be taken over; one that has thousands of rows to
/// prepare takes a while.
const SILENCE: &str = "5s";

/// A few connections, all to the same database.
#[derive(Debug)]
pub(super) struct Pool {
    address: Arc<Address>,
    /// Those that wait, the last used at the end. The lock is held for a push or a pop.
    idle: Mutex<Vec<Idle>>,
    permits: Semaphore,
}

#[derive(Debug)]
struct Idle {
    connection: PgConnection,
    since: Instant,
}

/// How a transaction sees and locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Each statement sees what was written before it.
    Write,
    /// All statements see the same, and nothing is written.
    Read,
}

/// A transaction. Unless it is ended nothing of it is written, and its connection is thrown away.
pub(super) struct Session<'p> {
    pool: &'p Pool,
    connection: PgConnection,
    _permit: SemaphorePermit<'p>,
}

impl Pool {
    pub(super) fn new(address: Arc<Address>, connections: u16) -> Self {
        Self { address, idle: Mutex::default(), permits: Semaphore::new(usize::from(connections)) }
    }

    /// Begins a transaction in which names are those of the schema. It waits for as long as whoever calls
    /// lets it.
    pub(super) async fn begin(&self, mode: Mode) -> Result<Session<'_>, Failed> {
        let permit = self.permits.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let begin = begin(&self.address.schema, mode);
        let connection = match self.reuse(&begin).await {
            Some(connection) => connection,
            None => {
                let mut connection = self.address.connect().await?;
                sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut connection).await?;
                connection
            }
        };
        Ok(Session { pool: self, connection, _permit: permit })
    }

    /// Begins on a connection that is there, if it is still good.
    async fn reuse(&self, begin: &str) -> Option<PgConnection> {
        let Idle { mut connection, .. } = self.pop()?;
        let begun = sqlx::raw_sql(AssertSqlSafe(begin.to_owned())).execute(&mut connection);
        if let Ok(Ok(_)) = timeout(BEGIN, begun).await {
            return Some(connection);
        }
        // What has ended this one has hardly spared the others.
        self.take();
        None
    }

    fn pop(&self) -> Option<Idle> {
        let mut idle = self.idle.lock().expect("nobody panics with it");
        idle.retain(|idle| idle.since.elapsed() < KEEP);
        idle.pop()
    }

    fn push(&self, connection: PgConnection) {
        let mut idle = self.idle.lock().expect("nobody panics with it");
        if !self.permits.is_closed() {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }

    fn take(&self) -> Vec<Idle> {
        std::mem::take(&mut *self.idle.lock().expect("nobody panics with it"))
    }

    /// Parts from the server. Whoever uses a connection still may end what it does.
    pub(super) async fn close(&self) {
        self.permits.close();
        for Idle { connection, .. } in self.take() {
            // It ends with the process anyway.
            let _ = timeout(BEGIN, connection.close()).await;
        }
    }
}

/// What begins a transaction, in one message. The schema is set for the transaction alone, since a pooler
/// may give the connection to others after it.
fn begin(schema: &str, mode: Mode) -> String {
    let mode = match mode {
        Mode::Write => "ISOLATION LEVEL READ COMMITTED, READ WRITE",
        Mode::Read => "ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    };
    format!(
        "BEGIN {mode}; SET LOCAL search_path TO \"{schema}\"; \
         SET LOCAL idle_in_transaction_session_timeout TO '{SILENCE}'"
    )
}

impl Session<'_> {
    /// Commits, and gives the connection back.
    pub(super) async fn end(mut self) -> Result<(), Failed> {
        sqlx::raw_sql("COMMIT").execute(&mut self.connection).await?;
        let Self { pool, connection, .. } = self;
        pool.push(connection);
        Ok(())
    }
}

impl Deref for Session<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Session<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
