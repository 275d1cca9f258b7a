//! The simulated AWS, called by clients that share no code with it: botocore, boto3 and the AWS CLI.
//!
//! Each fault has a simulation of its own, so that the clients need no way to change one. What they expect
//! is written in `sim_clients.py`.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use regwatch::model::AccountId;
use regwatch::sim::{
    AccessKey, Account, Fault, GovCloudState, MemberState, Operation, Quota, Registration,
    RegistrationStatus, Script, Service, Sim, World,
};
use tokio::task::JoinSet;

/// What the simulations are called, and how each differs from the one called "none".
const FAULTS: [(&str, Fault); 17] = [
    ("throttle", Fault::Throttle { retry_after: None }),
    ("throttle_with_hint", Fault::Throttle { retry_after: Some(7) }),
    ("denied", Fault::Denied),
    ("server_error", Fault::ServerError),
    ("unavailable", Fault::Unavailable),
    ("expired_token", Fault::ExpiredToken),
    ("uncoded", Fault::Uncoded(404)),
    ("hang", Fault::Hang),
    ("delay", Fault::Delay(Duration::from_millis(300))),
    ("slow_drip", Fault::SlowDrip(Duration::from_millis(1))),
    ("cut_body", Fault::CutBody),
    ("disconnect", Fault::Disconnect),
    ("html", Fault::Html(200)),
    ("html_503", Fault::Html(503)),
    ("empty_object", Fault::EmptyObject),
    ("unknown_enum", Fault::UnknownEnum),
    ("wrong_account", Fault::WrongAccount),
];

fn account(id: &str) -> AccountId {
    id.parse().expect("twelve digits")
}

fn hub() -> AccountId {
    account("111122223333")
}

fn member() -> AccountId {
    account("444455556666")
}

/// An organization of 27, so that listing takes two pages, and an account outside it.
fn world() -> World {
    let failed = Registration::iam_failure("the role cannot be assumed");
    let registered = |status| Script::new(Some(Registration::new(status)));
    let hub = Account::new(hub(), "hub").access_key(AccessKey::new("AKIAHUBHUBHUBHUBHUB2", "hub-secret"));
    let member = Account::new(member(), "member")
        .access_key(AccessKey::new("AKIAMEMBERMEMBERMEM2", "member-secret"))
        .role("regwatch", Some("a-1:b"))
        .role("onwards", None)
        .unit("/Vehicles")
        .tag("stage", "prod")
        .registration("us-east-1", registered(RegistrationStatus::Success).held_for(Duration::from_secs(60)))
        .registration("eu-central-1", Script::new(Some(failed)))
        .registration(
            "ap-south-1",
            Script::new(Some(Registration::new(RegistrationStatus::Pending).without_timestream())),
        )
        .govcloud(Script::new(Some(GovCloudState::Active)));
    let outsider = Account::new(account("777788889999"), "outsider")
        .access_key(AccessKey::new("AKIAOUTOUTOUTOUTOUT2", "outsider-secret"));
    let states = [
        MemberState::PendingActivation,
        MemberState::Active,
        MemberState::Suspended,
        MemberState::PendingClosure,
        MemberState::Closed,
    ];
    let others = (0..25).zip(states.iter().cycle()).map(|(index, state)| {
        Account::new(account(&format!("2000000000{index:02}")), "other")
            .unit("/Vehicles/Prod")
            .state(Script::new(*state))
    });
    let world = World::new().management(hub).member(member).outsider(outsider);
    let world = others.fold(world, World::member);
    let roomy = Quota::per_second(1000.0);
    [Service::FleetWise, Service::Account, Service::Sts, Service::Organizations]
        .into_iter()
        .fold(world, |world, service| world.quota(service, roomy))
}

fn faulty(fault: Fault) -> World {
    [
        (member(), Operation::GetRegisterAccountStatus),
        (member(), Operation::GetGovCloudAccountInformation),
        (member(), Operation::AssumeRole),
        (hub(), Operation::GetCallerIdentity),
        (hub(), Operation::ListAccounts),
        (hub(), Operation::ListRoots),
        (hub(), Operation::ListOrganizationalUnitsForParent),
        (hub(), Operation::ListAccountsForParent),
        (member(), Operation::ListTagsForResource),
    ]
    .into_iter()
    .fold(world(), |world, (about, operation)| {
        world.fault(about, operation, Duration::ZERO..Duration::MAX, fault)
    })
}

/// Only the first call to each service is accepted.
fn exhausted() -> World {
    let once = Quota { rate: 0.0, burst: 1.0 };
    [Service::FleetWise, Service::Account, Service::Sts, Service::Organizations]
        .into_iter()
        .fold(world(), |world, service| world.quota(service, once))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_others_get_what_they_expect_of_aws() {
    let mut worlds = vec![("none", world()), ("exhausted", exhausted()), ("ending", world())];
    worlds.extend(FAULTS.map(|(name, fault)| (name, faulty(fault))));
    let mut servers = JoinSet::new();
    let mut urls = serde_json::Map::new();
    for (name, world) in worlds {
        let sim = Sim::bind(world, (Ipv4Addr::LOCALHOST, 0).into()).await.expect("loopback has free ports");
        if name == "ending" {
            sim.control().set_session_lifetime(Duration::from_secs(2));
        }
        urls.insert(name.to_owned(), sim.url().into());
        servers.spawn(sim.run(std::future::pending()));
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/outside/sim_clients.py");
    let urls = serde_json::Value::Object(urls).to_string();
    let run = move || Command::new("python3").arg(script).arg(urls).output();
    let output = tokio::task::spawn_blocking(run).await.expect("it does not panic").expect("python3 starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{stdout}");
    assert!(output.status.success(), "{stdout}\n{stderr}");
}
