//! The `limits` section: what calls to AWS are held to.

use super::Limits;
use super::mistake::Report;
use super::section::Section;
use super::value::{shown, text};

/// The keys of the section.
pub(super) const KEYS: &[&str] = &[FLEETWISE, ACCOUNT, ORGANIZATIONS, STS, IN_FLIGHT];

const FLEETWISE: &str = "fleetwise_requests_per_second";
const ACCOUNT: &str = "account_requests_per_second";
const ORGANIZATIONS: &str = "organizations_requests_per_second";
const STS: &str = "sts_requests_per_second";
const IN_FLIGHT: &str = "max_in_flight";

/// The slowest rate: a call in a hundred seconds. With less a sweep of a few accounts takes hours.
const LEAST_RATE: f64 = 0.01;

/// The fastest rate: beyond the 600 calls a second that STS grants, the highest quota of all.
const MOST_RATE: f64 = 1000.0;

/// Each call in flight holds a connection, and so one of the process's file descriptors.
const MOST_IN_FLIGHT: usize = 10_000;

impl Default for Limits {
    /// A quarter of FleetWise's quota of 20/s, which an account shares with its own tools; less than
    /// the 3/s of Account Management's documented calls; a thirtieth of the 600/s of STS. What
    /// Organizations grants to its lists differs from call to call, and the whole organization shares it:
    /// two calls a second list 10,000 accounts in five minutes.
    fn default() -> Self {
        Self {
            fleetwise_requests_per_second: 5.0,
            account_requests_per_second: 2.0,
            organizations_requests_per_second: 2.0,
            sts_requests_per_second: 20.0,
            max_in_flight: 64,
        }
    }
}

/// Reads the section; `None` where a mistake has been reported.
pub(super) fn read(section: &Section<'_>, report: &mut Report) -> Option<Limits> {
    let defaults = Limits::default();
    let fleetwise = rate(section, FLEETWISE, defaults.fleetwise_requests_per_second, report);
    let account = rate(section, ACCOUNT, defaults.account_requests_per_second, report);
    let organizations = rate(section, ORGANIZATIONS, defaults.organizations_requests_per_second, report);
    let sts = rate(section, STS, defaults.sts_requests_per_second, report);
    let in_flight = in_flight(section, defaults.max_in_flight, report);
    Some(Limits {
        fleetwise_requests_per_second: fleetwise?,
        account_requests_per_second: account?,
        organizations_requests_per_second: organizations?,
        sts_requests_per_second: sts?,
        max_in_flight: in_flight?,
    })
}

fn rate(section: &Section<'_>, key: &str, default: f64, report: &mut Report) -> Option<f64> {
    let Some(node) = section.get(key) else { return Some(default) };
    let text = text(node, key, report)?;
    // A NaN is in no range.
    let rate = text.parse().ok().filter(|rate| (LEAST_RATE..=MOST_RATE).contains(rate));
    if rate.is_none() {
        let right = format!("it is a number of calls a second, from {LEAST_RATE} to {MOST_RATE}");
        report.mistake(node.at, format!("`{key}` is {}; {right}", shown(text)));
    }
    rate
}

fn in_flight(section: &Section<'_>, default: usize, report: &mut Report) -> Option<usize> {
    let Some(node) = section.get(IN_FLIGHT) else { return Some(default) };
    let text = text(node, IN_FLIGHT, report)?;
    let calls = text.parse().ok().filter(|calls| (1..=MOST_IN_FLIGHT).contains(calls));
    if calls.is_none() {
        let right = format!("it is a whole number of calls, from 1 to {MOST_IN_FLIGHT}");
        report.mistake(node.at, format!("`{IN_FLIGHT}` is {}; {right}", shown(text)));
    }
    calls
}
