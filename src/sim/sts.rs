//! AWS Security Token Service: `AssumeRole` and `GetCallerIdentity`.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::{Timestamp, Unit};

use super::ask::Ask;
use super::operation::Input;
use super::principal::{Keys, Principal, role_id};
use super::reply::{Answer, Escaped, Refusal};
use super::{Outcome, World};
use crate::model::AccountId;

/// How long a session lasts when the caller does not say.
const DEFAULT_SECONDS: u32 = 3600;

/// How long a session may last; for a role assumed by a role's session only the default.
const SECONDS: RangeInclusive<u32> = 900..=43_200;

/// The account and the name in a role's ARN.
pub(super) fn role(input: &Input) -> Option<(AccountId, &str)> {
    let resource = input.get("RoleArn")?.as_str()?.strip_prefix("arn:aws:iam::")?;
    let (account, path) = resource.split_once(":role/")?;
    let name = path.rsplit('/').next().filter(|name| !name.is_empty())?;
    Some((account.parse().ok()?, name))
}

/// Credentials for a session of a role; `lifetime` overrides how long they are good for.
pub(super) fn assume_role(
    ask: &Ask<'_>,
    world: &World,
    keys: &mut Keys,
    lifetime: Option<Duration>,
) -> Result<Answer, Refusal> {
    let arn = ask.text("RoleArn").ok_or_else(|| violated("null", "roleArn", "Member must not be null"))?;
    let (account, name) = role(ask.input).ok_or_else(|| validation(&format!("{arn} is invalid")))?;
    let session_name = ask.text("RoleSessionName");
    let session_name =
        session_name.ok_or_else(|| violated("null", "roleSessionName", "Member must not be null"))?;
    check(session_name, "roleSessionName", 2..=64, "_+=,.@-")?;
    let external_id = ask.text("ExternalId");
    if let Some(external_id) = external_id {
        check(external_id, "externalId", 2..=1224, "_+=,.@:/-")?;
    }
    let seconds = seconds(ask)?;

    let role = world.accounts.get(&account).and_then(|account| account.roles.get(name));
    let role = role.ok_or_else(|| ask.denied(arn))?;
    if role.external_id.is_some() && role.external_id.as_deref() != external_id {
        return Err(ask.denied(arn));
    }

    let named = ask.answered_for(account);
    let principal = Principal {
        account,
        arn: format!("arn:aws:sts::{named}:assumed-role/{name}/{session_name}"),
        user_id: format!("{}:{session_name}", role_id(account, name)),
        is_session: true,
    };
    let (session_arn, session_id) = (principal.arn.clone(), principal.user_id.clone());
    let lifetime = lifetime.unwrap_or(Duration::from_secs(seconds.into()));
    let expires = ask.wall.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
    // What is said is what is meant: to the second, as AWS writes it.
    let expires = expires.round(Unit::Second).unwrap_or(expires);
    let session = keys.open_session(principal, expires);
    let members = format!(
        "<Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{expires}</Expiration></Credentials>\
         <AssumedRoleUser><AssumedRoleId>{}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>",
        session.access_key_id,
        session.secret,
        session.token,
        Escaped(&session_id),
        Escaped(&session_arn),
    );
    Ok(Answer::Xml { operation: ask.operation.name(), members })
}

/// Who calls. Every principal may ask that.
pub(super) fn get_caller_identity(ask: &Ask<'_>) -> Answer {
    let members = format!(
        "<Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account>",
        Escaped(&ask.caller.arn),
        Escaped(&ask.caller.user_id),
        ask.answered_for(ask.caller.account),
    );
    Answer::Xml { operation: ask.operation.name(), members }
}

fn seconds(ask: &Ask<'_>) -> Result<u32, Refusal> {
    let Some(text) = ask.text("DurationSeconds") else { return Ok(DEFAULT_SECONDS) };
    let seconds = text.parse().ok().filter(|seconds| SECONDS.contains(seconds)).ok_or_else(|| {
        let constraint = format!("Member must have value between {} and {}", SECONDS.start(), SECONDS.end());
        violated(text, "durationSeconds", &constraint)
    })?;
    if ask.caller.is_session && seconds > DEFAULT_SECONDS {
        let message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        return Err(validation(message));
    }
    Ok(seconds)
}

/// Whether a value has an allowed length and consists of letters, digits and these characters.
fn check(value: &str, name: &str, length: RangeInclusive<usize>, others: &str) -> Result<(), Refusal> {
    if value.len() < *length.start() {
        let constraint = format!("Member must have length greater than or equal to {}", length.start());
        return Err(violated(&format!("'{value}'"), name, &constraint));
    }
    if value.len() > *length.end() {
        let constraint = format!("Member must have length less than or equal to {}", length.end());
        return Err(violated(&format!("'{value}'"), name, &constraint));
    }
    if !value.chars().all(|char| char.is_ascii_alphanumeric() || others.contains(char)) {
        let constraint = format!("Member must satisfy regular expression pattern: [\\w{}]*", &others[1..]);
        return Err(violated(&format!("'{value}'"), name, &constraint));
    }
    Ok(())
}

fn violated(value: &str, name: &str, constraint: &str) -> Refusal {
    let violation = format!("Value {value} at '{name}' failed to satisfy constraint: {constraint}");
    validation(&format!("1 validation error detected: {violation}"))
}

fn validation(message: &str) -> Refusal {
    Refusal::new(Outcome::Invalid, 400, "ValidationError", message)
}
