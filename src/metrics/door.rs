//! What a scrape sees of the web configuration: whether it is in force, and how long its certificate lasts.

use jiff::Timestamp;
use prometheus::{IntGauge, Registry};

use super::WELL_FORMED;

/// The gauges of a door that has a file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DoorGauges {
    successful: IntGauge,
    success: IntGauge,
    /// Only where there is TLS.
    not_after: Option<IntGauge>,
}

impl DoorGauges {
    /// Gauges of a door whose first certificate to expire does so then, in seconds since 1970; `None`
    /// without TLS.
    pub fn new(not_after: Option<i64>) -> Self {
        let gauge = |name, help| IntGauge::new(name, help).expect(WELL_FORMED);
        let gauges = Self {
            successful: gauge(
                "regwatch_web_config_last_reload_successful",
                "Whether the web configuration, as its files are now, is in force: 1, or 0 if it has mistakes and \
                 the one before stays.",
            ),
            success: gauge(
                "regwatch_web_config_last_reload_success_timestamp_seconds",
                "When the web configuration that is in force was read.",
            ),
            not_after: not_after.map(|_| {
                gauge(
                    "regwatch_web_certificate_not_after_timestamp_seconds",
                    "When the certificate of the web server expires: the first of its chain to do so.",
                )
            }),
        };
        gauges.certificate(not_after);
        gauges
    }

    /// Takes note of when the first certificate expires.
    pub fn certificate(&self, not_after: Option<i64>) {
        if let (Some(gauge), Some(not_after)) = (&self.not_after, not_after) {
            gauge.set(not_after);
        }
    }

    /// Takes note of the files having been read, and when, or of their mistakes.
    pub fn read(&self, outcome: Result<Timestamp, ()>) {
        self.successful.set(i64::from(outcome.is_ok()));
        if let Ok(now) = outcome {
            self.success.set(now.as_second());
        }
    }

    pub(super) fn register(&self, registry: &Registry) {
        for gauge in
            [Some(&self.successful), Some(&self.success), self.not_after.as_ref()].into_iter().flatten()
        {
            registry.register(Box::new(gauge.clone())).expect("a page has one door");
        }
    }
}
