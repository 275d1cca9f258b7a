//! What can happen next.

use super::{Call, Claim, INTRUDER, LEASE, MARGIN, Next, Replica, SHARED, State, What, Write};

impl Next<'_> {
    fn step(&mut self, name: &'static str, change: impl FnOnce(&mut State)) {
        let mut next = self.state;
        change(&mut next);
        self.worlds.push((name, Ok(next)));
    }

    fn replica(&mut self, index: usize, name: &'static str, change: impl FnOnce(&mut Replica)) {
        self.step(name, |next| change(&mut next.replicas[index]));
    }

    pub(super) fn all(&mut self) {
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
