//! Why a store could not be copied.

use super::Compared;
use crate::store::{OpenError, Refusal, StoreError};

/// A store could not be copied. The source is as it was; the target is too, or is a copy that is not
/// finished, with which the same call goes on.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the two cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// One of the two could not be read or written.
    #[error("the copy was interrupted at the store {at}; try again, and it goes on")]
    Failed {
        /// Which of them.
        at: String,
        /// What it says.
        source: StoreError,
    },
    /// One of the two is memory.
    #[error("a store in memory ends with its process; name a file or a database")]
    Memory,
    /// Both are the same.
    #[error("the store {at} cannot be copied to itself")]
    Same {
        /// Which.
        at: String,
    },
    /// A replica uses one of the two.
    #[error(
        "the store {at} is in use by the replica {replica}; end every replica, and try again. One that was \
             killed counts until its lease has run out"
    )]
    AtWork {
        /// Which of them.
        at: String,
        /// What people call the replica.
        replica: String,
    },
    /// The target has something in it.
    #[error(
        "the store {at} has something else in it, or has gone on since it was copied; it was left as it is: \
             name one that is new"
    )]
    Occupied {
        /// The target.
        at: String,
    },
    /// The target is a copy of another store, and not finished.
    #[error(
        "the store {at} is a copy of {of} that is not finished; copy that one again to finish it, or name one \
             that is new"
    )]
    OfAnother {
        /// The target.
        at: String,
        /// Of what it is to be a copy.
        of: String,
    },
    /// What was written is not what was read.
    #[error("the copy is not the same as the store that it was made of; somebody has written to one of them")]
    Differs {
        /// What was found.
        tables: Vec<Compared>,
    },
}

impl From<Refusal> for CopyError {
    fn from(refusal: Refusal) -> Self {
        Self::Open(refusal.into())
    }
}
