//! A change of a resource between two successful observations.

use jiff::Timestamp;

use super::{Resource, Status};

/// What happened to a resource between two successful observations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Which sort of change.
    pub kind: TransitionKind,
    /// What changed.
    pub resource: Resource,
    /// The state before; `None` when it was not known.
    pub from: Option<Status>,
    /// The state now.
    pub to: Status,
    /// AWS's own text for a `to` of [`Status::Unknown`].
    pub text: Option<Box<str>>,
    /// AWS's `errorMessage` for a registration that failed.
    pub error_message: Option<Box<str>>,
    /// Since when the state before was known.
    pub previous_since: Option<Timestamp>,
    /// When the state now was first seen.
    pub observed_at: Timestamp,
    /// When AWS says it changed.
    pub aws_modified_at: Option<Timestamp>,
}

/// Which sort of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransitionKind {
    /// The resource was seen for the first time: nothing is known to have changed.
    FirstSeen,
    /// The state is another than before.
    Changed,
    /// The state is the one before, but AWS's modification time moved: it changed and came back
    /// between two polls.
    Modified,
}

impl TransitionKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstSeen => "first_seen",
            Self::Changed => "changed",
            Self::Modified => "modified",
        }
    }
}
