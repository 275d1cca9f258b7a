//! A configuration, as the text of its file: what is accepted is a fleet that can be polled, shown and
//! paged through.

use std::sync::Arc;

use regwatch::config::{Config, LogFilter};
use regwatch::model::{Fleet, Region, ScopeId, Snapshot, TargetId};
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
    let fleet = config.fleet(&Region::new("us-east-1"));
    check_scopes(&fleet);
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
