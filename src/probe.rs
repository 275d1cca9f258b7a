//! The read-only calls: one file each. A probe asks AWS about one target and says what the answer means.

mod directory;
mod fleetwise;
mod govcloud;
mod reply;

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::aws::{Aws, CredentialCache, Session};
use crate::model::{Failure, FailureReason, Probe, Reading, Target};

pub use directory::{AwsDirectory, Directory};

/// The longest that a poll waits for credentials. Behind a closed gate of STS, or at the end of a long line
/// at start, they may take longer; they are fetched all the same, and the next poll finds them.
const CREDENTIALS_WAIT: Duration = Duration::from_secs(300);

/// When that next poll comes: soon, for the place in the line is kept.
const ANOTHER_TURN: Duration = Duration::from_secs(1);

/// What came of asking.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// When the call was sent: waiting for a slot comes first.
    pub at: Instant,
    /// What AWS answered.
    pub outcome: Result<Reading, Failure>,
}

/// Somebody who asks AWS. The poller's only view of it, and what its tests script. Every wait in it is
/// bounded.
pub trait Prober: Send + Sync + 'static {
    /// What a call is made with.
    type Session: Send + 'static;

    /// Gets what a call is made with. It draws on no quota of the target's scope, and may take long: the
    /// pace is asked afterwards, or calls that waited here together would go out together.
    ///
    /// # Errors
    /// A failure of reason `credentials`.
    fn sign_in(&self, target: &Target) -> impl Future<Output = Result<Self::Session, Failure>> + Send;

    /// Asks about one target.
    fn ask(&self, target: &Target, session: Self::Session) -> impl Future<Output = Asked> + Send;
}

/// Asks the real AWS, or what stands in for it.
#[derive(Clone, Debug)]
pub struct AwsProber {
    aws: Aws,
    credentials: CredentialCache,
}

impl AwsProber {
    /// A prober that calls through these clients.
    pub fn new(aws: Aws, credentials: CredentialCache) -> Self {
        Self { aws, credentials }
    }
}

impl Prober for AwsProber {
    type Session = Session;

    async fn sign_in(&self, target: &Target) -> Result<Session, Failure> {
        let session = self.credentials.get(&target.identity, target.account.id);
        timeout(CREDENTIALS_WAIT, session).await.unwrap_or_else(|_| {
            let failure = Failure::new(FailureReason::Credentials, "STS has not had a turn for them yet");
            Err(Failure { retry_after: Some(ANOTHER_TURN), ..failure })
        })
    }

    async fn ask(&self, target: &Target, session: Session) -> Asked {
        let _slot = self.aws.slot().await;
        let at = Instant::now();
        let outcome = match target.probe {
            Probe::FleetWise => fleetwise::ask(&self.aws.fleetwise, session, target).await,
            Probe::GovCloud => govcloud::ask(&self.aws.account, session, target).await,
        };
        if let Err(Failure { reason: FailureReason::Credentials, .. }) = outcome {
            self.credentials.forget(&target.identity, target.account.id);
        }
        Asked { at, outcome }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::aws::{Broker, Overrides};
    use crate::clock::Clock;
    use crate::config::Config;

    #[tokio::test(start_paused = true)]
    async fn the_wait_for_credentials_has_an_end() {
        let yaml = "{identities: {hub: {}}, accounts: [{id: '111122223333', govcloud: {identity: hub}}]}";
        let (config, _) = Config::parse("test.yaml", yaml).unwrap();
        let nowhere = "http://127.0.0.1:9".to_owned();
        let aws = Aws::load(Overrides::simulated(nowhere, "AKIDEXAMPLE", "secret"), 1).await;
        let fleet = config.fleet(aws.region());
        let (reports, _received) = mpsc::channel(1);
        // A broker that never gets round to anything.
        let (_broker, cache) = Broker::new(aws.clone(), &config, &fleet, reports, Clock::System).await;
        let began = Instant::now();
        let failure = AwsProber::new(aws, cache).sign_in(&fleet.targets[0]).await.unwrap_err();
        assert_eq!(failure.reason, FailureReason::Credentials);
        // The timer ticks in milliseconds.
        assert!(began.elapsed() - CREDENTIALS_WAIT < Duration::from_millis(5));
    }
}
