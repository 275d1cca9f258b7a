use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;

use jiff::Timestamp;

use super::*;
use crate::liveness::Loop;
use crate::model::{
    Account, Caller, Fleet, Polling, Probe, Region, Scope, ScopeId, Service, Target, TargetId,
};
use crate::store::Touch;

/// A service manager with a watchdog, that keeps what it was told and when.
#[derive(Clone, Debug, Default)]
struct Listener(Arc<Mutex<Vec<(Instant, Say)>>>);

const WATCHDOG: Duration = Duration::from_secs(9);

impl Manager for Listener {
    fn watchdog(&self) -> Option<Duration> {
        Some(WATCHDOG)
    }

    fn tell(&self, news: &[Say]) -> io::Result<()> {
        let now = Instant::now();
        self.0.lock().unwrap().extend(news.iter().map(|say| (now, say.clone())));
        Ok(())
    }
}

impl Listener {
    /// What it was told of late, without what it was asked for while regwatch is not ready.
    fn heard(&self) -> Vec<Say> {
        let heard = self.0.lock().unwrap().drain(..).map(|(_, say)| say).collect::<Vec<_>>();
        heard.into_iter().filter(|say| !matches!(say, Say::Patience(_))).collect()
    }
}

/// A target that has not been asked yet.
fn snapshot() -> Snapshot {
    let polling = Polling {
        interval: Duration::from_secs(300),
        pending_interval: Duration::from_secs(15),
        failed_interval: Duration::from_secs(60),
        timeout: Duration::from_secs(10),
        stale_after: Duration::from_secs(900),
    };
    let id = "111122223333".parse().unwrap();
    let target = Target {
        account: Arc::new(Account { id, name: "one".into(), labels: BTreeMap::new() }),
        probe: Probe::GovCloud,
        region: None,
        identity: "hub".into(),
        scope: ScopeId(0),
        polling: Arc::new(polling),
    };
    let scope = Scope {
        service: Service::Account,
        caller: Caller::Identity("hub".into()),
        region: Region::new("us-east-1"),
        limit: 2.0,
        wanted: 0.1,
        targets: vec![TargetId(0)],
    };
    let fleet = Fleet { targets: vec![target], scopes: vec![scope], ..Fleet::default() };
    Snapshot::new(Arc::new(fleet), Timestamp::UNIX_EPOCH)
}

/// An informant at work, and everything around it.
struct Stage {
    listener: Listener,
    touch: watch::Sender<Touch>,
    publish: watch::Sender<Arc<Snapshot>>,
    liveness: Arc<Liveness>,
    announcer: Announcer,
}

fn stage() -> (Informant<Listener>, Stage) {
    stage_in_touch_for(Duration::from_hours(1))
}

/// The same of a replica that is in touch with its store for so long.
fn stage_in_touch_for(duration: Duration) -> (Informant<Listener>, Stage) {
    let (publish, look) = watch::channel(Arc::new(snapshot()));
    let (listener, liveness) = (Listener::default(), Arc::new(Liveness::new()));
    let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
    let (touch, contact) = watch::channel(touch_of(duration));
    let view =
        View { snapshot: look, contact: Some(Contact::new(contact)), liveness: Arc::clone(&liveness), clock };
    let (informant, announcer) = Informant::new(listener.clone(), view);
    (informant, Stage { listener, touch, publish, liveness, announcer })
}

fn touch_of(duration: Duration) -> Touch {
    Touch { at: Timestamp::UNIX_EPOCH, lasts_until: Instant::now() + duration }
}

impl Stage {
    fn become_ready(&self) {
        let mut ready = snapshot();
        ready.scopes[0].attempted = true;
        self.publish.send_replace(Arc::new(ready));
    }
}

/// Until everybody waits.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn ready_is_told_at_once_and_the_end_is_the_last() {
    let (informant, stage) = stage();
    let scene = async {
        settle().await;
        assert_eq!(stage.listener.heard(), [Say::Alive, Say::Status("starting; 1 target: 1 unknown".into())]);
        stage.become_ready();
        settle().await;
        assert_eq!(
            stage.listener.heard(),
            [Say::Ready, Say::Alive, Say::Status("1 target: 1 unknown".into())]
        );
        stage.announcer.tell(Phase::Reloading).await;
        stage.announcer.tell(Phase::Reloaded { is_refused: false }).await;
        settle().await;
        assert_eq!(stage.listener.heard(), [Say::Reloading, Say::Ready]);
        stage.announcer.tell(Phase::Stopping).await;
    };
    tokio::join!(informant.run(), scene);
    assert_eq!(stage.listener.heard()[0], Say::Stopping);
    stage.announcer.tell(Phase::Reloading).await;
    assert_eq!(stage.listener.heard(), []);
}

#[tokio::test(start_paused = true)]
async fn the_watchdog_hears_three_words_in_its_time_until_a_loop_is_stuck() {
    let (informant, stage) = stage();
    stage.become_ready();
    let promise = stage.liveness.promise(Loop::Tracker);
    let began = Instant::now();
    promise.back_by(began + Duration::from_secs(600));
    let scene = async {
        tokio::time::sleep_until(began + WATCHDOG * 10 + Duration::from_secs(1)).await;
        let words: Vec<_> = stage.listener.0.lock().unwrap().drain(..).collect();
        let words: Vec<_> = words.iter().filter(|(_, say)| *say == Say::Alive).map(|(at, _)| *at).collect();
        assert_eq!((words[0], words[words.len() - 1]), (began, began + WATCHDOG * 10));
        assert!(words.windows(2).all(|pair| pair[1] - pair[0] <= WATCHDOG / 3), "{words:?}");
        promise.back_by(began);
        tokio::time::sleep(WATCHDOG).await;
        let stuck = "the tracker has not come back when it was due";
        assert_eq!(stage.listener.heard(), [Say::Status(stuck.into())]);
        promise.rests();
        tokio::time::sleep(WATCHDOG).await;
        assert!(stage.listener.heard().contains(&Say::Alive));
    };
    tokio::select! {
        () = informant.run() => panic!("it ended by itself"),
        () = scene => {}
    }
}

#[tokio::test(start_paused = true)]
async fn the_status_counts_and_a_silent_target_becomes_stale_by_time_alone() {
    let (informant, stage) = stage();
    stage.become_ready();
    let scene = async {
        tokio::time::sleep(Duration::from_secs(905)).await;
        let heard = stage.listener.heard();
        let statuses: Vec<_> = heard.iter().filter(|say| matches!(say, Say::Status(_))).collect();
        assert_eq!(
            statuses,
            [&Say::Status("1 target: 1 unknown".into()), &Say::Status("1 target: 1 stale".into())]
        );
    };
    tokio::select! {
        () = informant.run() => panic!("it ended by itself"),
        () = scene => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_is_ready_once_it_is_in_touch_with_its_store_and_says_when_it_no_longer_is() {
    let (informant, stage) = stage_in_touch_for(Duration::ZERO);
    stage.become_ready();
    let lost = "the store has not answered since 1970-01-01T00:00:00Z: nothing is asked of AWS until it does, \
                and then all goes on by itself";
    let scene = async {
        settle().await;
        assert_eq!(stage.listener.heard(), [Say::Alive, Say::Status(format!("starting; {lost}"))]);
        stage.touch.send_replace(touch_of(Duration::from_secs(60)));
        settle().await;
        let well = Say::Status("1 target: 1 unknown".into());
        assert_eq!(stage.listener.heard(), [Say::Ready, Say::Alive, well.clone()]);
        tokio::time::sleep(Duration::from_secs(70)).await;
        let statuses =
            |heard: Vec<Say>| -> Vec<_> { heard.into_iter().filter(|say| *say != Say::Alive).collect() };
        assert_eq!(statuses(stage.listener.heard()), [Say::Status(lost.into())]);
        stage.touch.send_replace(touch_of(Duration::from_secs(60)));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(statuses(stage.listener.heard()), [well]);
    };
    tokio::select! {
        () = informant.run() => panic!("it ended by itself"),
        () = scene => {}
    }
}
