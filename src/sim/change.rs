//! What has become of the accounts: the truth that a watcher is compared with.

use std::time::Duration;

use super::script::Script;
use super::world::Account;
use super::{GovCloudState, Part, Registration};
use crate::model::{AccountId, Region, Resource};

/// A resource has become another than it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When, from the start of the simulation.
    pub at: Duration,
    /// Of which account.
    pub account: AccountId,
    /// In which region; `None` for what has no region.
    pub region: Option<Region>,
    /// What changed.
    pub resource: Resource,
    /// AWS's word for what it was; `None` if it did not exist.
    pub from: Option<&'static str>,
    /// AWS's word for what it is; `None` if it no longer exists.
    pub to: Option<&'static str>,
}

/// What has become of an account until now: resource by resource, each in the order of time.
pub(super) fn changes(account: &Account, now: Duration) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add = |region: Option<&Region>, resource, words: Vec<(Duration, Option<&'static str>)>| {
        let steps = words.windows(2).map(|pair| (pair[1].0, pair[0].1, pair[1].1));
        changes.extend(steps.filter(|(_, from, to)| from != to).map(|(at, from, to)| Change {
            at,
            account: account.id,
            region: region.cloned(),
            resource,
            from,
            to,
        }));
    };
    for (region, script) in &account.registrations {
        for resource in [Resource::Account, Resource::Iam, Resource::Timestream] {
            let word = |registration: &Registration| word(registration, resource);
            add(Some(region), resource, words(script, now, word));
        }
    }
    let govcloud = words(&account.govcloud, now, |state: &GovCloudState| Some(state.as_str()));
    add(None, Resource::GovCloudAccount, govcloud);
    changes
}

/// AWS's words for what existed until now, and from when on.
fn words<T>(
    script: &Script<Option<T>>,
    now: Duration,
    word: impl Fn(&T) -> Option<&'static str>,
) -> Vec<(Duration, Option<&'static str>)> {
    script.until(now).map(|(at, state)| (at, state.as_ref().and_then(&word))).collect()
}

fn word(registration: &Registration, resource: Resource) -> Option<&'static str> {
    let part = |part: &Option<Part>| part.as_ref().map(|part| part.status);
    let status = match resource {
        Resource::Iam => part(&registration.iam)?,
        Resource::Timestream => part(&registration.timestream)?,
        Resource::Account | Resource::GovCloudAccount => registration.account,
    };
    Some(status.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::RegistrationStatus::{Pending, Success};
    use super::*;

    #[test]
    fn each_resource_tells_its_own_steps_and_none_twice() {
        let at = Duration::from_secs;
        let half = Registration { account: Pending, ..Registration::new(Success) }.without_timestream();
        let script = Script::new(None)
            .then(at(1), Some(Registration::new(Pending)))
            .then(at(2), Some(half))
            .then(at(3), Some(Registration::new(Success)))
            .then(at(9), None);
        let account = Account::new("111122223333".parse().unwrap(), "one").registration("us-east-1", script);
        let steps = |resource| {
            let changes = changes(&account, at(5)).into_iter().filter(move |c| c.resource == resource);
            changes.map(|change| (change.at.as_secs(), change.from, change.to)).collect::<Vec<_>>()
        };
        let (pending, success) = (Some(Pending.as_str()), Some(Success.as_str()));
        assert_eq!(steps(Resource::Account), [(1, None, pending), (3, pending, success)]);
        assert_eq!(steps(Resource::Iam), [(1, None, pending), (2, pending, success)]);
        let timestream = [(1, None, pending), (2, pending, None), (3, None, success)];
        assert_eq!(steps(Resource::Timestream), timestream);
        assert_eq!(steps(Resource::GovCloudAccount), []);
    }
}
