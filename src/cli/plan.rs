//! The capacity plan: per quota scope, what the cadence wants, what the limit allows, and how long a
//! sweep over all targets takes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::model::{Caller, Fleet, Scope, Service};
use crate::schedule::Capacity;

/// Scopes that differ in nothing but their caller share a row: FleetWise has one for each account.
pub(super) fn render(fleet: &Fleet) -> String {
    let mut rows: BTreeMap<Key<'_>, Vec<&Scope>> = BTreeMap::new();
    for scope in fleet.scopes.iter().filter(|scope| !scope.targets.is_empty()) {
        rows.entry(Key::of(scope)).or_default().push(scope);
    }
    let (accounts, targets) = (fleet.accounts.len(), fleet.targets.len());
    let mut text = format!("{accounts} accounts, {targets} targets. Calls per second, by quota scope:\n\n");
    let mut line = |cells: [&str; 7]| {
        let [service, region, caller, targets, wanted, allowed, sweep] = cells;
        writeln!(
            text,
            "{service:<13} {region:<15} {caller:<26} {targets:>7} {wanted:>8} {allowed:>8}  {sweep}"
        )
        .expect("a String takes everything");
    };
    line(["SERVICE", "REGION", "CALLER", "TARGETS", "WANTED", "ALLOWED", "SWEEP"]);
    let mut short = 0;
    for scopes in rows.values() {
        let scope = scopes[0];
        let capacity = Capacity::of(scope);
        let caller = match (&scope.caller, scopes.len()) {
            (Caller::Account(account), 1) => account.to_string(),
            (Caller::Identity(name), 1) => format!("identity {name}"),
            (_, many) => format!("each of {many} accounts"),
        };
        let mut sweep = spell(capacity.sweep);
        if !capacity.keeps_intervals() {
            short += scopes.len();
            sweep.push_str("  TOO SLOW for the interval");
        }
        line([
            scope.service.as_str(),
            scope.region.as_str(),
            &caller,
            &scope.targets.len().to_string(),
            &format!("{:.3}", capacity.wanted),
            &format!("{:.3}", capacity.allowed),
            &sweep,
        ]);
    }
    if !fleet.organizations.is_empty() {
        let names: Vec<_> = fleet.organizations.iter().map(|organization| &*organization.name).collect();
        let whom = "and whoever is found in the organization";
        let plural = if names.len() == 1 { "" } else { "s" };
        writeln!(text, "\n{whom}{plural} {}: `regwatch poll` finds them.", names.join(", "))
            .expect("a String takes everything");
    }
    if short > 0 {
        let advice = "Longer intervals, or a higher limit where AWS grants the quota, would help.";
        writeln!(text, "\n{short} quota scopes cannot keep their interval: polls come late there. {advice}")
            .expect("a String takes everything");
    }
    text
}

/// What rows are told apart by; rates by their bits, since all that matters is whether they are equal.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    service: Service,
    region: &'a str,
    targets: usize,
    wanted: u64,
    identity: Option<&'a str>,
}

impl<'a> Key<'a> {
    fn of(scope: &'a Scope) -> Self {
        Self {
            service: scope.service,
            region: scope.region.as_str(),
            targets: scope.targets.len(),
            wanted: scope.wanted.to_bits(),
            identity: match &scope.caller {
                Caller::Account(_) => None,
                Caller::Identity(name) => Some(name),
            },
        }
    }
}

/// A duration to the second, as it would be written in the configuration.
fn spell(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().ceil() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds:02}s"),
        _ => format!("{hours}h{minutes:02}m"),
    }
}
