//! A model of the whole: two replicas, one lease, one target, one store; and all that can happen to them, in every
//! order, up to a bound. It knows nothing of the loop but its rules, and it can be broken on purpose, to see that
//! it would find what it looks for.
//!
//! Who takes no step while time goes by is paused, so that needs no step of its own. A write that is made twice is
//! the same as once, so its answer is never lost here.

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

impl State {
    /// The same for both worlds that differ only in which replica stands where.
    fn either_way(self) -> Self {
        let mut other = self;
        other.replicas.swap(0, 1);
        let swap = |who: &mut Who| who.0 = 1 - who.0;
        for replica in &mut other.replicas {
            replica.call.iter_mut().chain(&mut replica.late).for_each(|call| swap(&mut call.who));
            replica.write.iter_mut().for_each(|write| swap(&mut write.who));
        }
        other.store.holder.iter_mut().for_each(|(holder, _)| swap(holder));
        other.asker.iter_mut().for_each(swap);
        self.min(other)
    }

    fn grow_older(&mut self) {
        if let Some((_, left)) = &mut self.store.holder {
            *left = left.saturating_sub(1);
        }
        for replica in &mut self.replicas {
            if let Some(claim) = &mut replica.claim {
                claim.left = claim.left.saturating_sub(1);
            }
            if let Some(call) = &mut replica.call {
                let counts = !matches!(call.what, What::Release(_) | What::Renewed(_, false));
                call.age = (LEASE - MARGIN).min(call.age + u8::from(counts));
            }
        }
    }

    /// Asks the store about the lease.
    fn ask(&mut self, rules: Rules, call: Call) -> Option<Call> {
        let before = self.store.epoch;
        let answer = self.store.answer(rules, call);
        self.asker = self.asker.filter(|_| self.store.epoch == before);
        answer
    }
}

impl Replica {
    fn lets_go(&mut self) {
        *self =
            Self { life: self.life, call: self.call, late: self.late, write: self.write, ..Self::default() };
    }
}

impl Store {
    fn holds(&self, who: Who, epoch: u8) -> bool {
        self.epoch == epoch && self.holder.is_some_and(|(holder, left)| holder == who && left > 0)
    }

    /// Does what it is asked, and tells what it answers.
    fn answer(&mut self, rules: Rules, Call { who, age, what }: Call) -> Option<Call> {
        let what = match what {
            What::Take if self.holder.is_some_and(|(_, left)| left > 0) => return None,
            What::Take => {
                self.epoch += u8::from(rules.counts_epochs || self.epoch == 0);
                self.holder = Some((who, LEASE));
                What::Taken(self.epoch)
            }
            What::Renew(epoch) => {
                let is_renewed = self.holds(who, epoch);
                if is_renewed {
                    self.holder = Some((who, LEASE));
                }
                What::Renewed(epoch, is_renewed)
            }
            What::Release(epoch) => {
                if self.holds(who, epoch) {
                    self.holder = None;
                }
                return None;
            }
            What::Taken(_) | What::Renewed(..) => return None,
        };
        Some(Call { who, age, what })
    }

    /// Whether it is written; or what is wrong with that.
    fn write(&mut self, rules: Rules, Write { who, epoch, from, to }: Write) -> Result<bool, Breach> {
        let is_current = self.epoch == epoch && self.holder.is_some_and(|(holder, _)| holder == who);
        if rules.fences_writes && !is_current {
            return Ok(false);
        }
        if self.epoch != epoch {
            return Err(STALE);
        }
        if self.value != from {
            return Err(OTHER);
        }
        self.value = to;
        Ok(true)
    }
}

/// The worlds that can follow from one.
struct Next<'a> {
    rules: Rules,
    bounds: Bounds,
    state: State,
    seen: &'a mut Seen,
    worlds: Vec<(&'static str, Result<State, Breach>)>,
}

impl Next<'_> {
    fn step(&mut self, name: &'static str, change: impl FnOnce(&mut State)) {
        let mut next = self.state;
        change(&mut next);
        self.worlds.push((name, Ok(next)));
    }

    fn replica(&mut self, index: usize, name: &'static str, change: impl FnOnce(&mut Replica)) {
        self.step(name, |next| change(&mut next.replicas[index]));
    }

    fn all(&mut self) {
        self.step("time goes by", State::grow_older);
        if self.state.aws < self.bounds.changes {
            self.step("AWS changes", |next| next.aws += 1);
        }
        for index in 0..2 {
            self.network(index);
            self.lease(index);
            self.work(index);
            if self.state.deaths < self.bounds.deaths {
                self.step("a replica dies and begins anew", |next| {
                    next.deaths += 1;
                    let replica = &mut next.replicas[index];
                    *replica = Replica {
                        life: replica.life + 1,
                        write: replica.write,
                        late: replica.late,
                        ..Replica::default()
                    };
                });
            }
        }
    }

    /// What is on its way arrives, or nobody waits for it any more.
    fn network(&mut self, index: usize) {
        let (rules, replica) = (self.rules, self.state.replicas[index]);
        let is_room = self.state.store.epoch < self.bounds.epochs;
        if let Some(call) = replica.call {
            match call.what {
                What::Taken(_) | What::Renewed(..) => {}
                What::Take if !is_room => {}
                _ => {
                    self.step("the store answers", |next| {
                        next.replicas[index].call = next.ask(rules, call);
                    });
                    if self.state.late < self.bounds.late {
                        self.step("nobody waits for a call any more", |next| {
                            next.late += 1;
                            next.replicas[index].call = None;
                            next.replicas[index].late = Some(Call { age: 0, ..call });
                        });
                    }
                }
            }
        }
        if let Some(call) = replica.late
            && (is_room || call.what != What::Take)
        {
            self.step("a late call arrives", |next| {
                next.ask(rules, call);
                next.replicas[index].late = None;
            });
        }
        let Some(write) = replica.write else { return };
        let mut next = self.state;
        let outcome = next.store.write(rules, write).map(|is_written| {
            let replica = &mut next.replicas[index];
            replica.write = None;
            let is_mine =
                replica.claim.is_some_and(|claim| claim.epoch == write.epoch) && replica.life == write.who.1;
            match (is_written, is_mine) {
                (true, true) => replica.change = None,
                (false, true) => replica.lets_go(),
                (_, false) => {}
            }
            self.seen.written += usize::from(is_written);
            self.seen.fenced += usize::from(!is_written);
            self.seen.handed_over += usize::from(is_written && write.epoch == self.bounds.epochs);
            next
        });
        self.worlds.push(("a write arrives", outcome));
    }

    /// What a replica does about its claim.
    fn lease(&mut self, index: usize) {
        let State { store, replicas, .. } = self.state;
        let (rules, replica) = (self.rules, replicas[index]);
        let who = (index, replica.life);
        let call = |what| Some(Call { who, age: 0, what });
        match (replica.call, replica.claim) {
            (None, None) => self.replica(index, "it asks for the lease", |next| {
                next.call = call(What::Take);
                if !rules.reads_under_its_claim {
                    next.known = Some(store.value);
                }
            }),
            (None, Some(claim)) => {
                self.replica(index, "it renews", |next| next.call = call(What::Renew(claim.epoch)));
                if replica.is_going && replica.change.is_none() {
                    self.replica(index, "it releases", |next| {
                        next.lets_go();
                        next.call = call(What::Release(claim.epoch));
                    });
                }
            }
            (Some(call), claim) => self.hears(index, call, claim),
        }
        if replica.claim.is_some_and(|claim| claim.left == 0) {
            self.replica(index, "its claim ends", Replica::lets_go);
        }
        if replica.claim.is_some() && !replica.is_going {
            self.replica(index, "it is to give up", |next| next.is_going = true);
        }
    }

    /// The store has answered.
    fn hears(&mut self, index: usize, Call { age, what, .. }: Call, claim: Option<Claim>) {
        let rules = self.rules;
        let (held, is_lost) = match what {
            What::Taken(epoch) => (Some(epoch), false),
            What::Renewed(epoch, true) => ((claim.is_some() || !rules.ends_for_good).then_some(epoch), false),
            What::Renewed(_, false) => (None, claim.is_some()),
            What::Take | What::Renew(_) | What::Release(_) => return,
        };
        let gone = if rules.counts_from_sending { age } else { 0 };
        self.replica(index, "it hears about the lease", |next| {
            if is_lost {
                next.lets_go();
            }
            if let Some(epoch) = held {
                next.claim = Some(Claim { epoch, left: (LEASE - MARGIN).saturating_sub(gone) });
            }
            next.call = None;
        });
    }

    /// What a replica does under its claim.
    fn work(&mut self, index: usize) {
        let State { aws, store, replicas, asker, .. } = self.state;
        let replica = replicas[index];
        let (who, Some(claim)) = ((index, replica.life), replica.claim) else { return };
        let is_certain = claim.left > 0 || !self.rules.looks_at_the_time;
        if replica.known.is_none() {
            self.replica(index, "it reads", |next| next.known = Some(store.value));
        }
        let is_idle = replica.change.is_none() && !replica.is_going;
        if let Some(known) = replica.known.filter(|_| is_idle && is_certain) {
            self.seen.asked += 1;
            let outcome = if asker.is_some_and(|asker| asker != who) {
                Err(SHARED)
            } else if !store.holds(who, claim.epoch) {
                Err(INTRUDER)
            } else {
                let mut next = self.state;
                next.asker = Some(who);
                next.replicas[index].known = Some(aws);
                next.replicas[index].change = (aws != known).then_some((known, aws));
                Ok(next)
            };
            self.worlds.push(("it asks AWS", outcome));
        }
        if let (Some((from, to)), None) = (replica.change, replica.write) {
            let write = Write { who, epoch: claim.epoch, from, to };
            self.replica(index, "it writes", |next| next.write = Some(write));
        }
    }
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
