//! What regwatch is told to watch: the file that it reads, and what that asks for.

use std::collections::BTreeMap;
use std::fmt::Write;

use regwatch::model::{AccountId, Probe, Reading, Region, Service, Status};
use regwatch::store::TargetKey;

/// Milliseconds: what virtual time is counted in.
pub(crate) type Ms = u64;

pub(crate) const SECOND: Ms = 1000;
pub(crate) const MINUTE: Ms = 60 * SECOND;
pub(crate) const HOUR: Ms = 60 * MINUTE;
pub(crate) const DAY: Ms = 24 * HOUR;

/// Where accounts are asked for FleetWise.
const REGIONS: [&str; 3] = ["us-east-1", "eu-central-1", "ap-south-1"];

/// How often a target is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Times {
    pub(crate) interval: Ms,
    pub(crate) pending: Ms,
    pub(crate) failed: Ms,
    pub(crate) timeout: Ms,
    pub(crate) stale_after: Ms,
}

impl Times {
    /// How often a target is asked that has told this.
    pub(crate) fn after(self, told: Option<&Reading>) -> Ms {
        use Status::{PendingActivation, RegistrationFailure, RegistrationPending, Suspended};
        let resources = told.map_or(&[][..], |reading| &reading.resources);
        let is_one = |wanted: [Status; 2]| resources.iter().any(|r| wanted.contains(&r.status));
        if is_one([RegistrationPending, PendingActivation]) {
            self.pending
        } else if is_one([RegistrationFailure, Suspended]) {
            self.failed
        } else {
            self.interval
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Who {
    /// One identity for all that it is named for, and so one bucket a service and region.
    Hub(usize),
    /// A role in the account itself, and so a bucket an account and region.
    Member,
}

/// What is asked about an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// By whom, and in how many regions.
    pub(crate) fleetwise: Option<(Who, usize)>,
    pub(crate) govcloud: Option<Who>,
    /// An interval of its own.
    pub(crate) interval: Option<Ms>,
}

/// A configuration.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) accounts: BTreeMap<u32, Asked>,
    pub(crate) times: Times,
    pub(crate) start_window: Ms,
    /// In calls a second: FleetWise, Account Management.
    pub(crate) limits: [f64; 2],
    pub(crate) hubs: Hubs,
}

/// Who the hubs are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hubs {
    /// How often each was made to stand for somebody else.
    pub(crate) redefined: [u32; 3],
    /// Those with the same number here are of the same account, as long as they were redefined as often.
    pub(crate) kin: [usize; 3],
}

impl Hubs {
    /// The account behind a hub.
    pub(crate) fn account(&self, hub: usize) -> AccountId {
        format!("9{:05}{:06}", self.kin[hub], self.redefined[hub]).parse().expect("twelve digits")
    }

    /// A hub as a caller.
    pub(crate) fn caller(&self, hub: usize) -> Caller {
        Caller { hub: Some((hub, self.redefined[hub])), account: self.account(hub) }
    }
}

/// What regwatch takes for one quota scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Bucket {
    pub(crate) service: Service,
    pub(crate) who: Caller,
    pub(crate) region: &'static str,
}

impl Bucket {
    /// What AWS counts by.
    pub(crate) fn counted_as(&self) -> (Service, AccountId, &'static str) {
        (self.service, self.who.account, self.region)
    }
}

/// Whose calls are counted together: a hub's, or those of a role in an account. AWS goes by the account alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Caller {
    /// The hub, and how often it was redefined.
    pub(crate) hub: Option<(usize, u32)>,
    pub(crate) account: AccountId,
}

/// A target as the configuration wants it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) key: TargetKey,
    pub(crate) bucket: Bucket,
    pub(crate) limit: f64,
    pub(crate) times: Times,
}

pub(crate) fn account_id(number: u32) -> AccountId {
    format!("{:012}", 100_000_000_000 + u64::from(number)).parse().expect("twelve digits")
}

impl Settings {
    /// The file.
    pub(crate) fn yaml(&self) -> String {
        let Times { interval, pending, failed, timeout, stale_after } = self.times;
        let [fleetwise, account] = self.limits;
        let start = self.start_window;
        let mut yaml = format!(
            "polling: {{interval: {interval}ms, pending_interval: {pending}ms, failed_interval: {failed}ms, \
             timeout: {timeout}ms, stale_after: {stale_after}ms, start_window: {start}ms}}\n\
             limits: {{fleetwise_requests_per_second: {fleetwise}, account_requests_per_second: {account}}}\n\
             identities:\n  member: {{from: hub-0, assume_role: {{role_arn: \
             'arn:aws:iam::{{account_id}}:role/regwatch'}}}}\n"
        );
        let mut line = |text: std::fmt::Arguments<'_>| writeln!(yaml, "{text}").expect("a String takes all");
        for (hub, redefined) in self.hubs.redefined.iter().enumerate() {
            line(format_args!("  hub-{hub}: {{profile: hub-{hub}-{redefined}}}"));
        }
        line(format_args!("accounts:"));
        for (&number, asked) in &self.accounts {
            let mut text = format!("  - {{id: '{}'", account_id(number));
            if let Some((who, regions)) = asked.fleetwise {
                let regions = REGIONS[..regions].join(", ");
                text += &format!(", fleetwise: {{identity: {}, regions: [{regions}]}}", who.name());
            }
            if let Some(who) = asked.govcloud {
                text += &format!(", govcloud: {{identity: {}}}", who.name());
            }
            if let Some(interval) = asked.interval {
                text += &format!(", polling: {{interval: {interval}ms}}");
            }
            line(format_args!("{text}}}"));
        }
        yaml
    }

    /// What it asks for.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = Wanted> {
        self.accounts.iter().flat_map(move |(&number, asked)| {
            let times = Times { interval: asked.interval.unwrap_or(self.times.interval), ..self.times };
            let wanted = move |probe: Probe, who: Who, region: &'static str| {
                let (service, limit) = match probe {
                    Probe::FleetWise => (Service::FleetWise, self.limits[0]),
                    Probe::GovCloud => (Service::Account, self.limits[1]),
                };
                let named = (probe == Probe::FleetWise).then(|| Region::new(region));
                Wanted {
                    key: TargetKey { account: account_id(number), probe, region: named },
                    bucket: Bucket { service, who: self.caller(who, number), region },
                    limit,
                    times,
                }
            };
            let fleetwise = asked.fleetwise.into_iter().flat_map(move |(who, regions)| {
                REGIONS[..regions].iter().map(move |region| wanted(Probe::FleetWise, who, region))
            });
            fleetwise.chain(asked.govcloud.map(|who| wanted(Probe::GovCloud, who, "us-east-1")))
        })
    }

    fn caller(&self, who: Who, account: u32) -> Caller {
        match who {
            Who::Hub(hub) => self.hubs.caller(hub),
            Who::Member => Caller { hub: None, account: account_id(account) },
        }
    }
}

impl Who {
    fn name(self) -> String {
        match self {
            Self::Hub(hub) => format!("hub-{hub}"),
            Self::Member => "member".to_owned(),
        }
    }
}
