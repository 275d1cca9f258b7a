//! What AWS said, probe by probe: one series for each status of a set, 1 for the one that is.
//!
//! A resource that AWS never told of, or tells of no more, has no series: neither 0 nor `UNKNOWN`
//! would be true. What was last known stays through failures; `regwatch_target_stale` tells its age.

use super::exposition::{Kind, Line, Lines};
use super::page::{Family, Rows};
use super::target::{TargetRow, on_a_timer};
use crate::model::{Details, Probe, ResourceState};

pub(super) const FAMILIES: [Family; 8] = [
    Family {
        name: "aws_fleetwise_registration_status",
        kind: Kind::Gauge,
        help: on_a_timer!(
            "Whether the registration with AWS IoT FleetWise last had this status (1) or not (0): the account's \
             as a whole, its IAM role's, its Timestream table's."
        ),
        rows: Rows::Target(|lines, row| {
            for resource in resources(row, Probe::FleetWise) {
                for status in resource.reading.resource.statuses() {
                    fleetwise(lines, row)
                        .label("resource", resource.reading.resource.as_str())
                        .label("status", status.as_str())
                        .flag(*status == resource.reading.status);
                }
            }
        }),
    },
    Family {
        name: "aws_fleetwise_registration_since_timestamp_seconds",
        kind: Kind::Gauge,
        help: on_a_timer!("Since when regwatch knows the resource's status, in Unix seconds."),
        rows: Rows::Target(|lines, row| {
            for resource in resources(row, Probe::FleetWise) {
                fleetwise(lines, row)
                    .label("resource", resource.reading.resource.as_str())
                    .time(resource.since);
            }
        }),
    },
    Family {
        name: "aws_fleetwise_registration_created_timestamp_seconds",
        kind: Kind::Gauge,
        help: "When the account was registered, by AWS's clock, in Unix seconds; no series where AWS did not say.",
        rows: Rows::Target(|lines, row| {
            if let (Probe::FleetWise, Some(created_at)) = (row.target.probe, row.state.created_at) {
                fleetwise(lines, row).time(created_at);
            }
        }),
    },
    Family {
        name: "aws_fleetwise_registration_last_modified_timestamp_seconds",
        kind: Kind::Gauge,
        help: "When the registration last changed, by AWS's clock, in Unix seconds; no series where AWS did not say.",
        rows: Rows::Target(|lines, row| {
            if let (Probe::FleetWise, Some(modified_at)) = (row.target.probe, row.state.modified_at) {
                fleetwise(lines, row).time(modified_at);
            }
        }),
    },
    Family {
        name: "aws_fleetwise_registration_info",
        kind: Kind::Gauge,
        help: "What FleetWise writes with and to: always 1, the labels tell; empty where AWS did not say.",
        rows: Rows::Target(|lines, row| {
            if let Details::FleetWise(details) = &row.state.details {
                fleetwise(lines, row)
                    .label("role_arn", details.role_arn.as_deref().unwrap_or_default())
                    .label(
                        "timestream_database_name",
                        details.timestream_database_name.as_deref().unwrap_or_default(),
                    )
                    .label(
                        "timestream_table_name",
                        details.timestream_table_name.as_deref().unwrap_or_default(),
                    )
                    .flag(true);
            }
        }),
    },
    Family {
        name: "aws_govcloud_account_state",
        kind: Kind::Gauge,
        help: on_a_timer!("Whether the linked GovCloud account was last in this state (1) or not (0)."),
        rows: Rows::Target(|lines, row| {
            for resource in resources(row, Probe::GovCloud) {
                for status in resource.reading.resource.statuses() {
                    govcloud(lines, row)
                        .label("state", status.as_str())
                        .flag(*status == resource.reading.status);
                }
            }
        }),
    },
    Family {
        name: "aws_govcloud_account_since_timestamp_seconds",
        kind: Kind::Gauge,
        help: on_a_timer!("Since when regwatch knows the GovCloud account's state, in Unix seconds."),
        rows: Rows::Target(|lines, row| {
            for resource in resources(row, Probe::GovCloud) {
                govcloud(lines, row).time(resource.since);
            }
        }),
    },
    Family {
        name: "aws_govcloud_account_info",
        kind: Kind::Gauge,
        help: "The linked GovCloud account: always 1, the labels tell.",
        rows: Rows::Target(|lines, row| {
            if let Details::GovCloud(details) = &row.state.details {
                govcloud(lines, row).label("govcloud_account_id", &details.govcloud_account_id).flag(true);
            }
        }),
    },
];

/// The target's resources, if it is of this probe.
fn resources<'a>(row: &TargetRow<'a>, probe: Probe) -> &'a [ResourceState] {
    if row.target.probe == probe { &row.state.resources } else { &[] }
}

fn fleetwise<'a>(lines: &'a mut Lines<'_>, row: &TargetRow<'_>) -> Line<'a> {
    govcloud(lines, row).label("aws_region", row.target.region_str())
}

fn govcloud<'a>(lines: &'a mut Lines<'_>, row: &TargetRow<'_>) -> Line<'a> {
    lines.line().plain("aws_account_id", row.target.account.id)
}
