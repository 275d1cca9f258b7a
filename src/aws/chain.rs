//! Credentials that regwatch did not ask STS for: the SDK's default chain, or a profile.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use super::failure::causes;
use crate::model::{Failure, FailureReason};

/// The longest that the default chain or a profile may take (IMDS, a credential process).
const CHAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// The credentials of the default chain or of a profile.
pub(super) async fn provide(chain: Option<SharedCredentialsProvider>) -> Result<Credentials, Failure> {
    let none = |message: String| Failure::new(FailureReason::Credentials, message);
    let chain = chain.ok_or_else(|| none("the environment names no source of credentials".to_owned()))?;
    match tokio::time::timeout(CHAIN_TIMEOUT, chain.provide_credentials()).await {
        Ok(Ok(credentials)) => Ok(credentials),
        Ok(Err(error)) => Err(none(causes(&error))),
        Err(_) => {
            Err(Failure::new(FailureReason::Timeout, "the source of credentials did not answer in time"))
        }
    }
}
