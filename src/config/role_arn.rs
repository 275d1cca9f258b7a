//! The ARN of a role to assume, for one account or for each.

use std::fmt;
use std::str::FromStr;

use crate::model::AccountId;

/// What stands for the polled account's id.
const PLACEHOLDER: &str = "{account_id}";

/// The ARN of an IAM role whose account may be left open as `{account_id}`.
///
/// Source: "IAM ARNs" and "IAM name requirements" in the AWS IAM user guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleArn {
    text: String,
    /// The account that the role is in, where it is not the polled one.
    account: Option<AccountId>,
}

impl RoleArn {
    /// The ARN for one account.
    pub fn for_account(&self, account: AccountId) -> String {
        self.text.replace(PLACEHOLDER, &account.to_string())
    }

    /// The account that the role is in, and so the caller of whatever is called with it.
    pub fn account(&self, account: AccountId) -> AccountId {
        self.account.unwrap_or(account)
    }

    /// The account that the role is in, if it is the same whichever account is polled.
    pub fn fixed_account(&self) -> Option<AccountId> {
        self.account
    }

    /// Whether the role is another for each polled account.
    pub fn is_template(&self) -> bool {
        self.text.contains(PLACEHOLDER)
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is not the ARN of a role; each says what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseRoleArnError {
    /// Not the six fields of an ARN.
    #[error("write it as arn:aws:iam::{PLACEHOLDER}:role/NAME")]
    Form,
    /// Another partition.
    #[error("its partition is `aws`, since FleetWise and linked GovCloud accounts exist in no other")]
    Partition,
    /// Another service.
    #[error("its service is `iam`; the ARN that sts answers with names a session, not a role")]
    Service,
    /// A region, which no ARN of IAM has.
    #[error("between `iam` and the account are two colons, since roles have no region")]
    Region,
    /// An account that is neither an id nor the placeholder.
    #[error("its account is 12 digits or {PLACEHOLDER}")]
    Account,
    /// A placeholder of another name.
    #[error("the only placeholder is {PLACEHOLDER}")]
    Placeholder,
    /// Not a role, or one with a name or path that IAM does not allow.
    #[error("it ends in role/NAME or role/PATH/NAME, the name up to 64 letters, digits and any of `+=,.@_-`")]
    Role,
}

impl FromStr for RoleArn {
    type Err = ParseRoleArnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use ParseRoleArnError as Error;

        let fields: Vec<_> = text.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, resource] = fields[..] else {
            return Err(Error::Form);
        };
        if partition != "aws" {
            return Err(Error::Partition);
        }
        if service != "iam" {
            return Err(Error::Service);
        }
        if !region.is_empty() {
            return Err(Error::Region);
        }
        if text.replace(PLACEHOLDER, "").contains(['{', '}']) {
            return Err(Error::Placeholder);
        }
        let account = match account {
            PLACEHOLDER => None,
            id => Some(id.parse().map_err(|_| Error::Account)?),
        };
        let role = resource.strip_prefix("role/").ok_or(Error::Role)?;
        // As long and of the same characters as what will stand there.
        let role = role.replace(PLACEHOLDER, "000000000000");
        let (path, name) = role.rsplit_once('/').unwrap_or(("", &role));
        let in_name = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
        let in_path = |c: char| c.is_ascii_graphic();
        if !(1..=64).contains(&name.len()) || !name.chars().all(in_name) {
            return Err(Error::Role);
        }
        // IAM counts the path's leading and trailing slash.
        if path.len() > 510 || !path.chars().all(in_path) {
            return Err(Error::Role);
        }
        Ok(Self { text: text.to_owned(), account })
    }
}

#[cfg(test)]
mod tests {
    use super::ParseRoleArnError as Error;
    use super::*;

    const ACCOUNT: &str = "111122223333";

    fn resolved(text: &str) -> (String, String) {
        let role: RoleArn = text.parse().expect("a role");
        let account = ACCOUNT.parse().expect("twelve digits");
        (role.for_account(account), role.account(account).to_string())
    }

    #[test]
    fn a_role_is_in_the_account_that_its_arn_names() {
        assert_eq!(
            resolved("arn:aws:iam::{account_id}:role/regwatch"),
            ("arn:aws:iam::111122223333:role/regwatch".into(), ACCOUNT.into())
        );
        assert_eq!(
            resolved("arn:aws:iam::999988887777:role/watch/of-{account_id}"),
            ("arn:aws:iam::999988887777:role/watch/of-111122223333".into(), "999988887777".into())
        );
    }

    #[test]
    fn what_is_no_role_is_refused_for_its_reason() {
        for (text, reason) in [
            ("", Error::Form),
            ("regwatch", Error::Form),
            ("arn:aws:iam::111122223333", Error::Form),
            ("arn:aws-us-gov:iam::111122223333:role/r", Error::Partition),
            ("arn:aws:sts::111122223333:assumed-role/r/s", Error::Service),
            ("arn:aws:iam:us-east-1:111122223333:role/r", Error::Region),
            ("arn:aws:iam::11112222333:role/r", Error::Account),
            ("arn:aws:iam:::role/r", Error::Account),
            ("arn:aws:iam::{account}:role/r", Error::Placeholder),
            ("arn:aws:iam::111122223333:role/{name}", Error::Placeholder),
            ("arn:aws:iam::111122223333:user/r", Error::Role),
            ("arn:aws:iam::111122223333:role/", Error::Role),
            ("arn:aws:iam::111122223333:role/path/", Error::Role),
            ("arn:aws:iam::111122223333:role/r:s", Error::Role),
            ("arn:aws:iam::111122223333:role/a b/r", Error::Role),
            ("arn:aws:iam::111122223333:role/rôle", Error::Role),
        ] {
            assert_eq!(text.parse::<RoleArn>(), Err(reason), "{text}");
        }
        let longest = format!("arn:aws:iam::111122223333:role/{}", "r".repeat(64));
        assert!(longest.parse::<RoleArn>().is_ok());
        assert_eq!(format!("{longest}r").parse::<RoleArn>(), Err(Error::Role));
    }
}
