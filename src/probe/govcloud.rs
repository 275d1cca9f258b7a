//! AWS Account Management `GetGovCloudAccountInformation`.
//!
//! An identity of the management account or of a delegated administrator asks for members by id; the
//! caller's own account must not be named.

use aws_sdk_account::operation::get_gov_cloud_account_information::GetGovCloudAccountInformationOutput;
use aws_sdk_account::types::AwsAccountState;
use aws_sdk_account::{Client, Config};

use super::reply;
use crate::aws::{Session, classify, code_of, sdk_region, timeouts};
use crate::model::{
    Details, Failure, GovCloudDetails, Reading, Region, Resource, ResourceReading, Status, Target,
};

/// The only region of the API in the commercial partition; with an endpoint override the SDK would sign
/// for the client's own.
const REGION: &str = "us-east-1";

/// Asks what became of the GovCloud account that is linked to the target's.
pub(super) async fn ask(client: &Client, session: Session, target: &Target) -> Result<Reading, Failure> {
    let member = (session.caller != target.account.id).then(|| target.account.id.to_string());
    let overrides = Config::builder()
        .region(sdk_region(&Region::new(REGION)))
        .credentials_provider(session.credentials)
        .timeout_config(timeouts(target.polling.timeout));
    let call = client.get_gov_cloud_account_information().set_standard_account_id(member);
    match call.customize().config_override(overrides).send().await {
        Ok(reply) => read(&reply),
        Err(error) if code_of(&error) == Some("ResourceNotFoundException") => Ok(not_linked()),
        Err(error) => Err(classify(&error, |_| None)),
    }
}

fn read(reply: &GetGovCloudAccountInformationOutput) -> Result<Reading, Failure> {
    let text = reply::enum_text("AccountState", reply.account_state().as_str())?;
    let govcloud_account_id = reply::text(reply.gov_cloud_account_id())
        .ok_or_else(|| reply::malformed("the reply has no GovCloudAccountId"))?;
    let status = match reply.account_state() {
        AwsAccountState::PendingActivation => Status::PendingActivation,
        AwsAccountState::Active => Status::Active,
        AwsAccountState::Suspended => Status::Suspended,
        AwsAccountState::Closed => Status::Closed,
        _ => Status::Unknown,
    };
    let text = (status == Status::Unknown).then(|| text.into());
    let resource = ResourceReading::new(Resource::GovCloudAccount, status).with_words(text, None);
    Ok(reading(resource, Details::GovCloud(GovCloudDetails { govcloud_account_id })))
}

/// No GovCloud account is linked: a state, not a failure.
fn not_linked() -> Reading {
    reading(ResourceReading::new(Resource::GovCloudAccount, Status::NotLinked), Details::None)
}

fn reading(resource: ResourceReading, details: Details) -> Reading {
    Reading { resources: vec![resource], details, created_at: None, modified_at: None }
}
