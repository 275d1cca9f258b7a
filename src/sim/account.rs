//! AWS Account Management: `GetGovCloudAccountInformation`.

use serde_json::json;

use super::ask::Ask;
use super::operation::Input;
use super::reply::{Answer, Refusal};
use super::{Outcome, World, govcloud_account_id};
use crate::model::AccountId;

/// The account that a request names, if it names a possible one.
pub(super) fn named(input: &Input) -> Option<AccountId> {
    input.get("StandardAccountId")?.as_str()?.parse().ok()
}

/// The GovCloud account linked to the named account, or to the caller's own.
///
/// Only the management account may name one, and only another member of its organization.
pub(super) fn get_govcloud_account_information(ask: &Ask<'_>, world: &World) -> Result<Answer, Refusal> {
    let caller = ask.caller.account;
    let account = match ask.input.get("StandardAccountId") {
        None => caller,
        Some(text) => {
            let account = named(ask.input).ok_or_else(|| {
                invalid(&format!(
                    "Value {text} at 'standardAccountId' failed to satisfy constraint: Member must satisfy \
                     regular expression pattern: \\d{{12}}"
                ))
            })?;
            if world.management != Some(caller) || !world.is_member(account, ask.now) {
                return Err(ask.denied(&resource(ask, world, account)));
            }
            if account == caller {
                return Err(invalid("The management account can't be specified with the StandardAccountId"));
            }
            account
        }
    };
    let state = world.accounts.get(&account).and_then(|account| account.govcloud.at(ask.now).as_ref());
    let state = state.ok_or_else(|| {
        let message = format!("GovCloud Account ID not found for Standard Account - {account}.");
        Refusal::new(Outcome::Accepted, 404, "ResourceNotFoundException", message)
    })?;
    Ok(Answer::Json(json!({
        "GovCloudAccountId": govcloud_account_id(account).to_string(),
        "AccountState": ask.answered_with(state.as_str()),
    })))
}

fn resource(ask: &Ask<'_>, world: &World, account: AccountId) -> String {
    match world.management {
        Some(management) if world.is_member(account, ask.now) => {
            format!("arn:aws:account::{management}:account/{}/{account}", World::ORGANIZATION)
        }
        _ => format!("arn:aws:account::{account}:account"),
    }
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(Outcome::Invalid, 400, "ValidationException", message)
        .with("reason", "fieldValidationFailed")
        .with("fieldList", json!([{ "name": "standardAccountId", "message": message }]))
}
