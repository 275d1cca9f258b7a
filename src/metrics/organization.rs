//! What is known of asking organizations for their accounts.

use super::exposition::{Kind, Line, Lines};
use super::page::{Family, Rows};
use crate::model::{FailureReason, Organization, OrganizationState};

/// An organization, and what came of asking it.
pub(super) struct OrganizationRow<'a> {
    pub(super) organization: &'a Organization,
    pub(super) state: &'a OrganizationState,
}

impl OrganizationRow<'_> {
    fn line<'a>(&self, lines: &'a mut Lines<'_>) -> Line<'a> {
        lines.line().label("organization", &self.organization.name)
    }
}

pub(super) const FAMILIES: [Family; 4] = [
    Family {
        name: "regwatch_discovered_accounts",
        kind: Kind::Gauge,
        help: "Accounts that were found in the organization and are watched, unless the configuration lists them \
               itself.",
        rows: Rows::Organization(|lines, row| row.line(lines).count(row.organization.accounts as u64)),
    },
    Family {
        name: "regwatch_leaving_accounts",
        kind: Kind::Gauge,
        help: "Accounts that have left the organization, or are not active or not chosen any more. They are shown, and \
               not asked, until the grace is over.",
        rows: Rows::Organization(|lines, row| row.line(lines).count(row.organization.leaving as u64)),
    },
    Family {
        name: "regwatch_discovery_last_success_timestamp_seconds",
        kind: Kind::Gauge,
        help: "When the organization was last listed as a whole, in Unix seconds; 0 for never.",
        rows: Rows::Organization(|lines, row| row.line(lines).time_or_never(row.state.last_success)),
    },
    Family {
        name: "regwatch_discovery_failures_total",
        kind: Kind::Counter,
        help: "Listings of the organization that failed, by reason. Who was found before is watched on.",
        rows: Rows::Organization(|lines, row| {
            for (reason, count) in FailureReason::ALL.into_iter().zip(row.state.failures) {
                row.line(lines).label("reason", reason.as_str()).count(count.into());
            }
        }),
    },
];
