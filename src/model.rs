//! The values everything else speaks in: what is polled, what AWS answered, what is known.
//!
//! Layer 0: nothing here awaits, does I/O or names a type of the AWS SDK.

pub mod advice;
mod event;
mod health;
mod lease;
mod observation;
mod organization;
mod part;
mod report;
mod roster;
mod scope;
mod shelves;
mod state;
mod status;
mod succession;
mod target;
mod whole;
mod word;

pub use event::{Entry, Event, EventId, Transition, TransitionKind};
pub use health::Health;
pub use lease::{Claim, Epoch, Lease, ParseLeaseError, ReplicaId};
pub use observation::{
    Details, Failure, FailureCounts, FailureReason, FleetWiseDetails, GovCloudDetails, Reading,
    ResourceReading,
};
pub use organization::{Organization, OrganizationState};
pub use part::Shards;
pub use report::{Pacing, Poll, Report};
pub use roster::{Listing, Member, Roster, Turnover};
pub use scope::ScopeState;
pub use shelves::Shelves;
pub use state::{ResourceState, Snapshot, TargetState, TransitionCount};
pub use status::{Phase, Resource, Status};
pub use succession::Succession;
pub use target::{
    Account, AccountId, Caller, FLEETWISE_REGIONS, Fleet, Generation, ParseAccountIdError, Polling, Probe,
    Region, Scope, ScopeId, Service, Target, TargetId,
};
pub use whole::{Holder, Holders, Right, Whole};
pub use word::Word;
