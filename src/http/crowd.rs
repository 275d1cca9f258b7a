//! Everybody who is connected, and how much of regwatch they may hold.
//!
//! No peer can be made to hurry, so each is given a while for what it is doing, and there are only so
//! many places. When all are taken a newcomer is still let in, and somebody goes: a scrape is
//! answered however many others idle or drip. At most half of the places can be held by answers under
//! way, and at most half of those by streams, whose answers have no end. While there are more answers,
//! the oldest of those goes, a stream if there are too many; otherwise, of those who have yet to ask, the
//! one who has been silent longest. So no sort can crowd out another, and a newcomer is the last to go:
//! to lose its place it must dawdle while a quarter of a house of others comes in after it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::connection::{self, Activity, Doing, Phase};
use super::door::Door;

/// What the peers may hold, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// For a whole request head, from the connection (the TLS handshake included) or from its first byte on.
    pub asking: Duration,
    /// For a whole answer, from the request to its last byte.
    pub answering: Duration,
    /// For an event stream, from the last event that the connection took on.
    pub streaming: Duration,
    /// How long an event stream is silent at most; well below `streaming`.
    pub keep_alive: Duration,
    /// Between an answer and the next request.
    pub idle: Duration,
}

impl Default for Limits {
    /// Scrapers, probes and browsers need a handful of connections. 128 leave seven eighths of the
    /// usual 1,024 file descriptors to the calls to AWS. An idle one takes 10 KB, an encrypted one 20 KB, one
    /// whose answer drips 90 KB, and up to 400 KB if the answer is compressed: 50 MB in all at worst. A request's head fits
    /// one packet, so ten seconds allow for several retransmissions. An answer has six times
    /// Prometheus's default `scrape_timeout`. A stream that stands still misses four keep-alives, which
    /// come oftener than any proxy's usual minute ends a silent connection. Idling outlasts the usual scrape intervals, up to a
    /// minute, so that scrapers keep their connection.
    fn default() -> Self {
        Self {
            connections: 128,
            asking: Duration::from_secs(10),
            answering: Duration::from_secs(60),
            streaming: Duration::from_secs(60),
            keep_alive: Duration::from_secs(15),
            idle: Duration::from_secs(120),
        }
    }
}

impl Limits {
    fn patience(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Asking => self.asking,
            Phase::Answering | Phase::LastBytes => self.answering,
            Phase::Streaming => self.streaming,
            Phase::Idle => self.idle,
        }
    }
}

/// The connections, each with its task.
#[derive(Debug)]
pub(super) struct Crowd {
    router: Router,
    door: Arc<Door>,
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
    pub(super) fn new(router: Router, door: Arc<Door>, limits: Limits) -> Self {
        let dispersing = CancellationToken::new();
        Self { router, door, limits, tasks: JoinSet::new(), members: HashMap::new(), dispersing, full: false }
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
        let asked = connection::Asked { router: self.router.clone(), peer, tls: self.door.tls() };
        let serving = connection::serve(stream, asked, activity.clone(), self.dispersing.clone());
        let task = self.tasks.spawn(serving);
        self.members.insert(task.id(), Member { peer, activity, task });
    }

    /// Closes the connection that is least worth its place.
    pub(super) fn dismiss_one(&mut self) {
        let seen = self.members.iter().map(|(id, member)| (*id, member.activity.doing()));
        if let Some(id) = least_worthy(seen, self.limits.connections / 2) {
            self.dismiss(id, "its place was needed");
        }
    }

    /// Closes the connections that have been at one thing for longer than they may.
    pub(super) fn dismiss_overdue(&mut self, now: Instant) {
        self.dismiss_where("it took too long", |limits, doing| {
            now.duration_since(doing.moved) >= limits.patience(doing.phase)
        });
    }

    fn dismiss_where(&mut self, why: &str, unwanted: impl Fn(&Limits, Doing) -> bool) {
        let unwanted: Vec<Id> = self
            .members
            .iter()
            .filter(|(_, member)| unwanted(&self.limits, member.activity.doing()))
            .map(|(id, _)| *id)
            .collect();
        for id in unwanted {
            self.dismiss(id, why);
        }
    }

    fn dismiss(&mut self, id: Id, why: &str) {
        if let Some(member) = self.members.remove(&id) {
            let phase = member.activity.doing().phase;
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
                _ = tick.tick() => self.dismiss_where("shutting down", |_, doing| !doing.phase.is_answer()),
                () = &mut end => {
                    let answers = self.members.values().filter(|m| m.activity.doing().phase.is_answer()).count();
                    tracing::warn!(answers, "cutting off HTTP answers that outlast the grace period");
                    self.tasks.shutdown().await;
                }
            }
        }
    }
}

/// Whose place is taken, of all who are there: see the top of this file.
fn least_worthy(members: impl Iterator<Item = (Id, Doing)>, most_answers: usize) -> Option<Id> {
    let (mut streams, mut answers, mut others) = (Sort::default(), Sort::default(), Sort::default());
    for (id, Doing { phase, since, .. }) in members {
        let sort = match phase {
            Phase::Streaming => &mut streams,
            phase if phase.is_answer() => &mut answers,
            _ => &mut others,
        };
        sort.add(id, since);
    }
    let [streams_first, answers_first] = [[&streams, &answers], [&answers, &streams]];
    let [first, second] = if streams.count > most_answers / 2 { streams_first } else { answers_first };
    let order = if streams.count + answers.count > most_answers {
        [first, second, &others]
    } else {
        [&others, first, second]
    };
    order.into_iter().find_map(|sort| sort.oldest).map(|(id, _)| id)
}

/// Those who are doing things of a sort.
#[derive(Default)]
struct Sort {
    count: usize,
    oldest: Option<(Id, Instant)>,
}

impl Sort {
    fn add(&mut self, id: Id, since: Instant) {
        self.count += 1;
        if self.oldest.is_none_or(|(_, oldest)| since < oldest) {
            self.oldest = Some((id, since));
        }
    }
}

#[cfg(test)]
mod tests {
    use Phase::{Answering, Asking, Idle, LastBytes, Streaming};

    use super::*;

    /// Who goes, of members in these phases, of which the first is the oldest.
    async fn goes(phases: &[Phase], most_answers: usize) -> Option<usize> {
        let mut tasks = JoinSet::new();
        let ids: Vec<Id> = phases.iter().map(|_| tasks.spawn(async {}).id()).collect();
        let start = Instant::now();
        let members = (0..).zip(ids.iter().zip(phases)).map(|(age, (id, phase))| {
            let since = start + Duration::from_secs(age);
            // Streams have all moved just now, whenever they began.
            (*id, Doing { phase: *phase, since, moved: start + Duration::from_secs(3600) })
        });
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

    #[tokio::test]
    async fn streams_go_first_when_they_hold_more_than_half_of_the_answers() {
        assert_eq!(goes(&[Answering, Streaming, Streaming, Asking], 2).await, Some(1));
        assert_eq!(goes(&[Streaming, Answering, Answering, Asking], 2).await, Some(1));
        assert_eq!(goes(&[Streaming, Streaming, Asking], 2).await, Some(2));
        assert_eq!(goes(&[Streaming, Streaming, Streaming], 2).await, Some(0));
    }

    #[test]
    fn each_thing_has_a_patience_of_its_own() {
        let second = Duration::from_secs;
        let limits = Limits {
            asking: second(1),
            answering: second(2),
            idle: second(3),
            streaming: second(4),
            ..Limits::default()
        };
        let patience = [Asking, Answering, LastBytes, Idle, Streaming].map(|phase| limits.patience(phase));
        assert_eq!(patience, [1, 2, 2, 3, 4].map(second));
    }
}
