//! A store moved over to another place, of the same engine or of the other.
//!
//! Rows are read and written by their keys, some thousand in a transaction. From the first to the last the
//! target has a mark that says of what it is to be a copy: nobody can take it for a store of its own, and an
//! interrupted copy goes on with what is there, if that is still what the source has. The mark goes when
//! both were read once more and found to be the same.

mod error;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::error::CopyError;

use super::engine::{Engine, Kind};
use super::lock::Lock;
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::table::{Cell, Sum, TABLES, Table};
use super::{OpenError, SchemaStep, StoreError, open_engine, place, resolve};
use crate::config;

/// Rows that one transaction writes: enough that its end costs little, and a second at most is done anew.
const ROWS: u32 = 2000;

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is done.
    pub doing: Doing,
    /// The table that it is done with.
    pub table: &'static str,
    /// Rows of it that are done with.
    pub done: u64,
    /// Rows of it that the source has.
    pub of: u64,
}

/// What is done with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// What an interrupted copy has left is read, to go on behind it.
    LookingThrough,
    /// It is copied.
    Copying,
    /// It is compared.
    Comparing,
}

/// What was found of a table in both stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Which table.
    pub table: &'static str,
    /// The source.
    pub from: Content,
    /// The target.
    pub to: Content,
}

/// What is in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// How many rows.
    pub rows: u64,
    /// SHA-256 over them in the order of their keys, computed alike for every engine.
    pub checksum: [u8; 32],
}

/// What a copy has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Each table.
    pub tables: Vec<Compared>,
    /// The number of the latest entry of the event log that there ever was, in both: the next one has the
    /// number after it.
    pub latest: u64,
    /// Whether the target was a whole copy before, and nothing was written.
    pub was_whole: bool,
}

/// Copies a store to where there is none, or goes on with a copy that was interrupted; and compares both. It
/// may be dropped at any time, and be called again.
///
/// The source is only read, and nobody may write it meanwhile: what happened there afterwards would be
/// missing in the copy. The lock of a file keeps daemons out; of a database all replicas have to have ended,
/// which is looked at before and after.
///
/// # Errors
/// If either cannot be used or is in use, the target holds something else, or they differ in the end.
pub async fn copy(
    from: &config::Store,
    to: &config::Store,
    mut progress: impl FnMut(Progress),
) -> Result<Copied, CopyError> {
    let from = Side::source(from).await?;
    let to = match Side::target(to, &from).await {
        Ok(to) => to,
        Err(error) => {
            from.close().await;
            return Err(error);
        }
    };
    let copied = Copy { from: &from, to: &to }.run(&mut progress).await;
    to.close().await;
    from.close().await;
    copied
}

/// A store that is copied from or to.
struct Side {
    engine: Engine,
    /// Where it is, for people.
    at: Arc<str>,
    /// Held for its drop.
    _lock: Option<Lock>,
}

impl Side {
    async fn source(settings: &config::Store) -> Result<Self, CopyError> {
        let (engine, lock) = match (&settings.postgres, &settings.path) {
            (Some(database), _) => (Kind::Postgres(Postgres::open_to_read(database).await?), None),
            (None, Some(path)) => {
                let path = existing(path)?;
                let lock = Lock::take(&path)?;
                (Kind::Sqlite(Sqlite::open_to_read(&path).await?), Some(lock))
            }
            (None, None) => return Err(CopyError::Memory),
        };
        let side = Self::new(engine.into(), lock, settings)?;
        if let Some(of) = side.said(side.engine.copied_from().await)? {
            return Err(OpenError::Unfinished { at: side.at.to_string(), of }.into());
        }
        side.refuse_if_at_work().await?;
        Ok(side)
    }

    async fn target(settings: &config::Store, from: &Self) -> Result<Self, CopyError> {
        if settings.path.is_none() && settings.postgres.is_none() {
            return Err(CopyError::Memory);
        }
        let at = place(settings)?;
        if *at == *from.at {
            return Err(CopyError::Same { at });
        }
        let (engine, lock) = open_engine(settings, SchemaStep::released()).await?;
        let side = Self::new(engine, lock, settings)?;
        side.refuse_if_at_work().await?;
        Ok(side)
    }

    fn new(engine: Engine, lock: Option<Lock>, settings: &config::Store) -> Result<Self, CopyError> {
        Ok(Self { engine, at: place(settings)?.into(), _lock: lock })
    }

    /// A file is locked; of a database it is known who lives.
    async fn refuse_if_at_work(&self) -> Result<(), CopyError> {
        match self.said(self.engine.at_work().await)? {
            Some(replica) => Err(CopyError::AtWork { at: self.at.to_string(), replica }),
            None => Ok(()),
        }
    }

    /// Says of which store an error is.
    fn said<T>(&self, outcome: Result<T, StoreError>) -> Result<T, CopyError> {
        outcome.map_err(|source| CopyError::Failed { at: self.at.to_string(), source })
    }

    async fn rows(&self, table: &Table, after: Option<&[Cell]>) -> Result<Rows, CopyError> {
        self.said(self.engine.rows(table, after, ROWS).await)
    }

    async fn count(&self, table: &Table) -> Result<u64, CopyError> {
        self.said(self.engine.count(table).await)
    }

    async fn close(&self) {
        self.engine.close().await;
    }
}

type Rows = Vec<Vec<Cell>>;

/// A copy at work.
struct Copy<'s> {
    from: &'s Side,
    to: &'s Side,
}

impl Copy<'_> {
    async fn run(&self, progress: &mut impl FnMut(Progress)) -> Result<Copied, CopyError> {
        let (from, to) = (self.from, self.to);
        match to.said(to.engine.copied_from().await)? {
            Some(source) if *source == *from.at => {}
            Some(of) => return Err(CopyError::OfAnother { at: to.at.to_string(), of }),
            None if !self.is_empty().await? => return self.judge_a_stranger(progress).await,
            None => to.said(to.engine.begin_copy(&from.at).await)?,
        }
        for table in TABLES {
            self.copy(table, progress).await?;
        }
        let latest = from.said(from.engine.latest().await)?;
        to.said(to.engine.set_latest(latest).await)?;
        let copied = self.compare(progress).await?;
        if copied.tables.iter().any(Compared::differs) {
            return Err(CopyError::Differs { tables: copied.tables });
        }
        from.refuse_if_at_work().await?;
        to.said(to.engine.finish_copy().await)?;
        Ok(copied)
    }

    async fn is_empty(&self) -> Result<bool, CopyError> {
        for table in TABLES {
            if self.to.count(table).await? > 0 {
                return Ok(false);
            }
        }
        Ok(self.to.said(self.to.engine.latest().await)? == 0)
    }

    /// Something is there that is no copy in the making: it may be one that is whole.
    async fn judge_a_stranger(&self, progress: &mut impl FnMut(Progress)) -> Result<Copied, CopyError> {
        let copied = self.compare(progress).await?;
        let latest = self.to.said(self.to.engine.latest().await)?;
        if latest != copied.latest || copied.tables.iter().any(Compared::differs) {
            return Err(CopyError::Occupied { at: self.to.at.to_string() });
        }
        Ok(Copied { was_whole: true, ..copied })
    }

    async fn copy(
        &self,
        table: &'static Table,
        progress: &mut impl FnMut(Progress),
    ) -> Result<(), CopyError> {
        let of = self.from.count(table).await?;
        let (mut done, mut after) = self.left(table, of, progress).await?;
        loop {
            let rows = self.from.rows(table, after.as_deref()).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            self.to.said(self.to.engine.put_rows(table, &rows).await)?;
            done += rows.len() as u64;
            after = Some(table.key_of(last).to_vec());
            progress(Progress { doing: Doing::Copying, table: table.name, done, of });
        }
    }

    /// How many rows are there from before, and the key of the last; unless the source has gone on since, and
    /// the table is copied anew.
    async fn left(
        &self,
        table: &'static Table,
        of: u64,
        progress: &mut impl FnMut(Progress),
    ) -> Result<(u64, Option<Vec<Cell>>), CopyError> {
        let (mut done, mut after) = (0, None);
        loop {
            let there = self.to.rows(table, after.as_deref()).await?;
            let Some(last) = there.last() else { return Ok((done, after)) };
            let mut here = self.from.rows(table, after.as_deref()).await?;
            here.truncate(there.len());
            if here != there {
                self.to.said(self.to.engine.clear(table).await)?;
                return Ok((0, None));
            }
            done += there.len() as u64;
            after = Some(table.key_of(last).to_vec());
            progress(Progress { doing: Doing::LookingThrough, table: table.name, done, of });
        }
    }

    async fn compare(&self, progress: &mut impl FnMut(Progress)) -> Result<Copied, CopyError> {
        let mut tables = Vec::with_capacity(TABLES.len());
        for table in TABLES {
            let of = self.from.count(table).await?;
            let mut show = |done| progress(Progress { doing: Doing::Comparing, table: table.name, done, of });
            let from = content(self.from, table, &mut show).await?;
            let to = content(self.to, table, &mut show).await?;
            tables.push(Compared { table: table.name, from, to });
        }
        let latest = self.from.said(self.from.engine.latest().await)?;
        Ok(Copied { tables, latest, was_whole: false })
    }
}

/// What is in a table of a store.
async fn content(side: &Side, table: &Table, show: &mut impl FnMut(u64)) -> Result<Content, CopyError> {
    let (mut sum, mut after) = (Sum::default(), None);
    loop {
        let rows = side.rows(table, after.as_deref()).await?;
        let Some(last) = rows.last() else { break };
        after = Some(table.key_of(last).to_vec());
        sum.add(&rows);
        show(sum.rows);
    }
    Ok(Content { rows: sum.rows, checksum: sum.checksum() })
}

impl Compared {
    /// Whether the two are not the same.
    pub fn differs(&self) -> bool {
        self.from != self.to
    }
}

/// The one path of a file that is there: nothing is made beside one that is not.
fn existing(path: &Path) -> Result<PathBuf, OpenError> {
    let path = resolve(path)?;
    if path.exists() { Ok(path) } else { Err(OpenError::Missing { path }) }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LookingThrough => "looking through",
            Self::Copying => "copying",
            Self::Comparing => "comparing",
        })
    }
}
