//! Who delivers where several replicas share the event log: for each sink the one that holds its lease.

use std::fmt;

use tokio_util::sync::CancellationToken;

use super::Log;
use crate::config::Webhook;
use crate::model::{Claim, Lease};

/// What one replica at a time does with the event log: delivers to each sink, the log included, and keeps it
/// within its bounds.
pub fn leases(webhooks: &[Webhook]) -> impl Iterator<Item = Lease> {
    let sinks = std::iter::once(Log::NAME.into()).chain(webhooks.iter().map(|webhook| webhook.name.clone()));
    sinks.map(Lease::Sink).chain([Lease::House])
}

/// The right to deliver to a sink, and for how long it lasts.
pub struct Mandate {
    /// What the place in the log is moved under.
    pub claim: Claim,
    /// Whether something may be begun under it at this moment.
    pub holds: Box<dyn Fn() -> bool + Send + Sync>,
    /// Cancelled when nothing is to be begun any more, to wake a sink that waits.
    pub leaving: CancellationToken,
}

impl fmt::Debug for Mandate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mandate").field(&self.claim).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn each_sink_has_a_lease_and_so_has_the_house() {
        let text = "identities: {own: {}}\n\
                    accounts: [{id: '111111111111', name: a, fleetwise: {identity: own, regions: [us-east-1]}}]\n\
                    events: {webhooks: [{name: pager, url: 'https://example.com'}]}";
        let (config, _) = Config::parse("test.yaml", text).unwrap();
        let leases: Vec<_> = leases(&config.webhooks).map(|lease| lease.to_string()).collect();
        assert_eq!(leases, ["sink/log", "sink/pager", "house"]);
    }
}
