//! The two STS calls, and what their answers are worth.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_sts::operation::RequestId;
use jiff::Timestamp;

use super::credentials::{Issued, Session};
use super::failure::classify;
use super::{Aws, sdk_region, timeouts};
use crate::config::AssumeRole;
use crate::model::{AccountId, Failure, FailureReason};

/// STS answers in well under a second; a call that takes longer will not come.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a session lasts. A role assumed by a role's session may not last longer than an hour, and
/// the regwatch of a Kubernetes service account is such a session.
const SESSION_SECONDS: i32 = 3600;

/// `sts:AssumeRole`, with the credentials of the role's `from` identity.
pub(super) async fn assume_role(
    aws: &Aws,
    from: Credentials,
    role: &AssumeRole,
    account: AccountId,
) -> Result<Issued, Failure> {
    let role_arn = role.role_arn.for_account(account);
    let _slot = aws.slot().await;
    let call = aws
        .sts
        .assume_role()
        .role_arn(&role_arn)
        .role_session_name(&role.session_name)
        .set_external_id(role.external_id.as_ref().map(|id| id.expose().to_owned()))
        .duration_seconds(SESSION_SECONDS)
        .customize()
        .config_override(overrides(aws, from))
        .send();
    let said = |failure: Failure| Failure {
        message: format!("sts:AssumeRole of {role_arn}: {}", failure.message).into(),
        ..failure
    };
    let reply = call.await.map_err(|error| said(classify(&error, |_| None)))?;
    let malformed = |what: &str| {
        let id = reply.request_id().unwrap_or("unknown");
        said(Failure::new(FailureReason::MalformedReply, format!("{what}, request id {id}")))
    };
    let issued = reply.credentials().ok_or_else(|| malformed("an answer without credentials"))?;
    if issued.access_key_id().is_empty() || issued.secret_access_key().is_empty() {
        return Err(malformed("an answer with empty credentials"));
    }
    let expiry = SystemTime::try_from(*issued.expiration()).map_err(|_| malformed("an absurd expiry"))?;
    let expires_at = Timestamp::try_from(expiry).map_err(|_| malformed("an absurd expiry"))?;
    let credentials = Credentials::new(
        issued.access_key_id(),
        issued.secret_access_key(),
        Some(issued.session_token().to_owned()),
        Some(expiry),
        "regwatch",
    );
    let session = Session { credentials, caller: role.role_arn.account(account) };
    Ok(Issued { session, expires_at: Some(expires_at) })
}

/// `sts:GetCallerIdentity`: which account the credentials are of. It needs no permission.
pub(super) async fn caller_identity(aws: &Aws, credentials: Credentials) -> Result<AccountId, Failure> {
    let _slot = aws.slot().await;
    let call = aws.sts.get_caller_identity().customize().config_override(overrides(aws, credentials)).send();
    let said = |failure: Failure| Failure {
        message: format!("sts:GetCallerIdentity: {}", failure.message).into(),
        ..failure
    };
    let reply = call.await.map_err(|error| said(classify(&error, |_| None)))?;
    let account = reply.account().and_then(|account| account.parse().ok());
    account
        .ok_or_else(|| said(Failure::new(FailureReason::MalformedReply, "an answer without an account id")))
}

fn overrides(aws: &Aws, credentials: Credentials) -> aws_sdk_sts::config::Builder {
    aws_sdk_sts::Config::builder()
        .region(sdk_region(aws.region()))
        .credentials_provider(credentials)
        .timeout_config(timeouts(CALL_TIMEOUT))
}
