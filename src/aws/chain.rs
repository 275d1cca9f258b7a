//! Credentials that regwatch did not ask STS for: the SDK's default chain, or a profile.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use super::Aws;
use super::failure::causes;
use crate::config::{Config, Identity};
use crate::model::{Failure, FailureReason};

/// The longest that the default chain or a profile may take (IMDS, a credential process).
const CHAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Where the credentials come from of the identities that are not a role, by their names.
#[derive(Clone, Debug, Default)]
pub struct Chains(HashMap<Arc<str>, SharedCredentialsProvider>);

impl Chains {
    pub(super) fn get(&self, identity: &str) -> Option<SharedCredentialsProvider> {
        self.0.get(identity).cloned()
    }
}

impl Aws {
    /// Reads what the environment and the profiles say of the identities of a configuration, and calls
    /// nothing. What they lack shows when it is needed.
    pub async fn chains(&self, config: &Config) -> Chains {
        let mut chains = HashMap::new();
        for (name, identity) in &config.identities {
            let profile = match identity {
                Identity::DefaultChain => None,
                Identity::Profile(profile) => Some(profile.as_str()),
                Identity::AssumeRole(_) => continue,
            };
            if let Some(provider) = self.credential_chain(profile).await {
                chains.insert(Arc::clone(name), provider);
            }
        }
        Chains(chains)
    }
}

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
