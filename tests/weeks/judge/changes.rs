//! What was reported, against what was answered.
//!
//! Every answer that differs from what was known of its target is an event for each resource that does,
//! with the time of that answer; none else is an event. So each change that lasted until somebody asked
//! and was answered is told once and in order, and [`turns`](super::turns) says how soon that is. What may be missing
//! is what a process took with it that was killed before the store had it, or that ended while the store
//! could not be written: then the next answer is compared with what was known before.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use regwatch::model::{Event, Reading, Resource, Status, TransitionKind};

use super::super::journal::{Ending, Entry, Journal, Names, Target};
use super::super::script::Script;
use super::super::settings::Ms;

/// What an event tells of one resource.
type Tale<'a> = (Resource, TransitionKind, Option<Status>, Status, Option<&'a str>);

/// An answer: when, what regwatch's clock said of the call, and what was told.
type Answer = (Ms, Timestamp, usize);

/// What is wrong with what was reported.
pub(crate) fn changes(
    script: &Script,
    journal: &Journal,
    names: &Names,
    log: &[Event],
    reading: &dyn Fn(Target, usize) -> Reading,
) -> Vec<String> {
    let mut answers: Vec<Vec<Answer>> = vec![Vec::new(); names.targets.len()];
    let mut ends = Vec::new();
    // When a target went from the configuration, in the very millisecond of an answer of its.
    let mut gone: HashSet<(Ms, Target)> = HashSet::new();
    let mut watched = None;
    for (now, entry) in &journal.entries {
        match entry {
            Entry::Answered(target, _, Ending::Told(stage), at) => answers[*target].push((*now, *at, *stage)),
            Entry::Ended { killed } => ends.push((*now, *killed)),
            Entry::Begun(next) => watched = Some(next),
            Entry::Reloaded(next) => {
                let before = watched.replace(next).expect("a process has begun");
                gone.extend(
                    before.targets.keys().filter(|t| !next.targets.contains_key(t)).map(|t| (*now, *t)),
                );
            }
            _ => {}
        }
    }
    let mut told: HashMap<_, Vec<&Event>> = HashMap::new();
    let mut breaches = Vec::new();
    for event in log {
        let key = (event.account.id, event.probe, event.region.clone());
        told.entry(key).or_default().push(event);
    }
    for (target, (key, answers)) in names.targets.iter().zip(&answers).enumerate() {
        let told = told.remove(&(key.account, key.probe, key.region.clone())).unwrap_or_default();
        let mut told = &told[..];
        let mut known: Option<Reading> = None;
        for &(now, at, stage) in answers {
            let reading = reading(target, stage);
            let expected = differences(known.as_ref(), &reading);
            let same =
                told.iter().take(expected.len()).take_while(|event| event.transition.observed_at == at);
            let found: Vec<_> = same.map(|event| tale(event)).collect();
            if found == expected {
                told = &told[expected.len()..];
                known = Some(reading);
                continue;
            }
            let (end, killed) = ends[ends.partition_point(|(end, _)| *end < now)];
            let may_be_lost = script.may_be_lost(now, end, killed);
            if found.is_empty() && (may_be_lost || gone.contains(&(now, target))) {
                continue;
            }
            breaches.push(format!(
                "at {now} ms: target {target} ({key:?}) answers what should be told as {expected:?}, at {at}; told is {:?}",
                told.first().map(|event| (tale(event), event.transition.observed_at))
            ));
            break;
        }
        if let Some(event) = told.first().filter(|_| breaches.is_empty()) {
            breaches.push(format!("target {target} ({key:?}) never answered {:?}", event.transition));
        }
    }
    breaches
}

fn tale(event: &Event) -> Tale<'_> {
    let told = &event.transition;
    (told.resource, told.kind, told.from, told.to, told.text.as_deref())
}

/// What two readings in a row make to be told.
pub(super) fn differences<'a>(before: Option<&Reading>, now: &'a Reading) -> Vec<Tale<'a>> {
    let of = |resource| before.and_then(|before| before.resources.iter().find(|r| r.resource == resource));
    let changed = now.resources.iter().filter_map(|now| {
        let (resource, to, text) = (now.resource, now.status, now.text());
        match of(resource) {
            None => Some((resource, TransitionKind::FirstSeen, None, to, text)),
            Some(was) if (was.status, was.text()) == (to, now.text()) => None,
            Some(was) => Some((resource, TransitionKind::Changed, Some(was.status), to, text)),
        }
    });
    let changed: Vec<_> = changed.collect();
    let moved =
        |was: Option<Timestamp>, is: Option<Timestamp>| was.zip(is).is_some_and(|(was, is)| was != is);
    let has_moved = before.is_some_and(|before| {
        moved(before.created_at, now.created_at) || moved(before.modified_at, now.modified_at)
    });
    if !changed.is_empty() || !has_moved {
        return changed;
    }
    let first = &now.resources[0];
    vec![(first.resource, TransitionKind::Modified, Some(first.status), first.status, first.text())]
}
