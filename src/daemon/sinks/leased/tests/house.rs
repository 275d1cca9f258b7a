//! Who keeps house, and when.

use std::sync::Mutex;

use super::*;

/// Somebody who keeps house whenever that is his.
struct Keeping {
    leases: Leases,
    /// What was done: under which epoch it was begun, and which began to end it.
    done: Arc<Mutex<Vec<String>>>,
    refused: CancellationToken,
    draining: CancellationToken,
    task: JoinSet<()>,
}

/// Takes note of its end, whatever it is.
struct Noted(u64, Arc<Mutex<Vec<String>>>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(format!("ended {}", self.0));
    }
}

impl Keeping {
    fn start() -> Self {
        let (leases, done) = (Leases::of(Lease::House), Arc::<Mutex<Vec<_>>>::default());
        let (refused, draining) = (CancellationToken::new(), CancellationToken::new());
        let (noting, refusing) = (Arc::clone(&done), refused.clone());
        let keep = move |claim: Claim| {
            let (noting, refusing) = (Arc::clone(&noting), refusing.clone());
            async move {
                noting.lock().unwrap().push(format!("began {}", claim.epoch));
                let _noted = Noted(claim.epoch.0, noting);
                refusing.cancelled().await;
            }
        };
        let mut task = JoinSet::new();
        task.spawn(keep_house(leases.tenancy.clone(), draining.clone(), keep));
        Self { leases, done, refused, draining, task }
    }

    /// What was done since it was asked last.
    async fn done(&self) -> Vec<String> {
        sleep(SECOND).await;
        std::mem::take(&mut self.done.lock().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn house_is_kept_only_where_that_is_held() {
    let mut keeping = Keeping::start();
    assert_eq!(keeping.done().await, [""; 0]);
    keeping.leases.hold(1);
    assert_eq!(keeping.done().await, ["began 1"]);
    keeping.leases.hold(1);
    assert_eq!(keeping.done().await, [""; 0]);
    keeping.leases.give_up(1);
    assert_eq!((keeping.done().await, keeping.leases.let_go()), (vec!["ended 1".to_owned()], vec![1]));
    keeping.leases.hold(2);
    assert_eq!(keeping.done().await, ["began 2"]);
    keeping.leases.lose();
    assert_eq!((keeping.done().await, keeping.leases.let_go()), (vec!["ended 2".to_owned()], vec![]));
    keeping.leases.give_up(3);
    assert_eq!((keeping.done().await, keeping.leases.let_go()), (vec![], vec![3]));
    keeping.leases.hold(4);
    assert_eq!(keeping.done().await, ["began 4"]);
    keeping.draining.cancel();
    assert_eq!((keeping.done().await, keeping.leases.let_go()), (vec!["ended 4".to_owned()], vec![4]));
    keeping.task.join_next().await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn where_the_store_refuses_the_claim_house_is_kept_no_more() {
    let mut keeping = Keeping::start();
    keeping.leases.hold(1);
    assert_eq!(keeping.done().await, ["began 1"]);
    keeping.refused.cancel();
    assert_eq!((keeping.done().await, keeping.leases.let_go()), (vec!["ended 1".to_owned()], vec![1]));
    sleep(LONG).await;
    assert_eq!(keeping.done().await, [""; 0]);
    keeping.leases.hold(2);
    assert_eq!(keeping.done().await, ["began 2", "ended 2"]);
}
