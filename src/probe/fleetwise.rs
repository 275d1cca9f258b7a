//! AWS IoT FleetWise `GetRegisterAccountStatus`.
//!
//! It takes no parameters and answers for the caller's own account in the region called. A reply without
//! its Timestream or IAM part is healthy: both are deprecated in `RegisterAccount`.

use aws_sdk_iotfleetwise::operation::get_register_account_status::{
    GetRegisterAccountStatusError as ApiError, GetRegisterAccountStatusOutput,
};
use aws_sdk_iotfleetwise::types::RegistrationStatus;
use aws_sdk_iotfleetwise::{Client, Config};

use super::reply;
use crate::aws::{Session, classify, code_of, sdk_region, seconds, timeouts};
use crate::model::{
    AccountId, Details, Failure, FailureReason, FleetWiseDetails, Reading, Resource, ResourceReading, Status,
    Target,
};

/// Asks whether the target's account is registered.
pub(super) async fn ask(client: &Client, session: Session, target: &Target) -> Result<Reading, Failure> {
    let region = target.region.as_ref().expect("a FleetWise target has a region");
    let overrides = Config::builder()
        .region(sdk_region(region))
        .credentials_provider(session.credentials)
        .timeout_config(timeouts(target.polling.timeout));
    match client.get_register_account_status().customize().config_override(overrides).send().await {
        Ok(reply) => read(&reply, target.account.id),
        Err(error) if code_of(&error) == Some("ResourceNotFoundException") => {
            if session.caller == target.account.id {
                Ok(not_registered())
            } else {
                Err(wrong_account(session.caller))
            }
        }
        Err(error) => Err(classify(&error, |error| match error {
            ApiError::ThrottlingException(error) => seconds(error.retry_after_seconds()),
            ApiError::InternalServerException(error) => seconds(error.retry_after_seconds()),
            _ => None,
        })),
    }
}

fn read(reply: &GetRegisterAccountStatusOutput, asked: AccountId) -> Result<Reading, Failure> {
    let answered: AccountId = (reply.customer_account_id().parse())
        .map_err(|_| reply::malformed("the reply has no customerAccountId of 12 digits"))?;
    if answered != asked {
        return Err(wrong_account(answered));
    }
    let mut resources = vec![resource(Resource::Account, reply.account_status(), None)?];
    let mut details = FleetWiseDetails::default();
    if let Some(iam) = reply.iam_registration_response() {
        resources.push(resource(Resource::Iam, iam.registration_status(), iam.error_message())?);
        details.role_arn = reply::text(iam.role_arn());
    }
    if let Some(timestream) = reply.timestream_registration_response() {
        let (status, message) = (timestream.registration_status(), timestream.error_message());
        resources.push(resource(Resource::Timestream, status, message)?);
        details.timestream_database_name = reply::text(timestream.timestream_database_name());
        details.timestream_table_name = reply::text(timestream.timestream_table_name());
    }
    Ok(Reading {
        resources,
        details: Details::FleetWise(Box::new(details)),
        created_at: Some(reply::time("creationTime", reply.creation_time())?),
        modified_at: Some(reply::time("lastModificationTime", reply.last_modification_time())?),
    })
}

fn resource(
    resource: Resource,
    status: &RegistrationStatus,
    error_message: Option<&str>,
) -> Result<ResourceReading, Failure> {
    let text = reply::enum_text("registration status", status.as_str())?;
    let status = match status {
        RegistrationStatus::RegistrationPending => Status::RegistrationPending,
        RegistrationStatus::RegistrationSuccess => Status::RegistrationSuccess,
        RegistrationStatus::RegistrationFailure => Status::RegistrationFailure,
        _ => Status::Unknown,
    };
    let text = (status == Status::Unknown).then(|| text.into());
    Ok(ResourceReading::new(resource, status).with_words(text, error_message.and_then(reply::text)))
}

/// AWS has no registration of the account in the region: a state, not a failure.
fn not_registered() -> Reading {
    Reading {
        resources: vec![ResourceReading::new(Resource::Account, Status::NotRegistered)],
        details: Details::None,
        created_at: None,
        modified_at: None,
    }
}

fn wrong_account(answered: AccountId) -> Failure {
    Failure::new(FailureReason::WrongAccount, format!("the answer is about account {answered}"))
}
