//! A simulated AWS: FleetWise, Account Management, STS and Organizations on one port.
//!
//! It speaks AWS's wire formats, checks every signature, hands out credentials that work, counts calls
//! against quotas, follows a script of what happens to each account, and fails in the ways that AWS and
//! the network fail. regwatch's tests and its demo run against it; independent clients (botocore, the AWS
//! CLI) are held against it in turn, so that it does not merely agree with itself.
//!
//! What a [`World`] holds happens by itself; a [`Control`] looks at it and changes it while it runs.
//!
//! It is in no layer: nothing but the demo names it, and it takes no more of regwatch than account ids,
//! regions, the names of resources and the clock.

mod account;
mod ask;
mod change;
mod control;
pub mod demo;
mod exchange;
mod fault;
mod fleetwise;
mod operation;
mod organizations;
mod principal;
mod quota;
mod record;
mod refusal;
mod registration;
mod reply;
mod script;
mod server;
mod shared;
mod signature;
mod sts;
mod world;

pub use change::Change;
pub use control::Control;
pub use fault::Fault;
pub use operation::{Operation, Service};
pub use quota::Quota;
pub use record::{Call, Outcome};
pub use registration::{GovCloudState, Part, Registration, RegistrationStatus, govcloud_account_id};
pub use script::Script;
pub use server::Sim;
pub use world::{AccessKey, Account, MemberState, World};
