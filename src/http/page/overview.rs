//! `/`: how all are doing, what needs somebody, and each target.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::asker::{out_of_touch_since, unheard_since};
use super::attention::Concern;
use super::filter::{Filter, Part, Wanted};
use super::health::Health;
use super::moment::Moment;
use super::row::{AccountLine, Past, Row, path};
use super::text::{Foreign, count, counted};
use super::{Look, Shell, page};
use crate::http::View;
use crate::model::{Probe, TargetId};

/// Targets on a page: some 150 KB, before compression a tenth of it.
const TARGETS: usize = 50;

/// Concerns that are shown; the filter shows all.
const CONCERNS: usize = 8;

#[derive(Template)]
#[template(path = "overview.html", config = "src/http/page/askama.toml")]
struct Overview {
    shell: Shell,
    /// What to know before anything else.
    verdict: String,
    begun: (usize, usize),
    /// The organizations that cannot be listed.
    unlisted: Vec<Foreign>,
    /// Since when nothing is asked because the store does not answer.
    out_of_touch_since: Option<Moment>,
    /// Since when the store does not tell what other replicas hold.
    unheard_since: Option<Moment>,
    /// Whether several replicas ask.
    are_several: bool,
    tiles: Vec<Tile>,
    concerns: Vec<ConcernLine>,
    /// How many concerns are not shown.
    more_concerns: Option<String>,
    /// How many targets there are.
    all: usize,
    filter: Filter,
    part: Part,
    groups: Vec<Group>,
    is_past_unreadable: bool,
}

impl Overview {
    fn choices(&self) -> impl Iterator<Item = Wanted> {
        Wanted::all()
    }

    fn wants(&self, health: &Health) -> bool {
        self.filter.wanted == Some(Wanted::Health(*health))
    }

    fn probes(&self) -> &'static [Probe] {
        &Probe::ALL
    }

    /// Which of the targets that match are shown.
    fn range(&self) -> String {
        let Part { start, end, all, .. } = self.part;
        let all_of_them = counted(all as u64, "target", "targets");
        match self.part.pages {
            1 => all_of_them,
            _ => format!("{}–{} of {all_of_them}", count(start as u64 + 1), count(end as u64)),
        }
    }
}

/// How many are doing so.
struct Tile {
    health: Health,
    count: String,
    is_none: bool,
}

/// A target that needs somebody.
struct ConcernLine {
    path: String,
    account: AccountLine,
    probe: &'static str,
    region: Option<Foreign>,
    health: Health,
    what: &'static str,
    since: Moment,
    words: Option<Foreign>,
    advice: String,
}

/// Targets of one account that follow each other.
struct Group {
    account: AccountLine,
    rows: Vec<Row>,
}

/// The overview, filtered.
pub(super) async fn show(State(view): State<View>, RawQuery(query): RawQuery) -> Response {
    let look = Look::at(&view);
    let filter = Filter::read(query.as_deref());
    let mut counts = [0_u64; Health::ALL.len()];
    let mut concerns = Vec::new();
    let mut ids = Vec::new();
    for id in look.ids() {
        let is_stale = look.is_stale(id);
        let health = Health::of_target(look.state(id), is_stale);
        let concern = Concern::of(&look, id, is_stale);
        counts[health as usize] += 1;
        if filter.matches(look.snapshot.fleet.target(id), health, concern.as_ref()) {
            ids.push(id);
        }
        concerns.extend(concern);
    }
    concerns.sort_unstable_by_key(Concern::urgency);
    let part = Part::new(filter.page, TARGETS, ids.len());
    let shown = &ids[part.start..part.end];
    let past = Past::of(&view.store, &look, shown).await;
    // Who asks for some of the list, or for more of it, wants to see that.
    let most = if filter.is_set() || part.page > 1 { 0 } else { CONCERNS };
    let verdict = verdict(look.snapshot.targets.len() as u64, concerns.len() as u64, &counts);
    let tiles = Health::ALL.map(|health| {
        let number = counts[health as usize];
        Tile { health, count: count(number), is_none: number == 0 }
    });
    page(&Overview {
        shell: Shell { root: "", section: "overview", title: verdict.clone() },
        verdict,
        begun: look.snapshot.begun_scopes(),
        unlisted: look
            .organizations()
            .filter(|(_, state)| state.failure.is_some())
            .map(|(organization, _)| Foreign::brief(&organization.name))
            .collect(),
        out_of_touch_since: out_of_touch_since(&look),
        unheard_since: unheard_since(&look),
        are_several: look.whole.several().is_some(),
        tiles: tiles.into(),
        more_concerns: concerns
            .get(most..)
            .filter(|more| most > 0 && !more.is_empty())
            .map(|more| count(more.len() as u64)),
        concerns: concerns.iter().take(most).map(|concern| line(&look, concern)).collect(),
        all: look.snapshot.targets.len(),
        groups: groups(&look, shown, &past),
        is_past_unreadable: past.is_unreadable,
        filter,
        part,
    })
}

fn verdict(targets: u64, concerns: u64, counts: &[u64; Health::ALL.len()]) -> String {
    let all = counted(targets, "target", "targets");
    let open = counts[Health::Unknown as usize] + counts[Health::Pending as usize];
    match (targets, concerns) {
        (0, _) => "Nothing is watched".to_owned(),
        (_, 0) if open > 0 => format!("Nothing needs anybody; {} of {all} still open", count(open)),
        (1, 0) => "The one target is well".to_owned(),
        (_, 0) => format!("All is well with {all}"),
        (_, 1) => format!("1 of {all} needs somebody"),
        (_, some) => format!("{} of {all} need somebody", count(some)),
    }
}

fn line(look: &Look, concern: &Concern) -> ConcernLine {
    let target = look.snapshot.fleet.target(concern.target);
    let is_stale = look.is_stale(concern.target);
    ConcernLine {
        path: path(target),
        account: AccountLine::new(&target.account),
        probe: target.probe.as_str(),
        region: target.region.as_ref().map(|region| Foreign::brief(region.as_str())),
        health: Health::of_target(look.state(concern.target), is_stale),
        what: concern.what(look),
        since: Moment::new(concern.since, look.now),
        words: concern.words(look).map(Foreign::brief),
        advice: concern.advice(look),
    }
}

fn groups(look: &Look, ids: &[TargetId], past: &Past) -> Vec<Group> {
    let account = |id: &TargetId| &look.snapshot.fleet.target(*id).account;
    let groups = ids.chunk_by(|one, next| account(one).id == account(next).id);
    groups
        .map(|ids| Group {
            account: AccountLine::new(account(&ids[0])),
            rows: ids.iter().map(|id| Row::new(look, *id, past)).collect(),
        })
        .collect()
}
