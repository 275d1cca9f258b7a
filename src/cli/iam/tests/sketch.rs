//! Arbitrary configurations: every way in which one identity may stand on another.

use proptest::prelude::*;

use super::{MANAGEMENT, REGIONS};
use crate::model::AccountId;

/// What a configuration may be of: an identity for each account's two probes, by a number.
#[derive(Clone, Debug)]
pub(super) struct Sketch {
    pub(super) accounts: Vec<(Option<usize>, Option<usize>, usize)>,
    pub(super) member_from: usize,
    pub(super) has_external_id: bool,
}

const FLEETWISE: [&str; 3] = ["member", "onwards", "member"];
const GOVCLOUD: [&str; 6] = ["hub", "other", "member", "onwards", "management", "of-each"];

pub(super) fn sketch() -> impl Strategy<Value = Sketch> {
    let account = (prop::option::of(0..FLEETWISE.len()), prop::option::of(0..GOVCLOUD.len()), 1usize..8);
    let account =
        account.prop_filter("watched", |(fleetwise, govcloud, _)| fleetwise.or(*govcloud).is_some());
    (prop::collection::vec(account, 1..6), 0usize..3, any::<bool>()).prop_map(
        |(accounts, member_from, has_external_id)| Sketch { accounts, member_from, has_external_id },
    )
}

pub(super) fn id(index: usize) -> AccountId {
    format!("{:012}", 200_000_000_000_usize + index).parse().unwrap()
}

pub(super) fn yaml(sketch: &Sketch) -> String {
    let from = ["hub", "other", "gateway"][sketch.member_from];
    let external_id = if sketch.has_external_id { ", external_id: 'a-1:b'" } else { "" };
    let mut yaml = format!(
        "identities:
  hub: {{}}
  other: {{profile: other}}
  gateway: {{from: hub, assume_role: {{role_arn: 'arn:aws:iam::100000000001:role/path/gateway', external_id: gate}}}}
  member: {{from: {from}, assume_role: {{role_arn: 'arn:aws:iam::{{account_id}}:role/regwatch'{external_id}}}}}
  onwards: {{from: member, assume_role: {{role_arn: 'arn:aws:iam::{{account_id}}:role/deep/onwards'}}}}
  management: {{from: hub, assume_role: {{role_arn: 'arn:aws:iam::{MANAGEMENT}:role/management'}}}}
  of-each: {{from: member, assume_role: {{role_arn: 'arn:aws:iam::{MANAGEMENT}:role/of-{{account_id}}'}}}}
accounts:\n"
    );
    for (index, (fleetwise, govcloud, regions)) in sketch.accounts.iter().enumerate() {
        yaml += &format!("  - id: '{}'\n", id(index));
        if let Some(fleetwise) = fleetwise {
            let regions: Vec<_> =
                (0..3).filter(|bit| regions & (1 << bit) != 0).map(|bit| REGIONS[bit]).collect();
            yaml += &format!(
                "    fleetwise: {{identity: {}, regions: [{}]}}\n",
                FLEETWISE[*fleetwise],
                regions.join(", ")
            );
        }
        if let Some(govcloud) = govcloud {
            yaml += &format!("    govcloud: {{identity: {}}}\n", GOVCLOUD[*govcloud]);
        }
    }
    yaml
}
