use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::{Account, Polling};

/// A fleet of accounts, each in a scope of its own or behind an identity.
fn fleet(accounts: &[(u8, Option<u8>)], name: &str) -> Fleet {
    let mut fleet = Fleet::default();
    for (number, &(id, identity)) in (0..).map(TargetId).zip(accounts) {
        let id = format!("{id:012}").parse().unwrap();
        let caller = match identity {
            Some(identity) => Caller::Identity(identity.to_string().into()),
            None => Caller::Account(id),
        };
        let known = fleet.scopes.iter().position(|scope| scope.caller == caller);
        let place = known.unwrap_or_else(|| {
            let (service, region) = (Service::Account, Region::new("us-east-1"));
            fleet.scopes.push(Scope { service, caller, region, limit: 2.0, wanted: 0.0, targets: vec![] });
            fleet.scopes.len() - 1
        });
        fleet.scopes[place].targets.push(number);
        fleet.targets.push(Target {
            account: Arc::new(Account { id, name: name.into(), labels: BTreeMap::new() }),
            probe: Probe::GovCloud,
            region: None,
            identity: name.into(),
            scope: ScopeId(u32::try_from(place).unwrap()),
            polling: Arc::new(Polling {
                interval: Duration::from_secs(300),
                pending_interval: Duration::from_secs(15),
                failed_interval: Duration::from_secs(60),
                timeout: Duration::from_secs(10),
                stale_after: Duration::from_secs(900),
            }),
        });
    }
    fleet
}

fn accounts() -> impl Strategy<Value = Vec<(u8, Option<u8>)>> {
    let accounts = prop::collection::btree_map(0..30u8, prop::option::of(0..4u8), 0..20);
    accounts.prop_map(|accounts| accounts.into_iter().collect::<Vec<_>>()).prop_shuffle()
}

proptest! {
    /// Whatever was in both fleets is found at its new place, whatever was in one alone is gone or new,
    /// and nothing is left out.
    #[test]
    fn each_is_found_again_or_gone_or_new(
        (one, other) in (accounts(), accounts()),
        redefined in prop::collection::hash_set(0..4u8, 0..3),
    ) {
        let (before, now) = (fleet(&one, "before"), fleet(&other, "now"));
        let redefined: HashSet<Arc<str>> = redefined.iter().map(|name| name.to_string().into()).collect();
        let succession = Succession::between(&before, &now, &redefined);
        for (id, target) in (0..).map(TargetId).zip(&before.targets) {
            let now_at = succession.target(id).map(|id| now.target(id).account.id);
            let is_there = now.targets.iter().any(|other| other.account.id == target.account.id);
            prop_assert_eq!(now_at, is_there.then_some(target.account.id));
        }
        for (id, scope) in (0..).map(ScopeId).zip(&before.scopes) {
            let now_at = succession.scope(id).map(|id| &now.scope(id).caller);
            let is_there = now.scopes.iter().any(|other| other.caller == scope.caller);
            let is_same = !matches!(&scope.caller, Caller::Identity(name) if redefined.contains(name));
            prop_assert_eq!(now_at, (is_there && is_same).then_some(&scope.caller));
        }
        let mut all: Vec<_> = succession.stayed().map(|(_, now)| now).collect();
        prop_assert_eq!(all.len() + succession.gone().count(), before.targets.len());
        all.extend(succession.new_targets());
        all.sort();
        prop_assert_eq!(all, (0..now.targets.len() as u32).map(TargetId).collect::<Vec<_>>());
        let mut all: Vec<_> = succession.stayed_scopes().map(|(_, now)| now).collect();
        all.extend(succession.new_scopes());
        all.sort();
        prop_assert_eq!(all, (0..now.scopes.len() as u32).map(ScopeId).collect::<Vec<_>>());
    }
}
