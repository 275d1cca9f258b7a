//! AWS Organizations: `ListAccounts`.

use std::time::Duration;

use serde_json::{Value, json};

use super::Outcome;
use super::ask::Ask;
use super::reply::{Answer, Refusal};
use super::world::{Account, World};
use crate::model::AccountId;

/// How many accounts a page has at most, and when the caller does not say.
const PAGE: u64 = 20;

/// How long before the simulation started every account had joined.
const JOINED_BEFORE: Duration = Duration::from_secs(400 * 24 * 3600);

/// One page of the organization's accounts, for its management account.
pub(super) fn list_accounts(ask: &Ask<'_>, world: &World) -> Result<Answer, Refusal> {
    let management = world.management.filter(|_| world.is_member(ask.caller.account)).ok_or_else(|| {
        let message = "Your account is not a member of an organization.";
        Refusal::new(Outcome::Accepted, 400, "AWSOrganizationsNotInUseException", message)
    })?;
    if ask.caller.account != management {
        let message = "You don't have permissions to access this resource.";
        return Err(Refusal { message: message.to_owned(), ..ask.denied("*") });
    }
    let size = match ask.input.get("MaxResults").map(Value::as_u64) {
        None => PAGE,
        Some(Some(size @ 1..=PAGE)) => size,
        Some(Some(0) | None) => return Err(invalid("MIN_VALUE_EXCEEDED", "You provided a value below 1.")),
        Some(Some(_)) => return Err(invalid("MAX_VALUE_EXCEEDED", "You provided a value above 20.")),
    };
    // A token is the id of the account that the page begins with.
    let from: Option<AccountId> = match ask.input.get("NextToken") {
        None => None,
        Some(token) => {
            let account = token.as_str().and_then(|token| token.parse().ok());
            let unknown = || invalid("INVALID_NEXT_TOKEN", "You provided an invalid next token.");
            Some(account.filter(|account| world.is_member(*account)).ok_or_else(unknown)?)
        }
    };
    let members = world.accounts.values().filter(|account| world.is_member(account.id));
    let mut members = members.skip_while(|account| from.is_some_and(|from| account.id < from));
    let page: Vec<Value> =
        members.by_ref().take(size as usize).map(|account| entry(ask, management, account)).collect();
    let mut reply = json!({ "Accounts": page });
    if let Some(next) = members.next() {
        reply["NextToken"] = next.id.to_string().into();
    }
    Ok(Answer::Json(reply))
}

fn entry(ask: &Ask<'_>, management: AccountId, account: &Account) -> Value {
    let (id, organization) = (account.id, World::ORGANIZATION);
    let joined = ask.epoch.saturating_sub(JOINED_BEFORE).unwrap_or(ask.epoch);
    json!({
        "Id": id.to_string(),
        "Arn": format!("arn:aws:organizations::{management}:account/{organization}/{id}"),
        "Email": format!("aws-{id}@example.com"),
        "Name": account.name,
        "State": ask.answered_with(account.state.as_str()),
        "Status": ask.answered_with(account.state.as_status()),
        "Paths": [format!("{organization}/r-exam/{id}/")],
        "JoinedMethod": if id == management { "INVITED" } else { "CREATED" },
        "JoinedTimestamp": joined.as_millisecond() as f64 / 1e3,
    })
}

fn invalid(reason: &str, message: &str) -> Refusal {
    Refusal::new(Outcome::Invalid, 400, "InvalidInputException", message).with("Reason", reason)
}
