use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::{Account, Polling, Region, ScopeId};

fn target(probe: Probe, region: &str) -> Target {
    let seconds = Duration::from_secs;
    Target {
        account: Arc::new(Account {
            id: "111122223333".parse().unwrap(),
            name: "fleet".into(),
            labels: Default::default(),
        }),
        probe,
        region: (probe == Probe::FleetWise).then(|| Region::new(region)),
        identity: "member".into(),
        scope: ScopeId(0),
        polling: Arc::new(Polling {
            interval: seconds(300),
            pending_interval: seconds(15),
            failed_interval: seconds(60),
            timeout: seconds(10),
            stale_after: seconds(900),
        }),
    }
}

fn advice(probe: Probe, reason: FailureReason, message: &str) -> String {
    of_failure(&target(probe, "us-east-1"), &Failure::new(reason, message))
}

#[test]
fn what_is_missing_is_named_with_who_lacks_it() {
    use FailureReason::{AccessDenied, Credentials};
    use Probe::{FleetWise, GovCloud};
    let session = "arn:aws:sts::111122223333:assumed-role/regwatch/regwatch";
    let hub = "arn:aws:iam::100000000000:user/hub";
    let role = "arn:aws:iam::111122223333:role/regwatch";
    let member = "arn:aws:account::100000000000:account/o-exampleorgid/111122223333";
    for (probe, reason, message, expected) in [
        (
            FleetWise,
            AccessDenied,
            format!("AccessDeniedException: User: {session} is not authorized to perform: iotfleetwise:GetRegisterAccountStatus on resource: *"),
            vec!["iotfleetwise:GetRegisterAccountStatus on *", "role regwatch of account 111122223333", "us-east-1"],
        ),
        (
            FleetWise,
            AccessDenied,
            format!("AccessDeniedException: User: {session} is not authorized to perform: iotfleetwise:GetRegisterAccountStatus with an explicit deny in a service control policy"),
            vec!["out of the service control policy", "role regwatch of account 111122223333"],
        ),
        (
            FleetWise,
            AccessDenied,
            format!("AccessDeniedException: User: {session} is not authorized to perform: iotfleetwise:GetRegisterAccountStatus on resource: * because no identity-based policy allows the action"),
            vec!["Allow iotfleetwise:GetRegisterAccountStatus on *"],
        ),
        (
            GovCloud,
            AccessDenied,
            format!("AccessDeniedException: User: {hub} is not authorized to perform: account:GetGovCloudAccountInformation on resource: {member}"),
            vec![member, hub, "delegated administrator for account.amazonaws.com"],
        ),
        (GovCloud, AccessDenied, "AccessDeniedException".to_owned(), vec!["identity member", "account/o-*/111122223333"]),
        (FleetWise, AccessDenied, "HTTP status 403 without an AWS error code".to_owned(), vec!["did not come from AWS", "iotfleetwise.us-east-1.amazonaws.com"]),
        (
            FleetWise,
            Credentials,
            format!("sts:AssumeRole of {role}: AccessDenied: User: {hub} is not authorized to perform: sts:AssumeRole on resource: {role}"),
            vec![role, "trust policy names arn:aws:iam::100000000000:user/hub", "external id of identity member", "is allowed sts:AssumeRole"],
        ),
        (
            FleetWise,
            Credentials,
            format!("sts:AssumeRole of {role}: RegionDisabledException: STS is not activated in this region"),
            vec!["Activate STS"],
        ),
        (
            FleetWise,
            Credentials,
            "sts:GetCallerIdentity: InvalidClientTokenId: The security token included in the request is invalid.".to_owned(),
            vec!["expired, deactivated or deleted", "identity member"],
        ),
        (
            FleetWise,
            Credentials,
            "InvalidSignatureException: Signature expired: 20261121T000000Z is now earlier than 20261121T010000Z".to_owned(),
            vec!["clock"],
        ),
        (FleetWise, Credentials, "the environment names no source of credentials".to_owned(), vec!["AWS_PROFILE"]),
    ] {
        let advice = advice(probe, reason, &message);
        for part in expected {
            assert!(advice.contains(part), "{message}\n{advice}\nlacks {part}");
        }
    }
}

#[test]
fn a_region_without_fleetwise_is_told_apart_from_a_way_that_is_blocked() {
    let failure = Failure::new(FailureReason::Unreachable, "dispatch failure: io error: dns error");
    let text = of_failure(&target(Probe::FleetWise, "eu-west-1"), &failure);
    assert!(text.contains("not offered in eu-west-1") && text.contains("ap-south-1"), "{text}");
    let text = of_failure(&target(Probe::FleetWise, "eu-central-1"), &failure);
    assert!(text.contains("the way to iotfleetwise.eu-central-1.amazonaws.com: DNS"), "{text}");
}

#[test]
fn credentials_that_may_come_yet_ask_nobody_to_mend_a_policy() {
    let failure =
        Failure::new(FailureReason::Credentials, "sts:AssumeRole of arn:aws:iam::1:role/r: Throttling");
    let failure = Failure { retry_after: Some(Duration::from_secs(1)), ..failure };
    let text = of_failure(&target(Probe::FleetWise, "us-east-1"), &failure);
    assert!(text.contains("sts_requests_per_second") && !text.contains("trust policy"), "{text}");
}

#[test]
fn there_is_something_to_do_about_each_failure() {
    for reason in FailureReason::ALL {
        for probe in Probe::ALL {
            let text = advice(probe, reason, "words that nobody expects");
            assert!(text.ends_with('.') && (40..400).contains(&text.len()), "{reason}: {text}");
        }
    }
}

#[test]
fn only_what_somebody_can_mend_asks_for_it() {
    let states = Status::ALL.into_iter().filter(|&status| {
        Resource::ALL.iter().any(|&resource| of_state(&ResourceReading::new(resource, status)).is_some())
    });
    let expected = [
        Status::RegistrationFailure,
        Status::NotRegistered,
        Status::Suspended,
        Status::Closed,
        Status::Unknown,
    ];
    assert_eq!(states.collect::<Vec<_>>(), expected);
}
