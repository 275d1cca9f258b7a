mod house;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::*;
use crate::clock::Clock;
use crate::config::On;
use crate::lease::{Held, Tenure};
use crate::metrics::Metrics;
use crate::model::TransitionKind::{Changed, FirstSeen};
use crate::model::{Epoch, Snapshot};
use crate::sink::fake::{FakeLog, Receiver, SEEN, refusal};
use crate::sink::{Progress, RefusalReason};

/// As long as nothing else is said, a claim is certain for so long.
const LONG: Duration = Duration::from_hours(1);

/// The leases of a replica, as a test wants them.
struct Leases {
    lease: Lease,
    tenancy: Tenancy,
    held: watch::Sender<Arc<Held>>,
    let_go: mpsc::Receiver<Claim>,
}

impl Leases {
    fn of(lease: Lease) -> Self {
        let held = watch::Sender::default();
        let (letting_go, let_go) = mpsc::channel(8);
        let ending = CancellationToken::new();
        let tenancy = Tenancy { held: held.subscribe(), let_go: letting_go, ending };
        Self { lease, tenancy, held, let_go }
    }

    fn set(&self, epoch: u64, is_going: bool, lasting: Duration) {
        let tenure = Tenure { epoch: Epoch(epoch), certain_until: Instant::now() + lasting, is_going };
        self.held.send_replace(Arc::new([(self.lease.clone(), tenure)].into_iter().collect()));
    }

    /// Holds it under an epoch.
    fn hold(&self, epoch: u64) {
        self.set(epoch, false, LONG);
    }

    /// Has it going.
    fn give_up(&self, epoch: u64) {
        self.set(epoch, true, LONG);
    }

    /// Holds nothing any more.
    fn lose(&self) {
        self.held.send_replace(Arc::default());
    }

    /// The epochs that were let go of since it was asked last. As the loop that keeps leases does, what is let
    /// go of is held no more.
    fn let_go(&mut self) -> Vec<u64> {
        let mut epochs = Vec::new();
        while let Ok(claim) = self.let_go.try_recv() {
            assert_eq!(claim.lease, self.lease);
            if self.held.borrow().claim(&claim.lease) == Some(claim.clone()) {
                self.lose();
            }
            epochs.push(claim.epoch.0);
        }
        epochs
    }
}

/// A sink that is at work whenever its lease is held.
struct Running {
    leases: Leases,
    log: FakeLog,
    receiver: Receiver,
    progress: Arc<Progress>,
    changes: mpsc::Sender<Change<Receiver>>,
    draining: CancellationToken,
    task: JoinSet<()>,
}

impl Running {
    async fn start(receiver: Receiver) -> Self {
        let (log, clock) = (FakeLog::new(), Clock::starting_at(SEEN.parse().unwrap()));
        let sink = Sink::open("test".into(), On::default(), receiver.clone(), log.clone(), clock);
        let sink = sink.await.unwrap();
        let (leases, progress) = (Leases::of(sink.lease()), sink.progress());
        let ((changes, received), draining) = (mpsc::channel(1), CancellationToken::new());
        let mut task = JoinSet::new();
        task.spawn(deliver(sink, received, draining.clone(), leases.tenancy.clone()));
        Self { leases, log, receiver, progress, changes, draining, task }
    }

    /// Appends so many events, and waits.
    async fn append(&self, count: usize, wait: Duration) {
        self.log.append(Changed, count);
        sleep(wait).await;
    }

    /// Whether the metrics of this replica tell of the sink.
    fn is_on_the_page(&self) -> bool {
        let (metrics, now) = (Metrics::new(), SEEN.parse().unwrap());
        metrics.show_sinks([Arc::clone(&self.progress)]);
        let page = metrics.render(Arc::new(Snapshot::new(Arc::default(), now)), now);
        page.contains("sink=\"test\"")
    }

    async fn end(mut self) {
        self.task.join_next().await.unwrap().unwrap();
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn nothing_is_delivered_before_the_lease_is_held_and_nothing_is_lost() {
    let mut running = Running::start(Receiver::default()).await;
    running.append(3, SECOND * 100).await;
    assert_eq!((running.receiver.begun(), running.is_on_the_page()), (vec![], false));
    assert_eq!((running.log.reads(), running.log.advances()), (0, 0));
    running.leases.hold(7);
    sleep(SECOND).await;
    assert_eq!((running.receiver.taken(), running.log.cursor_now()), (vec![1, 2, 3], Some(3)));
    assert!(running.is_on_the_page());
    // For longer is not another time.
    running.leases.hold(7);
    running.append(1, SECOND).await;
    assert_eq!((running.receiver.taken(), running.leases.let_go()), (vec![1, 2, 3, 4], vec![]));
}

#[tokio::test(start_paused = true)]
async fn under_another_epoch_it_goes_on_from_what_is_stored() {
    let running = Running::start(Receiver::default()).await;
    running.leases.hold(1);
    running.append(2, SECOND).await;
    running.leases.lose();
    running.append(4, SECOND).await;
    assert_eq!((running.receiver.taken(), running.progress.is_ours()), (vec![1, 2], false));
    running.log.overtake(Epoch(2), 5);
    running.leases.hold(3);
    sleep(SECOND).await;
    assert_eq!((running.receiver.taken(), running.log.cursor_now()), (vec![1, 2, 6], Some(6)));
    assert_eq!((running.progress.delivered(), running.progress.pending()), (3, 0));
    // Nobody saw the end of the one before.
    running.log.append(FirstSeen, 3);
    running.log.overtake(Epoch(4), 9);
    running.leases.hold(5);
    running.append(1, SECOND).await;
    assert_eq!(running.receiver.taken(), [1, 2, 6, 10]);
}

#[tokio::test(start_paused = true)]
async fn when_it_goes_a_slow_delivery_ends_and_is_saved_before_it_lets_go() {
    let mut running = Running::start(Receiver::slow(SECOND * 4)).await;
    running.leases.hold(1);
    running.append(3, SECOND * 6).await;
    running.leases.give_up(1);
    sleep(SECOND).await;
    assert_eq!((running.receiver.begun(), running.leases.let_go()), (vec![1, 2], vec![]));
    sleep(SECOND * 2).await;
    assert_eq!((running.log.cursor_now(), running.leases.let_go()), (Some(2), vec![1]));
    sleep(SECOND * 100).await;
    assert_eq!((running.receiver.begun(), running.receiver.taken()), (vec![1, 2], vec![1, 2]));
    assert!(!running.progress.is_ours());
    running.leases.hold(2);
    sleep(SECOND * 6).await;
    assert_eq!(running.receiver.taken(), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_lets_go_at_once() {
    let down = std::iter::repeat_n(refusal(RefusalReason::ServerError), 20);
    let mut running = Running::start(Receiver::refusing(down)).await;
    running.leases.hold(1);
    sleep(SECOND).await;
    running.leases.give_up(1);
    sleep(Duration::from_millis(10)).await;
    assert_eq!(running.leases.let_go(), [1], "there was nothing to deliver");
    running.leases.hold(2);
    running.append(1, SECOND * 100).await;
    running.leases.give_up(2);
    sleep(Duration::from_millis(10)).await;
    assert_eq!(running.leases.let_go(), [2], "the next try was minutes away");
    running.leases.hold(3);
    let before = running.receiver.tries().len();
    sleep(Duration::from_millis(50)).await;
    assert_eq!(running.receiver.tries().len(), before + 1, "what was waited for is of the time before");
    // It goes already when it is first seen.
    running.leases.lose();
    sleep(SECOND).await;
    running.leases.give_up(4);
    sleep(SECOND).await;
    assert_eq!((running.leases.let_go(), running.receiver.tries().len()), (vec![4], before + 1));
}

#[tokio::test(start_paused = true)]
async fn when_it_has_vanished_a_delivery_is_dropped_where_it_stands() {
    let mut running = Running::start(Receiver::slow(SECOND * 4)).await;
    running.leases.hold(1);
    running.append(2, SECOND * 6).await;
    let (saved, advances) = (running.log.cursor_now(), running.log.advances());
    running.leases.lose();
    sleep(SECOND * 100).await;
    assert_eq!((running.receiver.begun(), running.receiver.taken()), (vec![1, 2], vec![1]));
    assert_eq!((running.log.cursor_now(), running.log.advances()), (saved, advances));
    assert_eq!((running.leases.let_go(), running.progress.is_ours()), (vec![], false));
    running.leases.hold(2);
    sleep(SECOND * 6).await;
    assert_eq!(running.receiver.taken(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_begun_once_the_claim_is_not_certain_though_nobody_has_said_so() {
    let mut running = Running::start(Receiver::slow(SECOND * 4)).await;
    running.leases.set(1, false, SECOND * 10);
    running.append(9, SECOND * 60).await;
    assert_eq!(running.receiver.begun(), [1, 2, 3], "the third at 8 s, and the fourth would be at 12 s");
    assert_eq!(running.leases.let_go(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_claim_ends_it_and_is_not_tried_again() {
    let mut running = Running::start(Receiver::default()).await;
    running.leases.hold(1);
    sleep(SECOND).await;
    running.log.overtake(Epoch(2), 0);
    running.append(1, SECOND * 10).await;
    assert_eq!((running.receiver.taken(), running.leases.let_go()), (vec![1], vec![1]));
    running.append(5, LONG).await;
    assert_eq!((running.receiver.begun(), running.log.advances()), (vec![1], 1));
    assert_eq!((running.log.cursor_now(), running.progress.is_ours()), (Some(0), false));
    running.leases.hold(3);
    sleep(SECOND).await;
    assert_eq!(running.receiver.taken(), [1, 1, 2, 3, 4, 5, 6], "the other one has saved nothing");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_when_it_begins_is_waited_for() {
    let mut running = Running::start(Receiver::default()).await;
    running.log.set_away(true);
    running.leases.hold(1);
    running.append(2, SECOND * 60).await;
    assert_eq!((running.receiver.begun(), running.progress.is_ours()), (vec![], false));
    running.log.set_away(false);
    sleep(SECOND * 20).await;
    assert_eq!((running.receiver.taken(), running.log.cursor_now()), (vec![1, 2], Some(2)));
    // It is away when another time begins and ends: nothing is written of the one before.
    running.log.set_away(true);
    running.leases.hold(2);
    sleep(SECOND).await;
    running.leases.give_up(2);
    sleep(SECOND).await;
    assert_eq!((running.leases.let_go(), running.log.advances()), (vec![2], 1));
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_ends_delivers_what_is_there_and_lets_go_then() {
    let mut running = Running::start(Receiver::slow(SECOND)).await;
    running.leases.hold(1);
    sleep(SECOND).await;
    running.leases.tenancy.ending.cancel();
    running.leases.give_up(1);
    running.append(3, SECOND / 2).await;
    assert_eq!(running.leases.let_go(), [0; 0], "the last of what happens may not be written yet");
    running.draining.cancel();
    // What others write meanwhile is not waited for.
    sleep(SECOND).await;
    running.append(3, SECOND * 2).await;
    assert_eq!((running.receiver.taken(), running.log.cursor_now()), (vec![1, 2, 3], Some(3)));
    assert_eq!((running.leases.let_go(), running.progress.is_ours()), (vec![1], false));
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_ends_and_holds_nothing_does_nothing() {
    let running = Running::start(Receiver::default()).await;
    running.append(3, SECOND).await;
    running.draining.cancel();
    let (receiver, log) = (running.receiver.clone(), running.log.clone());
    running.end().await;
    assert_eq!((receiver.begun(), log.advances()), (vec![], 0));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_dismissed_lets_go() {
    let running = Running::start(Receiver::default()).await;
    running.leases.hold(1);
    running.append(2, Duration::from_millis(7)).await;
    let Running { mut leases, log, changes, mut task, .. } = running;
    drop(changes);
    task.join_next().await.unwrap().unwrap();
    assert_eq!((log.cursor_now(), leases.let_go()), (Some(1), vec![1]));

    let Running { changes, mut task, .. } = Running::start(Receiver::default()).await;
    drop(changes);
    task.join_next().await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn another_receiver_that_comes_while_it_rests_is_the_one_that_is_delivered_to() {
    let running = Running::start(Receiver::default()).await;
    running.leases.hold(1);
    running.append(1, SECOND).await;
    running.leases.lose();
    let another = Receiver::default();
    sleep(SECOND).await;
    running.changes.send((On::everything(), another.clone())).await.unwrap();
    running.log.append(FirstSeen, 1);
    running.leases.hold(2);
    sleep(SECOND).await;
    assert_eq!((running.receiver.taken(), another.taken()), (vec![1], vec![2]));
}
