use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::model::{Caller, Polling, Probe, Region, Target, TargetId};

fn account(number: u64) -> AccountId {
    format!("{number:012}").parse().unwrap()
}

fn scope(service: Service, caller: Caller) -> Scope {
    let region = Region::new("us-east-1");
    Scope { service, caller, region, limit: 1.0, wanted: 0.5, targets: Vec::new() }
}

/// A fleet with a FleetWise target of its own scope for each account, and a GovCloud target through one of
/// some hubs; every fifth account has left.
fn fleet(accounts: u64, hubs: u64) -> Fleet {
    let polling = Arc::new(Polling {
        interval: Duration::from_secs(300),
        pending_interval: Duration::from_secs(15),
        failed_interval: Duration::from_secs(60),
        timeout: Duration::from_secs(10),
        stale_after: Duration::from_secs(900),
    });
    let mut fleet = Fleet::default();
    let hub = |number: u64| Arc::<str>::from(format!("hub-{number}"));
    for number in 0..hubs {
        for service in [Service::Account, Service::Sts, Service::Organizations] {
            fleet.scopes.push(scope(service, Caller::Identity(hub(number))));
        }
        fleet.sts_scopes.insert(hub(number), ScopeId(index(fleet.scopes.len() - 2)));
        fleet.organizations.push(Organization {
            name: hub(number),
            scope: ScopeId(index(fleet.scopes.len() - 1)),
            refresh: Duration::from_secs(3600),
            accounts: 1,
            leaving: 0,
        });
    }
    for number in 0..accounts {
        let id = account(number);
        let account = Arc::new(Account { id, name: id.to_string().into(), labels: BTreeMap::new() });
        fleet.accounts.push(Arc::clone(&account));
        let own = ScopeId(index(fleet.scopes.len()));
        fleet.scopes.push(scope(Service::FleetWise, Caller::Account(id)));
        let through = number % hubs;
        for (probe, scope) in
            [(Probe::FleetWise, own), (Probe::GovCloud, ScopeId(index(through as usize * 3)))]
        {
            let target = TargetId(index(fleet.targets.len()));
            let region = (probe == Probe::FleetWise).then(|| Region::new("us-east-1"));
            let (account, polling) = (Arc::clone(&account), Arc::clone(&polling));
            fleet.targets.push(Target { account, probe, region, identity: hub(through), scope, polling });
            match number % 5 {
                4 => drop(fleet.leaving.insert(target, Timestamp::UNIX_EPOCH)),
                _ => fleet.scopes[scope.0 as usize].targets.push(target),
            }
        }
    }
    fleet
}

fn key(fleet: &Fleet, target: &Target) -> (AccountId, Probe, Caller) {
    (target.account.id, target.probe, fleet.scope(target.scope).caller.clone())
}

proptest! {
    #[test]
    fn the_parts_are_the_whole_and_no_scope_is_divided(
        accounts in 0u64..40,
        hubs in 1u64..4,
        count in 1u16..20,
        replicas in 1u16..5,
    ) {
        let whole = fleet(accounts, hubs);
        let parts: Vec<Fleet> = (0..replicas)
            .map(|replica| {
                let held = (0..count).filter(|shard| shard % replicas == replica);
                let held = held.map(|shard| (shard, Epoch(7))).collect();
                whole.part(&Shards { count, held, among: usize::from(replicas) })
            })
            .collect();
        let mut seen: Vec<_> = parts.iter().flat_map(|part| part.targets.iter().map(|t| key(part, t))).collect();
        let mut all: Vec<_> = whole.targets.iter().map(|target| key(&whole, target)).collect();
        seen.sort();
        all.sort();
        prop_assert_eq!(seen, all);
        for part in &parts {
            for (id, scope) in (0..).map(ScopeId).zip(&part.scopes) {
                let names = |other: &&Scope| (other.service, &other.caller) == (scope.service, &scope.caller);
                let same = whole.scopes.iter().find(names).unwrap();
                prop_assert_eq!(scope.targets.len(), same.targets.len());
                prop_assert_eq!(part.claims.contains_key(&id), scope.service != Service::Sts);
                // All have the scope of STS, and together no more of its quota than one would.
                let among = if scope.service == Service::Sts { f64::from(replicas) } else { 1.0 };
                prop_assert!((scope.limit * among - same.limit).abs() < 1e-9);
                for &target in &scope.targets {
                    prop_assert_eq!(part.target(target).scope, id);
                    prop_assert!(!part.leaving.contains_key(&target));
                }
            }
            prop_assert_eq!(part.sts_scopes.len(), whole.sts_scopes.len());
            for (name, &scope) in &part.sts_scopes {
                prop_assert_eq!(&part.scope(scope).caller, &Caller::Identity(Arc::clone(name)));
            }
            for organization in &part.organizations {
                prop_assert_eq!(part.scope(organization.scope).service, Service::Organizations);
            }
            let accounts: HashSet<_> = part.targets.iter().map(|target| target.account.id).collect();
            prop_assert_eq!(part.accounts.len(), accounts.len());
        }
        let count = |of: fn(&Fleet) -> usize| parts.iter().map(of).sum::<usize>();
        prop_assert_eq!(count(|fleet| fleet.organizations.len()), whole.organizations.len());
        prop_assert_eq!(count(|fleet| fleet.leaving.len()), whole.leaving.len());
    }
}

/// Replicas of two releases agree on who polls what.
#[test]
fn the_shard_of_a_scope_never_changes() {
    let shards = Shards { count: 16, held: BTreeMap::new(), among: 3 };
    let own = |number| shards.of(&scope(Service::FleetWise, Caller::Account(account(number))));
    let through = |name: &str| shards.of(&scope(Service::Account, Caller::Identity(name.into())));
    assert_eq!([own(111_111_111_111), own(2), own(123_456_789_012)], [15, 2, 13]);
    assert_eq!([through("hub"), through("111111111111")], [10, 2]);
}

/// A thousand accounts are spread about evenly.
#[test]
fn no_shard_has_much_more_than_another() {
    let shards = Shards { count: 16, held: BTreeMap::new(), among: 3 };
    let mut scopes = [0; 16];
    for number in 0..1600 {
        let caller = Caller::Account(account(number));
        scopes[usize::from(shards.of(&scope(Service::FleetWise, caller)))] += 1;
    }
    assert!(scopes.iter().all(|count| (60..140).contains(count)), "{scopes:?}");
}
