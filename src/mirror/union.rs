//! The one snapshot of what this replica holds and of what the store tells of the rest.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::kept::{Changed, Kept};
use crate::model::{Fleet, Right, Scope, Service, Shards, Snapshot, TargetState};
use crate::store::TargetKey;

/// Where everything of a fleet is.
pub(super) struct Index {
    fleet: Arc<Fleet>,
    targets: HashMap<TargetKey, usize>,
    /// By the names of scopes.
    scopes: HashMap<String, usize>,
    /// How the right to each scope goes if this replica does not have it.
    rights: Vec<Right>,
}

impl Index {
    /// That of a fleet whose scopes are spread over so many shards.
    pub(super) fn of(fleet: Arc<Fleet>, count: u16) -> Self {
        let shards = Shards { count, held: BTreeMap::new(), among: 1 };
        let right = |service, shard| if service == Service::Sts { Right::Each } else { Right::Shard(shard) };
        Self {
            targets: fleet.targets.iter().map(TargetKey::from).zip(0..).collect(),
            scopes: fleet.scopes.iter().map(Scope::key).zip(0..).collect(),
            rights: fleet.scopes.iter().map(|scope| right(scope.service, shards.of(scope))).collect(),
            fleet,
        }
    }
}

/// What is known of the whole fleet.
pub(super) struct Union {
    index: Arc<Index>,
    snapshot: Snapshot,
    /// What was taken in last of what this replica holds.
    local: Arc<Snapshot>,
    /// Where each target and scope of this replica's own part is in the whole; `None` for one that a fleet
    /// before or after has.
    targets: Vec<Option<usize>>,
    scopes: Vec<Option<usize>>,
    /// Which targets of the whole this replica holds.
    is_held: Vec<bool>,
    rights: Arc<[Right]>,
    is_all_here: bool,
    /// The scopes that are shown to back off because the store says so.
    gated: Vec<usize>,
    has_changed: bool,
}

impl Union {
    /// Puts it together. Since when a target is watched is known from before.
    pub(super) fn new(
        index: Arc<Index>,
        local: Arc<Snapshot>,
        kept: &Kept,
        before: Option<&Self>,
        now: Timestamp,
    ) -> Self {
        let targets: Vec<_> =
            local.fleet.targets.iter().map(|t| index.targets.get(&t.into()).copied()).collect();
        let scopes: Vec<_> =
            local.fleet.scopes.iter().map(|scope| index.scopes.get(&scope.key()).copied()).collect();
        let mut is_held = vec![false; index.fleet.targets.len()];
        targets.iter().flatten().for_each(|&place| is_held[place] = true);
        let mut rights = index.rights.clone();
        for &place in scopes.iter().flatten() {
            if rights[place] != Right::Each {
                rights[place] = Right::Mine;
            }
        }
        let mut snapshot = Snapshot::new(Arc::clone(&index.fleet), now);
        snapshot.watched_since = watched_since(&index, &local, &targets, before, now);
        let mut union = Self {
            snapshot,
            targets,
            scopes,
            is_held,
            is_all_here: rights.iter().all(|right| !matches!(right, Right::Shard(_))),
            rights: rights.into(),
            gated: Vec::new(),
            has_changed: true,
            index,
            local: Arc::clone(&local),
        };
        union.refresh(&Changed::Any, kept);
        for place in 0..union.rights.len() {
            // This replica has nothing to wait for there.
            if matches!(union.rights[place], Right::Shard(_)) {
                union.snapshot.scopes[place].attempted = true;
            }
        }
        union.copy_targets(&local, 0..local.targets.len());
        union.copy_scopes(&local, 0..local.scopes.len());
        union.copy_rest(&local);
        union
    }

    pub(super) fn is_of(&self, fleet: &Arc<Fleet>) -> bool {
        Arc::ptr_eq(&self.index.fleet, fleet)
    }

    pub(super) fn is_linked_to(&self, local: &Arc<Fleet>) -> bool {
        Arc::ptr_eq(&self.local.fleet, local)
    }

    pub(super) fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index)
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(super) fn rights(&self) -> Arc<[Right]> {
        Arc::clone(&self.rights)
    }

    /// Whether this replica holds everything.
    pub(super) fn is_all_here(&self) -> bool {
        self.is_all_here
    }

    /// Whether something is other than when it was last shown.
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed
    }

    pub(super) fn shown(&mut self) {
        self.has_changed = false;
    }

    /// What this replica knew of the targets that it does not hold any more.
    pub(super) fn parted_with(&self, local: &Snapshot) -> impl Iterator<Item = (TargetKey, &TargetState)> {
        let held: HashSet<_> = local.fleet.targets.iter().map(TargetKey::from).collect();
        let known = self.local.fleet.targets.iter().map(TargetKey::from).zip(self.local.targets.iter());
        known.filter(move |(key, _)| !held.contains(key)).map(|(key, state)| (key, &**state))
    }

    /// Takes in what this replica knows now of the same part of the fleet.
    pub(super) fn follow(&mut self, local: Arc<Snapshot>) {
        if Arc::ptr_eq(&self.local, &local) {
            return;
        }
        let before = std::mem::replace(&mut self.local, Arc::clone(&local));
        self.copy_targets(&local, local.targets.unshared(&before.targets));
        self.copy_scopes(&local, local.scopes.unshared(&before.scopes));
        self.copy_rest(&local);
        self.has_changed = true;
    }

    /// Takes in what the store keeps now of what others hold.
    pub(super) fn refresh(&mut self, changed: &Changed, kept: &Kept) {
        let index = Arc::clone(&self.index);
        let unknown = Arc::default();
        let mut refresh = |key: &TargetKey, place: usize| {
            if !self.is_held[place] {
                self.set(place, kept.state(key).unwrap_or(&unknown));
            }
        };
        match changed {
            Changed::Any => index.targets.iter().for_each(|(key, place)| refresh(key, *place)),
            Changed::These(keys) => keys
                .iter()
                .filter_map(|key| Some((key, *index.targets.get(key)?)))
                .for_each(|(key, place)| refresh(key, place)),
        }
    }

    /// Takes in until when others call nobody in which scopes.
    pub(super) fn gate(&mut self, gates: BTreeMap<String, Timestamp>) {
        let index = Arc::clone(&self.index);
        let gates: BTreeMap<usize, Timestamp> = gates
            .into_iter()
            .filter_map(|(key, until)| Some((*index.scopes.get(&key)?, until)))
            .filter(|(place, _)| matches!(self.rights[*place], Right::Shard(_)))
            .collect();
        let gone = std::mem::replace(&mut self.gated, gates.keys().copied().collect());
        for place in gone.into_iter().chain(self.gated.clone()) {
            let until = gates.get(&place).copied();
            if self.snapshot.scopes[place].pacing.backoff_until != until {
                self.snapshot.scopes[place].pacing.backoff_until = until;
                self.has_changed = true;
            }
        }
    }

    fn copy_targets(&mut self, local: &Snapshot, places: impl Iterator<Item = usize>) {
        for from in places {
            if let Some(to) = self.targets[from] {
                self.set(to, &local.targets[from]);
            }
        }
    }

    fn copy_scopes(&mut self, local: &Snapshot, places: impl Iterator<Item = usize>) {
        for from in places {
            if let Some(to) = self.scopes[from]
                && self.snapshot.scopes[to] != local.scopes[from]
            {
                self.snapshot.scopes[to] = local.scopes[from];
            }
        }
    }

    fn copy_rest(&mut self, local: &Snapshot) {
        self.snapshot.was_ready = local.was_ready;
        for (organization, state) in local.fleet.organizations.iter().zip(&local.organizations) {
            if let Some(known) = self.snapshot.organization_mut(&organization.name) {
                known.clone_from(state);
            }
        }
    }

    /// What is shared stays so, if it is the same.
    fn set(&mut self, place: usize, state: &Arc<TargetState>) {
        if !Arc::ptr_eq(&self.snapshot.targets[place], state) {
            self.snapshot.targets[place] = Arc::clone(state);
            self.has_changed = true;
        }
    }
}

/// Since when each target is watched: by this replica where it holds it, and else by whoever does, as far
/// back as this one has seen it.
fn watched_since(
    index: &Index,
    local: &Snapshot,
    targets: &[Option<usize>],
    before: Option<&Union>,
    now: Timestamp,
) -> Arc<[Timestamp]> {
    let mut since = vec![now; index.fleet.targets.len()];
    if let Some(before) = before {
        for (key, &was) in &before.index.targets {
            if let Some(&place) = index.targets.get(key) {
                since[place] = before.snapshot.watched_since[was];
            }
        }
    }
    for (place, held) in targets.iter().zip(local.watched_since.iter()) {
        if let Some(place) = *place {
            since[place] = *held;
        }
    }
    since.into()
}
