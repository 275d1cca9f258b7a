//! The world of `regwatch demo`: an organization in which, within half a minute, something of everything
//! happens, and a minute later what failed is mended. Its accounts, ids and keys are fictitious.

use std::time::Duration;

use super::{
    AccessKey, Account, Fault, GovCloudState, Operation, Quota, Registration, RegistrationStatus, Script,
    Service, World,
};
use crate::model::AccountId;

/// The role in each account that regwatch assumes, and the external id that it demands.
const ROLE: (&str, &str) = ("regwatch", "regwatch-demo");

/// How long ago what exists from the start came to be.
const AGE: Duration = Duration::from_secs(190 * 24 * 3600);

/// What FleetWise says of a role that it cannot use. The wording is ours: AWS publishes none.
const ROLE_MISTAKE: &str = "IoT FleetWise can't assume the IAM role. Check that the role's trust policy \
                            names iotfleetwise.amazonaws.com.";

/// What to look at: the second from the start, the account, and what happens to it.
const SIGHTS: [(u64, &str); 10] = [
    (0, "telematics-test: FleetWise denies the call; its target is down, the others do not notice"),
    (6, "defense-programs: the GovCloud account goes from PENDING_ACTIVATION to ACTIVE"),
    (8, "fleet-stage-eu: the registration goes from PENDING to SUCCESS"),
    (
        10,
        "org-management: Account Management throttles; all GovCloud polls slow down, FleetWise polls do not",
    ),
    (11, "fleet-stage-us: the registration goes from PENDING to FAILURE, with AWS's words for it"),
    (14, "telematics-prod: registers in eu-central-1 (PENDING), and succeeds 6 s later"),
    (15, "org-management: the quota is back; the learnt rate climbs to it again"),
    (16, "connected-services: changes and comes back between two polls: only the modification time moved"),
    (19, "defense-programs: the GovCloud account is SUSPENDED"),
    (
        90,
        "fleet-stage-us: somebody has mended the role and registers again (PENDING), and it succeeds 6 s later",
    ),
];

/// The configuration up to its accounts. Everything is much faster than one would ask of the real AWS.
const CONFIG: &str = r#"# The configuration of `regwatch demo`. Its accounts are fictitious.
polling:
  interval: 5s
  pending_interval: 1s
  failed_interval: 3s
  timeout: 900ms
  stale_after: 20s
  start_window: 2s
limits:
  fleetwise_requests_per_second: 5
  account_requests_per_second: 5
  sts_requests_per_second: 20
  max_in_flight: 16
identities:
  # The key of the management account, which the demo puts where the default chain looks first.
  hub: {}
  member:
    from: hub
    assume_role:
      role_arn: "arn:aws:iam::{account_id}:role/regwatch"
      external_id: "regwatch-demo"
      session_name: regwatch-demo
accounts:
"#;

/// Everything that the demo starts with.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The simulated AWS.
    pub world: World,
    /// A key of the management account: what regwatch's default credential chain is to find.
    pub access_key: AccessKey,
    /// The configuration of regwatch for this world, as YAML.
    pub config: String,
    /// What to look at: when, from the start, and what happens to whom.
    pub sights: Vec<(Duration, &'static str)>,
}

/// The demo's world, with the configuration to watch it.
pub fn demo_world() -> Demo {
    let access_key = AccessKey::new("AKIADEMODEMODEMODEMO", "not-a-secret-this-is-a-demo");
    let rows = rows();
    let management = id(rows[0].id);
    // The first, which manages the organization, is where regwatch's own key is.
    let world = rows.iter().enumerate().fold(World::new(), |world, (index, row)| {
        let account = row.account();
        if index == 0 {
            world.management(account.access_key(access_key.clone()))
        } else {
            world.member(account)
        }
    });
    let normal = Quota { rate: 6.0, burst: 6.0 };
    let scarce = Quota { rate: 0.5, burst: 1.0 };
    let quota = Script::new(normal).then(secs(10), scarce).then(secs(15), normal);
    let denied = rows.iter().filter(|row| row.is_denied).map(|row| id(row.id));
    let world = denied.fold(world.caller_quota(management, Service::Account, quota), |world, account| {
        world.fault(
            account,
            Operation::GetRegisterAccountStatus,
            Duration::ZERO..Duration::MAX,
            Fault::Denied,
        )
    });
    let sights = SIGHTS.iter().map(|&(at, what)| (secs(at), what)).collect();
    Demo { world, access_key, config: config(&rows), sights }
}

/// An account of the demo.
struct Row {
    id: &'static str,
    name: &'static str,
    team: &'static str,
    stage: &'static str,
    registrations: Vec<(&'static str, Script<Option<Registration>>)>,
    govcloud: Script<Option<GovCloudState>>,
    is_denied: bool,
}

impl Row {
    fn new(id: &'static str, name: &'static str, team: &'static str, stage: &'static str) -> Self {
        let govcloud = Script::new(None);
        Self { id, name, team, stage, registrations: Vec::new(), govcloud, is_denied: false }
    }

    fn fleetwise(mut self, region: &'static str, script: Script<Option<Registration>>) -> Self {
        self.registrations.push((region, script));
        self
    }

    fn govcloud(self, script: Script<Option<GovCloudState>>) -> Self {
        Self { govcloud: script, ..self }
    }

    fn account(&self) -> Account {
        let account = Account::new(id(self.id), self.name).role(ROLE.0, Some(ROLE.1));
        let account = account.govcloud(self.govcloud.clone());
        self.registrations
            .iter()
            .fold(account, |account, (region, script)| account.registration(region, script.clone()))
    }
}

fn rows() -> Vec<Row> {
    use GovCloudState::{Active, Closed, PendingActivation, Suspended};
    let registration = |status| Some(Registration::new(status));
    let pending = || Script::new(registration(RegistrationStatus::Pending));
    let success = || registration(RegistrationStatus::Success);
    let registered = || Script::new(success()).held_for(AGE);
    let linked = |state| Script::new(Some(state)).held_for(AGE);
    let (virginia, frankfurt, mumbai) = ("us-east-1", "eu-central-1", "ap-south-1");
    let without_timestream = success().map(Registration::without_timestream);
    vec![
        Row::new("100000000010", "org-management", "platform", "prod").govcloud(linked(Active)),
        Row::new("100000000111", "fleet-prod-us", "fleet", "prod")
            .fleetwise(virginia, registered())
            .govcloud(linked(Active)),
        Row::new("100000000122", "fleet-prod-eu", "fleet", "prod").fleetwise(frankfurt, registered()),
        Row::new("100000000133", "fleet-prod-in", "fleet", "prod")
            .fleetwise(mumbai, Script::new(without_timestream).held_for(AGE)),
        Row::new("100000000144", "fleet-stage-us", "fleet", "stage").fleetwise(
            virginia,
            pending()
                .then(secs(11), Some(Registration::iam_failure(ROLE_MISTAKE)))
                .then(secs(90), registration(RegistrationStatus::Pending))
                .then(secs(96), success()),
        ),
        Row::new("100000000155", "fleet-stage-eu", "fleet", "stage")
            .fleetwise(frankfurt, pending().then(secs(8), success())),
        Row::new("100000000166", "telematics-prod", "telematics", "prod")
            .fleetwise(virginia, registered())
            .fleetwise(
                frankfurt,
                Script::new(None)
                    .then(secs(14), registration(RegistrationStatus::Pending))
                    .then(secs(20), success()),
            ),
        Row { is_denied: true, ..Row::new("100000000177", "telematics-test", "telematics", "test") }
            .fleetwise(frankfurt, registered()),
        Row::new("100000000188", "connected-services", "telematics", "prod")
            .fleetwise(virginia, registered().then(secs(16), success())),
        Row::new("100000000199", "diagnostics-lab", "research", "test")
            .fleetwise(virginia, Script::new(None)),
        Row::new("100000000210", "defense-programs", "government", "prod").govcloud(
            Script::new(Some(PendingActivation)).then(secs(6), Some(Active)).then(secs(19), Some(Suspended)),
        ),
        Row::new("100000000221", "defense-archive", "government", "prod").govcloud(linked(Closed)),
    ]
}

/// The configuration of the demo.
fn config(rows: &[Row]) -> String {
    let mut yaml = CONFIG.to_owned();
    for Row { id, name, team, stage, registrations, .. } in rows {
        let regions: Vec<_> = registrations.iter().map(|(region, _)| *region).collect();
        yaml +=
            &format!("  - id: \"{id}\"\n    name: {name}\n    labels: {{team: {team}, stage: {stage}}}\n");
        yaml += "    govcloud: {identity: hub}\n";
        if !regions.is_empty() {
            yaml += &format!("    fleetwise: {{identity: member, regions: [{}]}}\n", regions.join(", "));
        }
    }
    yaml
}

fn id(digits: &str) -> AccountId {
    digits.parse().expect("the demo's ids are of twelve digits")
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::model::Region;

    fn account(world: &World, name: &str) -> Account {
        world.accounts.values().find(|account| account.name == name).expect(name).clone()
    }

    #[test]
    fn the_script_does_what_the_sights_promise() {
        let demo = demo_world();
        assert_eq!(demo.world.accounts.len(), 12);
        let status = |name: &str, region: &str, at| {
            let script =
                account(&demo.world, name).registrations.get(&Region::new(region)).cloned().expect(name);
            script.at(secs(at)).as_ref().map(|registration| registration.account.as_str())
        };
        let pending = Some("REGISTRATION_PENDING");
        let success = Some("REGISTRATION_SUCCESS");
        assert_eq!([7, 8].map(|at| status("fleet-stage-eu", "eu-central-1", at)), [pending, success]);
        let failure = Some("REGISTRATION_FAILURE");
        let mended = [10, 11, 89, 90, 96].map(|at| status("fleet-stage-us", "us-east-1", at));
        assert_eq!(mended, [pending, failure, failure, pending, success]);
        let telematics = [13, 14, 20].map(|at| status("telematics-prod", "eu-central-1", at));
        assert_eq!(telematics, [None, pending, success]);
        let govcloud = account(&demo.world, "defense-programs").govcloud;
        let states = [5, 6, 19].map(|at| govcloud.at(secs(at)).map(GovCloudState::as_str));
        assert_eq!(states, [Some("PENDING_ACTIVATION"), Some("ACTIVE"), Some("SUSPENDED")]);
        let management = account(&demo.world, "org-management").id;
        let granted = |from, to| {
            demo.world.quotas.granted(management, Service::Account, secs(from), secs(to)) / (to - from) as f64
        };
        // Twelve targets every five seconds: more than the quota grants while it is scarce, and less otherwise.
        let wanted = 12.0 / 5.0;
        assert!(granted(0, 10) > wanted && granted(10, 15) < wanted && granted(15, 30) > wanted);
        assert!(demo.sights.is_sorted_by_key(|(at, _)| *at));
        for (_, sight) in &demo.sights {
            account(&demo.world, sight.split(':').next().expect("a name"));
        }
    }
}
