//! `/scopes`: how each quota scope is paced, and how the organizations are listed.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::SignedDuration;

use super::asker::Asker;
use super::filter::{Given, Part, page_number, query};
use super::health::Health;
use super::moment::{Moment, spelled};
use super::text::{Foreign, count, counted, rate};
use super::{Look, Shell, page};
use crate::http::View;
use crate::model::{AccountId, Caller, Organization, OrganizationState, ScopeId, advice};
use crate::schedule::Capacity;

/// Scopes on a page.
const SCOPES: usize = 100;

#[derive(Template)]
#[template(path = "scopes.html", config = "src/http/page/askama.toml")]
struct Scopes {
    shell: Shell,
    summary: String,
    /// Whether several replicas ask.
    are_several: bool,
    notes: Vec<Foreign>,
    part: Part,
    scopes: Vec<ScopeLine>,
    organizations: Vec<OrganizationLine>,
}

impl Scopes {
    fn query(&self, page: usize) -> String {
        query(&[("page", &page.to_string())])
    }
}

/// A quota scope.
struct ScopeLine {
    service: &'static str,
    caller: Foreign,
    region: Foreign,
    targets: String,
    wanted: String,
    /// `None` where another replica knows.
    allowed: Option<String>,
    limit: String,
    throttled: Option<String>,
    /// How much of what is allowed is wanted, in per cent, at most 100.
    load: u32,
    health: Health,
    state: &'static str,
    until: Option<Moment>,
    remark: Option<String>,
    /// Who asks in it, where several could.
    asker: Option<Asker>,
}

/// An organization whose accounts are found.
struct OrganizationLine {
    name: Foreign,
    accounts: String,
    leaving: String,
    health: Health,
    state: &'static str,
    last_success: Option<Moment>,
    is_elsewhere: bool,
    failure: Option<FailureLine>,
}

/// Why it cannot be listed.
struct FailureLine {
    reason: &'static str,
    words: Foreign,
    advice: String,
}

impl OrganizationLine {
    fn new(organization: &Organization, known: &OrganizationState, look: &Look) -> Self {
        let is_elsewhere = look.whole.is_elsewhere(organization.scope);
        let (health, state) = match (&known.failure, known.has_begun()) {
            _ if is_elsewhere => (Health::Absent, "Listed by another replica"),
            (Some(_), _) => (Health::Unreachable, "Cannot be listed"),
            (None, true) => (Health::Well, "Listed"),
            (None, false) => (Health::Unknown, "Not listed yet"),
        };
        Self {
            name: Foreign::brief(&organization.name),
            accounts: count(organization.accounts as u64),
            leaving: count(organization.leaving as u64),
            health,
            state,
            last_success: Moment::maybe(known.last_success, look.now),
            is_elsewhere,
            failure: known.failure.as_ref().map(|failure| FailureLine {
                reason: failure.reason.as_str(),
                words: Foreign::brief(&failure.message),
                advice: advice::of_listing(failure),
            }),
        }
    }
}

/// How a scope is doing, the worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mood {
    BackingOff,
    TooSmall,
    Learning,
    /// Another replica paces it.
    Elsewhere,
    Open,
}

fn mood(look: &Look, ScopeId(id): ScopeId) -> Mood {
    let (scope, state) = (&look.snapshot.fleet.scopes[id as usize], &look.snapshot.scopes[id as usize]);
    if state.pacing.backoff_until.is_some_and(|until| until > look.now) {
        Mood::BackingOff
    } else if !Capacity::of(scope).keeps_intervals() {
        Mood::TooSmall
    } else if look.whole.is_elsewhere(ScopeId(id)) {
        Mood::Elsewhere
    } else if state.pacing.allowed < scope.limit {
        Mood::Learning
    } else {
        Mood::Open
    }
}

/// The scopes, those in trouble first.
pub(super) async fn show(State(view): State<View>, RawQuery(query): RawQuery) -> Response {
    let look = Look::at(&view);
    let given = Given::read(query.as_deref());
    let mut notes = Vec::new();
    let number = given.choice("page", page_number, &mut notes).unwrap_or(1);
    let mut ids: Vec<_> =
        (0..).take(look.snapshot.scopes.len()).map(ScopeId).map(|id| (mood(&look, id), id)).collect();
    ids.sort_unstable();
    let of = |mood| ids.iter().filter(|(is, _)| *is == mood).count() as u64;
    let summary = format!(
        "{}: {} backing off, {} too small for the configured intervals, {} slowed down by throttling",
        counted(ids.len() as u64, "quota scope", "quota scopes"),
        count(of(Mood::BackingOff)),
        count(of(Mood::TooSmall)),
        count(of(Mood::Learning)),
    );
    let part = Part::new(number, SCOPES, ids.len());
    page(&Scopes {
        shell: Shell { root: "", section: "scopes", title: "Quota scopes".to_owned() },
        summary,
        are_several: look.whole.several().is_some(),
        notes,
        part,
        organizations: look
            .organizations()
            .map(|(one, known)| OrganizationLine::new(one, known, &look))
            .collect(),
        scopes: ids[part.start..part.end].iter().map(|(mood, id)| line(&look, *id, *mood)).collect(),
    })
}

fn line(look: &Look, ScopeId(id): ScopeId, mood: Mood) -> ScopeLine {
    let (scope, state) = (&look.snapshot.fleet.scopes[id as usize], &look.snapshot.scopes[id as usize]);
    let is_here = !look.whole.is_elsewhere(ScopeId(id));
    let caller = match (state.caller, &scope.caller) {
        (Some(account), _) => named(look, account),
        (None, Caller::Account(account)) => named(look, *account),
        (None, Caller::Identity(identity)) if !is_here => format!("identity {identity}"),
        (None, Caller::Identity(identity)) => format!("identity {identity}, its account not known yet"),
    };
    let capacity = Capacity::of(scope);
    let sweep = spelled(SignedDuration::try_from(capacity.sweep).unwrap_or(SignedDuration::MAX));
    let (health, text) = match mood {
        Mood::BackingOff => (Health::Unreachable, "Backing off"),
        Mood::TooSmall => (Health::Stale, "Too small"),
        Mood::Learning => (Health::Pending, "Slowed down"),
        Mood::Elsewhere => (Health::Absent, "Elsewhere"),
        Mood::Open => (Health::Well, "Open"),
    };
    let load = (scope.wanted / state.pacing.allowed.max(f64::MIN_POSITIVE) * 100.0).clamp(0.0, 100.0);
    ScopeLine {
        service: scope.service.as_str(),
        caller: Foreign::brief(&caller),
        region: Foreign::brief(scope.region.as_str()),
        targets: count(scope.targets.len() as u64),
        wanted: rate(scope.wanted),
        allowed: is_here.then(|| rate(state.pacing.allowed)),
        limit: rate(scope.limit),
        throttled: is_here.then(|| count(state.pacing.throttled)),
        load: load.round() as u32,
        health,
        state: text,
        until: Moment::maybe(state.pacing.backoff_until.filter(|until| *until > look.now), look.now),
        asker: Asker::of(look, ScopeId(id)),
        remark: (mood == Mood::TooSmall).then(|| format!("to ask each target once takes {sweep}")),
    }
}

/// An account, with its name where it is watched and has one.
fn named(look: &Look, id: AccountId) -> String {
    let id_text = id.to_string();
    let account = look.snapshot.fleet.accounts.iter().find(|account| account.id == id);
    match account.filter(|account| *account.name != *id_text) {
        Some(account) => format!("{} {id_text}", account.name),
        None => id_text,
    }
}
