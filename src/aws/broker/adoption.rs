//! How the broker goes over to another generation of configuration.
//!
//! Sessions outlive a generation as long as who they are of stays the same. Of an identity that is defined
//! otherwise now, or that stands on one that is, nothing is good any more of what is cached or under way;
//! who waits for it gets what the new definition gives. What nobody asks for any more is forgotten.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::super::credentials::{Key, Request};
use super::step::Work;
use super::{Broker, Chains};
use crate::config::{Config, Identity};
use crate::model::{AccountId, Fleet, Succession, TargetId};
use crate::schedule::Answer;

/// What a configuration needs credentials for.
#[derive(Debug)]
pub struct Needed {
    identities: BTreeMap<Arc<str>, Identity>,
    per_account: HashSet<Arc<str>>,
    /// All that is asked for: by a target, or to assume what one asks for.
    keys: HashSet<Key>,
}

impl Needed {
    /// Takes time in proportion to the targets.
    pub fn of(config: &Config, fleet: &Fleet) -> Self {
        let (identities, per_account) = (config.identities.clone(), config.identities_per_account());
        let mut keys = HashSet::new();
        let targets = (0..).map(TargetId).zip(&fleet.targets);
        // Who has left is not asked.
        let asked = targets.filter(|(id, _)| !fleet.leaving.contains_key(id));
        let asked = asked.map(|(_, target)| (&target.identity, target.account.id));
        let listed = config.organizations.iter().map(|listed| (&listed.identity, AccountId::NOBODY));
        for (mut name, account) in asked.chain(listed) {
            while keys.insert(Key::new(name, account, &per_account))
                && let Identity::AssumeRole(role) = &identities[name]
            {
                name = &role.from;
            }
        }
        Self { identities, per_account, keys }
    }
}

/// What the broker is told of another generation, before any poller is.
#[derive(Debug)]
pub struct Adoption {
    /// Which credentials are needed.
    pub needed: Needed,
    /// Where those come from that are not a role's; `None` where that is as before.
    pub chains: Option<Chains>,
    /// The identities of the generation before that stand for somebody else now.
    pub redefined: Arc<HashSet<Arc<str>>>,
    /// What is watched from now on.
    pub fleet: Arc<Fleet>,
    /// What became of the scopes of the generation before.
    pub succession: Arc<Succession>,
    /// Hears when the new generation holds.
    pub done: oneshot::Sender<()>,
}

impl Broker {
    /// Goes over to another generation.
    pub(super) fn adopt(&mut self, adoption: Adoption) {
        let Adoption { needed, chains, redefined, fleet, succession, done } = adoption;
        let Needed { identities, per_account, keys } = needed;
        let is_same = |key: &Key| keys.contains(key) && !redefined.contains(&key.identity);
        {
            let mut vault = self.cache.vault();
            vault.per_account = per_account;
            vault.sessions.retain(|key, _| is_same(key));
        }
        // Before the lines know the new scopes: what is broken off is finished where it began.
        for step in std::mem::take(&mut self.steps) {
            if is_same(&step.key) {
                self.steps.push(step);
            } else if let Work::Call(permit, _) = step.work {
                let scope = self.scope_of(&step.key.identity);
                self.lines.finish(scope, permit, Answer::Unanswered, self.cache.clock);
            }
        }
        self.lines.adopt(&fleet, &succession, is_same, &mut self.random);
        self.failed.retain(|key, _| is_same(key));
        self.callers.retain(|name, _| fleet.sts_scopes.contains_key(name) && !redefined.contains(name));
        let begin_anew: Vec<_> = self.wanted.extract_if(|key, _| !is_same(key)).collect();
        self.generation = fleet.generation;
        self.scopes = fleet.sts_scopes.clone();
        self.identities = identities;
        if let Some(chains) = chains {
            self.chains = chains;
        }
        for (key, wanted) in begin_anew {
            for waiter in wanted.waiters {
                let (identity, account) = (Arc::clone(&key.identity), waiter.account);
                if !keys.contains(&self.cache.look(&identity, account).0) {
                    continue;
                }
                self.ask(Request { identity, account, reply: Some(waiter.reply) });
            }
        }
        // Who waits may have gone: the daemon is ending.
        let _ = done.send(());
    }
}
