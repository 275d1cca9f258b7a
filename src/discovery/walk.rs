//! One listing of an organization: what is asked next, and what the answers come to.
//!
//! First all accounts; then, if a rule names a unit, the way down to it and everything below; then the
//! tags of those accounts alone that nothing else decides.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::selection::{Candidate, is_taken};
use crate::aws::{List, Listed, ListedAccount, Page, Standing};
use crate::config::{Organization, UnitPath};
use crate::model::{AccountId, Failure, FailureReason, Listing};

/// A listing under way.
pub(super) struct Walk {
    organization: Arc<Organization>,
    /// What is still to be asked, and what for.
    ahead: VecDeque<(Purpose, List, Option<String>)>,
    /// The tokens that the list at hand has told.
    tokens: HashSet<String>,
    stage: Stage,
    id: Option<Box<str>>,
    accounts: BTreeMap<AccountId, (Arc<str>, Standing)>,
    /// The units that rules name, with the accounts in them and below; `None` while a unit was not found.
    units: HashMap<UnitPath, Option<BTreeSet<AccountId>>>,
    /// The ids of all roots and units that were told.
    told: HashSet<Arc<str>>,
    tags: BTreeMap<AccountId, BTreeMap<String, String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Accounts,
    Units,
    Tags,
}

/// What a page is asked for.
#[derive(Clone)]
enum Purpose {
    Accounts,
    Roots,
    /// What is below the root or unit to which these names lead.
    Below(Vec<Box<str>>),
    /// Who is in it.
    Within(Vec<Box<str>>),
    Tags(AccountId),
}

impl Walk {
    pub(super) fn new(organization: Arc<Organization>) -> Self {
        let units = organization.rules().filter_map(|rule| rule.unit.clone());
        Self {
            units: units.map(|unit| (unit, None)).collect(),
            ahead: VecDeque::from([(Purpose::Accounts, List::Accounts, None)]),
            tokens: HashSet::new(),
            stage: Stage::Accounts,
            id: None,
            accounts: BTreeMap::new(),
            told: HashSet::new(),
            tags: BTreeMap::new(),
            organization,
        }
    }

    pub(super) fn organization(&self) -> &Arc<Organization> {
        &self.organization
    }

    /// The list to ask for a page of, and the token to ask with; `None` when all has been told.
    pub(super) fn question(&mut self) -> Option<(List, Option<String>)> {
        while self.ahead.is_empty() {
            self.go_on()?;
        }
        self.ahead.front().map(|(_, list, token)| (list.clone(), token.clone()))
    }

    /// Fills what is ahead with what the next stage asks for.
    fn go_on(&mut self) -> Option<()> {
        self.stage = match self.stage {
            Stage::Accounts => Stage::Units,
            Stage::Units => Stage::Tags,
            Stage::Tags => return None,
        };
        match self.stage {
            Stage::Units if !self.units.is_empty() => {
                self.ahead.push_back((Purpose::Roots, List::Roots, None))
            }
            Stage::Tags => {
                let open: Vec<_> = self.watchable().filter(|id| self.is_taken(*id).is_none()).collect();
                self.ahead.extend(open.into_iter().map(|id| (Purpose::Tags(id), List::Tags(id), None)));
            }
            Stage::Accounts | Stage::Units => {}
        }
        Some(())
    }

    /// Takes in the page that was asked for.
    pub(super) fn take(&mut self, listed: Listed) -> Result<(), Failure> {
        let (purpose, list, _) = self.ahead.pop_front().expect("a page comes after its question");
        let next = match listed {
            Listed::Accounts(Page { items, next }) => {
                for account in items {
                    self.take_account(&purpose, account);
                }
                next
            }
            Listed::Units(Page { items, next }) => {
                for unit in items {
                    if !self.told.insert(Arc::clone(&unit.id)) {
                        return Err(malformed("a unit is in two places, or in itself"));
                    }
                    match &purpose {
                        Purpose::Below(above) => {
                            let names = above.iter().cloned().chain([unit.name]).collect();
                            self.visit(names, &unit.id);
                        }
                        _ => self.visit(Vec::new(), &unit.id),
                    }
                }
                next
            }
            Listed::Tags(Page { items, next }) => {
                if let Purpose::Tags(account) = purpose {
                    self.tags.entry(account).or_default().extend(items);
                }
                next
            }
        };
        match next {
            None => self.tokens.clear(),
            Some(next) if !self.tokens.insert(next.clone()) => {
                return Err(malformed("the list has no end: its pages go in a circle"));
            }
            next => self.ahead.push_front((purpose, list, next)),
        }
        if self.ahead.is_empty() && self.stage == Stage::Accounts && self.accounts.is_empty() {
            // Its management account at least is one of it.
            return Err(malformed("the organization has no account"));
        }
        Ok(())
    }

    fn take_account(&mut self, purpose: &Purpose, account: ListedAccount) {
        let ListedAccount { id, name, standing, organization } = account;
        match purpose {
            Purpose::Within(names) => {
                let above = self.units.iter_mut().filter(|(unit, _)| names.starts_with(unit.names()));
                above.for_each(|(_, within)| within.get_or_insert_default().extend([id]));
            }
            _ => {
                self.id = self.id.take().or(organization);
                self.accounts.insert(id, (name, standing));
            }
        }
    }

    /// Plans what has to be known of a root or unit.
    fn visit(&mut self, names: Vec<Box<str>>, id: &Arc<str>) {
        let (mut is_within, mut is_above) = (false, false);
        for (unit, within) in &mut self.units {
            if names.starts_with(unit.names()) {
                is_within = true;
                within.get_or_insert_default();
            } else if unit.names().starts_with(&names) {
                is_above = true;
            }
        }
        if is_within {
            self.ahead.push_back((Purpose::Within(names.clone()), List::AccountsOf(Arc::clone(id)), None));
        }
        if is_within || is_above {
            self.ahead.push_back((Purpose::Below(names), List::Units(Arc::clone(id)), None));
        }
    }

    /// What all of it comes to.
    pub(super) fn finish(self) -> Result<Listing, Failure> {
        if let Some(unit) = self.units.iter().find_map(|(unit, within)| within.is_none().then_some(unit)) {
            // Most likely it has another name now. To take nobody, or everybody, would be worse than to ask.
            let message = format!("the organization has no unit {unit}, which the configuration names");
            return Err(Failure::new(FailureReason::Other, message));
        }
        let taken: Vec<_> = self.watchable().filter(|id| self.is_taken(*id) == Some(true)).collect();
        let mut listing = Listing { organization: self.id.clone(), ..Listing::default() };
        for id in taken {
            let (name, standing) = &self.accounts[&id];
            match standing {
                Standing::Active => {
                    listing.accounts.insert(id, Arc::clone(name));
                }
                Standing::Unclear => {
                    listing.unclear.insert(id);
                }
                Standing::Inactive => {}
            }
        }
        Ok(listing)
    }

    fn watchable(&self) -> impl Iterator<Item = AccountId> {
        let is_inactive = |standing: &Standing| *standing == Standing::Inactive;
        self.accounts.iter().filter(move |(_, (_, standing))| !is_inactive(standing)).map(|(id, _)| *id)
    }

    fn is_taken(&self, id: AccountId) -> Option<bool> {
        let is_in = |unit: &UnitPath| {
            self.units.get(unit).and_then(Option::as_ref).is_some_and(|within| within.contains(&id))
        };
        let (name, tags) = (&*self.accounts[&id].0, self.tags.get(&id));
        is_taken(&self.organization, &Candidate { id, name, is_in, tags })
    }
}

fn malformed(message: &str) -> Failure {
    Failure::new(FailureReason::MalformedReply, message)
}

#[cfg(test)]
mod tests;
