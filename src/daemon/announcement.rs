//! What the log says of a fleet when it begins to be watched.

use crate::model::Fleet;
use crate::schedule::Capacity;

/// Says what is watched, what is known of it from before, and where a quota is too small.
pub(super) fn announce(fleet: &Fleet, known: Option<usize>) {
    if known.is_none() {
        tracing::info!("no store is configured: what is known, and events, end with this process");
    }
    let scopes = fleet.scopes.iter().filter(|scope| !scope.targets.is_empty());
    tracing::info!(
        accounts = fleet.accounts.len(),
        organizations = fleet.organizations.len(),
        targets = fleet.targets.len(),
        quota_scopes = scopes.count(),
        known_from_before = known,
        "watching"
    );
    warn_of_small_quotas(fleet);
}

/// Says where a quota is too small for the cadence that is asked of it.
pub(super) fn warn_of_small_quotas(fleet: &Fleet) {
    for scope in fleet.scopes.iter().filter(|scope| !scope.targets.is_empty()) {
        let capacity = Capacity::of(scope);
        if !capacity.keeps_intervals() {
            tracing::warn!(
                service = scope.service.as_str(),
                aws.region = %scope.region,
                targets = scope.targets.len(),
                wanted_requests_per_second = capacity.wanted,
                allowed_requests_per_second = capacity.allowed,
                sweep_seconds = capacity.sweep.as_secs(),
                "the quota is too small for the configured interval: polls come later than it asks"
            );
        }
    }
}
