//! The errors that every service has, each in its own words.
//!
//! Codes and statuses are those of the service models in botocore, and for what the front door of AWS
//! says before a service is asked, those of the "Common Errors" pages of the API references.

use super::operation::Protocol;
use super::reply::Refusal;
use super::signature::Rejection;
use super::{Operation, Outcome, Service};

/// The quota that `FleetWise` names when it throttles.
const FLEETWISE_QUOTA: &str = "L-6ED070A2";

/// Over the quota.
pub(super) fn throttled(service: Service, retry_after: Option<u32>) -> Refusal {
    let (status, code, message) = match service {
        Service::FleetWise => (400, "ThrottlingException", "Rate exceeded"),
        Service::Account => (429, "TooManyRequestsException", "Too Many Requests"),
        Service::Sts => (400, "Throttling", "Rate exceeded"),
        Service::Organizations => {
            (400, "TooManyRequestsException", "AWS Organizations can't complete your request: Rate exceeded")
        }
    };
    let refusal = Refusal::new(Outcome::Throttled, status, code, message);
    match service {
        Service::FleetWise => {
            let refusal = refusal.with("quotaCode", FLEETWISE_QUOTA).with("serviceCode", "iotfleetwise");
            match retry_after {
                Some(seconds) => refusal.with("retryAfterSeconds", seconds),
                None => refusal,
            }
        }
        Service::Organizations => Refusal { retry_after, ..refusal.with("Type", "AccountRateExceeded") },
        Service::Account | Service::Sts => Refusal { retry_after, ..refusal },
    }
}

/// No policy of the caller allows the operation on the resource.
pub(super) fn denied(operation: Operation, caller: &str, resource: &str) -> Refusal {
    let (status, code) = match operation.service() {
        Service::FleetWise | Service::Organizations => (400, "AccessDeniedException"),
        Service::Account => (403, "AccessDeniedException"),
        Service::Sts => (403, "AccessDenied"),
    };
    let action = operation.action();
    let message = format!("User: {caller} is not authorized to perform: {action} on resource: {resource}");
    Refusal::new(Outcome::Denied, status, code, message)
}

/// Something broke inside AWS.
pub(super) fn server_error(service: Service) -> Refusal {
    let code = match service {
        Service::FleetWise | Service::Account => "InternalServerException",
        Service::Sts => "InternalFailure",
        Service::Organizations => "ServiceException",
    };
    let message = "The request processing has failed because of an unknown error, exception or failure.";
    Refusal::new(Outcome::Invalid, 500, code, message)
}

/// Something that AWS depends on is away.
pub(super) fn unavailable(service: Service) -> Refusal {
    let (status, code) = match service {
        Service::Account => (424, "ResourceUnavailableException"),
        Service::FleetWise | Service::Organizations => (503, "ServiceUnavailableException"),
        Service::Sts => (503, "ServiceUnavailable"),
    };
    Refusal::new(Outcome::Invalid, status, code, "The service is temporarily unavailable")
}

/// The body does not read as the protocol's form.
pub(super) fn unreadable() -> Refusal {
    let message = "The request body could not be read";
    Refusal::new(Outcome::Invalid, 400, "SerializationException", message).common()
}

/// Not who it says it is.
pub(super) fn unauthenticated(service: Service, rejection: &Rejection) -> Refusal {
    let protocol = service.protocol();
    let query = protocol == Protocol::Query;
    let code = match rejection {
        Rejection::Missing if query => "MissingAuthenticationToken",
        Rejection::Missing => "MissingAuthenticationTokenException",
        Rejection::Incomplete if query => "IncompleteSignature",
        Rejection::Incomplete => "IncompleteSignatureException",
        Rejection::UnknownKey if query => "InvalidClientTokenId",
        Rejection::UnknownKey => "UnrecognizedClientException",
        Rejection::Expired if query => "ExpiredToken",
        Rejection::Expired => "ExpiredTokenException",
        Rejection::Skewed { .. } | Rejection::OtherService | Rejection::Mismatch if query => {
            "SignatureDoesNotMatch"
        }
        Rejection::Skewed { .. } | Rejection::OtherService | Rejection::Mismatch => {
            "InvalidSignatureException"
        }
    };
    let status = match protocol {
        Protocol::Json10 | Protocol::Json11 => 400,
        Protocol::RestJson | Protocol::Query => 403,
    };
    Refusal::new(Outcome::Unauthenticated, status, code, rejection.message()).common()
}
