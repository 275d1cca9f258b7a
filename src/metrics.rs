//! The metrics page: what a scrape sees.
//!
//! State is not kept twice. Every family that follows from a [`Snapshot`] is written straight from it
//! when a scrape asks, as a [`Page`], so that a target which is gone from the configuration is gone
//! from the next page, and nothing can disagree with the tracker. What no snapshot holds, because it
//! happens rather than is (how long a poll took, how often credentials were refreshed), is counted
//! here where it happens, by the instruments of the `prometheus` crate in a registry of their own. What
//! sinks deliver, and how often the store fails, they count themselves; here it is looked at.

mod account;
mod door;
mod exposition;
mod lease;
mod organization;
mod page;
mod scope;
mod sink;
mod state;
mod store;
mod target;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};
use tokio::sync::watch;

pub use door::DoorGauges;
pub use lease::{Handover, LeaseMeters};
pub use page::Page;

use crate::model::{FailureReason, Probe, Snapshot};
use crate::sink::Progress;
use crate::store::Troubles;

/// The content type of a [`Page`]: version 0.0.4 of Prometheus's text exposition format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds in seconds for one call to AWS: a warm call takes some 20 ms in its own region and
/// some 300 ms around the globe; the default timeout is 10 s and its configured maximum beyond 30 s.
const POLL_DURATION_BUCKETS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 5.0, 10.0, 30.0];

/// Upper bounds in seconds for how late a call was made: from a scheduler with time to spare, over
/// one waiting for its turn in a busy quota scope, to a sweep that takes half an hour behind a small
/// quota.
const POLL_LAG_BUCKETS: [f64; 13] =
    [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0];

/// Why an instrument of this file cannot be refused.
const WELL_FORMED: &str = "its name, help and labels are constants in the form that Prometheus asks for";

/// What a scrape sees: regwatch's own instruments, and pages that set them beside the state.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    poll_duration: HistogramVec,
    poll_lag: Histogram,
    credentials_refreshes: IntCounter,
    credentials_refresh_failures: IntCounterVec,
    store_pending_events: IntGauge,
    store_write_failures: IntCounter,
    store_dropped_events: IntCounter,
    config_reload_succeeded: IntGauge,
    config_reloaded_at: Gauge,
    /// Who is there changes with the configuration; a page goes on with those that it began with.
    sinks: watch::Sender<Arc<[Arc<Progress>]>>,
    troubles: Troubles,
}

impl Metrics {
    /// Instruments that have seen nothing. Every series of a closed set is there from the start, so
    /// that `rate()` sees its first step.
    pub fn new() -> Self {
        let poll_duration = HistogramOpts::new(
            "regwatch_poll_duration_seconds",
            "How long a poll's call to AWS took, in seconds. Time spent waiting for a quota is lag, not duration.",
        );
        let poll_lag = HistogramOpts::new(
            "regwatch_poll_lag_seconds",
            "How much later than due a poll's call to AWS was made, in seconds. It grows while a quota scope \
             backs off or its quota is too small for the configured intervals.",
        );
        let refreshes = "Attempts to get credentials for an identity, failed ones included.";
        let refresh_failures =
            Opts::new("regwatch_credentials_refresh_failures_total", "Attempts that failed, by reason.");
        let pending = "Events that are not yet in the store, and that no sink hears of before they are. They wait in \
                       memory while the store cannot be written.";
        let write_failures =
            "Attempts to write states and events to the store that failed; each is made again.";
        let dropped = "Events that a sink had yet to deliver when the store had to drop them, to keep to \
                       store.max_events.";
        let succeeded =
            "Whether the configuration could be read the last time that it was, the start included.";
        let reloaded_at = "When the configuration in force was read, in Unix seconds.";
        let metrics = Self {
            registry: Registry::new(),
            poll_duration: HistogramVec::new(poll_duration.buckets(POLL_DURATION_BUCKETS.into()), &["probe"])
                .expect(WELL_FORMED),
            poll_lag: Histogram::with_opts(poll_lag.buckets(POLL_LAG_BUCKETS.into())).expect(WELL_FORMED),
            credentials_refreshes: IntCounter::new("regwatch_credentials_refreshes_total", refreshes)
                .expect(WELL_FORMED),
            credentials_refresh_failures: IntCounterVec::new(refresh_failures, &["reason"])
                .expect(WELL_FORMED),
            store_pending_events: IntGauge::new("regwatch_store_pending_events", pending).expect(WELL_FORMED),
            store_write_failures: IntCounter::new("regwatch_store_write_failures_total", write_failures)
                .expect(WELL_FORMED),
            store_dropped_events: IntCounter::new("regwatch_store_dropped_events_total", dropped)
                .expect(WELL_FORMED),
            config_reload_succeeded: IntGauge::new("regwatch_config_last_reload_successful", succeeded)
                .expect(WELL_FORMED),
            config_reloaded_at: Gauge::new(
                "regwatch_config_last_reload_success_timestamp_seconds",
                reloaded_at,
            )
            .expect(WELL_FORMED),
            sinks: watch::Sender::new([].into()),
            troubles: Troubles::default(),
        };
        for probe in [Probe::FleetWise, Probe::GovCloud] {
            metrics.poll_duration.with_label_values(&[probe.as_str()]);
        }
        for reason in FailureReason::ALL {
            metrics.credentials_refresh_failures.with_label_values(&[reason.as_str()]);
        }
        metrics.register();
        metrics
    }

    fn register(&self) {
        let registered = [
            self.registry.register(Box::new(self.poll_duration.clone())),
            self.registry.register(Box::new(self.poll_lag.clone())),
            self.registry.register(Box::new(self.credentials_refreshes.clone())),
            self.registry.register(Box::new(self.credentials_refresh_failures.clone())),
            self.registry.register(Box::new(self.store_pending_events.clone())),
            self.registry.register(Box::new(self.store_write_failures.clone())),
            self.registry.register(Box::new(self.store_dropped_events.clone())),
            self.registry.register(Box::new(self.config_reload_succeeded.clone())),
            self.registry.register(Box::new(self.config_reloaded_at.clone())),
            self.registry.register(Box::new(build_info())),
            #[cfg(target_os = "linux")]
            self.registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self())),
        ];
        for outcome in registered {
            outcome.expect("each family is registered once, in a registry of its own");
        }
    }

    /// Has these sinks on the pages from now on; no two of them have the same name.
    pub fn show_sinks(&self, sinks: impl IntoIterator<Item = Arc<Progress>>) {
        self.sinks.send_replace(sinks.into_iter().collect());
    }

    /// Takes note that a configuration has come into force.
    pub fn config_loaded(&self, now: Timestamp) {
        self.config_reload_succeeded.set(1);
        self.config_reloaded_at.set(now.as_duration().as_secs_f64());
    }

    /// Takes note that a configuration was refused, and the one before stays in force.
    pub fn config_refused(&self) {
        self.config_reload_succeeded.set(0);
    }

    /// The same, with what comes of using the store on the page.
    pub fn with_store(self, troubles: Troubles) -> Self {
        Self { troubles, ..self }
    }

    /// The same, with a door on the page, if it has something to show.
    pub fn with_door(self, door: Option<&DoorGauges>) -> Self {
        if let Some(door) = door {
            door.register(&self.registry);
        }
        self
    }

    /// The same, with leases on the page, if this replica is one of several.
    pub fn with_leases(self, meters: Option<&LeaseMeters>) -> Self {
        if let Some(meters) = meters {
            meters.register(&self.registry);
        }
        self
    }

    /// Takes note of a poll: how late its call was made, and how long the call took.
    pub fn polled(&self, probe: Probe, lag: Duration, duration: Duration) {
        self.poll_lag.observe(lag.as_secs_f64());
        self.poll_duration.with_label_values(&[probe.as_str()]).observe(duration.as_secs_f64());
    }

    /// Takes note of an attempt to get credentials for an identity, and of why it failed.
    pub fn credentials_refreshed(&self, outcome: Result<(), FailureReason>) {
        self.credentials_refreshes.inc();
        if let Err(reason) = outcome {
            self.credentials_refresh_failures.with_label_values(&[reason.as_str()]).inc();
        }
    }

    /// Takes note of how many events are not yet in the store.
    pub fn store_pending(&self, events: usize) {
        self.store_pending_events.set(i64::try_from(events).unwrap_or(i64::MAX));
    }

    /// Takes note of an attempt to write to the store that failed.
    pub fn store_write_failed(&self) {
        self.store_write_failures.inc();
    }

    /// Takes note of events that the store dropped before every sink had delivered them.
    pub fn store_dropped(&self, events: u64) {
        self.store_dropped_events.inc_by(events);
    }

    /// The page for a snapshot, piece by piece: what a slow reader holds is one piece, not the page.
    pub fn page(&self, snapshot: Arc<Snapshot>, now: Timestamp) -> Page {
        let sinks = self.sinks.borrow();
        // Each sink is on the page of the one replica that delivers to it.
        let sinks = sinks.iter().filter(|progress| progress.is_ours()).map(Arc::clone).collect();
        Page::new(snapshot, sinks, self.troubles.clone(), now, self.registry.clone())
    }

    /// The same page in one text.
    pub fn render(&self, snapshot: Arc<Snapshot>, now: Timestamp) -> String {
        self.page(snapshot, now).into_text()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn build_info() -> IntGauge {
    let info = Opts::new("regwatch_build_info", "Which regwatch this is: always 1, the labels tell.");
    let info =
        IntGauge::with_opts(info.const_label("version", env!("CARGO_PKG_VERSION"))).expect(WELL_FORMED);
    info.set(1);
    info
}
