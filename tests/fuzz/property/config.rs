//! A configuration, as the text of its file: what is accepted is a fleet that can be polled, shown and
//! paged through.

use std::sync::Arc;

use regwatch::config::{Config, LogFilter, Rosters};
use regwatch::model::{AccountId, Fleet, Member, Region, Roster, ScopeId, Service, Snapshot, TargetId};
use regwatch::schedule::Capacity;

use super::fleet::{begin_at, check_pages};
use super::verdict::judge;
use super::visitor::Visitor;
use crate::snapshot::at;

/// Larger fleets are not asked to be shown: it takes too long for what it would tell.
const SHOWN: usize = 200;

pub(crate) fn holds(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Some(config) = judge(text, || Config::parse("config.yaml", text)) else { return };
    assert!(config.redefined(&config).is_empty(), "it differs from itself");
    if let Some(filter) = &config.log {
        assert_eq!(filter.to_string().parse::<LogFilter>().as_ref(), Ok(filter));
    }
    let fleet = config.fleet_with(&Region::new("us-east-1"), &found(&config));
    check_scopes(&fleet);
    check_organizations(&config, &fleet);
    if fleet.targets.len() <= SHOWN {
        let fleet = Arc::new(fleet);
        Visitor::with(async |visitor| {
            visitor.show(Arc::new(Snapshot::new(Arc::clone(&fleet), at("11:00:00"))));
            check_pages(visitor, &fleet).await;
            for path in ["/", "/scopes", "/metrics"] {
                assert_eq!(visitor.get(path.as_bytes()).await.status, 200, "{path}");
            }
            for target in fleet.targets.iter().take(3) {
                let path = format!("/api/v1/targets/{}", begin_at(target).replace('.', "/"));
                assert_eq!(visitor.get(path.as_bytes()).await.status, 200, "{path}");
            }
        });
    }
}

/// In each organization the same two accounts are found, of which one has left.
fn found(config: &Config) -> Rosters {
    let member = |id: &str, left_at| {
        let id: AccountId = id.parse().expect("12 digits");
        (id, Member { name: id.to_string().into(), left_at })
    };
    let mut roster = Roster::default();
    roster.extend([member("111122223333", None), member("444455556666", Some(at("10:00:00")))]);
    config.organizations.iter().map(|one| (Arc::clone(&one.name), roster.clone())).collect()
}

/// Each organization is listed by a scope of its own kind, as often as it says.
fn check_organizations(config: &Config, fleet: &Fleet) {
    let listed: Vec<_> = fleet.organizations.iter().map(|one| (&one.name, one.refresh)).collect();
    let asked: Vec<_> = config.organizations.iter().map(|one| (&one.name, one.refresh)).collect();
    assert_eq!(listed, asked);
    for organization in &fleet.organizations {
        let scope = fleet.scope(organization.scope);
        assert_eq!((scope.service, scope.targets.len()), (Service::Organizations, 0));
        assert!(scope.wanted > 0.0);
    }
}

/// Each target is in the one scope that it names, and the plan of `check-config` has its figures.
fn check_scopes(fleet: &Fleet) {
    assert!(!fleet.targets.is_empty(), "nothing to watch");
    let mut seen = vec![0; fleet.targets.len()];
    for (id, scope) in (0..).map(ScopeId).zip(&fleet.scopes) {
        for &TargetId(target) in &scope.targets {
            assert_eq!(fleet.targets[target as usize].scope, id);
            seen[target as usize] += 1;
        }
        let capacity = Capacity::of(scope);
        assert!(capacity.wanted.is_finite() && capacity.wanted >= 0.0, "{capacity:?}");
        assert!(capacity.allowed.is_finite() && capacity.allowed > 0.0, "{capacity:?}");
        assert_eq!(capacity.sweep.is_zero(), scope.targets.is_empty(), "{capacity:?}");
    }
    assert!(seen.iter().all(|&times| times == 1), "{seen:?}");
}
