//! What somebody should do about it.
//!
//! AWS's own words say who was refused what; the advice is made of them where they do, and of what the
//! configuration tells where they do not. It is text for people: nothing decides by it.

mod said;
#[cfg(test)]
mod tests;

use self::said::{Refused, Said};
use super::{FLEETWISE_REGIONS, Failure, FailureReason, Probe, Resource, ResourceReading, Status, Target};

/// What helps against a failure to ask about a target: a few sentences.
pub fn of_failure(target: &Target, failure: &Failure) -> String {
    let said = Said::read(&failure.message);
    match failure.reason {
        FailureReason::AccessDenied => denied(target, &said),
        FailureReason::Credentials => credentials(target, failure, &said),
        FailureReason::Throttled => throttled(target),
        FailureReason::Timeout => format!(
            "Nothing answered within {:?}. {} If it only takes long, raise `polling`, `timeout`.",
            target.polling.timeout,
            way_to(&host(target)),
        ),
        FailureReason::Unreachable => unreachable(target),
        FailureReason::ServerError | FailureReason::Unavailable => format!(
            "AWS has trouble of its own with {}. Ask again in some minutes; if it lasts, see the AWS Health Dashboard \
             of account {}.",
            action(target.probe),
            target.account.id,
        ),
        FailureReason::WrongAccount => format!(
            "The credentials of identity {} are not of account {}. Correct the account's `id`, or give it an identity \
             that assumes a role of its own, as arn:aws:iam::{{account_id}}:role/NAME.",
            target.identity, target.account.id,
        ),
        FailureReason::InvalidRequest => match target.probe {
            Probe::GovCloud => format!(
                "Check that account {} is in the organization of identity {}, and that trusted access for {TRUSTED} is \
                 enabled there; or let the account ask for itself, with a role of its own.",
                target.account.id, target.identity,
            ),
            Probe::FleetWise => compare(target),
        },
        FailureReason::MalformedReply => format!(
            "Something other than AWS seems to answer: look at HTTPS_PROXY, at AWS_ENDPOINT_URL, and at what stands \
             between here and {}.",
            host(target),
        ),
        FailureReason::Other => compare(target),
    }
}

/// What helps against a failure to list an organization.
pub fn of_listing(failure: &Failure) -> String {
    const HOST: &str = "organizations.us-east-1.amazonaws.com";
    let said = Said::read(&failure.message);
    match failure.reason {
        FailureReason::AccessDenied => "Allow it what `regwatch iam` prints for its identity, which has to be of the \
                                        management account or of a delegated administrator."
            .to_owned(),
        FailureReason::Credentials => {
            let whom = said.refused().map_or_else(|| "its identity".to_owned(), Refused::whom);
            format!("There are no credentials to call with: look at what AWS says of {whom}, and at the environment.")
        }
        FailureReason::Throttled => "AWS throttles the lists of the organization, which all of its tools share: list it \
                                     more seldom (`refresh`), or lower `organizations_requests_per_second`."
            .to_owned(),
        FailureReason::Timeout | FailureReason::Unreachable => way_to(HOST),
        FailureReason::ServerError | FailureReason::Unavailable => {
            "AWS has trouble of its own with Organizations. It is tried again; if it lasts, see the AWS Health Dashboard."
                .to_owned()
        }
        FailureReason::MalformedReply => format!(
            "Something other than AWS seems to answer: look at HTTPS_PROXY, at AWS_ENDPOINT_URL, and at what stands \
             between here and {HOST}."
        ),
        FailureReason::InvalidRequest | FailureReason::WrongAccount | FailureReason::Other => {
            "Compare the configuration of the organization with what the AWS console shows of it: whether the account \
             is in one, and what its units are called."
                .to_owned()
        }
    }
}

/// What a state asks for; `None` where all is well, or time is all it takes.
pub fn of_state(reading: &ResourceReading) -> Option<&'static str> {
    match (reading.status, reading.resource) {
        (Status::RegistrationFailure, Resource::Iam) => Some(
            "Let the role trust iotfleetwise.amazonaws.com and allow it to write to the Timestream table, then register \
             the account again (RegisterAccount).",
        ),
        (Status::RegistrationFailure, Resource::Timestream) => Some(
            "Check that the Timestream database and table exist and that the role may write there, then register the \
             account again (RegisterAccount).",
        ),
        (Status::RegistrationFailure, _) => Some(
            "Mend the IAM role or the Timestream table, whichever failed, then register the account again \
             (RegisterAccount).",
        ),
        (Status::NotRegistered, _) => Some(
            "The account is not registered in this region: register it there (RegisterAccount), or take the region out \
             of the account's `regions`.",
        ),
        (Status::Suspended, _) => Some(
            "AWS has suspended the GovCloud account. Its owner finds the reason in the mail to its root user; AWS \
             Support lifts it.",
        ),
        (Status::Closed, _) => Some(
            "The GovCloud account is closed. AWS Support tells whether it can be reopened; if it is meant to be closed, take \
             `govcloud` out of the account's configuration.",
        ),
        (Status::Unknown, _) => Some(
            "AWS has added this state since this release of regwatch: see its API reference for what it means, and \
             whether there is a newer release.",
        ),
        _ => None,
    }
}

/// The service principal that Account Management acts as within an organization.
const TRUSTED: &str = "account.amazonaws.com";

/// The IAM action of a probe.
const fn action(probe: Probe) -> &'static str {
    match probe {
        Probe::FleetWise => "iotfleetwise:GetRegisterAccountStatus",
        Probe::GovCloud => "account:GetGovCloudAccountInformation",
    }
}

/// Where a probe's calls go.
fn host(target: &Target) -> String {
    match target.probe {
        Probe::FleetWise => format!("iotfleetwise.{}.amazonaws.com", target.region_str()),
        Probe::GovCloud => "account.us-east-1.amazonaws.com".to_owned(),
    }
}

fn way_to(host: &str) -> String {
    format!("Check the way to {host}: DNS, HTTPS_PROXY, firewall, VPC endpoint.")
}

fn denied(target: &Target, said: &Said<'_>) -> String {
    if said.is_uncoded() {
        return format!(
            "This refusal did not come from AWS's API: ask whoever runs the proxy or the VPC endpoint between here and {} \
             to let the call pass.",
            host(target)
        );
    }
    let (id, identity) = (target.account.id, &target.identity);
    let action = action(target.probe);
    let whom = said.refused().map_or_else(|| format!("identity {identity}"), Refused::whom);
    if let Some(by) = said.denied_by() {
        return format!(
            "Take the denial of {action} to {whom} out of {by}, which no policy of the role can outweigh."
        );
    }
    match target.probe {
        Probe::FleetWise => format!(
            "Allow {action} on * to {whom}, where a condition on aws:RequestedRegion must let {} pass; `regwatch iam` \
             prints the policy.",
            target.region_str()
        ),
        Probe::GovCloud => {
            let named = said.refused().and_then(|refused| refused.resource).map(str::to_owned);
            let on = named.unwrap_or_else(|| {
                format!("arn:aws:account::*:account/o-*/{id}, or arn:aws:account::{id}:account if it asks for itself")
            });
            format!(
                "Allow {action} on {on} to {whom}; `regwatch iam` prints the policy. To ask for another account the \
                 caller must be the organization's management account or a delegated administrator for {TRUSTED}, with \
                 trusted access enabled."
            )
        }
    }
}

fn credentials(target: &Target, failure: &Failure, said: &Said<'_>) -> String {
    let identity = &target.identity;
    let role = said.role();
    if said.has_code("RegionDisabledException") {
        return "Activate STS for this region in the account settings of IAM, or set AWS_REGION to one where it is \
                active."
            .to_owned();
    }
    if said.is_about_the_clock() {
        return "Set this machine's clock: AWS takes no request whose time is off by more than five minutes."
            .to_owned();
    }
    if failure.retry_after.is_some() {
        return format!(
            "STS could not be asked just now. If that lasts: {} Where STS throttles, lower \
             `limits`, `sts_requests_per_second`.",
            way_to("STS in AWS_REGION")
        );
    }
    match (role, said.refused()) {
        (Some(role), refused) if said.is_denied() => {
            let whom = refused.map_or_else(|| "who assumes it".to_owned(), Refused::whom);
            match said.denied_by() {
                Some(by) => format!(
                    "Take the denial of sts:AssumeRole on {role} to {whom} out of {by}, which no other policy can \
                     outweigh."
                ),
                None => format!(
                    "Check that {role} exists, that its trust policy names {whom} with the external id of identity \
                     {identity} if it asks for one, and that {whom} is allowed sts:AssumeRole on it; `regwatch iam` \
                     prints both policies."
                ),
            }
        }
        (Some(role), _) => {
            format!("Correct what STS says of {role} in identity {identity}, or in the role itself.")
        }
        (None, _) if said.is_of_aws() => format!(
            "AWS does not take the keys of identity {identity}, which may be expired, deactivated or deleted: sign in \
             again, or put new keys where they come from; `aws sts get-caller-identity` with them tells whether they \
             are good."
        ),
        (None, _) => format!(
            "Give identity {identity} credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, a service \
             account's role, or the instance's; `aws sts get-caller-identity` in the same environment tells whether \
             there are any."
        ),
    }
}

fn throttled(target: &Target) -> String {
    match target.probe {
        Probe::FleetWise => format!(
            "Account {} uses up its quota of FleetWise calls in {}: see who else calls there, lower `limits`, \
             `fleetwise_requests_per_second`, or have the quota raised (Service Quotas, L-6ED070A2).",
            target.account.id,
            target.region_str()
        ),
        Probe::GovCloud => format!(
            "The account of identity {} uses up its quota of Account Management calls, which all accounts that it asks \
             for share: lower `limits`, `account_requests_per_second`, or lengthen `polling`, `interval`.",
            target.identity
        ),
    }
}

fn unreachable(target: &Target) -> String {
    let host = host(target);
    match &target.region {
        Some(region) if !FLEETWISE_REGIONS.contains(&region.as_str()) => format!(
            "FleetWise is not offered in {region}: take it out of the account's `regions`. It is in {}.",
            FLEETWISE_REGIONS.join(", ")
        ),
        _ => format!("{} A certificate that is not trusted is one of SSL_CERT_FILE.", way_to(&host)),
    }
}

/// Another client's answer to the same question tells whether it is AWS or regwatch.
fn compare(target: &Target) -> String {
    let call = match target.probe {
        Probe::FleetWise => {
            format!("aws iotfleetwise get-register-account-status --region {}", target.region_str())
        }
        Probe::GovCloud => format!(
            "aws account get-gov-cloud-account-information --standard-account-id {}",
            target.account.id
        ),
    };
    format!(
        "Ask the same with the credentials of identity {} and the AWS CLI: `{call}`. What it answers says more; if it \
         works, compare the region, endpoint and proxy of both environments.",
        target.identity
    )
}
