//! What the store and the replicas are, and what calls make of them.

use super::{Breach, Call, LEASE, MARGIN, OTHER, Replica, Rules, STALE, State, Store, What, Who, Write};

impl State {
    /// The same for both worlds that differ only in which replica stands where.
    pub(super) fn either_way(self) -> Self {
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

    pub(super) fn grow_older(&mut self) {
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
    pub(super) fn ask(&mut self, rules: Rules, call: Call) -> Option<Call> {
        let before = self.store.epoch;
        let answer = self.store.answer(rules, call);
        self.asker = self.asker.filter(|_| self.store.epoch == before);
        answer
    }
}

impl Replica {
    pub(super) fn lets_go(&mut self) {
        *self =
            Self { life: self.life, call: self.call, late: self.late, write: self.write, ..Self::default() };
    }
}

impl Store {
    pub(super) fn holds(&self, who: Who, epoch: u8) -> bool {
        self.epoch == epoch && self.holder.is_some_and(|(holder, left)| holder == who && left > 0)
    }

    /// Does what it is asked, and tells what it answers.
    pub(super) fn answer(&mut self, rules: Rules, Call { who, age, what }: Call) -> Option<Call> {
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
    pub(super) fn write(
        &mut self,
        rules: Rules,
        Write { who, epoch, from, to }: Write,
    ) -> Result<bool, Breach> {
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
