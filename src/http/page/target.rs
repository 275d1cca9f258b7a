//! `/targets/{account}/{probe}/{region}`: everything that is known of one target.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use jiff::SignedDuration;

use super::asker::Asker;
use super::attention::Concern;
use super::events::EventLine;
use super::health::Health;
use super::moment::{Moment, spelled};
use super::picture::Picture;
use super::row::{AccountLine, Past, ResourceLine, path};
use super::text::{Foreign, count, rate};
use super::{Look, Shell, missing, page};
use crate::http::View;
use crate::model::{AccountId, Details, Phase, TargetId, advice};
use crate::schedule::interval;
use crate::store::{EventQuery, TargetKey};

/// The latest events that are shown.
const EVENTS: u32 = 25;

#[derive(Template)]
#[template(path = "target.html", config = "src/http/page/askama.toml")]
struct TargetPage {
    shell: Shell,
    account: AccountLine,
    probe: &'static str,
    region: Option<Foreign>,
    /// The path of this page.
    path: String,
    health: Health,
    concern: Option<ConcernLine>,
    resources: Vec<ResourceLine>,
    pictures: [Picture; 2],
    is_past_unreadable: bool,
    facts: Vec<Fact>,
    failure: Option<FailureLine>,
    failures: Vec<(&'static str, String)>,
    polls: String,
    /// Whether another replica asks it, and knows how that goes.
    is_elsewhere: bool,
    /// `None` while the log cannot be read.
    events: Option<Vec<EventLine>>,
}

/// What needs somebody, and what to do about it.
struct ConcernLine {
    what: &'static str,
    since: Moment,
    words: Option<Foreign>,
    advice: String,
}

/// Why the last call failed.
struct FailureLine {
    reason: &'static str,
    message: Foreign,
    at: Option<Moment>,
    advice: String,
}

/// Something that is known.
struct Fact {
    name: &'static str,
    value: Value,
}

/// What is known.
enum Value {
    Time(Moment),
    Text(Foreign),
    Code(Foreign),
}

/// A target of a global probe.
pub(super) async fn show_global(
    State(view): State<View>,
    Path((account, probe)): Path<(String, String)>,
) -> Response {
    answer(&view, "../../", &account, &probe, None).await
}

/// A target of a probe that has regions.
pub(super) async fn show(
    State(view): State<View>,
    Path((account, probe, region)): Path<(String, String, String)>,
) -> Response {
    answer(&view, "../../../", &account, &probe, Some(&region)).await
}

async fn answer(
    view: &View,
    root: &'static str,
    account: &str,
    probe: &str,
    region: Option<&str>,
) -> Response {
    let look = Look::at(view);
    let account_id: Option<AccountId> = account.parse().ok();
    let found = look.ids().find(|id| {
        let target = look.snapshot.fleet.target(*id);
        Some(target.account.id) == account_id
            && target.probe.as_str() == probe
            && target.region.as_ref().map(|region| region.as_str()) == region
    });
    match found {
        Some(id) => page(&of(view, &look, root, id).await),
        None => {
            let region = region.map(|region| format!(" in {region}")).unwrap_or_default();
            missing(root, Foreign::brief(&format!("{probe} of {account}{region}")).to_string())
        }
    }
}

async fn of(view: &View, look: &Look, root: &'static str, id: TargetId) -> TargetPage {
    let (target, state) = (look.snapshot.fleet.target(id), look.state(id));
    let is_stale = look.is_stale(id);
    let past = Past::of(&view.store, look, &[id]).await;
    let concern = Concern::of(look, id, is_stale).map(|concern| ConcernLine {
        what: concern.what(look),
        since: Moment::new(concern.since, look.now),
        words: concern.words(look).map(Foreign::whole),
        advice: concern.advice(look),
    });
    let key = TargetKey::from(target);
    let question = EventQuery {
        newest_first: true,
        accounts: [key.account].into(),
        probes: [key.probe].into(),
        regions: key.region.into_iter().collect(),
        ..EventQuery::after(0, EVENTS)
    };
    let events = view.store.events(&question).await.ok();
    let account = AccountLine::new(&target.account);
    let region = target.region.as_ref().map(|region| Foreign::brief(region.as_str()));
    let health = Health::of_target(state, is_stale);
    TargetPage {
        shell: Shell {
            root,
            section: "",
            title: format!("{}: {} {}", health.title(), account.title(), target.probe.as_str()),
        },
        account,
        probe: target.probe.as_str(),
        region,
        path: path(target),
        health,
        concern,
        resources: ResourceLine::each(&state.resources, look.now),
        pictures: past.pictures(look, id),
        is_past_unreadable: past.is_unreadable,
        facts: facts(look, id),
        failure: state.failure.as_ref().map(|failure| FailureLine {
            reason: failure.reason.as_str(),
            message: Foreign::whole(&failure.message),
            at: Moment::maybe(state.last_attempt, look.now),
            advice: advice::of_failure(target, failure),
        }),
        failures: state
            .failures
            .iter()
            .map(|(reason, polls)| (reason.as_str(), count(polls.into())))
            .collect(),
        polls: count(state.polls),
        is_elsewhere: look.is_elsewhere(id),
        events: events.map(|entries| entries.iter().map(|entry| EventLine::new(entry, look.now)).collect()),
    }
}

fn facts(look: &Look, id: TargetId) -> Vec<Fact> {
    let (target, state) = (look.snapshot.fleet.target(id), look.state(id));
    let scope = look.snapshot.fleet.scope(target.scope);
    let mut facts = Vec::new();
    let mut say = |name, value: Option<Value>| facts.extend(value.map(|value| Fact { name, value }));
    let time = |time| Moment::maybe(time, look.now).map(Value::Time);
    let never = || Some(Value::Text(Foreign::whole("never")));
    say("Last answer", time(state.last_success).or_else(never));
    let is_elsewhere = look.is_elsewhere(id);
    if !is_elsewhere {
        say("Last call", time(state.last_attempt).or_else(never));
    }
    let due = || Some(Value::Text(Foreign::whole("due")));
    match look.snapshot.fleet.leaving.get(&id) {
        Some(left_at) => say("Not asked since its account left the organization", time(Some(*left_at))),
        None if is_elsewhere => {}
        None => say("Next call", time(state.next_poll.filter(|next| *next > look.now)).or_else(due)),
    }
    let asker = Asker::of(look, target.scope);
    say("Asked by", asker.map(|asker| Value::Text(Foreign::whole(&asker.text()))));
    say("Quota scope backs off until", time(look.backoff_until(id)));

    let text = |text: &str| Some(Value::Text(Foreign::whole(text)));
    let long = |duration| spelled(SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX));
    let phases = state.resources.iter().map(|resource| resource.reading.status.phase());
    let phase = phases.max().unwrap_or(Phase::Settled);
    say("Asked every", text(&long(interval(&target.polling, phase))));
    say("Stale after", text(&long(target.polling.stale_after)));
    say("Identity", text(&target.identity));
    let pacing = look.snapshot.scopes[target.scope.0 as usize].pacing;
    let (service, region, limit) = (scope.service.as_str(), &scope.region, rate(scope.limit));
    let of_scope = match is_elsewhere {
        true => format!("{service} in {region}: at most {limit} requests per second"),
        false => format!(
            "{service} in {region}: {} of {limit} requests per second allowed, {} throttled",
            rate(pacing.allowed),
            count(pacing.throttled),
        ),
    };
    say("Quota scope", text(&of_scope));

    let code = |text: &Option<Box<str>>| text.as_deref().map(Foreign::whole).map(Value::Code);
    match &state.details {
        Details::None => {}
        Details::FleetWise(details) => {
            say("Role", code(&details.role_arn));
            say("Timestream database", code(&details.timestream_database_name));
            say("Timestream table", code(&details.timestream_table_name));
        }
        Details::GovCloud(details) => {
            say("GovCloud account", Some(Value::Code(Foreign::whole(&details.govcloud_account_id))));
        }
    }
    say("Registered, by AWS’s clock", time(state.created_at));
    say("Modified, by AWS’s clock", time(state.modified_at));
    facts
}
