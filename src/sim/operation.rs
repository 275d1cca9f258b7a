//! The operations that are simulated, and how a request names one.

use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use serde_json::{Map, Value};

/// A service of AWS, as the credential scope of a signature names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// AWS IoT FleetWise.
    FleetWise,
    /// AWS Account Management.
    Account,
    /// AWS Security Token Service.
    Sts,
    /// AWS Organizations.
    Organizations,
}

impl Service {
    /// The service's name in SigV4.
    pub const fn signing_name(self) -> &'static str {
        match self {
            Self::FleetWise => "iotfleetwise",
            Self::Account => "account",
            Self::Sts => "sts",
            Self::Organizations => "organizations",
        }
    }

    pub(super) const fn protocol(self) -> Protocol {
        match self {
            Self::FleetWise => Protocol::Json10,
            Self::Account => Protocol::RestJson,
            Self::Sts => Protocol::Query,
            Self::Organizations => Protocol::Json11,
        }
    }
}

/// How a service puts requests, replies and errors on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// AWS JSON 1.0: the operation in a header, errors by `__type`.
    Json10,
    /// AWS JSON 1.1: likewise.
    Json11,
    /// REST JSON: the operation in the path, errors by the `x-amzn-ErrorType` header.
    RestJson,
    /// AWS Query: a form in, XML out.
    Query,
}

/// An operation that is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// FleetWise `GetRegisterAccountStatus`.
    GetRegisterAccountStatus,
    /// Account Management `GetGovCloudAccountInformation`.
    GetGovCloudAccountInformation,
    /// STS `AssumeRole`.
    AssumeRole,
    /// STS `GetCallerIdentity`.
    GetCallerIdentity,
    /// Organizations `ListAccounts`.
    ListAccounts,
    /// Organizations `ListRoots`.
    ListRoots,
    /// Organizations `ListOrganizationalUnitsForParent`.
    ListOrganizationalUnitsForParent,
    /// Organizations `ListAccountsForParent`.
    ListAccountsForParent,
    /// Organizations `ListTagsForResource`.
    ListTagsForResource,
}

impl Operation {
    /// Those of Organizations.
    const OF_ORGANIZATIONS: [Self; 5] = [
        Self::ListAccounts,
        Self::ListRoots,
        Self::ListOrganizationalUnitsForParent,
        Self::ListAccountsForParent,
        Self::ListTagsForResource,
    ];

    /// The service that it belongs to.
    pub const fn service(self) -> Service {
        match self {
            Self::GetRegisterAccountStatus => Service::FleetWise,
            Self::GetGovCloudAccountInformation => Service::Account,
            Self::AssumeRole | Self::GetCallerIdentity => Service::Sts,
            Self::ListAccounts
            | Self::ListRoots
            | Self::ListOrganizationalUnitsForParent
            | Self::ListAccountsForParent
            | Self::ListTagsForResource => Service::Organizations,
        }
    }

    /// The name that AWS gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GetRegisterAccountStatus => "GetRegisterAccountStatus",
            Self::GetGovCloudAccountInformation => "GetGovCloudAccountInformation",
            Self::AssumeRole => "AssumeRole",
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::ListAccounts => "ListAccounts",
            Self::ListRoots => "ListRoots",
            Self::ListOrganizationalUnitsForParent => "ListOrganizationalUnitsForParent",
            Self::ListAccountsForParent => "ListAccountsForParent",
            Self::ListTagsForResource => "ListTagsForResource",
        }
    }

    /// The action in a policy that allows it.
    pub(super) fn action(self) -> String {
        format!("{}:{}", self.service().signing_name(), self.name())
    }
}

/// The members of a request's input. Those of a form are all strings.
pub(super) type Input = Map<String, Value>;

/// A request whose operation is known; `None` for the input if it is not of the protocol's form.
pub(super) struct Routed {
    pub(super) operation: Operation,
    pub(super) input: Option<Input>,
}

/// Finds the operation as AWS does, but for the host name: all services answer on one port.
pub(super) fn route(parts: &Parts, body: &[u8]) -> Option<Routed> {
    if parts.method != hyper::Method::POST {
        return None;
    }
    let json = |operation| Some(Routed { operation, input: serde_json::from_slice(body).ok() });
    let content_type = text(&parts.headers, CONTENT_TYPE.as_str());
    match (parts.uri.path(), text(&parts.headers, "x-amz-target")) {
        ("/getGovCloudAccountInformation", _) => json(Operation::GetGovCloudAccountInformation),
        ("/", "IoTAutobahnControlPlane.GetRegisterAccountStatus")
            if content_type == "application/x-amz-json-1.0" =>
        {
            json(Operation::GetRegisterAccountStatus)
        }
        ("/", target) if content_type == "application/x-amz-json-1.1" => {
            let name = target.strip_prefix("AWSOrganizationsV20161128.")?;
            json(Operation::OF_ORGANIZATIONS.into_iter().find(|operation| operation.name() == name)?)
        }
        ("/", "") if content_type.starts_with("application/x-www-form-urlencoded") => {
            let pairs = form_urlencoded::parse(body);
            let input: Input =
                pairs.map(|(name, value)| (name.into(), Value::String(value.into()))).collect();
            let operation = match input.get("Action")?.as_str()? {
                "AssumeRole" => Operation::AssumeRole,
                "GetCallerIdentity" => Operation::GetCallerIdentity,
                _ => return None,
            };
            Some(Routed { operation, input: Some(input) })
        }
        _ => None,
    }
}

/// A header's text, empty where it is absent or not text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
