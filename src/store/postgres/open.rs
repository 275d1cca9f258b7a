//! The first look at a database, and what has to be right before it is used.

use std::sync::Arc;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row};

use super::address::Address;
use super::pool::{Mode, Pool};
use super::schema::{Step, Unfit, bring_up, is_current, known};
use super::trouble::{Failed, within};
use super::{LIMIT, Postgres, Refusal};
use crate::config;
use crate::store::StoreError;

/// The oldest release of PostgreSQL that will do, as it counts them itself.
const LEAST_VERSION: i32 = 130_000;

/// The lock that whoever changes a schema holds: "rgwt", and the schema beside it.
const LOCK: i32 = 0x7267_7774;

impl Postgres {
    /// The store in a schema, which is made or brought up to date by these steps where need be.
    pub(in crate::store) async fn open(settings: &config::Postgres, steps: &[Step]) -> Result<Self, Refusal> {
        let address = Arc::new(Address::new(settings)?);
        let place = Place { at: address.url()?.to_string(), settings, steps };
        let opened = within(LIMIT, async { Ok(place.open(&address).await) }).await;
        opened.unwrap_or_else(|error| Err(place.closed(error)))?;
        Ok(Self::at(place, address))
    }

    /// The store in a schema, to read only: nothing is made or brought up to date.
    pub(in crate::store) async fn open_to_read(settings: &config::Postgres) -> Result<Self, Refusal> {
        let address = Arc::new(Address::new(settings)?);
        let place = Place { at: address.url()?.to_string(), settings, steps: Step::released() };
        let opened = within(LIMIT, async { Ok(place.open_to_read(&address).await) }).await;
        opened.unwrap_or_else(|error| Err(place.closed(error)))?;
        Ok(Self::at(place, address))
    }

    fn at(Place { at, settings, steps }: Place<'_>, address: Arc<Address>) -> Self {
        Self {
            at: at.into(),
            pool: Arc::new(Pool::new(Arc::clone(&address), settings.pool)),
            leases: Arc::new(Pool::new(address, 1)),
            form: known(steps),
            shards: settings.shards,
        }
    }
}

/// A database that is to be opened, and what refusals call it.
struct Place<'s> {
    at: String,
    settings: &'s config::Postgres,
    steps: &'s [Step],
}

impl Place<'_> {
    async fn open(&self, address: &Arc<Address>) -> Result<(), Refusal> {
        let mut connection = address.connect().await.map_err(|failed| self.closed(failed.into()))?;
        let user = self.look(&mut connection).await?;
        connection.close().await.map_err(|error| self.closed(Failed::from(error).into()))?;
        let set_up = async {
            match self.look_at_schema(address).await {
                Ok(shards) if shards == Some(i64::from(self.settings.shards)) => Ok(()),
                Ok(_) | Err(Unfit::Missing | Unfit::Older) => self.set_up(address).await,
                Err(unfit) => Err(unfit),
            }
        };
        set_up.await.map_err(|unfit| self.refusal(unfit, &user))
    }

    async fn open_to_read(&self, address: &Arc<Address>) -> Result<(), Refusal> {
        let mut connection = address.connect().await.map_err(|failed| self.closed(failed.into()))?;
        let user = self.look(&mut connection).await?;
        connection.close().await.map_err(|error| self.closed(Failed::from(error).into()))?;
        self.look_at_schema(address).await.map_err(|unfit| self.refusal(unfit, &user))?;
        Ok(())
    }

    /// Sees that the schema is as this release has it, and tells how many shards replicas deal. It changes
    /// nothing and waits for nobody: mostly, whoever starts has others that are at work.
    async fn look_at_schema(&self, address: &Arc<Address>) -> Result<Option<i64>, Unfit> {
        let pool = Pool::new(Arc::clone(address), 1);
        let mut session = pool.begin(Mode::Read).await?;
        is_current(&mut session, &self.settings.schema, self.steps).await?;
        let shards = "SELECT shards FROM ledger";
        let shards = sqlx::query_scalar(shards).persistent(false).fetch_one(&mut *session).await?;
        session.end().await?;
        pool.close().await;
        Ok(shards)
    }

    /// Looks at the server, changes nothing, and tells who we are, as SQL writes it.
    async fn look(&self, connection: &mut PgConnection) -> Result<String, Refusal> {
        let at = || self.at.clone();
        let schema = &self.settings.schema;
        // In one message, or a pooler might have it answered by two connections.
        let look = format!(
            "SELECT current_setting('server_version_num')::int AS number, \
             current_setting('server_version') AS version, \
             current_setting('server_encoding') AS encoding, \
             current_setting('default_transaction_read_only')::bool AS is_read_only, \
             pg_is_in_recovery() AS is_follower, \
             quote_ident(current_user) AS me, \
             COALESCE((SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace \
             WHERE nspname = '{schema}'), TRUE) AS may_use, \
             has_database_privilege(current_database(), 'CREATE') \
             OR EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = '{schema}') AS may_begin"
        );
        let look = sqlx::raw_sql(AssertSqlSafe(look)).fetch_one(connection).await;
        let look = look.map_err(|error| self.closed(Failed::from(error).into()))?;
        if self.cell::<i32>(&look, "number")? < LEAST_VERSION {
            return Err(Refusal::OldServer { at: at(), found: self.cell(&look, "version")? });
        }
        if self.cell(&look, "is_follower")? {
            return Err(Refusal::ReadOnly { at: at(), why: "it follows another server" });
        }
        if self.cell(&look, "is_read_only")? {
            return Err(Refusal::ReadOnly { at: at(), why: "default_transaction_read_only is on" });
        }
        let encoding: String = self.cell(&look, "encoding")?;
        if encoding != "UTF8" {
            return Err(Refusal::Encoding { at: at(), found: encoding });
        }
        let user = self.cell(&look, "me")?;
        if !self.cell::<bool>(&look, "may_begin")? {
            return Err(Refusal::NoSchema { at: at(), schema: schema.clone(), user });
        }
        if !self.cell::<bool>(&look, "may_use")? {
            return Err(Refusal::NoRights { at: at(), schema: schema.clone(), user });
        }
        Ok(user)
    }

    fn cell<'r, T>(&self, row: &'r PgRow, column: &'static str) -> Result<T, Refusal>
    where
        T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        row.try_get(column).map_err(|error| self.closed(Failed::from(error).into()))
    }

    /// Makes the schema where there is none, and brings it to its form: one of those who would at a time.
    async fn set_up(&self, address: &Arc<Address>) -> Result<(), Unfit> {
        let pool = Pool::new(Arc::clone(address), 1);
        let mut session = pool.begin(Mode::Write).await?;
        let schema = &self.settings.schema;
        sqlx::query("SELECT pg_advisory_xact_lock($1, hashtext($2))")
            .bind(LOCK)
            .bind(schema)
            .persistent(false)
            .execute(&mut *session)
            .await?;
        let is_there = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)";
        let is_there = sqlx::query_scalar(is_there).bind(schema).persistent(false);
        if !is_there.fetch_one(&mut *session).await? {
            let create = format!("CREATE SCHEMA \"{schema}\"");
            sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut *session).await?;
        }
        bring_up(&mut session, schema, self.steps).await?;
        agree_on_shards(&mut session, self.settings.shards).await?;
        session.end().await?;
        pool.close().await;
        Ok(())
    }

    fn closed(&self, source: StoreError) -> Refusal {
        Refusal::Closed { at: self.at.clone(), source }
    }

    fn refusal(&self, unfit: Unfit, user: &str) -> Refusal {
        let (at, schema, user) = (self.at.clone(), self.settings.schema.clone(), user.to_owned());
        match unfit {
            Unfit::Foreign { table } => Refusal::Foreign { at, schema, table },
            Unfit::Missing => Refusal::Missing { at, schema },
            Unfit::Older => Refusal::Older { at, schema },
            Unfit::Newer { found, usable_from } => {
                Refusal::Newer { at, schema, found, usable_from, known: known(self.steps) }
            }
            Unfit::Altered { number } => Refusal::Altered { at, schema, number },
            Unfit::OldReplica { wanted, replica, known } => {
                Refusal::OldReplica { at, schema, wanted, replica, known }
            }
            Unfit::OtherShards { replica, found } => {
                Refusal::OtherShards { at, schema, replica, found, wanted: self.settings.shards }
            }
            Unfit::Failed(Failed::Sql(sqlx::Error::Database(error)))
                if error.code().as_deref() == Some("42501") =>
            {
                Refusal::NoRights { at, schema, user }
            }
            Unfit::Failed(failed) => self.closed(failed.into()),
        }
    }
}

/// All replicas deal the quota scopes in the same way, or two would ask in the same. So the number is taken
/// down, and changes only while nobody is at work.
async fn agree_on_shards(connection: &mut PgConnection, wanted: u16) -> Result<(), Unfit> {
    let found: Option<i64> = sqlx::query_scalar("SELECT shards FROM ledger FOR UPDATE")
        .persistent(false)
        .fetch_one(&mut *connection)
        .await?;
    if found == Some(i64::from(wanted)) {
        return Ok(());
    }
    let at_work: Option<String> = sqlx::query_scalar(
        "SELECT name FROM replicas WHERE expires_at > clock_timestamp() ORDER BY id LIMIT 1",
    )
    .persistent(false)
    .fetch_optional(&mut *connection)
    .await?;
    if let (Some(found), Some(replica)) = (found, at_work) {
        return Err(Unfit::OtherShards { replica, found });
    }
    sqlx::query("UPDATE ledger SET shards = $1")
        .bind(i64::from(wanted))
        .persistent(false)
        .execute(connection)
        .await?;
    Ok(())
}
