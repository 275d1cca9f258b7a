//! Whether a quota scope can keep its intervals: arithmetic, done before the first call.

use std::time::Duration;

use crate::model::Scope;

/// What a quota scope is asked for, against what it may do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity {
    /// How many targets are polled through the scope.
    pub targets: usize,
    /// The calls per second that the configured intervals ask for while all targets are settled.
    pub wanted: f64,
    /// The calls per second that the configured limit allows.
    pub allowed: f64,
    /// How long it takes to poll every target once; zero where there is none.
    pub sweep: Duration,
}

impl Capacity {
    /// The capacity of a scope.
    pub fn of(scope: &Scope) -> Self {
        let rate = scope.wanted.min(scope.limit);
        let sweep = scope.targets.len() as f64 / rate;
        Self {
            targets: scope.targets.len(),
            wanted: scope.wanted,
            allowed: scope.limit,
            // 0 / 0 where nothing is polled, as in a scope of STS.
            sweep: Duration::try_from_secs_f64(sweep).unwrap_or_default(),
        }
    }

    /// Whether every target can be polled at its interval.
    pub fn keeps_intervals(&self) -> bool {
        self.wanted <= self.allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Caller, Region, Service, TargetId};

    fn capacity(targets: u32, interval: f64, limit: f64) -> Capacity {
        Capacity::of(&Scope {
            service: Service::Account,
            caller: Caller::Identity("hub".into()),
            region: Region::new("us-east-1"),
            limit,
            wanted: f64::from(targets) / interval,
            targets: (0..targets).map(TargetId).collect(),
        })
    }

    #[test]
    fn three_thousand_members_behind_two_calls_a_second_take_25_minutes() {
        let capacity = capacity(3000, 300.0, 2.0);
        assert_eq!(capacity.sweep, Duration::from_secs(25 * 60));
        assert!(!capacity.keeps_intervals());
        assert_eq!((capacity.wanted, capacity.allowed, capacity.targets), (10.0, 2.0, 3000));
    }

    #[test]
    fn with_room_to_spare_a_sweep_takes_the_interval() {
        let capacity = capacity(300, 300.0, 2.0);
        assert_eq!(capacity.sweep, Duration::from_secs(300));
        assert!(capacity.keeps_intervals());
    }

    #[test]
    fn a_scope_without_targets_has_nothing_to_keep() {
        let capacity = capacity(0, 300.0, 20.0);
        assert_eq!(capacity.sweep, Duration::ZERO);
        assert!(capacity.keeps_intervals());
    }
}
