//! One request from its bytes to its reply: route, authenticate, charge the quota, apply the fault, answer.

use std::sync::Arc;
use std::time::Duration;

use hyper::header;
use hyper::http::request::Parts;
use jiff::Timestamp;

use super::ask::Ask;
use super::operation::{Input, Protocol, Routed, route};
use super::principal::Key;
use super::record::CallNumber;
use super::reply::{Answer, Refusal, Reply};
use super::shared::{Shared, State};
use super::signature::{Authorization, Rejection};
use super::{Call, Fault, Operation, Outcome, account, fleetwise, organizations, refusal, sts};
use crate::clock::Clock;
use crate::model::{AccountId, Region};

/// How a reply goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// At once.
    Whole,
    /// After this long.
    After(Duration),
    /// Byte by byte, with this pause between two.
    Drip(Duration),
    /// The first half, and the end of the connection.
    Cut,
    /// The connection ends instead.
    Disconnect,
    /// Nothing ever comes.
    Never,
}

/// Answers a request, and puts it on record: under that number, if it was understood.
pub(super) fn answer(shared: &Shared, parts: &Parts, body: &[u8]) -> (Reply, Delivery, Option<CallNumber>) {
    let Some(Routed { operation, input }) = route(parts, body) else {
        return (Reply::unknown_operation(), Delivery::Whole, None);
    };
    let service = operation.service();
    let protocol = service.protocol();
    let wall = Clock::System.now();
    let authorization = Authorization::of(parts);
    let region = Region::new(authorization.as_ref().map_or("", |authorization| authorization.region));
    let authenticated = authorization.and_then(|authorization| {
        // The lock is let go before the signature is computed, which is most of the work.
        let key = shared.state().keys.get(authorization.access_key_id).ok_or(Rejection::UnknownKey)?;
        authorization.check(parts, body, &key, service.signing_name(), wall)?;
        Ok(key)
    });

    let mut state = shared.state();
    let now = shared.now();
    let (mut caller, mut about) = (None, None);
    let (reply, delivery, outcome) = match authenticated {
        Err(rejection) => refused(refusal::unauthenticated(service, &rejection), protocol),
        Ok(key) => {
            let account = key.principal.account;
            let subject = input.as_ref().and_then(|input| named(operation, input)).unwrap_or(account);
            (caller, about) = (Some(account), Some(subject));
            if state.world.quotas.take(account, service, &region, now) {
                let fault = state.world.faults.at(subject, operation, now);
                let epoch = shared.epoch;
                let call = Accepted { operation, input, key, region: &region, fault, now, wall, epoch };
                call.answer(&mut state)
            } else {
                refused(refusal::throttled(service, None), protocol)
            }
        }
    };
    let answered = None;
    let number = state.record.add(Call {
        at: now,
        operation,
        caller,
        app: app(parts),
        about,
        region,
        outcome,
        answered,
    });
    (reply, delivery, Some(number))
}

/// The app name of an SDK.
fn app(parts: &Parts) -> Option<Box<str>> {
    let agents = parts.headers.get("x-amz-user-agent").or_else(|| parts.headers.get(header::USER_AGENT))?;
    agents.to_str().ok()?.split(' ').find_map(|word| word.strip_prefix("app/")).map(Into::into)
}

/// The account that the input names.
fn named(operation: Operation, input: &Input) -> Option<AccountId> {
    match operation {
        Operation::GetGovCloudAccountInformation => account::named(input),
        Operation::AssumeRole => sts::role(input).map(|(account, _)| account),
        Operation::ListTagsForResource => organizations::named(input),
        Operation::GetRegisterAccountStatus
        | Operation::GetCallerIdentity
        | Operation::ListAccounts
        | Operation::ListRoots
        | Operation::ListOrganizationalUnitsForParent
        | Operation::ListAccountsForParent => None,
    }
}

type Outgoing = (Reply, Delivery, Outcome);

fn refused(refusal: Refusal, protocol: Protocol) -> Outgoing {
    let outcome = refusal.outcome;
    (refusal.into_reply(protocol), Delivery::Whole, outcome)
}

/// A call of a known caller within the quota.
struct Accepted<'a> {
    operation: Operation,
    input: Option<Input>,
    key: Arc<Key>,
    region: &'a Region,
    fault: Option<Fault>,
    now: Duration,
    wall: Timestamp,
    epoch: Timestamp,
}

impl Accepted<'_> {
    fn answer(&self, state: &mut State) -> Outgoing {
        let service = self.operation.service();
        let protocol = service.protocol();
        let Some(fault) = self.fault else {
            return match self.served(state) {
                Ok(answer) => (answer.into_reply(protocol), Delivery::Whole, Outcome::Accepted),
                Err(refusal) => refused(refusal, protocol),
            };
        };
        let error = |refusal: Refusal| (refusal.into_reply(protocol), Delivery::Whole);
        let mut right = |delivery| {
            let reply = match self.served(state) {
                Ok(answer) if fault == Fault::EmptyObject => answer.emptied().into_reply(protocol),
                Ok(answer) => answer.into_reply(protocol),
                Err(refusal) => refusal.into_reply(protocol),
            };
            (reply, delivery)
        };
        let (reply, delivery) = match fault {
            Fault::Throttle { retry_after } => error(refusal::throttled(service, retry_after)),
            Fault::Denied => error(refusal::denied(self.operation, &self.key.principal.arn, "*")),
            Fault::ServerError => error(refusal::server_error(service)),
            Fault::Unavailable => error(refusal::unavailable(service)),
            Fault::ExpiredToken => error(refusal::unauthenticated(service, &Rejection::Expired)),
            Fault::Uncoded(status) => (Reply::uncoded(status, protocol), Delivery::Whole),
            Fault::Html(status) => (Reply::html(status), Delivery::Whole),
            Fault::Hang => right(Delivery::Never),
            Fault::Delay(by) => right(Delivery::After(by)),
            Fault::SlowDrip(pause) => right(Delivery::Drip(pause)),
            Fault::CutBody => right(Delivery::Cut),
            Fault::Disconnect => right(Delivery::Disconnect),
            Fault::EmptyObject | Fault::UnknownEnum | Fault::WrongAccount => right(Delivery::Whole),
        };
        (reply, delivery, Outcome::Fault(fault))
    }

    /// What the service itself says.
    fn served(&self, state: &mut State) -> Result<Answer, Refusal> {
        let State { world, keys, session_lifetime, .. } = state;
        let ask = Ask {
            operation: self.operation,
            input: self.input.as_ref().ok_or_else(refusal::unreadable)?,
            caller: &self.key.principal,
            region: self.region,
            fault: self.fault,
            now: self.now,
            wall: self.wall,
            epoch: self.epoch,
        };
        match self.operation {
            Operation::GetRegisterAccountStatus => fleetwise::get_register_account_status(&ask, world),
            Operation::GetGovCloudAccountInformation => {
                account::get_govcloud_account_information(&ask, world)
            }
            Operation::AssumeRole => sts::assume_role(&ask, world, keys, *session_lifetime),
            Operation::GetCallerIdentity => Ok(sts::get_caller_identity(&ask)),
            Operation::ListAccounts => organizations::list_accounts(&ask, world),
            Operation::ListRoots => organizations::list_roots(&ask, world),
            Operation::ListOrganizationalUnitsForParent => organizations::list_units(&ask, world),
            Operation::ListAccountsForParent => organizations::list_accounts_for_parent(&ask, world),
            Operation::ListTagsForResource => organizations::list_tags(&ask, world),
        }
    }
}
