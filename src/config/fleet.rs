//! What a configuration watches: its targets, grouped by the bucket that AWS counts their calls in.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::{Config, Identity, WatchedAccount};
use crate::model::{
    AccountId, Caller, Fleet, Polling, Probe, Region, Scope, ScopeId, Service, Target, TargetId,
};

/// Where Account Management is, whichever region a client is set to.
///
/// Source: "AWS Account Management endpoints and quotas" in the AWS General Reference.
const ACCOUNT_MANAGEMENT_REGION: &str = "us-east-1";

/// How often a session is renewed: AWS grants a chained role an hour at most.
const SESSIONS_PER_SECOND: f64 = 1.0 / 3600.0;

impl Config {
    /// What the configuration watches; STS is called in `sts_region`. Takes time in proportion to the
    /// targets.
    pub fn fleet(&self, sts_region: &Region) -> Fleet {
        let account_region = Region::new(ACCOUNT_MANAGEMENT_REGION);
        let mut grouping = Grouping::new(self);
        let mut sts = StsCallers::default();
        for watched in &self.accounts {
            grouping.fleet.accounts.push(watched.account.clone());
            if let Some(fleetwise) = &watched.fleetwise {
                for region in &fleetwise.regions {
                    grouping.add(watched, Probe::FleetWise, &fleetwise.identity, region, Some(region));
                }
                sts.add(self, &fleetwise.identity, watched.account.id);
            }
            if let Some(govcloud) = &watched.govcloud {
                grouping.add(watched, Probe::GovCloud, &govcloud.identity, &account_region, None);
                sts.add(self, &govcloud.identity, watched.account.id);
            }
        }
        for (identity, sessions) in sts.sessions {
            let scope = grouping.scope(self.caller(&identity, None), Service::Sts, sts_region);
            grouping.fleet.scopes[scope.0 as usize].wanted += sessions * SESSIONS_PER_SECOND;
            grouping.fleet.sts_scopes.insert(identity, scope);
        }
        grouping.fleet
    }

    /// Who calls when an identity is used for an account, or for whichever account.
    fn caller(&self, identity: &Arc<str>, account: Option<AccountId>) -> Caller {
        let known = match &self.identities[identity] {
            Identity::AssumeRole(role) => role.role_arn.fixed_account().or(account),
            Identity::DefaultChain | Identity::Profile(_) => None,
        };
        known.map_or_else(|| Caller::Identity(identity.clone()), Caller::Account)
    }

    fn limit(&self, service: Service) -> f64 {
        match service {
            Service::FleetWise => self.limits.fleetwise_requests_per_second,
            Service::Account => self.limits.account_requests_per_second,
            Service::Sts => self.limits.sts_requests_per_second,
        }
    }
}

/// The fleet so far, and where each scope of it is.
struct Grouping<'a> {
    config: &'a Config,
    fleet: Fleet,
    scopes: HashMap<(Caller, Service, Region), ScopeId>,
}

impl<'a> Grouping<'a> {
    fn new(config: &'a Config) -> Self {
        Self { config, fleet: Fleet::default(), scopes: HashMap::new() }
    }

    fn add(
        &mut self,
        watched: &WatchedAccount,
        probe: Probe,
        identity: &Arc<str>,
        counted_in: &Region,
        region: Option<&Region>,
    ) {
        let caller = self.config.caller(identity, Some(watched.account.id));
        let scope = self.scope(caller, probe.service(), counted_in);
        let target = TargetId(index(self.fleet.targets.len()));
        self.fleet.targets.push(Target {
            account: watched.account.clone(),
            probe,
            region: region.cloned(),
            identity: identity.clone(),
            scope,
            polling: watched.polling.clone(),
        });
        let scope = &mut self.fleet.scopes[scope.0 as usize];
        scope.targets.push(target);
        scope.wanted += polls_per_second(&watched.polling);
    }

    fn scope(&mut self, caller: Caller, service: Service, region: &Region) -> ScopeId {
        let next = ScopeId(index(self.fleet.scopes.len()));
        let limit = self.config.limit(service);
        let id = *self.scopes.entry((caller.clone(), service, region.clone())).or_insert(next);
        if id == next {
            self.fleet.scopes.push(Scope {
                service,
                caller,
                region: region.clone(),
                limit,
                wanted: 0.0,
                targets: Vec::new(),
            });
        }
        id
    }
}

/// The identities that call STS, with how many sessions each has to keep alive.
#[derive(Default)]
struct StsCallers {
    sessions: BTreeMap<Arc<str>, f64>,
    counted: HashSet<(Arc<str>, Option<AccountId>)>,
}

impl StsCallers {
    /// Counts what asking for an account with an identity takes: one session for each role along its
    /// chain, shared by all accounts where the role is the same for all. What the chain begins with
    /// calls `GetCallerIdentity`, once, which adds nothing.
    fn add(&mut self, config: &Config, identity: &Arc<str>, account: AccountId) {
        let mut name = identity;
        while let Identity::AssumeRole(role) = &config.identities[name] {
            let session = role.role_arn.is_template().then_some(account);
            let is_new = self.counted.insert((name.clone(), session));
            if !is_new {
                return;
            }
            *self.sessions.entry(role.from.clone()).or_default() += 1.0;
            name = &role.from;
        }
        self.sessions.entry(name.clone()).or_default();
    }
}

fn polls_per_second(polling: &Polling) -> f64 {
    polling.interval.as_secs_f64().recip()
}

fn index(length: usize) -> u32 {
    u32::try_from(length).expect("a file of four thousand million targets does not fit in memory")
}
