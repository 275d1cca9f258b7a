//! A target as the pages show it.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::Look;
use super::asker::Asker;
use super::health::{Health, resource_in_words, status_in_words};
use super::history::spans;
use super::moment::Moment;
use super::picture::{Picture, Strip};
use super::text::{Foreign, segment};
use crate::model::{Account, FailureReason, ResourceState, Target, TargetId};
use crate::store::{History, Silence, Step, Store, TargetKey};

/// An account's name and what belongs to it.
pub(super) struct AccountLine {
    pub(super) id: String,
    /// `None` for an account that has no name of its own.
    pub(super) name: Option<Foreign>,
    pub(super) labels: Vec<(Foreign, Foreign)>,
}

impl AccountLine {
    pub(super) fn new(account: &Account) -> Self {
        let id = account.id.to_string();
        let name = Some(&*account.name).filter(|name| **name != id).map(Foreign::brief);
        let label = |(key, value): (&String, &String)| (Foreign::brief(key), Foreign::brief(value));
        Self { id, name, labels: account.labels.iter().map(label).collect() }
    }

    /// What to call it.
    pub(super) fn title(&self) -> String {
        self.name.as_ref().map_or_else(|| self.id.clone(), Foreign::to_string)
    }
}

/// The status of a resource, or of several that have had the same for as long.
pub(super) struct ResourceLine {
    pub(super) resource: String,
    pub(super) health: Health,
    /// The status in words.
    pub(super) status: &'static str,
    /// AWS's own word for it.
    pub(super) word: Foreign,
    /// What AWS says of it.
    pub(super) message: Option<Foreign>,
    pub(super) since: Moment,
}

impl ResourceLine {
    /// Each resource on a line of its own.
    pub(super) fn each(states: &[ResourceState], now: Timestamp) -> Vec<Self> {
        states.iter().map(|state| Self::new(state, now)).collect()
    }

    /// Resources that stand together and have had the same status for as long on one line.
    fn together(states: &[ResourceState], now: Timestamp) -> Vec<Self> {
        let what = |state: &ResourceState| (state.reading.status, state.since);
        let lines = states.chunk_by(|one, next| what(one) == what(next)).map(|states| {
            let names: Vec<_> =
                states.iter().map(|state| resource_in_words(state.reading.resource)).collect();
            Self { resource: names.join(", "), ..Self::new(&states[0], now) }
        });
        lines.collect()
    }

    fn new(state: &ResourceState, now: Timestamp) -> Self {
        let reading = &state.reading;
        Self {
            resource: resource_in_words(reading.resource).to_owned(),
            health: Health::of_status(reading.status),
            status: status_in_words(reading.status),
            word: Foreign::brief(reading.text().unwrap_or(reading.status.as_str())),
            message: reading.error_message().map(Foreign::whole),
            since: Moment::new(state.since, now),
        }
    }
}

/// A target in the list.
pub(super) struct Row {
    /// The path of its page.
    pub(super) path: String,
    pub(super) probe: &'static str,
    pub(super) region: Option<Foreign>,
    /// What is to be said of it beyond its resources, and why.
    pub(super) mark: Option<(Health, String)>,
    pub(super) resources: Vec<ResourceLine>,
    pub(super) last_success: Option<Moment>,
    /// `None` when it is due.
    pub(super) next_poll: Option<Moment>,
    /// When its account left its organization: it is not asked any more.
    pub(super) left_at: Option<Moment>,
    pub(super) backoff_until: Option<Moment>,
    /// Who asks it, where several could.
    pub(super) asker: Option<Asker>,
    /// Whether another replica asks it: when, that one knows.
    pub(super) is_elsewhere: bool,
    pub(super) pictures: [Picture; 2],
}

impl Row {
    pub(super) fn new(look: &Look, id: TargetId, past: &Past) -> Self {
        let (target, state) = (look.snapshot.fleet.target(id), look.state(id));
        let is_stale = look.is_stale(id);
        let is_elsewhere = look.is_elsewhere(id);
        let moment = |time| Moment::maybe(time, look.now);
        let mark = match &state.failure {
            Some(failure) if failure.reason != FailureReason::Throttled => {
                Some((Health::Unreachable, failure.reason.as_str().replace('_', " ")))
            }
            _ if is_stale => Some((Health::Stale, String::new())),
            _ if state.resources.is_empty() && is_elsewhere => {
                Some((Health::Unknown, "no answer is kept yet".to_owned()))
            }
            _ if state.resources.is_empty() => Some((Health::Unknown, "not asked yet".to_owned())),
            _ => None,
        };
        Self {
            path: path(target),
            probe: target.probe.as_str(),
            region: target.region.as_ref().map(|region| Foreign::brief(region.as_str())),
            mark,
            resources: ResourceLine::together(&state.resources, look.now),
            last_success: moment(state.last_success),
            next_poll: moment(state.next_poll.filter(|next| *next > look.now)),
            left_at: moment(look.snapshot.fleet.leaving.get(&id).copied()),
            backoff_until: moment(look.backoff_until(id)),
            asker: Asker::of(look, target.scope),
            is_elsewhere,
            pictures: past.pictures(look, id),
        }
    }
}

/// The path of a target's page.
pub(super) fn path(target: &Target) -> String {
    let mut path = format!("targets/{}/{}", target.account.id, target.probe.as_str());
    if let Some(region) = &target.region {
        path.extend(["/", &segment(region.as_str())]);
    }
    path
}

/// What became of some targets over the time that is drawn.
#[derive(Default)]
pub(super) struct Past {
    steps: HashMap<TargetKey, Vec<Step>>,
    silences: HashMap<TargetKey, Vec<Silence>>,
    /// Whether it could not be read.
    pub(super) is_unreadable: bool,
}

impl Past {
    pub(super) async fn of(store: &Store, look: &Look, ids: &[TargetId]) -> Self {
        if look.out_of_touch.is_some() {
            // Nobody would wait as long as it takes to fail.
            return Self { is_unreadable: true, ..Self::default() };
        }
        let accounts: BTreeSet<_> = ids.iter().map(|id| look.snapshot.fleet.target(*id).account.id).collect();
        let since = look.now.saturating_sub(Strip::WEEK.length).unwrap_or(Timestamp::MIN);
        let History { steps, silences } = match store.history(&accounts, since).await {
            Ok(history) => history,
            Err(error) => {
                tracing::warn!(%error, "a page is shown without the past: the store cannot be read");
                return Self { is_unreadable: true, ..Self::default() };
            }
        };
        let mut past = Self::default();
        for step in steps {
            past.steps.entry(step.target.clone()).or_default().push(step);
        }
        for silence in silences {
            past.silences.entry(silence.target.clone()).or_default().push(silence);
        }
        past
    }

    /// The last day, and the last week.
    pub(super) fn pictures(&self, look: &Look, id: TargetId) -> [Picture; 2] {
        let key = TargetKey::from(look.snapshot.fleet.target(id));
        let steps: Vec<_> = self.steps.get(&key).into_iter().flatten().collect();
        let silences: Vec<_> = self.silences.get(&key).into_iter().flatten().collect();
        let is_stale = look.is_stale(id);
        let spans = spans(look.state(id), &steps, &silences, is_stale, look.now);
        [Strip::DAY, Strip::WEEK].map(|strip| strip.draw(&spans, look.now))
    }
}
