//! A model of the whole: two replicas, one lease, one target, one store; and all that can happen to them, in every
//! order, up to a bound. It knows nothing of the loop but its rules, and it can be broken on purpose, to see that
//! it would find what it looks for.
//!
//! Who takes no step while time goes by is paused, so that needs no step of its own. A write that is made twice is
//! the same as once, so its answer is never lost here.

mod steps;
mod world;

use std::collections::{HashMap, VecDeque};

/// How long a lease is, in steps of time, and how much of that nobody relies on.
const LEASE: u8 = 2;
const MARGIN: u8 = 1;

/// How far it is looked. Time goes by for ever: what counts of it is only how much is left.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// How often AWS changes.
    changes: u8,
    /// How often the lease changes hands.
    epochs: u8,
    /// How many replicas die.
    deaths: u8,
    /// How many calls about the lease arrive when nobody waits for them any more.
    late: u8,
}

/// Any more of it all at once makes millions of worlds: some hundred thousand are looked at for each kind of trouble.
const LITTLE: Bounds = Bounds { changes: 1, epochs: 2, deaths: 0, late: 0 };

/// The rules of the loop and of the store.
#[derive(Clone, Copy)]
struct Rules {
    /// The store refuses a write under an epoch that is not current.
    fences_writes: bool,
    /// A claim's time is counted from before the request was sent; else from its answer.
    counts_from_sending: bool,
    /// A claim that has ended stays so, though an answer says that it was renewed.
    ends_for_good: bool,
    /// What is stored is read under the claim; else before it is had.
    reads_under_its_claim: bool,
    /// Nothing is asked after the claim's time.
    looks_at_the_time: bool,
    /// A lease that is taken gets another epoch.
    counts_epochs: bool,
}

const SOUND: Rules = Rules {
    fences_writes: true,
    counts_from_sending: true,
    ends_for_good: true,
    reads_under_its_claim: true,
    looks_at_the_time: true,
    counts_epochs: true,
};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
struct State {
    /// What AWS says of the target.
    aws: u8,
    deaths: u8,
    late: u8,
    store: Store,
    replicas: [Replica; 2],
    /// Who has asked AWS under the epoch that is current.
    asker: Option<Who>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
struct Store {
    epoch: u8,
    /// Whose it is, and for how long yet.
    holder: Option<(Who, u8)>,
    /// What was last written of the target.
    value: u8,
}

/// A replica: its place, and which of its lives.
type Who = (usize, u8);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
struct Replica {
    life: u8,
    claim: Option<Claim>,
    /// What it compares with, once it has read that.
    known: Option<u8>,
    /// A change that is to be written.
    change: Option<(u8, u8)>,
    is_going: bool,
    /// What it asks the store about the lease.
    call: Option<Call>,
    /// What it has asked and does not wait for any more.
    late: Option<Call>,
    /// A write that is on its way, whatever becomes of the replica.
    write: Option<Write>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Claim {
    epoch: u8,
    /// For how long it is certain yet.
    left: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Write {
    who: Who,
    epoch: u8,
    from: u8,
    to: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Call {
    who: Who,
    /// How long ago it was sent, as far as that matters.
    age: u8,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum What {
    Take,
    Renew(u8),
    Release(u8),
    /// The answer: under which epoch it is held.
    Taken(u8),
    Renewed(u8, bool),
}

/// What has happened in all worlds together: where nothing happens, nothing is shown.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    states: usize,
    asked: usize,
    written: usize,
    fenced: usize,
    /// Writes under the last epoch.
    handed_over: usize,
}

/// A promise that was broken.
type Breach = &'static str;

const STALE: Breach = "a write under a stale claim is done";
const OTHER: Breach = "what was compared with is not what was last written";
const INTRUDER: Breach = "AWS is asked by one that does not hold the lease";
const SHARED: Breach = "AWS is asked by two under one epoch";

/// The worlds that can follow from one.
struct Next<'a> {
    rules: Rules,
    bounds: Bounds,
    state: State,
    seen: &'a mut Seen,
    worlds: Vec<(&'static str, Result<State, Breach>)>,
}

/// Looks at every world that can be reached. What was seen; or the shortest way to a breach.
fn explore(rules: Rules, bounds: Bounds) -> Result<Seen, (Breach, Vec<&'static str>)> {
    let mut seen = Seen::default();
    let mut places = HashMap::from([(State::default(), 0)]);
    // How each was reached first.
    let mut ways = vec![(0, "it begins")];
    let mut queue = VecDeque::from([(State::default(), 0)]);
    while let Some((state, place)) = queue.pop_front() {
        seen.states += 1;
        let mut next = Next { rules, bounds, state, seen: &mut seen, worlds: Vec::new() };
        next.all();
        for (name, outcome) in next.worlds {
            let world = outcome.map_err(|breach| (breach, way_to(&ways, place, name)))?.either_way();
            let new = ways.len();
            if *places.entry(world).or_insert(new) == new {
                ways.push((place, name));
                queue.push_back((world, new));
            }
        }
    }
    Ok(seen)
}

fn way_to(ways: &[(usize, &'static str)], mut place: usize, last: &'static str) -> Vec<&'static str> {
    let mut way = vec![last];
    while place > 0 {
        let (before, name) = ways[place];
        way.push(name);
        place = before;
    }
    way.reverse();
    way
}

/// The promise that broken rules break first.
fn breach(rules: Rules) -> Breach {
    let bounds = Bounds { changes: 2, epochs: 3, deaths: 1, late: 1 };
    let (breach, way) = explore(rules, bounds).expect_err("these rules are broken");
    println!("{breach}: {way:#?}");
    breach
}

/// Sees that no promise is broken, and that there was something to break.
fn assert_sound(bounds: Bounds) {
    let seen = explore(SOUND, bounds).unwrap_or_else(|(breach, way)| panic!("{breach}: {way:#?}"));
    let counts = [seen.states, seen.asked, seen.written, seen.fenced, seen.handed_over];
    assert!(counts.iter().all(|&count| count > 1000), "{seen:?}");
}

#[test]
fn no_promise_is_broken_when_aws_changes_twice() {
    assert_sound(Bounds { changes: 2, ..LITTLE });
}

#[test]
fn no_promise_is_broken_when_the_lease_comes_back() {
    assert_sound(Bounds { epochs: 3, ..LITTLE });
}

#[test]
fn no_promise_is_broken_when_a_replica_dies() {
    assert_sound(Bounds { deaths: 1, ..LITTLE });
}

#[test]
fn no_promise_is_broken_when_a_call_comes_late() {
    assert_sound(Bounds { late: 1, ..LITTLE });
}

#[test]
fn a_store_that_does_not_look_at_epochs_is_found_out() {
    assert_eq!(breach(Rules { fences_writes: false, ..SOUND }), STALE);
}

#[test]
fn a_claim_that_is_counted_from_its_answer_is_found_out() {
    assert_eq!(breach(Rules { counts_from_sending: false, ..SOUND }), INTRUDER);
}

#[test]
fn a_claim_that_comes_back_after_its_end_is_found_out() {
    assert_eq!(breach(Rules { ends_for_good: false, ..SOUND }), OTHER);
}

#[test]
fn one_that_reads_before_it_holds_is_found_out() {
    assert_eq!(breach(Rules { reads_under_its_claim: false, ..SOUND }), OTHER);
}

#[test]
fn one_that_does_not_look_at_the_time_is_found_out() {
    assert_eq!(breach(Rules { looks_at_the_time: false, ..SOUND }), INTRUDER);
}

#[test]
fn an_epoch_that_is_given_twice_is_found_out() {
    assert_eq!(breach(Rules { counts_epochs: false, ..SOUND }), SHARED);
}
