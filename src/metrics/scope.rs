//! How the quota scopes are paced.
//!
//! Two scopes may have the same labels: as long as the account behind an identity is not known, or
//! when two identities turn out to be of one account. A page may not have a series twice, so they
//! are shown as one: rates and counts summed, as AWS counts them, and the later end of a back-off.

use std::collections::HashMap;

use super::exposition::{Kind, Line, Lines};
use super::page::{Family, Rows};
use crate::model::{AccountId, Pacing, Region, ScopeState, Service, Snapshot};

/// What is shown of the scopes with these labels.
pub(super) struct ScopeRow {
    service: Service,
    caller: Option<AccountId>,
    region: Region,
    wanted: f64,
    pacing: Pacing,
    throttled: u64,
}

impl ScopeRow {
    fn line<'a>(&self, lines: &'a mut Lines<'_>) -> Line<'a> {
        let line = lines.line().label("service", self.service.as_str());
        let line = match self.caller {
            Some(caller) => line.plain("caller_account_id", caller),
            None => line.label("caller_account_id", ""),
        };
        line.label("aws_region", self.region.as_str())
    }

    fn add(&mut self, wanted: f64, state: &ScopeState) {
        self.wanted += wanted;
        self.throttled += state.throttled;
        self.pacing.allowed += state.pacing.allowed;
        self.pacing.backoff_until = self.pacing.backoff_until.max(state.pacing.backoff_until);
    }
}

/// The scopes in their order, those of equal labels at the place of the first.
pub(super) fn rows(snapshot: &Snapshot) -> Vec<ScopeRow> {
    let mut rows: Vec<ScopeRow> = Vec::with_capacity(snapshot.scopes.len());
    let mut places = HashMap::with_capacity(snapshot.scopes.len());
    for (scope, state) in snapshot.fleet.scopes.iter().zip(snapshot.scopes.iter()) {
        let place = *places.entry((scope.service, state.caller, &scope.region)).or_insert(rows.len());
        match rows.get_mut(place) {
            Some(row) => row.add(scope.wanted, state),
            None => rows.push(ScopeRow {
                service: scope.service,
                caller: state.caller,
                region: scope.region.clone(),
                wanted: scope.wanted,
                pacing: state.pacing,
                throttled: state.throttled,
            }),
        }
    }
    rows
}

pub(super) const FAMILIES: [Family; 4] = [
    Family {
        name: "regwatch_scope_backoff_until_timestamp_seconds",
        kind: Kind::Gauge,
        help: "Until when nothing is asked in the quota scope because AWS throttled it, in Unix seconds; 0 while it \
               is not backing off.",
        rows: Rows::Scope(|lines, row| row.line(lines).time_or_never(row.pacing.backoff_until)),
    },
    Family {
        name: "regwatch_scope_allowed_requests_per_second",
        kind: Kind::Gauge,
        help: "The rate that polling in the quota scope is held to, in requests per second: the configured limit, or \
               what was learnt from being throttled.",
        rows: Rows::Scope(|lines, row| row.line(lines).measure(row.pacing.allowed)),
    },
    Family {
        name: "regwatch_scope_wanted_requests_per_second",
        kind: Kind::Gauge,
        help: "The rate that the configured intervals ask of the quota scope, in requests per second. Polling runs \
               on its own timer: where this is above the allowed rate, the intervals cannot be kept.",
        rows: Rows::Scope(|lines, row| row.line(lines).measure(row.wanted)),
    },
    Family {
        name: "regwatch_scope_throttled_total",
        kind: Kind::Counter,
        help: "Calls in the quota scope that AWS throttled.",
        rows: Rows::Scope(|lines, row| row.line(lines).count(row.throttled)),
    },
];
