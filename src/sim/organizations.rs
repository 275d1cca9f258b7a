//! AWS Organizations: who belongs to the organization, in which unit, and with which tags.
//!
//! Only its management account is answered. Ids of roots and units are made of what they are called, so
//! that nothing has to be kept.

use std::time::Duration;

use serde_json::{Value, json};

use super::Outcome;
use super::ask::Ask;
use super::operation::Input;
use super::reply::{Answer, Refusal};
use super::world::{Account, World, ancestry};
use crate::model::AccountId;

/// How many items a page has at most, and when the caller does not say.
const PAGE: u64 = 20;

/// How long before the simulation started every account had joined.
const JOINED_BEFORE: Duration = Duration::from_secs(400 * 24 * 3600);

/// The id of the organization's root.
const ROOT: &str = "r-exam";

/// The account that a request about tags names.
pub(super) fn named(input: &Input) -> Option<AccountId> {
    input.get("ResourceId")?.as_str()?.parse().ok()
}

/// One page of the organization's accounts.
pub(super) fn list_accounts(ask: &Ask<'_>, world: &World) -> Result<Answer, Refusal> {
    let management = management(ask, world)?;
    page(ask, "Accounts", members(ask, world).map(|account| entry(ask, management, account)))
}

/// The root, of which there is one.
pub(super) fn list_roots(ask: &Ask<'_>, world: &World) -> Result<Answer, Refusal> {
    let management = management(ask, world)?;
    let root = json!({
        "Id": ROOT,
        "Arn": format!("arn:aws:organizations::{management}:root/{}/{ROOT}", World::ORGANIZATION),
        "Name": "Root",
        "PolicyTypes": [],
    });
    page(ask, "Roots", [root])
}

/// One page of the units right below a root or a unit.
pub(super) fn list_units(ask: &Ask<'_>, world: &World) -> Result<Answer, Refusal> {
    let management = management(ask, world)?;
    let parent = parent(ask, world)?;
    let below = world.units().into_iter().filter(|path| above(path) == parent);
    let units = below.map(|path| {
        let id = unit_id(path);
        json!({
            "Id": id,
            "Arn": format!("arn:aws:organizations::{management}:ou/{}/{id}", World::ORGANIZATION),
            "Name": path.rsplit('/').next().unwrap_or_default(),
            "Path": format!("{}/{ROOT}/{id}/", World::ORGANIZATION),
        })
    });
    page(ask, "OrganizationalUnits", units)
}

/// One page of the accounts right below a root or a unit.
pub(super) fn list_accounts_for_parent(ask: &Ask<'_>, world: &World) -> Result<Answer, Refusal> {
    let management = management(ask, world)?;
    let parent = parent(ask, world)?;
    let below = members(ask, world).filter(|account| account.unit == parent);
    page(ask, "Accounts", below.map(|account| entry(ask, management, account)))
}

/// The tags of an account.
pub(super) fn list_tags(ask: &Ask<'_>, world: &World) -> Result<Answer, Refusal> {
    management(ask, world)?;
    let account = named(ask.input).filter(|account| world.is_member(*account, ask.now));
    let account = account.and_then(|account| world.accounts.get(&account)).ok_or_else(|| {
        let message = "We can't find the resource that you specified.";
        Refusal::new(Outcome::Accepted, 400, "TargetNotFoundException", message)
    })?;
    page(ask, "Tags", account.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })))
}

/// The account that manages the organization, which has to be the caller.
fn management(ask: &Ask<'_>, world: &World) -> Result<AccountId, Refusal> {
    let caller = ask.caller.account;
    let management = world.management.filter(|_| world.is_member(caller, ask.now)).ok_or_else(|| {
        let message = "Your account is not a member of an organization.";
        Refusal::new(Outcome::Accepted, 400, "AWSOrganizationsNotInUseException", message)
    })?;
    if caller != management {
        let message = "You don't have permissions to access this resource.";
        return Err(Refusal { message: message.to_owned(), ..ask.denied("*") });
    }
    Ok(management)
}

fn members<'a>(ask: &Ask<'_>, world: &'a World) -> impl Iterator<Item = &'a Account> {
    let now = ask.now;
    world.accounts.values().filter(move |account| world.is_member(account.id, now))
}

/// The path of the root or unit that a request names.
fn parent<'w>(ask: &Ask<'_>, world: &'w World) -> Result<&'w str, Refusal> {
    let id = ask.text("ParentId").unwrap_or_default();
    if id == ROOT {
        return Ok("");
    }
    world.units().into_iter().find(|path| unit_id(path) == id).ok_or_else(|| {
        let message = "We can't find a root or OU with the ParentId that you specified.";
        Refusal::new(Outcome::Accepted, 400, "ParentNotFoundException", message)
    })
}

/// The path of what a unit is in.
fn above(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(above, _)| above)
}

/// A unit's id, in AWS's form: FNV-1a of its path.
fn unit_id(path: &str) -> String {
    let hash = path.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("ou-exam-{:08x}", hash >> 32)
}

/// One page of a list. A token is the place of the item that the page begins with.
fn page(ask: &Ask<'_>, name: &str, items: impl IntoIterator<Item = Value>) -> Result<Answer, Refusal> {
    let size = match ask.input.get("MaxResults").map(Value::as_u64) {
        None => PAGE,
        Some(Some(size @ 1..=PAGE)) => size,
        Some(Some(0) | None) => return Err(invalid("MIN_VALUE_EXCEEDED", "You provided a value below 1.")),
        Some(Some(_)) => return Err(invalid("MAX_VALUE_EXCEEDED", "You provided a value above 20.")),
    };
    let from: usize = match ask.input.get("NextToken") {
        None => 0,
        Some(token) => {
            let place = token.as_str().and_then(|token| token.strip_prefix("from-")?.parse().ok());
            place.ok_or_else(|| invalid("INVALID_NEXT_TOKEN", "You provided an invalid next token."))?
        }
    };
    let mut items = items.into_iter().skip(from);
    let page: Vec<Value> = items.by_ref().take(size as usize).collect();
    let next = from + page.len();
    let mut reply = json!({});
    reply[name] = page.into();
    if items.next().is_some() {
        reply["NextToken"] = format!("from-{next}").into();
    }
    Ok(Answer::Json(reply))
}

fn entry(ask: &Ask<'_>, management: AccountId, account: &Account) -> Value {
    let (id, organization) = (account.id, World::ORGANIZATION);
    let joined = ask.epoch.saturating_sub(JOINED_BEFORE).unwrap_or(ask.epoch);
    let state = account.state.at(ask.now);
    let units: String = ancestry(&account.unit).map(|path| unit_id(path) + "/").collect();
    let path = format!("{organization}/{ROOT}/{units}{id}/");
    json!({
        "Id": id.to_string(),
        "Arn": format!("arn:aws:organizations::{management}:account/{organization}/{id}"),
        "Email": format!("aws-{id}@example.com"),
        "Name": account.name,
        "State": ask.answered_with(state.as_str()),
        "Status": ask.answered_with(state.as_status()),
        "Paths": [path],
        "JoinedMethod": if id == management { "INVITED" } else { "CREATED" },
        "JoinedTimestamp": joined.as_millisecond() as f64 / 1e3,
    })
}

fn invalid(reason: &str, message: &str) -> Refusal {
    Refusal::new(Outcome::Invalid, 400, "InvalidInputException", message).with("Reason", reason)
}
