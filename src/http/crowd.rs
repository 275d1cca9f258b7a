//! Everybody who is connected, and how much of regwatch they may hold.
//!
//! No peer can be made to hurry, so each is given a while for what it is doing, and there are only so
//! many places. When all are taken a newcomer is still let in, and somebody goes: a scrape is
//! answered however many others idle or drip. At most half of the places can be held by answers under
//! way. While there are more, the oldest of those goes; otherwise, of those who have yet to ask, the
//! one who has been silent longest. So neither sort can crowd out the other, and a newcomer is the
//! last to go: to lose its place it must dawdle while half a house of others comes in after it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::connection::{self, Activity, Phase};

/// What the peers may hold, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// For a whole request head, from the connection or from its first byte on.
    pub asking: Duration,
    /// For a whole answer, from the request to its last byte.
    pub answering: Duration,
    /// Between an answer and the next request.
    pub idle: Duration,
}

impl Default for Limits {
    /// Scrapers, probes and browsers need a handful of connections. 128 leave seven eighths of the
    /// usual 1,024 file descriptors to the calls to AWS. An idle one takes 10 KB, one whose answer drips
    /// 90 KB, and up to 400 KB if the answer is compressed: 50 MB in all at worst. A request's head fits
    /// one packet, so ten seconds allow for several retransmissions. An answer has six times
    /// Prometheus's default `scrape_timeout`. Idling outlasts the usual scrape intervals, up to a
    /// minute, so that scrapers keep their connection.
    fn default() -> Self {
        Self {
            connections: 128,
            asking: Duration::from_secs(10),
            answering: Duration::from_secs(60),
            idle: Duration::from_secs(120),
        }
    }
}

impl Limits {
    fn patience(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Asking => self.asking,
            Phase::Answering | Phase::LastBytes => self.answering,
            Phase::Idle => self.idle,
        }
    }
}

/// The connections, each with its task.
#[derive(Debug)]
pub(super) struct Crowd {
    router: Router,
    limits: Limits,
    tasks: JoinSet<()>,
    members: HashMap<Id, Member>,
    /// Cancelled when the answer under way is the last.
    dispersing: CancellationToken,
    /// Whether it has been said that the house is full.
    full: bool,
}

#[derive(Debug)]
struct Member {
    peer: SocketAddr,
    activity: Arc<Activity>,
    task: AbortHandle,
}

impl Crowd {
    pub(super) fn new(router: Router, limits: Limits) -> Self {
        let dispersing = CancellationToken::new();
        Self { router, limits, tasks: JoinSet::new(), members: HashMap::new(), dispersing, full: false }
    }

    /// Lets a connection in, in another's place if there is none left.
    pub(super) fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        if self.members.len() < self.limits.connections / 2 {
            self.full = false;
        }
        if self.members.len() >= self.limits.connections {
            if !self.full {
                self.full = true;
                let limit = self.limits.connections;
                tracing::warn!(
                    limit,
                    "all HTTP connections are taken; closing the longest silent for new ones"
                );
            }
            self.dismiss_one();
        }
        let activity = Arc::new(Activity::new(Instant::now()));
        let serving =
            connection::serve(stream, self.router.clone(), activity.clone(), self.dispersing.clone());
        let task = self.tasks.spawn(serving);
        self.members.insert(task.id(), Member { peer, activity, task });
    }

    /// Closes the connection that is least worth its place.
    pub(super) fn dismiss_one(&mut self) {
        let seen = self.members.iter().map(|(id, member)| (*id, member.activity.phase()));
        if let Some(id) = least_worthy(seen, self.limits.connections / 2) {
            self.dismiss(id, "its place was needed");
        }
    }

    /// Closes the connections that have been at one thing for longer than they may.
    pub(super) fn dismiss_overdue(&mut self, now: Instant) {
        self.dismiss_where("it took too long", |limits, phase, since| {
            now.duration_since(since) >= limits.patience(phase)
        });
    }

    fn dismiss_where(&mut self, why: &str, unwanted: impl Fn(&Limits, Phase, Instant) -> bool) {
        let unwanted: Vec<Id> = self
            .members
            .iter()
            .filter(|(_, member)| {
                let (phase, since) = member.activity.phase();
                unwanted(&self.limits, phase, since)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in unwanted {
            self.dismiss(id, why);
        }
    }

    fn dismiss(&mut self, id: Id, why: &str) {
        if let Some(member) = self.members.remove(&id) {
            let phase = member.activity.phase().0;
            tracing::debug!(peer = %member.peer, ?phase, "closing an HTTP connection: {why}");
            member.task.abort();
        }
    }

    /// Waits until a connection has ended; for ever if there is none. May be dropped at any time.
    pub(super) async fn one_left(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => drop(self.members.remove(&id)),
            Some(Err(error)) => {
                self.members.remove(&error.id());
                if error.is_panic() {
                    tracing::error!(%error, "an HTTP connection ended in a panic");
                }
            }
            None => std::future::pending().await,
        }
    }

    /// Lets the answers under way finish for up to `grace`, then closes what is left. Who has been
    /// sending a request since before the last tick is owed no answer.
    pub(super) async fn disperse(mut self, grace: Duration) {
        self.dispersing.cancel();
        let mut tick = tokio::time::interval(super::TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.tick().await;
        let end = tokio::time::sleep(grace);
        let mut end = std::pin::pin!(end);
        while !self.tasks.is_empty() {
            tokio::select! {
                () = self.one_left() => {}
                _ = tick.tick() => self.dismiss_where("shutting down", |_, phase, _| !phase.is_answer()),
                () = &mut end => {
                    let answers = self.members.values().filter(|m| m.activity.phase().0.is_answer()).count();
                    tracing::warn!(answers, "cutting off HTTP answers that outlast the grace period");
                    self.tasks.shutdown().await;
                }
            }
        }
    }
}

/// Whose place is taken, of all who are there: see the top of this file.
fn least_worthy(members: impl Iterator<Item = (Id, (Phase, Instant))>, most_answers: usize) -> Option<Id> {
    let (mut answers, mut oldest_answer, mut oldest_other) = (0, None, None);
    for (id, (phase, since)) in members {
        let oldest = if phase.is_answer() {
            answers += 1;
            &mut oldest_answer
        } else {
            &mut oldest_other
        };
        if oldest.is_none_or(|(_, oldest)| since < oldest) {
            *oldest = Some((id, since));
        }
    }
    let (first, second) =
        if answers > most_answers { (oldest_answer, oldest_other) } else { (oldest_other, oldest_answer) };
    first.or(second).map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use Phase::{Answering, Asking, Idle, LastBytes};

    use super::*;

    /// Who goes, of members in these phases, of which the first is the oldest.
    async fn goes(phases: &[Phase], most_answers: usize) -> Option<usize> {
        let mut tasks = JoinSet::new();
        let ids: Vec<Id> = phases.iter().map(|_| tasks.spawn(async {}).id()).collect();
        let start = Instant::now();
        let since = (0..).map(|age| start + Duration::from_secs(age));
        let members = ids.iter().copied().zip(phases.iter().copied().zip(since));
        let gone = least_worthy(members, most_answers);
        gone.map(|gone| ids.iter().position(|id| *id == gone).expect("one of them"))
    }

    #[tokio::test]
    async fn the_longest_silent_goes_unless_answers_hold_too_many_places() {
        assert_eq!(goes(&[], 1).await, None);
        assert_eq!(goes(&[Answering, Asking, Idle, Asking], 1).await, Some(1));
        assert_eq!(goes(&[Answering, Idle, Asking, LastBytes], 2).await, Some(1));
        assert_eq!(goes(&[Asking, LastBytes, Answering], 1).await, Some(1));
        assert_eq!(goes(&[Answering, Answering], 2).await, Some(0));
    }

    #[test]
    fn each_thing_has_a_patience_of_its_own() {
        let second = Duration::from_secs;
        let limits = Limits { connections: 1, asking: second(1), answering: second(2), idle: second(3) };
        let patience = [Asking, Answering, LastBytes, Idle].map(|phase| limits.patience(phase));
        assert_eq!(patience, [1, 2, 2, 3].map(second));
    }
}
