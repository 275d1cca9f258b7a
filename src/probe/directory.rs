//! Who tells which accounts an organization has.

use std::sync::Arc;

use tokio::time::timeout;

use super::{ANOTHER_TURN, CREDENTIALS_WAIT};
use crate::aws::{Aws, CredentialCache, List, Listed};
use crate::model::{Failure, FailureReason};

/// Somebody who lists organizations. Discovery's only view of it, and what its tests script. Every wait in it
/// is bounded.
pub trait Directory: Send + Sync + 'static {
    /// One page of a list, asked for with an identity.
    ///
    /// # Errors
    /// Why there is none.
    fn list(
        &self,
        identity: Arc<str>,
        list: List,
        token: Option<String>,
    ) -> impl Future<Output = Result<Listed, Failure>> + Send;
}

/// Asks the real AWS, or what stands in for it.
#[derive(Clone, Debug)]
pub struct AwsDirectory {
    aws: Aws,
    credentials: CredentialCache,
}

impl AwsDirectory {
    /// A directory that calls through these clients.
    pub fn new(aws: Aws, credentials: CredentialCache) -> Self {
        Self { aws, credentials }
    }
}

impl Directory for AwsDirectory {
    async fn list(&self, identity: Arc<str>, list: List, token: Option<String>) -> Result<Listed, Failure> {
        let session = timeout(CREDENTIALS_WAIT, self.credentials.get_shared(&identity)).await;
        let session = session.unwrap_or_else(|_| {
            let failure = Failure::new(FailureReason::Credentials, "STS has not had a turn for them yet");
            Err(Failure { retry_after: Some(ANOTHER_TURN), ..failure })
        })?;
        let _slot = self.aws.slot().await;
        let listed = self.aws.list(session, &list, token).await;
        if let Err(Failure { reason: FailureReason::Credentials, .. }) = listed {
            self.credentials.forget_shared(&identity);
        }
        listed
    }
}
