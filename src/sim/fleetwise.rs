//! AWS IoT FleetWise: `GetRegisterAccountStatus`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::ask::Ask;
use super::registration::Part;
use super::reply::{Answer, Refusal};
use super::{Outcome, World};

/// The registration of the caller's own account in the region asked in.
pub(super) fn get_register_account_status(ask: &Ask<'_>, world: &World) -> Result<Answer, Refusal> {
    let account = ask.caller.account;
    let script = world.accounts.get(&account).and_then(|account| account.registrations.get(ask.region));
    let found = script.and_then(|script| script.existing_at(ask.now)).ok_or_else(|| {
        let message = format!("Account {account} is not registered.");
        Refusal::new(Outcome::Accepted, 400, "ResourceNotFoundException", message)
            .with("resourceId", account.to_string())
            .with("resourceType", "Account")
    })?;
    let registration = found.state;
    let account = ask.answered_for(account);
    let epoch_seconds = |offset: SignedDuration| {
        let time = ask.epoch.saturating_add(offset).unwrap_or(Timestamp::MAX);
        time.as_millisecond() as f64 / 1e3
    };
    let mut reply = Map::new();
    let mut put = |name: &str, value: Value| reply.insert(name.to_owned(), value);
    put("customerAccountId", account.to_string().into());
    put("accountStatus", ask.answered_with(registration.account.as_str()).into());
    put("creationTime", epoch_seconds(found.created).into());
    put("lastModificationTime", epoch_seconds(found.modified).into());
    if let Some(iam) = &registration.iam {
        let names = json!({ "roleArn": format!("arn:aws:iam::{account}:role/FleetWiseToTimestream") });
        put("iamRegistrationResponse", part(ask, iam, names));
    }
    if let Some(timestream) = &registration.timestream {
        let database = format!("arn:aws:timestream:{}:{account}:database/FleetWise", ask.region);
        let names = json!({
            "timestreamDatabaseName": "FleetWise",
            "timestreamTableName": "VehicleSignals",
            "timestreamDatabaseArn": database,
            "timestreamTableArn": format!("{database}/table/VehicleSignals"),
        });
        put("timestreamRegistrationResponse", part(ask, timestream, names));
    }
    Ok(Answer::Json(reply.into()))
}

fn part(ask: &Ask<'_>, part: &Part, mut members: Value) -> Value {
    members["registrationStatus"] = ask.answered_with(part.status.as_str()).into();
    if let Some(message) = &part.error_message {
        members["errorMessage"] = message.as_str().into();
    }
    members
}
