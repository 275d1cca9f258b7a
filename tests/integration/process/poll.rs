//! `regwatch poll`: what it writes, and how it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use regwatch::model::Region;
use regwatch::sim::{
    Account, Fault, GovCloudState, MemberState, Operation, Quota, Registration, RegistrationStatus, Script,
    Service, World,
};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::{PATIENCE, file, regwatch, regwatch_as_hub};
use crate::harness::{Aws, HUB, hub, hub_id, id, identities, member};

/// A configuration of members by their number, each with both probes.
fn config(members: impl IntoIterator<Item = u64>) -> String {
    let mut yaml = format!("{}accounts:\n", identities());
    for number in members {
        yaml += &format!(
            "  - {{id: '{}', name: member-{number}, fleetwise: {{identity: member, regions: [us-east-1]}}, govcloud: {{identity: hub}}}}\n",
            id(number)
        );
    }
    yaml
}

/// What it wrote, and its exit status.
struct Ended {
    status: Option<i32>,
    out: String,
    err: String,
}

async fn poll(aws: &Aws, yaml: &str, arguments: &[&str]) -> Ended {
    let config = file(yaml);
    let mut command = regwatch_as_hub(&aws.url);
    command.arg("poll").args(arguments).arg("--config.file").arg(config.path());
    ended(command).await
}

async fn ended(mut command: Command) -> Ended {
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A world in which something of everything is not well, with its configuration.
fn troubled() -> (World, String) {
    let pending = || Some(Registration::new(RegistrationStatus::Pending));
    let registered = |number, script: Script<Option<Registration>>| {
        Account::new(id(number), &format!("member-{number}"))
            .role("regwatch", Some(crate::harness::EXTERNAL_ID))
            .registration("us-east-1", script)
    };
    let world = World::new()
        .management(hub())
        .member(member(1))
        .member(registered(2, Script::new(pending()).held_for(Duration::from_secs(120))))
        .member(registered(3, Script::new(pending()).held_for(Duration::from_secs(3600))))
        .member(registered(4, Script::new(Some(Registration::iam_failure("The role cannot be assumed.")))))
        .member(registered(5, Script::new(None)).govcloud(Script::new(Some(GovCloudState::Suspended))))
        .member(member(6))
        // Without the role.
        .member(Account::new(id(7), "member-7"));
    let denied = Duration::ZERO..Duration::MAX;
    (world.fault(id(6), Operation::GetRegisterAccountStatus, denied, Fault::Denied), config(1..=7))
}

#[tokio::test]
async fn all_well_is_status_0_and_each_target_is_asked_once() {
    let aws = Aws::start(World::new().management(hub()).member(member(1)).member(member(2))).await;
    let ended = poll(&aws, &config(1..=2), &[]).await;
    assert_eq!(ended.status, Some(0), "{}{}", ended.out, ended.err);
    let rows: Vec<Vec<&str>> = ended.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["ACCOUNT", "PROBE", "REGION", "RESOURCE", "STATE"]);
    assert_eq!(rows[1], ["000000000001", "member-1", "fleetwise", "us-east-1", "all", "3", "SUCCESS"]);
    assert_eq!(rows[4], ["000000000002", "member-2", "govcloud", "-", "govcloud_account", "ACTIVE"]);
    assert!(ended.out.ends_with("\n\n4 targets: 4 well\n"), "{}", ended.out);
    assert_eq!(ended.err, "", "nobody watches a progress bar in a pipe");
    let calls = aws.control.calls();
    let asked = calls.iter().filter(|call| {
        [Operation::GetRegisterAccountStatus, Operation::GetGovCloudAccountInformation]
            .contains(&call.operation)
    });
    assert_eq!(asked.count(), 4);
}

/// An organization from which all but the hub are taken.
fn organization() -> String {
    format!(
        "{}organizations: [{{name: fleet, identity: hub, fleetwise: {{identity: member, regions: [us-east-1]}}, exclude: [{{name: hub}}]}}]\n",
        identities()
    )
}

#[tokio::test]
async fn the_accounts_of_an_organization_are_found_first() {
    let world = World::new().management(hub()).member(member(1)).member(member(2));
    let aws = Aws::start(world.member(member(3).state(Script::new(MemberState::Closed)))).await;
    let ended = poll(&aws, &organization(), &[]).await;
    assert_eq!(ended.status, Some(0), "{}{}", ended.out, ended.err);
    assert!(ended.out.ends_with("\n\n2 targets: 2 well\n"), "{}", ended.out);
    assert!(ended.out.contains("000000000002 member-2"), "{}", ended.out);

    let ended = poll(&aws, &organization(), &["--account", "member-2", "--format", "json"]).await;
    let shown: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!((ended.status, shown["summary"]["targets"].as_u64()), (Some(0), Some(1)), "{shown:#}");
    assert_eq!(shown["unlisted"], serde_json::json!([]));
    let ended = poll(&aws, &organization(), &["--account", "member-3"]).await;
    assert_eq!(ended.status, Some(2));
    assert!(ended.err.contains("member-3, and neither has an organization"), "{}", ended.err);
}

#[tokio::test]
async fn an_organization_that_cannot_be_listed_shows_and_sets_the_status() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    aws.control.set_fault(hub_id(), Operation::ListAccounts, Fault::Denied);
    let both = organization()
        + &format!(
            "accounts: [{{id: '{}', fleetwise: {{identity: member, regions: [us-east-1]}}}}]\n",
            id(1)
        );
    let ended = poll(&aws, &both, &[]).await;
    assert_eq!(ended.status, Some(2), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("1 target: 1 well"), "what is listed is asked: {}", ended.out);
    assert!(ended.out.contains("\nNOT LISTED: organization fleet: access_denied\n"), "{}", ended.out);
    assert!(ended.out.contains("regwatch iam"), "{}", ended.out);
    let ended = poll(&aws, &both, &["--format", "json"]).await;
    let shown: Value = serde_json::from_str(&ended.out).expect("JSON");
    let unlisted = &shown["unlisted"][0];
    assert_eq!((&unlisted["organization"], &unlisted["reason"]), (&"fleet".into(), &"access_denied".into()));

    aws.control.set_fault(hub_id(), Operation::ListAccounts, Fault::Hang);
    let ended = poll(&aws, &organization(), &["--timeout", "1s"]).await;
    assert_eq!(ended.status, Some(2), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("NOT LISTED: organization fleet: no time"), "{}", ended.out);
}

#[tokio::test]
async fn every_trouble_has_its_status_its_words_and_its_advice() {
    let (world, yaml) = troubled();
    let aws = Aws::start(world).await;
    let named =
        |names: &[&'static str]| names.iter().flat_map(|name| ["--account", name]).collect::<Vec<_>>();
    for (accounts, status) in [
        (&["member-1", "000000000002"][..], 0),
        (&["member-2", "member-3"], 1),
        (&["member-4"], 1),
        (&["member-5"], 1),
        (&["member-4", "member-6"], 2),
        (&["member-7"], 2),
    ] {
        let ended = poll(&aws, &yaml, &named(accounts)).await;
        assert_eq!(ended.status, Some(status), "{accounts:?}\n{}{}", ended.out, ended.err);
    }
    let ended =
        poll(&aws, &yaml, &["--max-pending", "2h", "--probe", "fleetwise", "--account", "member-3"]).await;
    assert_eq!(ended.status, Some(0), "{}{}", ended.out, ended.err);

    let ended = poll(&aws, &yaml, &[]).await;
    assert_eq!(ended.status, Some(2));
    for part in [
        "PENDING for 1h00m: too long",
        "The role cannot be assumed.",
        "iotfleetwise.amazonaws.com",
        "NOT_REGISTERED",
        "SUSPENDED",
        "NO ANSWER: access_denied",
        "Allow iotfleetwise:GetRegisterAccountStatus on * to role regwatch of account 000000000006",
        "NO ANSWER: credentials",
        "arn:aws:iam::000000000007:role/regwatch exists",
    ] {
        assert!(ended.out.contains(part), "{part} is not in\n{}", ended.out);
    }
    let aws_said =
        "User: arn:aws:sts::000000000006:assumed-role/regwatch/regwatch is not authorized to perform";
    assert!(ended.out.contains(aws_said), "AWS's words are not in\n{}", ended.out);
    assert!(!ended.out.contains('\u{1b}'), "no colours in a pipe");
}

#[tokio::test]
async fn json_says_the_same_to_programs() {
    let (world, yaml) = troubled();
    let aws = Aws::start(world).await;
    let ended = poll(&aws, &yaml, &["--format", "json"]).await;
    assert_eq!(ended.status, Some(2));
    let outcome: Value = serde_json::from_str(&ended.out).expect("JSON and nothing else");
    assert_eq!((&outcome["ended"], &outcome["exit_status"]), (&"complete".into(), &2.into()));
    let items = outcome["items"].as_array().expect("a list");
    let verdicts: BTreeMap<_, _> = items
        .iter()
        .filter(|item| item["probe"] == "fleetwise")
        .map(|item| {
            (item["account_name"].as_str().expect("a name"), item["verdict"].as_str().expect("a word"))
        })
        .collect();
    let expected = [
        ("member-1", "well"),
        ("member-2", "pending"),
        ("member-3", "overdue"),
        ("member-4", "needs_attention"),
        ("member-5", "needs_attention"),
        ("member-6", "not_asked"),
        ("member-7", "not_asked"),
    ];
    assert_eq!(verdicts, BTreeMap::from(expected));
    assert_eq!(outcome["summary"]["targets"], 14);
    for item in items {
        let is_well = ["well", "pending"].contains(&item["verdict"].as_str().expect("a word"));
        assert_eq!(item["advice"].as_array().expect("a list").is_empty(), is_well, "{item}");
        assert_eq!(item["up"], item["failure"].is_null(), "{item}");
    }
    let overdue = items.iter().find(|item| item["verdict"] == "overdue").expect("one");
    assert!(overdue["pending_seconds"].as_u64() >= Some(3600), "{overdue}");
}

#[tokio::test]
async fn a_throttle_is_waited_out() {
    let scarce = Script::new(Quota { rate: 1.0, burst: 1.0 });
    let world = (1..=5).fold(World::new().management(hub()), |world, number| world.member(member(number)));
    let aws = Aws::start(world.caller_quota(hub_id(), Service::Account, scarce)).await;
    let ended = poll(&aws, &config(1..=5), &["--probe", "govcloud"]).await;
    assert_eq!(ended.status, Some(0), "{}{}", ended.out, ended.err);
    let calls = aws.control.calls();
    let asked = calls.iter().filter(|call| call.operation == Operation::GetGovCloudAccountInformation);
    assert!(asked.count() > 5, "the simulated AWS has throttled nobody");
}

#[tokio::test]
async fn what_aws_throttles_to_the_end_could_not_be_asked() {
    let never = Fault::Throttle { retry_after: Some(600) };
    let always = Duration::ZERO..Duration::MAX;
    let world = World::new().management(hub()).member(member(1));
    let aws = Aws::start(world.fault(id(1), Operation::GetGovCloudAccountInformation, always, never)).await;
    let ended = poll(&aws, &config(1..=1), &["--timeout", "2s"]).await;
    assert_eq!(ended.status, Some(2), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("NO ANSWER: throttled"), "{}", ended.out);
    assert!(ended.err.contains("the time was up"), "{}", ended.err);
}

#[tokio::test]
async fn what_never_had_its_turn_says_so() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let ended = poll(&aws, &config(1..=1), &["--timeout", "0s"]).await;
    assert_eq!(ended.status, Some(2), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("NOT ASKED") && ended.out.contains("--timeout"), "{}", ended.out);
}

#[tokio::test]
async fn a_signal_ends_it_with_what_there_is() {
    let world = World::new().management(hub()).member(member(1));
    let always = Duration::ZERO..Duration::MAX;
    let aws =
        Aws::start(world.fault(id(1), Operation::GetGovCloudAccountInformation, always, Fault::Hang)).await;
    let config = file(
        &(config(1..=1)
            + "polling: {timeout: 50s, pending_interval: 60s, failed_interval: 60s, interval: 60s}\n"),
    );
    let mut command = regwatch_as_hub(&aws.url);
    let child = command.arg("poll").arg("--config.file").arg(config.path()).spawn().expect("it starts");
    let both = || {
        let calls = aws.control.calls();
        let of = |operation| calls.iter().any(|call| call.operation == operation);
        of(Operation::GetRegisterAccountStatus) && of(Operation::GetGovCloudAccountInformation)
    };
    timeout(PATIENCE, async {
        while !both() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("both are asked");
    let pid = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-s", "INT", &pid]).status().await.expect("kill").success());
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").expect("it was started");
    let out = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(130), "{out}");
    assert!(out.contains("NOT ASKED"), "{out}");
}

#[tokio::test]
async fn a_filter_that_matches_nothing_says_so() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let yaml = format!("{}accounts: [{{id: '{HUB}', govcloud: {{identity: hub}}}}]\n", identities());
    for (arguments, said) in [
        (&["--account", "nobody"][..], "no account with the id or the name nobody"),
        (&["--probe", "fleetwise"], "does not watch fleetwise of any account"),
        (&["--account", HUB, "--probe", "fleetwise"], "does not watch fleetwise of these accounts"),
    ] {
        let ended = poll(&aws, &yaml, arguments).await;
        assert_eq!((ended.status, ended.out.as_str()), (Some(2), ""), "{}", ended.err);
        assert!(ended.err.contains(said), "{}", ended.err);
    }
    assert!(aws.control.calls().is_empty());
}

#[tokio::test]
async fn a_bad_configuration_is_still_status_78_and_a_closed_pipe_no_failure() {
    let config = file("acounts: []\n");
    let mut command = regwatch();
    command.args(["poll", "--config.file"]).arg(config.path());
    let ended = ended(command).await;
    assert_eq!((ended.status, ended.out.as_str()), (Some(78), ""), "{}", ended.err);

    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let config = file(&self::config(1..=1));
    let mut command = regwatch_as_hub(&aws.url);
    let mut child = command.arg("poll").arg("--config.file").arg(config.path()).spawn().expect("it starts");
    drop(child.stdout.take());
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let status = timeout(PATIENCE, child.wait()).await.expect("it ends").expect("it was started");
    assert_eq!((status.code(), lines.next_line().await.expect("text")), (Some(0), None));
}

#[tokio::test]
async fn a_registration_that_comes_after_its_answer_is_for_another_time() {
    let aws = Aws::start(World::new().management(hub()).member(member(1))).await;
    let failed = Registration::iam_failure("The role cannot be assumed.");
    let yaml = config(1..=1);
    assert_eq!(poll(&aws, &yaml, &[]).await.status, Some(0));
    aws.control.set_registration(id(1), &Region::new("us-east-1"), Some(failed));
    assert_eq!(poll(&aws, &yaml, &[]).await.status, Some(1));
}
