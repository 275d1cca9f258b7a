//! The simulated AWS, called through AWS's own SDK.

use std::net::Ipv4Addr;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_account::types::AwsAccountState;
use aws_sdk_iotfleetwise::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iotfleetwise::operation::get_register_account_status::GetRegisterAccountStatusError;
use aws_sdk_iotfleetwise::types::RegistrationStatus as SdkStatus;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use regwatch::model::{AccountId, Region};
use regwatch::sim::{
    AccessKey, Account, Control, Fault, GovCloudState, Operation, Outcome, Quota, Registration,
    RegistrationStatus, Script, Service, Sim, World, govcloud_account_id,
};
use tokio::task::JoinSet;

const REGION: &str = "eu-central-1";
/// How long a call may take before a test fails; on a busy machine everything takes long.
const PATIENCE: Duration = Duration::from_secs(60);

const IAM_FAILURE: &str = "FleetWise cannot assume the role: check its trust policy.";

/// A simulation that runs until it is dropped.
struct Running {
    url: String,
    control: Control,
    _server: JoinSet<()>,
}

impl Running {
    async fn start(world: World) -> Self {
        let sim = Sim::bind(world, (Ipv4Addr::LOCALHOST, 0).into()).await.expect("loopback has a free port");
        let (url, control) = (sim.url(), sim.control());
        let mut server = JoinSet::new();
        server.spawn(sim.run(std::future::pending()));
        Self { url, control, _server: server }
    }

    fn config(&self, credentials: Credentials) -> SdkConfig {
        let timeout = TimeoutConfig::builder().operation_timeout(PATIENCE).build();
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.url)
            .region(aws_config::Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeout)
            .build()
    }

    fn fleetwise(&self, credentials: Credentials) -> aws_sdk_iotfleetwise::Client {
        aws_sdk_iotfleetwise::Client::new(&self.config(credentials))
    }

    fn account(&self, credentials: Credentials) -> aws_sdk_account::Client {
        aws_sdk_account::Client::new(&self.config(credentials))
    }

    fn sts(&self, credentials: Credentials) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config(credentials))
    }

    /// A session of the member's role, opened with the hub's keys.
    async fn session(&self) -> Credentials {
        let client = self.sts(hub_keys());
        let role = format!("arn:aws:iam::{}:role/regwatch", member());
        let call = client.assume_role().role_arn(role).role_session_name("regwatch").external_id("a-1:b");
        let opened = call.send().await.expect("the role may be assumed").credentials.expect("credentials");
        let expires = opened.expiration.try_into().ok();
        let token = Some(opened.session_token);
        Credentials::new(opened.access_key_id, opened.secret_access_key, token, expires, "test")
    }
}

fn hub() -> AccountId {
    "111122223333".parse().expect("twelve digits")
}

fn member() -> AccountId {
    "444455556666".parse().expect("twelve digits")
}

fn outsider() -> AccountId {
    "777788889999".parse().expect("twelve digits")
}

fn keys(id: &str, secret: &str) -> Credentials {
    Credentials::new(id, secret, None, None, "test")
}

fn hub_keys() -> Credentials {
    keys("AKIAHUBHUBHUBHUBHUB2", "hub-secret")
}

fn world() -> World {
    let pending = Registration::new(RegistrationStatus::Pending);
    let hub = Account::new(hub(), "hub").access_key(AccessKey::new("AKIAHUBHUBHUBHUBHUB2", "hub-secret"));
    let member = Account::new(member(), "member")
        .role("regwatch", Some("a-1:b"))
        .role("onwards", None)
        .registration(REGION, Script::new(Some(pending)).held_for(Duration::from_secs(60)))
        .govcloud(Script::new(Some(GovCloudState::PendingActivation)));
    let outsider = Account::new(outsider(), "outsider")
        .access_key(AccessKey::new("AKIAOUTOUTOUTOUTOUT2", "out-secret"))
        .govcloud(Script::new(Some(GovCloudState::Closed)));
    let roomy = Quota::per_second(100.0);
    World::new().management(hub).member(member).outsider(outsider).quota(Service::Account, roomy)
}

/// The code of an error, which must be one that the service answered with.
fn code<E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(error: &SdkError<E, R>) -> &str {
    match error {
        SdkError::ServiceError(error) => error.err().code().unwrap_or_default(),
        other => panic!("not an answer of the service: {other:?}"),
    }
}

#[tokio::test]
async fn a_session_sees_its_own_registration_change() {
    let aws = Running::start(world()).await;
    let client = aws.fleetwise(aws.session().await);
    let seen = client.get_register_account_status().send().await.expect("an answer");
    assert_eq!(seen.customer_account_id(), member().to_string());
    assert_eq!(seen.account_status(), &SdkStatus::RegistrationPending);
    let created = seen.creation_time().to_owned();
    assert_eq!(seen.last_modification_time(), &created);

    let failed = Registration::iam_failure(IAM_FAILURE).without_timestream();
    aws.control.set_registration(member(), &Region::new(REGION), Some(failed));
    let seen = client.get_register_account_status().send().await.expect("an answer");
    let iam = seen.iam_registration_response().expect("the IAM part");
    assert_eq!(seen.account_status(), &SdkStatus::RegistrationFailure);
    assert_eq!(iam.registration_status(), &SdkStatus::RegistrationFailure);
    assert_eq!(iam.error_message(), Some(IAM_FAILURE));
    assert!(seen.timestream_registration_response().is_none());
    assert_eq!(seen.creation_time(), &created);
    // It was created a minute before the start, and modified after it.
    assert!(seen.last_modification_time().secs() - created.secs() >= 60);

    aws.control.set_registration(member(), &Region::new(REGION), None);
    let error =
        client.get_register_account_status().send().await.expect_err("it is gone").into_service_error();
    let GetRegisterAccountStatusError::ResourceNotFoundException(gone) = error else {
        panic!("not \"not found\": {error:?}")
    };
    assert_eq!((gone.resource_id(), gone.resource_type()), (member().to_string().as_str(), "Account"));
}

#[tokio::test]
async fn the_management_account_sees_the_govcloud_accounts_of_members_only() {
    let aws = Running::start(world()).await;
    let hub_client = aws.account(hub_keys());
    let ask = |client: &aws_sdk_account::Client, about: Option<AccountId>| {
        let about = about.map(|account| account.to_string());
        client.get_gov_cloud_account_information().set_standard_account_id(about).send()
    };
    let seen = ask(&hub_client, Some(member())).await.expect("an answer");
    assert_eq!(seen.account_state(), &AwsAccountState::PendingActivation);
    assert_eq!(seen.gov_cloud_account_id(), govcloud_account_id(member()).to_string());
    aws.control.set_govcloud(member(), Some(GovCloudState::Suspended));
    let seen = ask(&hub_client, Some(member())).await.expect("an answer");
    assert_eq!(seen.account_state(), &AwsAccountState::Suspended);

    let none = ask(&hub_client, None).await.expect_err("the hub has no link");
    assert_eq!(
        (code(&none), none.raw_response().map(|raw| raw.status().as_u16())),
        ("ResourceNotFoundException", Some(404))
    );
    let itself = ask(&hub_client, Some(hub())).await.expect_err("it may not name itself");
    assert_eq!(code(&itself), "ValidationException");
    let foreign = ask(&hub_client, Some(outsider())).await.expect_err("no member");
    assert_eq!(code(&foreign), "AccessDeniedException");

    let out_client = aws.account(keys("AKIAOUTOUTOUTOUTOUT2", "out-secret"));
    let own = ask(&out_client, None).await.expect("an answer");
    assert_eq!(own.account_state(), &AwsAccountState::Closed);
    for about in [member(), outsider()] {
        let refused = ask(&out_client, Some(about)).await.expect_err("outsiders name nobody");
        assert_eq!(code(&refused), "AccessDeniedException", "{about}");
    }
}

#[tokio::test]
async fn roles_are_assumed_on_their_terms() {
    let aws = Running::start(world()).await;
    let role = |account: AccountId, name: &str| format!("arn:aws:iam::{account}:role/{name}");
    let client = aws.sts(hub_keys());
    let assume = |role: String| client.assume_role().role_arn(role).role_session_name("regwatch");
    for (what, call, expected) in [
        ("no external id", assume(role(member(), "regwatch")), "AccessDenied"),
        ("another external id", assume(role(member(), "regwatch")).external_id("other"), "AccessDenied"),
        ("no such role", assume(role(member(), "absent")), "AccessDenied"),
        ("no such account", assume(role(outsider(), "regwatch")), "AccessDenied"),
        ("no role's ARN", assume("arn:aws:s3:::a-bucket-of-mine".to_owned()), "ValidationError"),
        ("a short name", assume(role(member(), "onwards")).role_session_name("a"), "ValidationError"),
        ("an odd name", assume(role(member(), "onwards")).role_session_name("a b"), "ValidationError"),
        ("too long", assume(role(member(), "onwards")).duration_seconds(43_201), "ValidationError"),
    ] {
        let error = call.send().await.expect_err(what);
        assert_eq!(code(&error), expected, "{what}");
    }
    let long = assume(role(member(), "onwards")).duration_seconds(7200).send().await;
    assert!(long.is_ok(), "the keys of a user may ask for longer: {long:?}");

    let session = aws.session().await;
    let chained = aws.sts(session.clone());
    let onwards = chained.assume_role().role_arn(role(member(), "onwards")).role_session_name("regwatch");
    let error = onwards.clone().duration_seconds(3601).send().await.expect_err("a chained session is short");
    assert_eq!(code(&error), "ValidationError");
    assert!(error.into_service_error().message().expect("a message").contains("role chaining"));
    assert!(onwards.duration_seconds(3600).send().await.is_ok());
    let identity = chained.get_caller_identity().send().await.expect("an answer");
    assert_eq!(identity.account(), Some(member().to_string().as_str()));
    assert_eq!(identity.arn(), Some("arn:aws:sts::444455556666:assumed-role/regwatch/regwatch"));
}

#[tokio::test]
async fn credentials_that_do_not_hold_are_refused() {
    let aws = Running::start(world()).await;
    let session = aws.session().await;
    let (id, secret) = (session.access_key_id(), session.secret_access_key());
    let other_token = Credentials::new(id, secret, Some("other".to_owned()), None, "test");
    for (credentials, query, json) in [
        (keys("AKIAHUBHUBHUBHUBHUB2", "other"), "SignatureDoesNotMatch", "InvalidSignatureException"),
        (keys("AKIANOBODYNOBODYNOBO", "hub-secret"), "InvalidClientTokenId", "UnrecognizedClientException"),
        (keys(id, secret), "InvalidClientTokenId", "UnrecognizedClientException"),
        (other_token, "InvalidClientTokenId", "UnrecognizedClientException"),
    ] {
        let error = aws.sts(credentials.clone()).get_caller_identity().send().await.expect_err(query);
        assert_eq!(code(&error), query);
        let error = aws.fleetwise(credentials.clone()).get_register_account_status().send().await;
        assert_eq!(code(&error.expect_err(json)), json);
        let error = aws.account(credentials).get_gov_cloud_account_information().send().await;
        assert_eq!(code(&error.expect_err(json)), json);
    }
    aws.control.expire_sessions();
    let error = aws.sts(session.clone()).get_caller_identity().send().await.expect_err("expired");
    assert_eq!(code(&error), "ExpiredToken");
    let error = aws.fleetwise(session).get_register_account_status().send().await.expect_err("expired");
    assert_eq!(code(&error), "ExpiredTokenException");
    assert_eq!(aws.control.count(|call| call.outcome == Outcome::Unauthenticated), 14);

    aws.control.set_session_lifetime(Duration::from_secs(30));
    let expires = aws.session().await.expiry().expect("sessions end");
    let left = expires.duration_since(regwatch::clock::Clock::System.now().into()).expect("not yet");
    assert!((28..=31).contains(&left.as_secs()), "{left:?}");
}

#[tokio::test]
async fn a_bucket_is_of_its_caller_and_its_record_adds_up() {
    let aws = Running::start(world()).await;
    let client = aws.account(hub_keys());
    aws.control.set_quota(hub(), Service::Account, Quota { rate: 0.0, burst: 4.0 });
    let ask = || client.get_gov_cloud_account_information().standard_account_id(member().to_string()).send();
    let begin = aws.control.now();
    for _ in 0..4 {
        ask().await.expect("within the burst");
    }
    let error = ask().await.expect_err("over it");
    assert_eq!(
        (code(&error), error.raw_response().map(|raw| raw.status().as_u16())),
        ("TooManyRequestsException", Some(429))
    );
    aws.fleetwise(aws.session().await).get_register_account_status().send().await.expect("another bucket");

    let calls = aws.control.calls();
    let about: Vec<_> =
        calls.iter().map(|call| (call.operation, call.caller, call.about, call.outcome)).collect();
    let govcloud = |outcome| (Operation::GetGovCloudAccountInformation, Some(hub()), Some(member()), outcome);
    let expected = [
        vec![govcloud(Outcome::Accepted); 4],
        vec![govcloud(Outcome::Throttled)],
        vec![(Operation::AssumeRole, Some(hub()), Some(member()), Outcome::Accepted)],
        vec![(Operation::GetRegisterAccountStatus, Some(member()), Some(member()), Outcome::Accepted)],
    ];
    assert_eq!(about, expected.concat());
    assert!(calls.is_sorted_by_key(|call| call.at) && calls[0].at >= begin);
    assert!(calls.iter().all(|call| call.region.as_str() == REGION));

    let now = aws.control.now();
    aws.control.set_quota(hub(), Service::Account, Quota::per_second(8.0));
    let ahead = now + Duration::from_secs(10)..now + Duration::from_secs(15);
    assert_eq!(aws.control.granted(hub(), Service::Account, ahead), 40.0);
}

#[tokio::test]
async fn faults_reach_the_sdk_as_what_they_are() {
    let aws = Running::start(world()).await;
    let client = aws.fleetwise(aws.session().await);
    let operation = Operation::GetRegisterAccountStatus;
    let ask = || client.get_register_account_status().send();

    aws.control.set_fault(member(), operation, Fault::Throttle { retry_after: Some(7) });
    let error = ask().await.expect_err("throttled").into_service_error();
    let GetRegisterAccountStatusError::ThrottlingException(throttled) = error else {
        panic!("not throttled: {error:?}")
    };
    assert_eq!(throttled.retry_after_seconds(), 7);
    assert_eq!(throttled.quota_code(), Some("L-6ED070A2"));

    for (fault, expected) in [
        (Fault::Denied, "AccessDeniedException"),
        (Fault::ServerError, "InternalServerException"),
        (Fault::ExpiredToken, "ExpiredTokenException"),
        (Fault::Uncoded(404), ""),
        (Fault::Html(200), ""),
    ] {
        aws.control.set_fault(member(), operation, fault);
        assert_eq!(code(&ask().await.expect_err("a fault")), expected, "{fault:?}");
    }
    let answers = [
        (Fault::EmptyObject, "", "no value was set"),
        (Fault::UnknownEnum, "444455556666", Fault::UNKNOWN_STATE),
        (Fault::WrongAccount, Fault::WRONG_ACCOUNT, "REGISTRATION_PENDING"),
        (Fault::SlowDrip(Duration::from_millis(1)), "444455556666", "REGISTRATION_PENDING"),
        (Fault::Delay(Duration::from_millis(1)), "444455556666", "REGISTRATION_PENDING"),
    ];
    for (fault, account, status) in answers {
        aws.control.set_fault(member(), operation, fault);
        let seen = ask().await.expect("an answer of a kind");
        assert_eq!(
            (seen.customer_account_id(), seen.account_status().as_str()),
            (account, status),
            "{fault:?}"
        );
    }
    aws.control.set_fault(member(), operation, Fault::CutBody);
    assert!(matches!(ask().await.expect_err("half an answer"), SdkError::ResponseError(_)));
    aws.control.set_fault(member(), operation, Fault::Disconnect);
    assert!(matches!(ask().await.expect_err("no answer"), SdkError::DispatchFailure(_)));
    aws.control.set_fault(member(), operation, Fault::Hang);
    let hasty = TimeoutConfig::builder().operation_timeout(Duration::from_millis(200)).build();
    let hasty = aws_sdk_iotfleetwise::config::Builder::default().timeout_config(hasty);
    let hung = client.get_register_account_status().customize().config_override(hasty).send().await;
    assert!(matches!(hung.expect_err("no answer"), SdkError::TimeoutError(_)));

    aws.control.clear_fault(member(), operation);
    ask().await.expect("as before");
}

#[tokio::test]
async fn it_ends_when_told_to_with_all_its_connections() {
    let sim = Sim::bind(world(), (Ipv4Addr::LOCALHOST, 0).into()).await.expect("loopback has a free port");
    let control = sim.control();
    control.set_fault(hub(), Operation::GetCallerIdentity, Fault::Hang);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let url = sim.url();
    let mut server = JoinSet::new();
    server.spawn(sim.run(async { stopped.await.expect("it is told to") }));
    let aws = Running { url, control, _server: JoinSet::new() };
    let client = aws.sts(hub_keys());
    let call = client.get_caller_identity().send();
    let stopping = async {
        while aws.control.count(|call| call.outcome == Outcome::Fault(Fault::Hang)) == 0 {
            tokio::task::yield_now().await;
        }
        stop.send(()).expect("it runs");
        server.join_next().await.expect("it was started").expect("it ends well");
    };
    let (result, ()) = tokio::join!(call, stopping);
    assert!(matches!(result.expect_err("nobody is there"), SdkError::DispatchFailure(_)));
}
