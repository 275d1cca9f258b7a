//! Why the store could not be opened, read or written.

use std::io;
use std::path::PathBuf;

use super::Refusal;
use crate::model::Claim;

/// The store could not be read or written. No text of it repeats what the store holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Not now: the disk is full, the file is read-only or locked, the database cannot be reached; the same
    /// may succeed later.
    #[error("the store could not be used: {detail}")]
    Unusable {
        /// Which sort of trouble it is.
        trouble: Trouble,
        /// What the database says.
        detail: String,
    },
    /// It was to be written under a claim that is stale: another replica has taken over. Nothing was
    /// written, and nothing is to be tried again.
    #[error("the store was not written: the claim to {0} is stale, and another replica may hold it")]
    Fenced(Claim),
    /// A row of the file was written by another release, or by hand.
    #[error("{row} in the store has a `{column}` that this release does not know")]
    Unknown {
        /// Which row, such as `event 17`.
        row: String,
        /// Which of its columns.
        column: &'static str,
    },
}

impl StoreError {
    /// It could not be used, for a reason that is none of the known.
    pub fn unusable(detail: impl Into<String>) -> Self {
        Self::Unusable { trouble: Trouble::Other, detail: detail.into() }
    }

    /// Which sort of trouble it is.
    pub fn reason(&self) -> Trouble {
        match self {
            Self::Unusable { trouble, .. } => *trouble,
            Self::Fenced(_) => Trouble::Fenced,
            Self::Unknown { .. } => Trouble::UnknownRow,
        }
    }
}

/// Why a store could not be read or written: a closed set, for a label of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// All of its connections are taken, or others hold what is needed.
    Busy,
    /// Its writers stood in each other's way; nothing is wrong.
    Conflict,
    /// The claim to write is stale.
    Fenced,
    /// There is no room left.
    Full,
    /// It takes no writes: a file without the right to, or a database that follows another.
    ReadOnly,
    /// It does not let regwatch in, or does not let it do this: the password, the rights, the certificate.
    Refused,
    /// It did not answer in time.
    Timeout,
    /// A row was written by another release, or by hand.
    UnknownRow,
    /// No connection to it could be made, or the one that was there has ended.
    Unreachable,
    /// None of these.
    Other,
}

impl Trouble {
    /// Every sort.
    pub const ALL: [Self; 10] = [
        Self::Busy,
        Self::Conflict,
        Self::Fenced,
        Self::Full,
        Self::ReadOnly,
        Self::Refused,
        Self::Timeout,
        Self::UnknownRow,
        Self::Unreachable,
        Self::Other,
    ];

    /// Whether it may be otherwise in a moment, without anybody mending anything.
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::Busy | Self::Conflict | Self::Timeout | Self::Unreachable)
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Conflict => "conflict",
            Self::Fenced => "fenced",
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::UnknownRow => "unknown_row",
            Self::Unreachable => "unreachable",
            Self::Other => "other",
        }
    }
}

/// The store could not be opened. Each text tells what, where, and what to do; the file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder that is to hold the file does not exist.
    #[error("the store {} cannot be made: its folder does not exist; make it, and let the user that \
             regwatch runs as write to it", path.display())]
    NoFolder {
        /// The file.
        path: PathBuf,
    },
    /// There is no file to read.
    #[error("there is no store {}; name the `store.path` of a regwatch that has run", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The path leads to a folder or a device.
    #[error("the store {} is no regular file; name a file in `store.path`", path.display())]
    NoFile {
        /// What is there.
        path: PathBuf,
    },
    /// The file that says who uses the store cannot be made or locked.
    #[error("the store {} cannot be locked with the file {}; let the user that regwatch runs as write to \
             its folder, on a local disk", path.display(), lock.display())]
    Lock {
        /// The file of the store.
        path: PathBuf,
        /// The file of the lock.
        lock: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Another process uses the store.
    #[error("the store {} is in use by {}; stop that one, or give this one another `store.path`",
            path.display(), holder.map_or("another regwatch".to_owned(), |pid| format!("the regwatch of process {pid}")))]
    InUse {
        /// The file.
        path: PathBuf,
        /// The process, where its id is known.
        holder: Option<u32>,
    },
    /// The file exists and may not be read.
    #[error("the store {} cannot be read; let the user that regwatch runs as read and write it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file can be read and not be written.
    #[error("the store {} is read-only; let the user that regwatch runs as write to it and to its folder",
            path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is {what} and no store of regwatch; it was left as it is: name another file in `store.path`",
            path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The file is broken.
    #[error("the store {} is damaged: {finding}; it was left as it is: put a backup in its place, or move \
             it away together with what begins with its name, to begin anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        finding: String,
    },
    /// The file has a form that a later release has given it.
    #[error("the store {} was written by a newer release of regwatch (its form is number {found}, this \
             release knows {known}); it was left as it is: run that release, or move the file away to \
             begin anew", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The number of its form.
        found: i64,
        /// The number of the last form that is known here.
        known: i64,
    },
    /// The file was given its form by other statements than this release has.
    #[error("form number {number} of the store {} is not the one that this release gives; it was left as \
             it is: run the release that made it, or move the file away to begin anew", path.display())]
    Altered {
        /// The file.
        path: PathBuf,
        /// The number of the form.
        number: i64,
    },
    /// The file is to be read only, and its form is not yet that of this release.
    #[error("the store {} has a form of an older release; start the daemon of this one, which brings it up \
             to date", path.display())]
    Older {
        /// The file.
        path: PathBuf,
    },
    /// Somebody copies another store to it, or has begun to.
    #[error("the store {at} is a copy of {of} that is not finished; finish it with `regwatch store copy`")]
    Unfinished {
        /// Which store.
        at: String,
        /// Of what it is to be a copy.
        of: String,
    },
    /// The database is no file, but a server's.
    #[error(transparent)]
    Database(#[from] Refusal),
    /// The database refused for a reason that is none of the above.
    #[error("the store {} cannot be opened; free what holds it up and try again", path.display())]
    Refused {
        /// The file, or what stands for memory.
        path: PathBuf,
        /// What the database says.
        source: StoreError,
    },
}
