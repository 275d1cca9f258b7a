//! The edge to AWS: clients, identities, credentials, and what its errors mean.
//!
//! One client a service for the whole process: a client costs 17 kB and more, and each keeps a
//! connection pool of its own. What differs from call to call (region, credentials, timeout) is
//! overridden per call. The SDK's retries are off; the scheduler is the only retry layer.

mod broker;
mod chain;
mod credentials;
mod failure;
mod line;
mod organizations;
mod slots;
mod sts;

use std::time::Duration;

use crate::model::Region;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::{AppName, SharedHttpClient, retry::RetryConfig, timeout::TimeoutConfig};

use self::slots::Slots;
pub use broker::{Adoption, Broker, Needed};
pub use chain::Chains;
pub use credentials::{CredentialCache, Session};
pub use failure::{classify, code_of, seconds};
pub use organizations::{List, Listed, ListedAccount, Page, Standing, Unit};

/// The longest that a TCP and TLS handshake may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The region of calls that name none: where STS is called when the environment has no region.
const FALLBACK_REGION: &str = "us-east-1";

/// What takes the place of the environment, for a simulated AWS.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The endpoint of every service.
    pub endpoint_url: Option<String>,
    /// What the default credential chain resolves to.
    pub credentials: Option<Credentials>,
    /// The region of calls that name none.
    pub region: Option<Region>,
    /// What requests are sent with.
    pub http_client: Option<SharedHttpClient>,
}

impl Overrides {
    /// An AWS that is simulated at a URL, called with a long-term key.
    pub fn simulated(endpoint_url: String, access_key_id: &str, secret: &str) -> Self {
        let credentials = Credentials::new(access_key_id, secret, None, None, "simulated");
        let region = Region::new(FALLBACK_REGION);
        Self {
            endpoint_url: Some(endpoint_url),
            credentials: Some(credentials),
            region: Some(region),
            http_client: None,
        }
    }
}

/// The clients of the process and what they share.
#[derive(Clone, Debug)]
pub struct Aws {
    /// AWS IoT FleetWise.
    pub fleetwise: aws_sdk_iotfleetwise::Client,
    /// AWS Account Management.
    pub account: aws_sdk_account::Client,
    /// AWS Organizations.
    organizations: aws_sdk_organizations::Client,
    /// AWS Security Token Service.
    sts: aws_sdk_sts::Client,
    /// One permit a call in flight, over all services.
    slots: Slots,
    overrides: Overrides,
    region: Region,
}

impl Aws {
    /// Reads the environment (variables, profiles, endpoints, proxies, roots) and makes the clients.
    pub async fn load(overrides: Overrides, max_in_flight: usize) -> Self {
        let config = loader(&overrides).no_credentials().load().await;
        let region = config.region().map_or(FALLBACK_REGION, |region| region.as_ref()).to_owned();
        let region = Region::new(region);
        let config = named(config).into_builder().region(sdk_region(&region)).build();
        Self {
            fleetwise: aws_sdk_iotfleetwise::Client::new(&config),
            account: aws_sdk_account::Client::new(&config),
            organizations: aws_sdk_organizations::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            slots: Slots::new(max_in_flight),
            overrides,
            region,
        }
    }

    /// The region that the environment configures; STS is called there.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Waits for one of the process's call slots; dropping what it returns frees the slot.
    pub async fn slot(&self) -> impl Drop + Send + use<> {
        self.slots.take().await
    }

    /// Changes how many calls may be in flight. Those that are end as they would.
    pub fn set_max_in_flight(&self, calls: usize) {
        self.slots.resize(calls);
    }

    /// The default credential chain, or a profile of the shared configuration files.
    async fn credential_chain(&self, profile: Option<&str>) -> Option<SharedCredentialsProvider> {
        if let (Some(credentials), None) = (&self.overrides.credentials, profile) {
            return Some(SharedCredentialsProvider::new(credentials.clone()));
        }
        let loader = loader(&self.overrides);
        let loader = match profile {
            Some(profile) => loader.profile_name(profile),
            // Known by now, and looking for it again can mean waiting for an instance's metadata.
            None => loader.region(sdk_region(&self.region)),
        };
        loader.load().await.credentials_provider()
    }
}

/// Every configuration starts here, so that none has retries on.
fn loader(overrides: &Overrides) -> ConfigLoader {
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts(Duration::from_secs(10)));
    let loader = match &overrides.region {
        Some(region) => loader.region(sdk_region(region)),
        None => loader,
    };
    let loader = match &overrides.http_client {
        Some(client) => loader.http_client(client.clone()),
        None => loader,
    };
    match &overrides.endpoint_url {
        Some(url) => loader.endpoint_url(url),
        None => loader,
    }
}

/// Says who calls, in the user agent that CloudTrail keeps, unless the environment says so already.
fn named(config: SdkConfig) -> SdkConfig {
    if config.app_name().is_some() {
        return config;
    }
    let name = AppName::new("regwatch").expect("a plain word is a valid app name");
    config.into_builder().app_name(name).build()
}

/// All of the SDK's bounds at once: without them a server that accepts and stays silent hangs a call
/// for ever.
pub fn timeouts(call: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT.min(call))
        .operation_attempt_timeout(call)
        .operation_timeout(call)
        .build()
}

/// The SDK's own type for a region.
pub fn sdk_region(region: &Region) -> aws_sdk_sts::config::Region {
    aws_sdk_sts::config::Region::new(region.as_str().to_owned())
}
