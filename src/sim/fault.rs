//! What can go wrong with a call, on demand or for a while in the script.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use super::Operation;
use crate::model::AccountId;

/// What goes wrong with a call. The caller is authenticated and the quota charged as always; then this.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Throttled, whatever the quota.
    Throttle {
        /// After how many seconds to come back: FleetWise says it in `retryAfterSeconds`, the others,
        /// whose errors have no such member, in a `Retry-After` header.
        retry_after: Option<u32>,
    },
    /// No policy allows the call.
    Denied,
    /// 500, in the service's own form.
    ServerError,
    /// 424 `ResourceUnavailableException` from Account Management, 503 from the others.
    Unavailable,
    /// The session token has expired.
    ExpiredToken,
    /// An error of this status that has a message but no code.
    Uncoded(u16),
    /// The request is read and never answered.
    Hang,
    /// The right answer, late.
    Delay(Duration),
    /// The right answer, byte by byte with this pause between two.
    SlowDrip(Duration),
    /// The first half of the right answer, and the end of the connection.
    CutBody,
    /// The end of the connection instead of an answer.
    Disconnect,
    /// A page of HTML with this status, as proxies and portals send it.
    Html(u16),
    /// A success without any member.
    EmptyObject,
    /// The right answer, with a state that no released SDK knows. (STS has no states: its answer is right.)
    UnknownEnum,
    /// The right answer, about another account. (`GetGovCloudAccountInformation` and the lists of
    /// Organizations do not tell which account they are about: their answer is right.)
    WrongAccount,
}

impl Fault {
    /// The state that [`Fault::UnknownEnum`] answers with.
    pub const UNKNOWN_STATE: &str = "UNDER_REVIEW";

    /// The account that [`Fault::WrongAccount`] answers for.
    pub const WRONG_ACCOUNT: &str = "999999999999";
}

/// The faults in effect, by the account asked about and the operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    scripted: Vec<(AccountId, Operation, Range<Duration>, Fault)>,
    set: HashMap<(AccountId, Operation), Fault>,
}

impl Faults {
    /// For a while in the script.
    pub(super) fn script(
        &mut self,
        account: AccountId,
        operation: Operation,
        window: Range<Duration>,
        fault: Fault,
    ) {
        self.scripted.push((account, operation, window, fault));
    }

    /// From now on, before what the script says.
    pub(super) fn set(&mut self, account: AccountId, operation: Operation, fault: Fault) {
        self.set.insert((account, operation), fault);
    }

    /// Takes back what was set; what the script says remains.
    pub(super) fn clear(&mut self, account: AccountId, operation: Operation) {
        self.set.remove(&(account, operation));
    }

    /// The fault in effect.
    pub(super) fn at(&self, account: AccountId, operation: Operation, now: Duration) -> Option<Fault> {
        self.set.get(&(account, operation)).copied().or_else(|| {
            let applies = |(of, on, window, _): &&(AccountId, Operation, Range<Duration>, Fault)| {
                (*of, *on) == (account, operation) && window.contains(&now)
            };
            self.scripted.iter().find(applies).map(|(.., fault)| *fault)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_goes_before_the_script_which_ends_with_its_window() {
        let account = "111122223333".parse().unwrap();
        let operation = Operation::GetRegisterAccountStatus;
        let mut faults = Faults::default();
        faults.script(account, operation, Duration::from_secs(5)..Duration::from_secs(9), Fault::Denied);
        let at = |faults: &Faults, secs| faults.at(account, operation, Duration::from_secs(secs));
        assert_eq!(
            [4, 5, 8, 9].map(|secs| at(&faults, secs)),
            [None, Some(Fault::Denied), Some(Fault::Denied), None]
        );
        faults.set(account, operation, Fault::Hang);
        assert_eq!([4, 5].map(|secs| at(&faults, secs)), [Some(Fault::Hang); 2]);
        assert_eq!(faults.at(account, Operation::AssumeRole, Duration::ZERO), None);
        faults.clear(account, operation);
        assert_eq!([4, 5].map(|secs| at(&faults, secs)), [None, Some(Fault::Denied)]);
    }
}
