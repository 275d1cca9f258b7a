//! What a scrape sees of the leases that a replica holds.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::WELL_FORMED;

/// Upper bounds in seconds for one renewal: from a database next door to the timeout.
const RENEWAL_BUCKETS: [f64; 10] = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0];

/// How a lease has changed hands, as the replica sees it that had it or has it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Handover {
    /// It was free or had expired, and is held now.
    Taken,
    /// It was given up for another replica, or because it is not wanted any more.
    GivenUp,
    /// It was handed over at the end of the replica.
    HandedOver,
    /// The store says that it is not held any more.
    Lost,
    /// It could not be renewed in time.
    Expired,
}

impl Handover {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Taken, Self::GivenUp, Self::HandedOver, Self::Lost, Self::Expired];

    /// The word of the metric and of the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::GivenUp => "given_up",
            Self::HandedOver => "handed_over",
            Self::Lost => "lost",
            Self::Expired => "expired",
        }
    }
}

/// The instruments of the loop that keeps leases. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LeaseMeters {
    shards: IntGauge,
    shards_held: IntGauge,
    handovers: IntCounterVec,
    renewals: Histogram,
    renewal_failures: IntCounter,
}

impl LeaseMeters {
    /// Instruments that have seen nothing, where there are so many shards.
    pub fn new(shards: u16) -> Self {
        let all = "Shards that there are: what is held by all replicas together, if nobody is missing.";
        let shards_held = "Shards of the quota scopes that this replica holds and asks AWS about.";
        let handovers = "Shards that this replica has begun or ceased to hold, by reason.";
        let renewals = "How long it took to renew the leases, in seconds, where it succeeded.";
        let failures = "Attempts to renew the leases that failed. Each is made again.";
        let renewals = HistogramOpts::new("regwatch_lease_renewal_seconds", renewals);
        let meters = Self {
            shards: IntGauge::new("regwatch_shards", all).expect(WELL_FORMED),
            shards_held: IntGauge::new("regwatch_shards_held", shards_held).expect(WELL_FORMED),
            handovers: IntCounterVec::new(
                Opts::new("regwatch_shard_handovers_total", handovers),
                &["reason"],
            )
            .expect(WELL_FORMED),
            renewals: Histogram::with_opts(renewals.buckets(RENEWAL_BUCKETS.into())).expect(WELL_FORMED),
            renewal_failures: IntCounter::new("regwatch_lease_renewal_failures_total", failures)
                .expect(WELL_FORMED),
        };
        meters.shards.set(shards.into());
        for reason in Handover::ALL {
            meters.handovers.with_label_values(&[reason.as_str()]);
        }
        meters
    }

    /// Takes note of how many shards are held.
    pub fn holding(&self, shards: usize) {
        self.shards_held.set(i64::try_from(shards).unwrap_or(i64::MAX));
    }

    /// Takes note of a shard that has changed hands.
    pub fn changed_hands(&self, handover: Handover) {
        self.handovers.with_label_values(&[handover.as_str()]).inc();
    }

    /// Takes note of a renewal, and how long it took.
    pub fn renewed(&self, duration: Duration) {
        self.renewals.observe(duration.as_secs_f64());
    }

    /// Takes note of a renewal that failed.
    pub fn renewal_failed(&self) {
        self.renewal_failures.inc();
    }

    /// How often shards have changed hands so.
    pub fn handovers(&self, handover: Handover) -> u64 {
        self.handovers.with_label_values(&[handover.as_str()]).get()
    }

    /// How many renewals failed.
    pub fn renewal_failures(&self) -> u64 {
        self.renewal_failures.get()
    }

    pub(super) fn register(&self, registry: &Registry) {
        let registered = [
            registry.register(Box::new(self.shards.clone())),
            registry.register(Box::new(self.shards_held.clone())),
            registry.register(Box::new(self.handovers.clone())),
            registry.register(Box::new(self.renewals.clone())),
            registry.register(Box::new(self.renewal_failures.clone())),
        ];
        for outcome in registered {
            outcome.expect("one loop keeps leases");
        }
    }
}
