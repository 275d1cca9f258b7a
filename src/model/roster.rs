//! Who belongs to an organization: as one listing tells it, and as it is taken over time.
//!
//! An account that a listing lacks has left, but is not forgotten before the grace has passed: a listing
//! may be wrong for a moment. Coming back within it is as if nothing had been.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::AccountId;

/// The accounts of an organization that are to be watched, all of them at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The organization's own id, where an account told it.
    pub organization: Option<Box<str>>,
    /// The active accounts that are taken, with what the organization calls them.
    pub accounts: BTreeMap<AccountId, Arc<str>>,
    /// Accounts that are taken if they were before: they are in a state that this release does not know.
    pub unclear: BTreeSet<AccountId>,
}

/// Who belongs to an organization, and who has left it not long ago.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster(BTreeMap<AccountId, Member>);

/// An account of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What the organization calls it.
    pub name: Arc<str>,
    /// When it was first missing; `None` while it is there.
    pub left_at: Option<Timestamp>,
}

/// What a listing has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turnover {
    /// Who was not there before.
    pub joined: Vec<AccountId>,
    /// Who had left, and is there again.
    pub returned: Vec<AccountId>,
    /// Who is missing since.
    pub left: Vec<AccountId>,
    /// Who is called otherwise.
    pub renamed: Vec<AccountId>,
}

impl Turnover {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        let Self { joined, returned, left, renamed } = self;
        [joined, returned, left, renamed].into_iter().all(Vec::is_empty)
    }
}

impl Extend<(AccountId, Member)> for Roster {
    fn extend<T: IntoIterator<Item = (AccountId, Member)>>(&mut self, members: T) {
        self.0.extend(members);
    }
}

impl Roster {
    /// Everybody, those included who have left, by their ids.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (AccountId, &Member)> {
        self.0.iter().map(|(id, member)| (*id, member))
    }

    /// Takes in a listing, and tells what it has changed.
    pub fn take(&mut self, listing: &Listing, now: Timestamp) -> Turnover {
        let mut turnover = Turnover::default();
        for (id, name) in &listing.accounts {
            let Some(member) = self.0.get_mut(id) else {
                self.0.insert(*id, Member { name: Arc::clone(name), left_at: None });
                turnover.joined.push(*id);
                continue;
            };
            if member.left_at.take().is_some() {
                turnover.returned.push(*id);
            }
            if member.name != *name {
                member.name = Arc::clone(name);
                turnover.renamed.push(*id);
            }
        }
        let is_missing = |id: &AccountId| !listing.accounts.contains_key(id) && !listing.unclear.contains(id);
        let present = self.0.iter_mut().filter(|(_, member)| member.left_at.is_none());
        for (id, member) in present.filter(|(id, _)| is_missing(id)) {
            member.left_at = Some(now);
            turnover.left.push(*id);
        }
        turnover
    }

    /// Forgets those who have been gone for as long as the grace, and tells who they were. Who left at a
    /// time that is yet to come, by a clock that was wrong, leaves now.
    pub fn end(&mut self, grace: Duration, now: Timestamp) -> Vec<AccountId> {
        for member in self.0.values_mut() {
            member.left_at = member.left_at.map(|left_at| left_at.min(now));
        }
        let is_over = |_: &AccountId, member: &mut Member| {
            member.left_at.is_some_and(|left_at| ends_at(left_at, grace) <= now)
        };
        self.0.extract_if(.., is_over).map(|(id, _)| id).collect()
    }

    /// When the next of those who have left is to be forgotten.
    pub fn next_end(&self, grace: Duration) -> Option<Timestamp> {
        let left_at = self.0.values().filter_map(|member| member.left_at).min()?;
        Some(ends_at(left_at, grace))
    }
}

fn ends_at(left_at: Timestamp, grace: Duration) -> Timestamp {
    let grace = SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX);
    left_at.saturating_add(grace).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u8) -> AccountId {
        format!("{number:012}").parse().unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn listing(ids: impl IntoIterator<Item = u8>) -> Listing {
        let accounts = ids.into_iter().map(|number| (id(number), format!("n{number}").into())).collect();
        Listing { accounts, ..Listing::default() }
    }

    #[test]
    fn a_new_name_is_told_and_an_unclear_state_moves_nobody() {
        let mut roster = Roster::default();
        assert_eq!(roster.take(&listing([1, 2]), at(0)).joined, [id(1), id(2)]);
        let mut other = listing([1]);
        other.accounts.insert(id(1), "new".into());
        other.unclear = BTreeSet::from([id(2), id(3)]);
        let turnover = roster.take(&other, at(1));
        assert_eq!(turnover, Turnover { renamed: vec![id(1)], ..Turnover::default() });
        assert_eq!(roster.members().map(|(id, _)| id).collect::<Vec<_>>(), [id(1), id(2)]);
    }

    #[test]
    fn a_clock_that_was_ahead_holds_nobody() {
        let grace = Duration::from_secs(10);
        let mut roster = Roster::default();
        roster.take(&listing([1]), at(0));
        roster.take(&listing([]), at(5000));
        assert!(roster.end(grace, at(100)).is_empty());
        assert_eq!(roster.next_end(grace), Some(at(110)));
        assert_eq!(roster.end(grace, at(110)), [id(1)]);
    }

    proptest! {
        /// Against the plainest account of it: since when each was missing without a break.
        #[test]
        fn one_is_forgotten_only_after_missing_for_the_whole_grace(
            grace in 0_u64..6,
            listings in prop::collection::vec((1_i64..3, prop::collection::btree_set(0_u8..5, 0..5)), 1..30),
        ) {
            let span = Duration::from_secs(grace);
            let mut roster = Roster::default();
            let (mut now, mut known) = (0, BTreeMap::<u8, Option<i64>>::new());
            for (step, present) in listings {
                now += step;
                let turnover = roster.take(&listing(present.clone()), at(now));
                let mut expected = Turnover::default();
                for number in 0..5 {
                    match (known.get(&number).copied(), present.contains(&number)) {
                        (None, true) => expected.joined.push(id(number)),
                        (Some(Some(_)), true) => expected.returned.push(id(number)),
                        (Some(None), false) => expected.left.push(id(number)),
                        _ => {}
                    }
                    if present.contains(&number) {
                        known.insert(number, None);
                    } else if let Some(since) = known.get_mut(&number) {
                        *since = since.or(Some(now));
                    }
                }
                prop_assert_eq!(turnover, expected);
                let is_over = |since: &Option<i64>| since.is_some_and(|since| now - since >= grace as i64);
                let over: Vec<_> = known.iter().filter(|(_, since)| is_over(since)).map(|(n, _)| *n).collect();
                prop_assert_eq!(roster.end(span, at(now)), over.iter().map(|n| id(*n)).collect::<Vec<_>>());
                known.retain(|number, _| !over.contains(number));
                let next = known.values().flatten().min().map(|since| at(since + grace as i64));
                prop_assert_eq!(roster.next_end(span), next);
                // The same listing again changes nothing.
                prop_assert!(roster.take(&listing(present), at(now)).is_empty());
            }
        }
    }
}
