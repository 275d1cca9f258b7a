//! PostgreSQL as the engine: one store for several replicas.
//!
//! Every operation is one transaction, and begins in the same message that names the schema; so it works
//! through a pooler, too, which lends a connection for a transaction. All that is written first locks the
//! one row of `ledger`. Each operation ends by a time limit of ours, for nobody tells who waits for a
//! connection that was cut.

mod address;
mod claim;
mod column;
mod content;
mod copy;
mod history;
mod lease;
mod members;
mod open;
mod pool;
mod prune;
mod read;
mod refusal;
mod row;
mod schema;
mod trouble;
mod write;
mod writer;

use std::sync::Arc;
use std::time::Duration;

pub use self::refusal::Refusal;
pub use self::schema::Step;

use self::address::Address;
use self::pool::Pool;
use super::StoreError;
use crate::config;

/// The longest that a renewal of leases may take: after it there is time for another before they expire.
const LEASES: Duration = Duration::from_secs(3);

/// The longest that anything else may take, but for what is long by nature.
const LIMIT: Duration = Duration::from_secs(10);

/// The longest that reading all states may take: 100,000 targets take some seconds.
const WHOLE: Duration = Duration::from_secs(60);

/// A database at work. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    /// Where it is, for people.
    at: Arc<str>,
    pool: Arc<Pool>,
    /// A connection for leases alone: whatever the others wait for, they are renewed.
    leases: Arc<Pool>,
    /// The last form of the schema that is known.
    form: i64,
    /// Into how many parts the quota scopes are dealt.
    shards: u16,
}

impl Postgres {
    /// What names a store in a database, for people; nothing in it is secret.
    pub(super) fn place(settings: &config::Postgres) -> Result<String, Refusal> {
        let at = Address::new(settings)?.url()?;
        Ok(format!("of schema {} of PostgreSQL at {at}", settings.schema))
    }

    /// What to say of trouble at the start.
    pub(super) fn closed(&self, source: StoreError) -> Refusal {
        Refusal::Closed { at: self.at.to_string(), source }
    }

    /// Parts from the server.
    pub(super) async fn close(&self) {
        self.pool.close().await;
        self.leases.close().await;
    }
}
