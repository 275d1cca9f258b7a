//! What the message of a failure says beyond its reason.
//!
//! Sources: "Troubleshoot access denied error messages" in the AWS IAM user guide for AWS's words, the
//! rooms `aws` and `probe` for ours.

/// The policies beside the caller's own that can deny, by AWS's words for them, and ours.
const DENIERS: [(&str, &str); 5] = [
    ("service control policy", "the service control policy of the organization"),
    ("resource control policy", "the resource control policy of the organization"),
    ("permissions boundary", "the permissions boundary of the caller"),
    ("VPC endpoint policy", "the policy of the VPC endpoint"),
    ("session policy", "the session policy of the caller"),
];

/// A message, taken apart as far as its form is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    text: &'a str,
}

/// Who was refused what, in AWS's words "User: … is not authorized to perform: … on resource: …".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused<'a> {
    /// The ARN of the caller: a user, or a session of a role.
    caller: &'a str,
    /// The ARN of what it may not be done to.
    pub(super) resource: Option<&'a str>,
}

impl<'a> Said<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        Self { text }
    }

    /// The role that was to be assumed.
    pub(super) fn role(self) -> Option<&'a str> {
        let (role, _) = self.text.strip_prefix("sts:AssumeRole of ")?.split_once(": ")?;
        Some(role)
    }

    /// Who was refused what.
    pub(super) fn refused(self) -> Option<Refused<'a>> {
        let (_, text) = self.text.split_once("User: ")?;
        let (caller, text) = text.split_once(" is not authorized to perform: ")?;
        let resource = text.split_once(" on resource: ").and_then(|(_, text)| text.split_whitespace().next());
        let is_arn = |text: &&str| text.starts_with("arn:");
        Some(Refused { caller, resource: resource.filter(is_arn) })
    }

    /// The policy that denies, where it is none of the caller's own.
    pub(super) fn denied_by(self) -> Option<&'static str> {
        let (_, why) =
            self.text.split_once(" because ").or_else(|| self.text.split_once(" with an explicit "))?;
        DENIERS.iter().find(|(theirs, _)| why.contains(theirs)).map(|(_, ours)| *ours)
    }

    /// Whether the answer had no error code of AWS.
    pub(super) fn is_uncoded(self) -> bool {
        self.text.starts_with("HTTP status ")
    }

    /// Whether AWS refused for want of a permission.
    pub(super) fn is_denied(self) -> bool {
        self.has_code("AccessDenied")
    }

    /// Whether AWS gave an error code of this beginning.
    pub(super) fn has_code(self, code: &str) -> bool {
        let text = self.text;
        text.starts_with(code) || text.contains(&format!(": {code}"))
    }

    /// Whether the request's time was not AWS's: the caller's clock is wrong.
    pub(super) fn is_about_the_clock(self) -> bool {
        ["Signature expired", "Signature not yet current", "RequestExpired"]
            .iter()
            .any(|words| self.text.contains(words))
    }

    /// Whether these are AWS's words on keys that were presented, and not ours on keys that there are none of.
    pub(super) fn is_of_aws(self) -> bool {
        let codes = [
            "ExpiredToken",
            "InvalidClientTokenId",
            "InvalidToken",
            "InvalidSignature",
            "SignatureDoesNotMatch",
            "UnrecognizedClient",
        ];
        codes.iter().any(|code| self.has_code(code))
    }
}

impl Refused<'_> {
    /// The caller as a policy names it: a session by its role. The path of the role is not in a session's
    /// ARN, so what is said is the role's name and account.
    pub(super) fn whom(self) -> String {
        let session =
            self.caller.strip_prefix("arn:aws:sts::").and_then(|rest| rest.split_once(":assumed-role/"));
        match session.and_then(|(account, name)| Some((account, name.split_once('/')?.0))) {
            Some((account, role)) => format!("role {role} of account {account}"),
            None => self.caller.to_owned(),
        }
    }
}
