//! `/events`: what happened, the latest first.

use std::collections::{BTreeSet, HashMap, HashSet};

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;

use super::filter::{Given, Search, query};
use super::health::{Health, resource_in_words, status_in_words};
use super::moment::Moment;
use super::row::{AccountLine, path};
use super::text::Foreign;
use super::{Look, Shell, page};
use crate::http::View;
use crate::model::{AccountId, Entry, Probe, Status, TransitionKind, Word};
use crate::store::{EventQuery, TargetKey};

/// Events on a page.
const EVENTS: u32 = 50;

#[derive(Template)]
#[template(path = "events.html", config = "src/http/page/askama.toml")]
struct Events {
    shell: Shell,
    wanted: Wanted,
    /// `None` while the log cannot be read.
    events: Option<Vec<EventLine>>,
    newest: Option<String>,
    older: Option<String>,
}

impl Events {
    fn probes(&self) -> &'static [Probe] {
        &Probe::ALL
    }

    fn statuses(&self) -> &'static [Status] {
        &Status::ALL
    }

    fn in_words(&self, status: &Status) -> &'static str {
        status_in_words(*status)
    }
}

/// Which events are wanted.
struct Wanted {
    text: String,
    probe: Option<Probe>,
    to: Option<Status>,
    before: Option<u64>,
    notes: Vec<Foreign>,
}

impl Wanted {
    fn read(query: Option<&str>) -> Self {
        let given = Given::read(query);
        let mut notes = Vec::new();
        Self {
            text: given.search(),
            probe: given.choice("probe", Probe::from_word, &mut notes),
            to: given.choice("to", Status::from_word, &mut notes),
            before: given.choice("before", |text| text.parse().ok(), &mut notes),
            notes,
        }
    }

    fn is_set(&self) -> bool {
        !self.text.is_empty() || self.probe.is_some() || self.to.is_some()
    }

    fn query(&self, before: Option<u64>) -> String {
        query(&[
            ("q", &self.text),
            ("probe", self.probe.map_or("", Probe::as_str)),
            ("to", self.to.map_or("", Status::as_str)),
            ("before", &before.map(|before| before.to_string()).unwrap_or_default()),
        ])
    }

    /// The accounts that are meant, those that are no longer watched by their ids; `None` for all.
    fn accounts(&self, look: &Look) -> Option<BTreeSet<AccountId>> {
        let search = Search::new(&self.text);
        if search.is_empty() {
            return None;
        }
        let targets = look.snapshot.fleet.targets.iter();
        let found = targets.filter(|target| search.finds(target)).map(|target| target.account.id);
        Some(found.chain(self.text.parse()).collect())
    }
}

/// What happened.
pub(super) struct EventLine {
    pub(super) sequence: u64,
    pub(super) at: Moment,
    pub(super) account: AccountLine,
    pub(super) probe: &'static str,
    pub(super) region: Option<Foreign>,
    /// The path of the target's page, if it is still watched.
    pub(super) path: Option<String>,
    pub(super) resource: &'static str,
    pub(super) from: Option<StatusLine>,
    pub(super) to: StatusLine,
    /// What is to be said of the kind of change.
    pub(super) remark: Option<&'static str>,
    pub(super) message: Option<Foreign>,
}

/// A state in an event.
pub(super) struct StatusLine {
    pub(super) health: Health,
    pub(super) status: &'static str,
    pub(super) word: Foreign,
}

impl StatusLine {
    fn new(status: Status, text: Option<&str>) -> Self {
        Self {
            health: Health::of_status(status),
            status: status_in_words(status),
            word: Foreign::brief(text.unwrap_or(status.as_str())),
        }
    }
}

impl EventLine {
    pub(super) fn new(Entry { sequence, event }: &Entry, now: Timestamp) -> Self {
        let transition = &event.transition;
        Self {
            sequence: *sequence,
            at: Moment::new(transition.observed_at, now),
            account: AccountLine::new(&event.account),
            probe: event.probe.as_str(),
            region: event.region.as_ref().map(|region| Foreign::brief(region.as_str())),
            path: None,
            resource: resource_in_words(transition.resource),
            from: transition.from.map(|from| StatusLine::new(from, None)),
            to: StatusLine::new(transition.to, transition.text.as_deref()),
            remark: match transition.kind {
                TransitionKind::FirstSeen => Some("seen for the first time"),
                TransitionKind::Changed => None,
                TransitionKind::Modified => Some("changed and came back between two polls"),
                TransitionKind::Ended => Some("not watched any more: the account has left its organization"),
            },
            message: transition.error_message.as_deref().map(Foreign::brief),
        }
    }
}

/// The events, filtered.
pub(super) async fn show(State(view): State<View>, RawQuery(query): RawQuery) -> Response {
    let look = Look::at(&view);
    let wanted = Wanted::read(query.as_deref());
    let accounts = wanted.accounts(&look);
    let nobody = accounts.as_ref().is_some_and(BTreeSet::is_empty);
    let question = EventQuery {
        before: wanted.before,
        newest_first: true,
        accounts: accounts.unwrap_or_default(),
        probes: wanted.probe.into_iter().collect(),
        to: wanted.to.into_iter().collect(),
        // One more tells whether there are older ones.
        ..EventQuery::after(0, EVENTS + 1)
    };
    let entries = if nobody { Ok(Vec::new()) } else { view.store.events(&question).await };
    let mut older = None;
    let events = entries.ok().map(|mut entries| {
        if entries.len() > EVENTS as usize {
            entries.truncate(EVENTS as usize);
            older = entries.last().map(|last| wanted.query(Some(last.sequence)));
        }
        lines(&look, &entries)
    });
    page(&Events {
        shell: Shell { root: "", section: "events", title: "Events".to_owned() },
        newest: wanted.before.map(|_| wanted.query(None)),
        wanted,
        events,
        older,
    })
}

fn lines(look: &Look, entries: &[Entry]) -> Vec<EventLine> {
    let keys: HashSet<TargetKey> = entries.iter().map(key).collect();
    let targets = look.snapshot.fleet.targets.iter().map(|target| (TargetKey::from(target), target));
    let paths: HashMap<_, _> =
        targets.filter(|(key, _)| keys.contains(key)).map(|(key, target)| (key, path(target))).collect();
    let line = |entry| EventLine { path: paths.get(&key(entry)).cloned(), ..EventLine::new(entry, look.now) };
    entries.iter().map(line).collect()
}

fn key(entry: &Entry) -> TargetKey {
    let event = &entry.event;
    TargetKey { account: event.account.id, probe: event.probe, region: event.region.clone() }
}
