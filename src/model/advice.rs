//! What somebody should do about it.

use super::{Failure, FailureReason, Probe, Resource, ResourceReading, Status, Target};

/// What helps against a failure to ask about a target: one or two sentences.
pub fn of_failure(target: &Target, failure: &Failure) -> String {
    let (account, identity) = (target.account.id, &target.identity);
    let permission = match target.probe {
        Probe::FleetWise => "iotfleetwise:GetRegisterAccountStatus",
        Probe::GovCloud => "account:GetGovCloudAccountInformation",
    };
    match failure.reason {
        FailureReason::AccessDenied => {
            format!("Allow {permission} to identity {identity} for account {account}; `regwatch iam` prints the policy.")
        }
        FailureReason::Credentials => format!(
            "Check that identity {identity} can be had: the keys or the role behind it, and the role's trust policy \
             and external id; `regwatch iam` prints both."
        ),
        FailureReason::Throttled => {
            "AWS counts more calls than it grants. regwatch backs off by itself; longer intervals, or a higher quota, \
             would help."
                .to_owned()
        }
        FailureReason::Timeout | FailureReason::Unreachable => format!(
            "Check the way to AWS: DNS, proxy, firewall and VPC endpoints for region {}.",
            if target.region.is_some() { target.region_str() } else { "us-east-1" }
        ),
        FailureReason::ServerError | FailureReason::Unavailable => {
            "AWS has trouble of its own. regwatch goes on asking; see the AWS Health Dashboard.".to_owned()
        }
        FailureReason::WrongAccount => {
            format!("Identity {identity} is of another account than {account}: correct the account id or the role.")
        }
        FailureReason::InvalidRequest => {
            format!("AWS refuses the question: check that account {account} may be asked about by identity {identity}.")
        }
        FailureReason::MalformedReply | FailureReason::Other => {
            "This is no answer that AWS is known to give: look for a proxy in between, then tell regwatch's authors."
                .to_owned()
        }
    }
}

/// What a state asks for; `None` where all is well, or time is all it takes.
pub fn of_state(reading: &ResourceReading) -> Option<&'static str> {
    match (reading.status, reading.resource) {
        (Status::RegistrationFailure, Resource::Iam) => {
            Some("Correct the role's trust and permissions for FleetWise, then register the account again.")
        }
        (Status::RegistrationFailure, Resource::Timestream) => {
            Some("Check that the Timestream database and table exist, then register the account again.")
        }
        (Status::RegistrationFailure, _) => Some("Mend what failed below, then register the account again."),
        (Status::NotRegistered, _) => {
            Some("The account was never registered in this region: register it, or leave it out.")
        }
        (Status::Suspended | Status::Closed, _) => {
            Some("The linked GovCloud account cannot be used: see its owner, or AWS Support.")
        }
        _ => None,
    }
}
