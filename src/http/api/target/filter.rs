//! Which targets are wanted.

use std::collections::BTreeSet;

use crate::http::api::parameter::{Form, Parameters};
use crate::http::api::value::Limit;
use crate::model::{AccountId, Probe, Region, Status, Target, TargetState};
use crate::store::TargetKey;

/// Which targets are wanted. A set that is empty wants all.
#[derive(Debug, Default)]
pub(super) struct Filter {
    accounts: BTreeSet<AccountId>,
    probes: BTreeSet<Probe>,
    regions: BTreeSet<Region>,
    statuses: BTreeSet<Status>,
    stale: Option<bool>,
}

impl Filter {
    /// Whether a target is wanted.
    pub(super) fn matches(
        &self,
        target: &Target,
        state: &TargetState,
        is_stale: impl FnOnce() -> bool,
    ) -> bool {
        wants(&self.accounts, Some(&target.account.id))
            && wants(&self.probes, Some(&target.probe))
            && wants(&self.regions, target.region.as_ref())
            && (self.statuses.is_empty()
                || state.resources.iter().any(|resource| self.statuses.contains(&resource.reading.status)))
            && self.stale.is_none_or(|stale| stale == is_stale())
    }
}

fn wants<T: Ord>(wanted: &BTreeSet<T>, value: Option<&T>) -> bool {
    wanted.is_empty() || value.is_some_and(|value| wanted.contains(value))
}

/// What `/targets` takes.
#[derive(Debug)]
pub(in crate::http::api) struct TargetQuery {
    /// Which are wanted.
    pub(super) filter: Filter,
    /// The last target of the page before.
    pub(super) after: Option<TargetKey>,
    /// How many.
    pub(super) limit: Option<Limit>,
}

impl Parameters for TargetQuery {
    fn ask(form: &mut impl Form) -> Self {
        let filter = Filter {
            accounts: form.any("account", "Only targets of this account."),
            probes: form.any("probe", "Only targets of this probe."),
            regions: form.any("region", "Only targets of this region. `govcloud` has no regions."),
            statuses: form.any("status", "Only targets of which a resource has this status."),
            stale: form.one("stale", "Only targets that are stale, or that are not."),
        };
        Self {
            filter,
            after: form.one("after", "`next` of the page before. Its form may change: pass it on as it is."),
            limit: form.one("limit", "How many targets a page has at most."),
        }
    }
}

const ACCOUNT: (&str, &str) = ("account", "The account's 12 digits.");
const PROBE: (&str, &str) = ("probe", "The call that asks.");
const REGION: (&str, &str) = ("region", "The region asked in.");

/// What `/targets/{account}` takes.
#[derive(Debug)]
pub(in crate::http::api) struct AccountPath(pub(super) Filter);

impl Parameters for AccountPath {
    fn ask(form: &mut impl Form) -> Self {
        let accounts = form.part(ACCOUNT.0, ACCOUNT.1).into_iter().collect();
        Self(Filter { accounts, ..Filter::default() })
    }
}

/// What `/targets/{account}/{probe}` takes.
#[derive(Debug)]
pub(in crate::http::api) struct ProbePath(pub(super) Filter);

impl Parameters for ProbePath {
    fn ask(form: &mut impl Form) -> Self {
        let AccountPath(filter) = AccountPath::ask(form);
        let probes = form.part(PROBE.0, PROBE.1).into_iter().collect();
        Self(Filter { probes, ..filter })
    }
}

/// What `/targets/{account}/{probe}/{region}` takes.
#[derive(Debug)]
pub(in crate::http::api) struct TargetPath(pub(super) Filter);

impl Parameters for TargetPath {
    fn ask(form: &mut impl Form) -> Self {
        let ProbePath(filter) = ProbePath::ask(form);
        let regions = form.part(REGION.0, REGION.1).into_iter().collect();
        Self(Filter { regions, ..filter })
    }
}
