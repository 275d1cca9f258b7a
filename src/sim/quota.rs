//! Quotas: one token bucket for each calling account, service and region, as AWS counts.

use std::collections::HashMap;
use std::time::Duration;

use super::{Script, Service};
use crate::model::{AccountId, Region};

/// How many calls AWS accepts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quota {
    /// Calls per second in the long run.
    pub rate: f64,
    /// Calls at once after a pause; below 1 nothing is ever accepted.
    pub burst: f64,
}

impl Quota {
    /// A rate, with one second's worth of it (at least one call) as the burst.
    pub fn per_second(rate: f64) -> Self {
        Self { rate, burst: rate.max(1.0) }
    }
}

/// The quotas, and what is left in each bucket.
#[derive(Clone, Debug)]
pub(super) struct Quotas {
    of_service: HashMap<Service, Script<Quota>>,
    of_caller: HashMap<(AccountId, Service), Script<Quota>>,
    buckets: HashMap<(AccountId, Service, Region), Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    /// Up to when it has been filled, from the start.
    filled: Duration,
}

impl Default for Quotas {
    /// Those that AWS publishes: FleetWise 20/s (L-6ED070A2), STS 600/s, Account Management 3/s for the
    /// siblings of `GetGovCloudAccountInformation`. For those of Organizations a guess
    /// stands here.
    fn default() -> Self {
        let published = [
            (Service::FleetWise, 20.0),
            (Service::Account, 3.0),
            (Service::Sts, 600.0),
            (Service::Organizations, 5.0),
        ];
        let scripts = published.map(|(service, rate)| (service, Script::new(Quota::per_second(rate))));
        Self { of_service: HashMap::from(scripts), of_caller: HashMap::new(), buckets: HashMap::new() }
    }
}

impl Quotas {
    /// For each caller that has no quota of its own.
    pub(super) fn script_service(&mut self, service: Service, script: Script<Quota>) {
        self.of_service.insert(service, script);
    }

    /// For one caller, in each region.
    pub(super) fn script_caller(&mut self, caller: AccountId, service: Service, script: Script<Quota>) {
        self.of_caller.insert((caller, service), script);
    }

    /// For one caller from now on.
    pub(super) fn set(&mut self, caller: AccountId, service: Service, now: Duration, quota: Quota) {
        let before = self.script(caller, service).clone();
        self.of_caller.entry((caller, service)).or_insert(before).set(now, quota);
    }

    /// Takes a token, or finds none.
    pub(super) fn take(
        &mut self,
        caller: AccountId,
        service: Service,
        region: &Region,
        now: Duration,
    ) -> bool {
        let script = self.script(caller, service);
        let burst = script.at(now).burst;
        let key = (caller, service, region.clone());
        let mut bucket = self.buckets.get(&key).copied().unwrap_or(Bucket { tokens: burst, filled: now });
        bucket.tokens = (bucket.tokens + tokens_of(script, bucket.filled, now)).min(burst);
        // Requests in flight together may come in the wrong order by a hair.
        bucket.filled = bucket.filled.max(now);
        let accepted = bucket.tokens >= 1.0;
        if accepted {
            bucket.tokens -= 1.0;
        }
        self.buckets.insert(key, bucket);
        accepted
    }

    /// How many tokens a bucket of this caller is given within a period.
    pub(super) fn granted(&self, caller: AccountId, service: Service, from: Duration, to: Duration) -> f64 {
        tokens_of(self.script(caller, service), from, to)
    }

    fn script(&self, caller: AccountId, service: Service) -> &Script<Quota> {
        self.of_caller.get(&(caller, service)).unwrap_or_else(|| &self.of_service[&service])
    }
}

fn tokens_of(script: &Script<Quota>, from: Duration, to: Duration) -> f64 {
    script.spans(from, to).map(|(span, quota)| span.as_secs_f64() * quota.rate).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn caller() -> AccountId {
        "111122223333".parse().unwrap()
    }

    fn region() -> Region {
        Region::new("us-east-1")
    }

    #[test]
    fn a_bucket_gives_its_burst_then_its_rate() {
        let mut quotas = Quotas::default();
        quotas.script_service(Service::Account, Script::new(Quota { rate: 2.0, burst: 3.0 }));
        let mut accepted_at = |millis| {
            let now = Duration::from_millis(millis);
            (0..10).filter(|_| quotas.take(caller(), Service::Account, &region(), now)).count()
        };
        assert_eq!([0, 400, 500, 1500, 60_000].map(&mut accepted_at), [3, 0, 1, 2, 3]);
    }

    #[test]
    fn buckets_of_other_callers_services_and_regions_are_untouched() {
        let mut quotas = Quotas::default();
        quotas.script_service(Service::Account, Script::new(Quota { rate: 0.0, burst: 1.0 }));
        quotas.script_service(Service::FleetWise, Script::new(Quota { rate: 0.0, burst: 1.0 }));
        let other: AccountId = "444455556666".parse().unwrap();
        let frankfurt = Region::new("eu-central-1");
        for (caller, service, region) in [
            (caller(), Service::Account, region()),
            (other, Service::Account, region()),
            (caller(), Service::FleetWise, region()),
            (caller(), Service::Account, frankfurt),
        ] {
            assert!(quotas.take(caller, service, &region, Duration::ZERO), "{caller} {service:?} {region}");
            assert!(!quotas.take(caller, service, &region, Duration::ZERO), "{caller} {service:?} {region}");
        }
    }

    #[test]
    fn a_change_of_rate_counts_from_its_time_on() {
        let mut quotas = Quotas::default();
        quotas.set(caller(), Service::Account, Duration::from_secs(10), Quota::per_second(1.0));
        let granted = |from, to| {
            quotas.granted(caller(), Service::Account, Duration::from_secs(from), Duration::from_secs(to))
        };
        assert_eq!([granted(0, 10), granted(10, 20), granted(5, 15)], [30.0, 10.0, 20.0]);
    }

    proptest! {
        #[test]
        fn no_window_accepts_more_than_its_grant_and_one_burst(
            rate in 0.1f64..50.0,
            burst in 1.0f64..20.0,
            later in 0.1f64..50.0,
            steps in prop::collection::vec(0u64..400, 1..60),
        ) {
            let mut quotas = Quotas::default();
            let change = Duration::from_secs(10);
            let script = Script::new(Quota { rate, burst }).then(change, Quota { rate: later, burst });
            quotas.script_caller(caller(), Service::Account, script);
            let mut now = Duration::ZERO;
            let mut accepted = Vec::new();
            for step in steps {
                now += Duration::from_millis(step);
                if quotas.take(caller(), Service::Account, &region(), now) {
                    accepted.push(now);
                }
            }
            for (first, &from) in accepted.iter().enumerate() {
                for (last, &to) in accepted.iter().enumerate().skip(first) {
                    let count = (last - first + 1) as f64;
                    let granted = quotas.granted(caller(), Service::Account, from, to);
                    prop_assert!(count <= granted + burst + 1e-6, "{count} from {from:?} to {to:?}");
                }
            }
        }
    }
}
