//! What a configuration watches: its targets, grouped by the bucket that AWS counts their calls in.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{Config, FleetWise, GovCloud, Identity, Organization, WatchedAccount};
use crate::model::{
    self, Account, AccountId, Caller, Fleet, Polling, Probe, Region, Roster, Scope, ScopeId, Service, Target,
    TargetId,
};

/// Where Account Management is, whichever region a client is set to.
///
/// Source: "AWS Account Management endpoints and quotas" in the AWS General Reference.
const ACCOUNT_MANAGEMENT_REGION: &str = "us-east-1";

/// Where Organizations is, and where its calls are signed for.
///
/// Source: "AWS Organizations endpoints and quotas" in the AWS General Reference.
const ORGANIZATIONS_REGION: &str = "us-east-1";

/// How many accounts one call lists: the most that `ListAccounts` gives.
const LISTED_AT_ONCE: usize = 20;

/// How often a session is renewed: AWS grants a chained role an hour at most.
const SESSIONS_PER_SECOND: f64 = 1.0 / 3600.0;

/// Who belongs to each organization, by its name.
pub type Rosters = BTreeMap<Arc<str>, Roster>;

impl Config {
    /// What the configuration watches by itself, as long as nobody is found in its organizations; STS is
    /// called in `sts_region`. Takes time in proportion to the targets.
    pub fn fleet(&self, sts_region: &Region) -> Fleet {
        self.fleet_with(sts_region, &Rosters::new())
    }

    /// The same, with those who were found. An account that the configuration lists is watched as it says
    /// there, and one of several organizations as the first that has it.
    pub fn fleet_with(&self, sts_region: &Region, rosters: &Rosters) -> Fleet {
        let mut grouping = Grouping::new(self);
        let mut sts = StsCallers::default();
        let mut taken: HashSet<AccountId> =
            if rosters.is_empty() { HashSet::new() } else { self.accounts.iter().map(id_of).collect() };
        for watched in &self.accounts {
            grouping.watch(&Watched::from(watched), &mut sts);
        }
        // Who is there goes before who has left, whichever organization comes first.
        let present: HashSet<AccountId> = rosters.values().flat_map(present).collect();
        for organization in &self.organizations {
            let mut found = model::Organization {
                name: Arc::clone(&organization.name),
                scope: grouping.lister(organization, &mut sts),
                refresh: organization.refresh,
                accounts: 0,
                leaving: 0,
            };
            for (id, member) in rosters.get(&organization.name).into_iter().flat_map(Roster::members) {
                let count = if member.left_at.is_some() { &mut found.leaving } else { &mut found.accounts };
                *count += 1;
                if (member.left_at.is_some() && present.contains(&id)) || !taken.insert(id) {
                    continue;
                }
                let (name, labels) = (Arc::clone(&member.name), organization.labels.clone());
                let account = Arc::new(Account { id, name, labels });
                grouping.watch(&Watched::of(organization, &account, member.left_at), &mut sts);
            }
            let calls = (found.accounts + found.leaving).div_ceil(LISTED_AT_ONCE).max(1);
            grouping.fleet.scopes[found.scope.0 as usize].wanted +=
                calls as f64 / organization.refresh.as_secs_f64();
            grouping.fleet.organizations.push(found);
        }
        for (identity, sessions) in sts.sessions {
            let scope = grouping.scope(self.caller(&identity, None), Service::Sts, sts_region);
            grouping.fleet.scopes[scope.0 as usize].wanted += sessions * SESSIONS_PER_SECOND;
            grouping.fleet.sts_scopes.insert(identity, scope);
        }
        let mut fleet = grouping.fleet;
        // It may stay as it is for months.
        fleet.targets.shrink_to_fit();
        fleet.scopes.shrink_to_fit();
        fleet
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
            Service::Organizations => self.limits.organizations_requests_per_second,
        }
    }
}

fn id_of(watched: &WatchedAccount) -> AccountId {
    watched.account.id
}

/// Those of a roster who have not left.
fn present(roster: &Roster) -> impl Iterator<Item = AccountId> {
    roster.members().filter(|(_, member)| member.left_at.is_none()).map(|(id, _)| id)
}

/// An account to watch, wherever it comes from.
struct Watched<'a> {
    account: &'a Arc<Account>,
    fleetwise: Option<&'a FleetWise>,
    govcloud: Option<&'a GovCloud>,
    polling: &'a Arc<Polling>,
    left_at: Option<Timestamp>,
}

impl<'a> From<&'a WatchedAccount> for Watched<'a> {
    fn from(watched: &'a WatchedAccount) -> Self {
        let WatchedAccount { account, fleetwise, govcloud, polling } = watched;
        let (fleetwise, govcloud) = (fleetwise.as_ref(), govcloud.as_ref());
        Self { account, fleetwise, govcloud, polling, left_at: None }
    }
}

impl<'a> Watched<'a> {
    fn of(organization: &'a Organization, account: &'a Arc<Account>, left_at: Option<Timestamp>) -> Self {
        let Organization { fleetwise, govcloud, polling, .. } = organization;
        Self { account, fleetwise: fleetwise.as_ref(), govcloud: govcloud.as_ref(), polling, left_at }
    }
}

/// The fleet so far, and where each scope of it is.
struct Grouping<'a> {
    config: &'a Config,
    fleet: Fleet,
    scopes: HashMap<(Caller, Service, Region), ScopeId>,
    account_region: Region,
}

impl<'a> Grouping<'a> {
    fn new(config: &'a Config) -> Self {
        let account_region = Region::new(ACCOUNT_MANAGEMENT_REGION);
        Self { config, fleet: Fleet::default(), scopes: HashMap::new(), account_region }
    }

    fn watch(&mut self, watched: &Watched<'_>, sts: &mut StsCallers) {
        self.fleet.accounts.push(Arc::clone(watched.account));
        if let Some(fleetwise) = watched.fleetwise {
            for region in &*fleetwise.regions {
                self.add(watched, Probe::FleetWise, &fleetwise.identity, region, Some(region));
            }
            sts.add(self.config, &fleetwise.identity, watched);
        }
        if let Some(govcloud) = watched.govcloud {
            let region = self.account_region.clone();
            self.add(watched, Probe::GovCloud, &govcloud.identity, &region, None);
            sts.add(self.config, &govcloud.identity, watched);
        }
    }

    /// The scope in which an organization is listed.
    fn lister(&mut self, organization: &Organization, sts: &mut StsCallers) -> ScopeId {
        sts.add_shared(self.config, &organization.identity);
        let caller = self.config.caller(&organization.identity, None);
        self.scope(caller, Service::Organizations, &Region::new(ORGANIZATIONS_REGION))
    }

    fn add(
        &mut self,
        watched: &Watched<'_>,
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
            polling: Arc::clone(watched.polling),
        });
        if let Some(left_at) = watched.left_at {
            self.fleet.leaving.insert(target, left_at);
            return;
        }
        let scope = &mut self.fleet.scopes[scope.0 as usize];
        scope.targets.push(target);
        scope.wanted += polls_per_second(watched.polling);
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
    /// Counts what asking for an account with an identity takes. For one that has left nothing is asked.
    fn add(&mut self, config: &Config, identity: &Arc<str>, watched: &Watched<'_>) {
        if watched.left_at.is_none() {
            self.count(config, identity, Some(watched.account.id));
        }
    }

    /// Counts what an identity takes that is the same for all accounts.
    fn add_shared(&mut self, config: &Config, identity: &Arc<str>) {
        self.count(config, identity, None);
    }

    /// One session for each role along the chain, shared by all accounts where the role is the same for
    /// all. What the chain begins with calls `GetCallerIdentity`, once, which adds nothing.
    fn count(&mut self, config: &Config, identity: &Arc<str>, account: Option<AccountId>) {
        let mut name = identity;
        while let Identity::AssumeRole(role) = &config.identities[name] {
            let session = account.filter(|_| role.role_arn.is_template());
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
