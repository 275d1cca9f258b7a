//! The policies before a judge of their own, and a walk over what regwatch calls that shares nothing with
//! what makes the policies.

mod sketch;
mod world;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value as Json;

use self::sketch::{Sketch, id, sketch, yaml};
use self::world::{Call, World};
use super::*;
use crate::config::{Config, Identity};
use crate::model::AccountId;

/// Who is behind the identities that are no roles, and what manages the organization.
const HUB: &str = "arn:aws:iam::100000000000:role/hub";
const OTHER: &str = "arn:aws:iam::100000000009:user/other";
const MANAGEMENT: &str = "100000000009";

const REGIONS: [&str; 3] = ["us-east-1", "eu-central-1", "ap-south-1"];

fn parse(yaml: &str) -> Config {
    Config::parse("test.yaml", yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}")).0
}

fn shown(config: &Config) -> Json {
    serde_json::from_str(&json::render(&grant::all(config))).expect("JSON")
}

/// The account in an ARN.
fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap()
}

/// Who an identity calls as when it is used for an account; every role on the way has to be had.
fn signed_in(
    config: &Config,
    world: &World,
    name: &str,
    account: AccountId,
    calls: &mut BTreeSet<Call>,
) -> String {
    match &config.identities[name] {
        Identity::DefaultChain => HUB.to_owned(),
        Identity::Profile(_) => OTHER.to_owned(),
        Identity::AssumeRole(role) => {
            let caller = signed_in(config, world, &role.from, account, calls);
            let arn = role.role_arn.for_account(account);
            let external_id = role.external_id.as_ref().map(|id| id.expose());
            assert!(world.trusts(&arn, &caller, external_id), "{arn} does not trust {caller}");
            if external_id.is_some() {
                assert!(!world.trusts(&arn, &caller, None) && !world.trusts(&arn, &caller, Some("another")));
            }
            for stranger in ["arn:aws:iam::300000000000:role/hub", "*", &arn] {
                assert!(!world.trusts(&arn, stranger, external_id), "{arn} trusts {stranger}");
            }
            let region = "us-east-1".to_owned();
            calls.insert(Call { caller, action: "sts:AssumeRole", resource: arn.clone(), region });
            arn
        }
    }
}

/// Every call that the configuration leads to.
fn calls(config: &Config, world: &World) -> BTreeSet<Call> {
    let mut calls = BTreeSet::new();
    for watched in &config.accounts {
        let account = watched.account.id;
        if let Some(fleetwise) = &watched.fleetwise {
            let caller = signed_in(config, world, &fleetwise.identity, account, &mut calls);
            calls.extend(fleetwise.regions.iter().map(|region| Call {
                caller: caller.clone(),
                action: "iotfleetwise:GetRegisterAccountStatus",
                resource: "*".to_owned(),
                region: region.to_string(),
            }));
        }
        if let Some(govcloud) = &watched.govcloud {
            let caller = signed_in(config, world, &govcloud.identity, account, &mut calls);
            calls.insert(govcloud_call(&caller, &account.to_string()));
        }
    }
    calls
}

/// As "Actions, resources, and condition keys for AWS Account Management" has it.
fn govcloud_call(caller: &str, account: &str) -> Call {
    let resource = if account_of(caller) == account {
        format!("arn:aws:account::{account}:account")
    } else {
        format!("arn:aws:account::{MANAGEMENT}:account/o-exampleorgid/{account}")
    };
    let (caller, region) = (caller.to_owned(), "us-east-1".to_owned());
    Call { caller, action: "account:GetGovCloudAccountInformation", resource, region }
}

/// Calls that a caller could make, needed or not.
fn universe(world: &World) -> Vec<Call> {
    let accounts: Vec<_> = (0..7).map(|index| id(index).to_string()).chain([MANAGEMENT.to_owned()]).collect();
    let mut universe = Vec::new();
    for caller in world.policies.keys() {
        for account in &accounts {
            let mut call = |action, resource: String, region: &str| {
                universe.push(Call { caller: caller.clone(), action, resource, region: region.to_owned() });
            };
            for role in ["regwatch", "path/gateway", "deep/onwards", "management", "admin", "regwatch-admin"]
            {
                call("sts:AssumeRole", format!("arn:aws:iam::{account}:role/{role}"), "us-east-1");
            }
            for region in REGIONS.into_iter().chain(["eu-west-1"]) {
                call("iotfleetwise:GetRegisterAccountStatus", "*".to_owned(), region);
                call("iotfleetwise:RegisterAccount", "*".to_owned(), region);
            }
            call("account:CloseAccount", format!("arn:aws:account::{account}:account"), "us-east-1");
            universe.push(govcloud_call(caller, account));
        }
    }
    universe
}

proptest! {
    // Each case judges some thousand calls.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_regwatch_calls_is_allowed_and_nothing_else(sketch in sketch()) {
        let config = parse(&yaml(&sketch));
        let shown = shown(&config);
        let world = World::of(&shown);
        let needed = calls(&config, &world);
        for call in &needed {
            prop_assert!(world.allows(call), "{call:?} is not allowed by {shown:#}");
        }
        // A role that is in each account is one role: what it may do in one of them, it may in the others.
        let wherever: BTreeSet<_> = needed.iter().filter_map(wherever).collect();
        let in_each = |call: &Call| self::wherever(call).is_some_and(|call| wherever.contains(&call));
        // Who cannot be told from the configuration may ask for itself: it may be one of those that are asked for.
        let asks_for_itself = |call: &Call| [HUB, OTHER].contains(&call.caller.as_str())
            && call.resource == format!("arn:aws:account::{}:account", account_of(&call.caller))
            && call.action == "account:GetGovCloudAccountInformation";
        for call in universe(&world) {
            let allowed = needed.contains(&call) || in_each(&call) || asks_for_itself(&call);
            prop_assert!(allowed || !world.allows(&call), "{call:?} is allowed by {shown:#}");
        }
    }

    #[test]
    fn the_template_says_the_same_as_the_documents(sketch in sketch()) {
        let grants = grant::all(&parse(&yaml(&sketch)));
        let shown: Json = serde_json::from_str(&json::render(&grants)).unwrap();
        let documents = |list: &str| -> Vec<Json> {
            let all = shown[list].as_array().unwrap().iter();
            all.flat_map(|grant| grant["policies"].as_array().unwrap()).map(|policy| policy["document"].clone()).collect()
        };
        let template: Json = serde_json::from_str(&cloudformation::render(&grants)).unwrap();
        let resources = template["Resources"].as_object().unwrap().values();
        let of_kind = |kind: &str, property: &str| -> BTreeSet<String> {
            let resources = resources.clone().filter(|resource| resource["Type"] == kind);
            resources.map(|resource| plain(&resource["Properties"][property]).to_string()).collect()
        };
        let expected: BTreeSet<_> =
            documents("principals").into_iter().chain(documents("roles")).map(|document| document.to_string()).collect();
        prop_assert_eq!(of_kind("AWS::IAM::ManagedPolicy", "PolicyDocument"), expected);
        let trusts: BTreeSet<_> =
            shown["roles"].as_array().unwrap().iter().map(|role| role["trust_policy"].to_string()).collect();
        prop_assert_eq!(of_kind("AWS::IAM::Role", "AssumeRolePolicyDocument"), trusts);
    }
}

/// A call of a role that is in each account, whichever that is.
fn wherever(call: &Call) -> Option<Call> {
    let role = call.caller.split(":role/").nth(1)?;
    let own = account_of(&call.caller);
    let anywhere = |text: &str| text.replace(own, "each");
    ["regwatch", "deep/onwards"].contains(&role).then(|| Call {
        caller: anywhere(&call.caller),
        resource: anywhere(&call.resource),
        ..call.clone()
    })
}

/// A template's value with its references as placeholders.
fn plain(value: &Json) -> Json {
    match value {
        Json::Object(members) => {
            if let Some(text) = members.get("Fn::Sub") {
                return text.as_str().unwrap().replace("${AWS::AccountId}", "{account_id}").into();
            }
            match members.get("Ref").and_then(Json::as_str) {
                Some("HubPrincipalArn") => "{hub_principal_arn}".into(),
                Some("OtherPrincipalArn") => "{other_principal_arn}".into(),
                Some(other) => panic!("nobody knows {other}"),
                None => members.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
            }
        }
        Json::Array(values) => values.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// A configuration with so many accounts, all behind one hub.
fn many_members(count: usize) -> Config {
    let mut yaml = yaml(&Sketch { accounts: Vec::new(), member_from: 0, has_external_id: true });
    for index in 0..count {
        yaml += &format!(
            "  - {{id: '{}', fleetwise: {{identity: member, regions: [us-east-1]}}, govcloud: {{identity: other}}}}\n",
            id(index)
        );
    }
    parse(&yaml)
}

#[test]
fn policies_fit_into_what_aws_takes() {
    for count in [1, 100, 130, 1000, 1500] {
        let mut shown = shown(&many_members(count));
        shown["roles"] = serde_json::json!([]);
        let world = World::of(&shown);
        for documents in world.policies.values() {
            assert!(documents.len() <= 10, "{count} accounts take {} policies", documents.len());
            for document in documents {
                let length = document.to_string().len();
                assert!(length <= 6144, "{count} accounts take a policy of {length} characters");
            }
        }
        let call = Call {
            caller: HUB.to_owned(),
            action: "sts:AssumeRole",
            resource: format!("arn:aws:iam::{}:role/regwatch", id(count - 1)),
            region: "us-east-1".to_owned(),
        };
        let by_name = count <= 1000;
        assert_eq!(world.allows(&call), by_name, "{count}");
        assert_eq!(shown["placeholders"].get("{organization_id}").is_none(), by_name);
        assert!(world.allows(&govcloud_call(OTHER, &id(count - 1).to_string())));
    }
}

#[test]
fn an_identity_of_its_own_account_is_allowed_that_account_alone() {
    let config = parse(
        "{identities: {own: {}}, accounts: [{id: '111122223333', fleetwise: {identity: own, regions: [us-east-1]}, \
         govcloud: {identity: own}}]}",
    );
    let shown = shown(&config);
    assert_eq!(shown["roles"], serde_json::json!([]));
    let statements = &shown["principals"][0]["policies"][0]["document"]["Statement"];
    assert_eq!(statements[1]["Resource"], "arn:aws:account::111122223333:account");
    assert_eq!(shown["placeholders"], serde_json::json!({}));
}

#[test]
fn what_hcl_would_read_as_its_own_is_escaped() {
    let config = parse(
        r#"{identities: {a.b: {}, a-b: {from: a.b, assume_role: {role_arn: 'arn:aws:iam::{account_id}:role/x"$y\/r'}}},
           accounts: [{id: '111122223333', fleetwise: {identity: a-b, regions: [us-east-1]}}]}"#,
    );
    let text = terraform::render(&grant::all(&config));
    assert!(text.contains(r#"path               = "/x\"$y\\/""#), "{text}");
    assert!(text.contains(r#"resource "aws_iam_policy" "regwatch_a_b" {"#), "{text}");
    assert!(text.contains(r#"resource "aws_iam_role" "regwatch_a_b_" {"#), "{text}");
    assert!(text.contains("identifiers = [var.a_b_principal_arn]"), "{text}");
}

/// The statements of the policies of an identity, by their names.
fn statements<'a>(
    shown: &'a Json,
    list: &str,
    identity: &str,
) -> std::collections::BTreeMap<&'a str, &'a Json> {
    let grant = shown[list].as_array().unwrap().iter().find(|grant| grant["identity"] == identity);
    let policies = grant.unwrap_or_else(|| panic!("{identity}: {shown:#}"))["policies"].as_array().unwrap();
    let statements = policies.iter().flat_map(|policy| policy["document"]["Statement"].as_array().unwrap());
    statements.map(|statement| (statement["Sid"].as_str().unwrap(), statement)).collect()
}

#[test]
fn who_finds_accounts_may_list_what_its_choice_needs_and_reach_whoever_is_found() {
    let identities = "hub: {}, lister: {from: hub, assume_role: {role_arn: 'arn:aws:iam::111122223333:role/lister'}}, \
                      member: {from: hub, assume_role: {role_arn: 'arn:aws:iam::{account_id}:role/regwatch'}}, \
                      onwards: {from: member, assume_role: {role_arn: 'arn:aws:iam::{account_id}:role/onwards'}}";
    let organization = |choice: &str| {
        shown(&parse(&format!(
            "{{identities: {{{identities}}}, organizations: [{{identity: lister, fleetwise: {{identity: onwards, \
             regions: [us-east-1]}}, govcloud: {{identity: lister}}{choice}}}]}}"
        )))
    };
    for (choice, expected) in [
        ("", serde_json::json!("organizations:ListAccounts")),
        (
            ", exclude: [{ou: /A}]",
            serde_json::json!([
                "organizations:ListAccounts",
                "organizations:ListAccountsForParent",
                "organizations:ListOrganizationalUnitsForParent",
                "organizations:ListRoots"
            ]),
        ),
        (
            ", include: [{tags: {a: b}}]",
            serde_json::json!(["organizations:ListAccounts", "organizations:ListTagsForResource"]),
        ),
    ] {
        let shown = organization(choice);
        let lister = statements(&shown, "roles", "lister");
        assert_eq!(lister["OrganizationAccounts"]["Action"], expected, "{choice}");
        assert_eq!(lister["OrganizationAccounts"]["Resource"], "*");
        assert_eq!(lister["GovCloudAccount"]["Resource"], "arn:aws:account::*:account/o-*/*");
        assert_eq!(lister.len(), 2, "{lister:#?}");
        let hub = statements(&shown, "principals", "hub");
        assert_eq!(hub["AssumeRoles"]["Resource"], "arn:aws:iam::111122223333:role/lister");
        let reach = hub["AssumeRolesInOrganization"];
        assert_eq!(reach["Resource"], "arn:aws:iam::*:role/regwatch");
        assert_eq!(reach["Condition"]["StringEquals"]["aws:ResourceOrgID"], "{organization_id}");
        // A role in each account reaches the other in its own.
        let member = statements(&shown, "roles", "member");
        assert_eq!(member["AssumeRoles"]["Resource"], "arn:aws:iam::{account_id}:role/onwards");
        let roles = shown["roles"].as_array().unwrap();
        let each: Vec<_> =
            roles.iter().filter(|role| role["organization"] == true).map(|role| &role["identity"]).collect();
        assert_eq!(each, ["member", "onwards"]);
        let onwards = statements(&shown, "roles", "onwards");
        assert_eq!(onwards["FleetWiseRegistration"]["Action"], "iotfleetwise:GetRegisterAccountStatus");
    }
    let grants = grant::all(&parse(&format!(
        "{{identities: {{{identities}}}, organizations: [{{identity: hub, fleetwise: {{identity: member, regions: \
         [us-east-1]}}}}]}}"
    )));
    let of_member: Vec<_> = grants.into_iter().filter(|grant| &*grant.identity == "member").collect();
    let template = cloudformation::render(&of_member);
    assert!(template.contains("With automatic deployment it follows those that join."), "{template}");
    let hcl = terraform::render(&of_member);
    assert!(hcl.contains("a role in each account of the organization that is asked with it"), "{hcl}");
}
