//! What regwatch is measured with and against, as processes of their own: see README.md.
//!
//! `bench simulator ACCOUNTS` is the AWS that all who are measured call. It prints its URL, and then answers
//! each line of its input: `now` with the seconds since its start, `count FROM` with the number of polls
//! since then, `calls FROM` with a line for each, when, for which target and of whom, and an empty one, and
//! `change` with `now` when each registration has become another.
//!
//! `bench loop CONFIG RATE` makes the same calls as regwatch with that configuration: the same clients,
//! one call after the other, and nothing else. RATE is in calls a second; 0 is as many as can be.
//!
//! `bench store CONFIG PARTS PART` writes to the store of that configuration, as one of so many replicas, and
//! `bench receiver` takes webhooks: see `writer` and `receiver`.

mod receiver;
mod writer;

use std::io::{BufRead, BufWriter, Write};
use std::time::Duration;

use regwatch::aws::{Aws, Broker, Overrides, Session, sdk_region, timeouts};
use regwatch::clock::Clock;
use regwatch::config::Config;
use regwatch::model::{AccountId, FLEETWISE_REGIONS, Fleet, Region, Report, Target};
use regwatch::sim::{
    AccessKey, Account, Call, Control, GovCloudState, Operation, Quota, Registration, RegistrationStatus,
    Script, Service, Sim, World,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// The key of the management account: what AWS's documentation shows.
const KEY: (&str, &str) = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");

/// The account of [`KEY`]; those that are watched follow it.
const HUB: u64 = 100_000_000_000;

/// The calls that ask about a target.
const POLLS: [Operation; 2] = [Operation::GetRegisterAccountStatus, Operation::GetGovCloudAccountInformation];

/// More than any machine asks for.
const UNLIMITED: Quota = Quota { rate: 1e6, burst: 1e6 };

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["simulator", accounts] => simulator(accounts.parse()?).await,
        ["loop", config, rate] => endless(config, rate.parse()?).await,
        ["store", config, parts, part] => writer::write(config, parts.parse()?, part.parse()?).await,
        ["receiver"] => receiver::receive().await,
        _ => anyhow::bail!(
            "usage: bench simulator ACCOUNTS | bench loop CONFIG RATE | bench store CONFIG PARTS PART | bench receiver"
        ),
    }
}

async fn simulator(accounts: u64) -> anyhow::Result<()> {
    let sim = Sim::bind(world(accounts), ([127, 0, 0, 1], 0).into()).await?;
    println!("{}", sim.url());
    let control = sim.control();
    // A thread of its own, since it waits for each line.
    let answering = tokio::task::spawn_blocking(move || answer(&control, accounts));
    tokio::select! {
        () = sim.run(std::future::pending()) => Ok(()),
        answered = answering => Ok(answered??),
    }
}

/// Answers until nobody asks any more.
fn answer(control: &Control, accounts: u64) -> std::io::Result<()> {
    let mut statuses = [RegistrationStatus::Pending, RegistrationStatus::Success].into_iter().cycle();
    let mut out = BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (what, from) = line.split_once(' ').unwrap_or((&line, "0"));
        let from = from.parse().map_or(Duration::MAX, Duration::from_secs_f64);
        let is_poll = |call: &Call| POLLS.contains(&call.operation) && call.at >= from;
        match what {
            "count" => writeln!(out, "{}", control.count(is_poll))?,
            "calls" => {
                for call in control.calls().iter().filter(|call| is_poll(call)) {
                    let about = call.about.map(|account| account.to_string()).unwrap_or_default();
                    let (at, what) = (call.at.as_secs_f64(), call.operation);
                    let who = call.app.as_deref().unwrap_or("nobody");
                    writeln!(out, "{at:.6} {about}/{what:?}/{} {who}", call.region)?;
                }
                writeln!(out)?;
            }
            "change" => {
                let status = statuses.next().expect("it goes round");
                for region in FLEETWISE_REGIONS.map(Region::new) {
                    for account in (1..=accounts).map(id) {
                        control.set_registration(account, &region, Some(Registration::new(status)));
                    }
                }
                writeln!(out, "{:.6}", control.now().as_secs_f64())?;
            }
            _ => writeln!(out, "{:.6}", control.now().as_secs_f64())?,
        }
        out.flush()?;
    }
    Ok(())
}

/// An organization without quotas, of members that are registered in each region and have GovCloud accounts.
fn world(accounts: u64) -> World {
    let hub = Account::new(id(0), "hub").access_key(AccessKey::new(KEY.0, KEY.1));
    let services = [Service::Sts, Service::FleetWise, Service::Account];
    let world = services.into_iter().fold(World::new(), |world, service| world.quota(service, UNLIMITED));
    (1..=accounts).fold(world.management(hub), |world, number| {
        let registered = || Script::new(Some(Registration::new(RegistrationStatus::Success)));
        let member = Account::new(id(number), "member").role("regwatch", None);
        let member = member.govcloud(Script::new(Some(GovCloudState::Active)));
        let regions = FLEETWISE_REGIONS.into_iter();
        world.member(regions.fold(member, |member, region| member.registration(region, registered())))
    })
}

fn id(number: u64) -> AccountId {
    (HUB + number).to_string().parse().expect("twelve digits")
}

/// Polls for ever.
async fn endless(config: &str, rate: f64) -> anyhow::Result<()> {
    let (config, _) = Config::load(config.as_ref())?;
    let aws = Aws::load(Overrides::default(), config.limits.max_in_flight).await;
    let fleet = config.fleet(aws.region());
    let sessions = sessions(&aws, &config).await?;
    // In a task, which wakes with the connections: the main thread would have to be woken for each answer.
    let mut tasks = JoinSet::new();
    tasks.spawn(cycle(aws, fleet, sessions, rate));
    tasks.join_next().await.expect("there is one")?
}

async fn cycle(aws: Aws, fleet: Fleet, sessions: Vec<Session>, rate: f64) -> anyhow::Result<()> {
    let every = if rate > 0.0 { Duration::from_secs_f64(1.0 / rate) } else { Duration::from_nanos(1) };
    let mut turns = tokio::time::interval(every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for (target, session) in fleet.targets.iter().zip(&sessions).cycle() {
        if rate > 0.0 {
            turns.tick().await;
        }
        poll(&aws, target, session).await?;
    }
    Ok(())
}

/// The sessions of all targets, in their order.
async fn sessions(aws: &Aws, config: &Config) -> anyhow::Result<Vec<Session>> {
    let fleet = config.fleet(aws.region());
    let (reports, mut received) = mpsc::channel::<Report>(1);
    let (broker, credentials) = Broker::new(aws.clone(), config, &fleet, reports, Clock::System).await;
    let (_held, adoptions) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(broker.run(adoptions, stop.clone()));
    tasks.spawn(async move { while received.recv().await.is_some() {} });
    let mut sessions = Vec::with_capacity(fleet.targets.len());
    for target in &fleet.targets {
        let session = credentials.get(&target.identity, target.account.id).await;
        sessions.push(session.map_err(|failure| anyhow::anyhow!(failure.message))?);
    }
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    Ok(sessions)
}

/// One call, as the probe makes it.
async fn poll(aws: &Aws, target: &Target, session: &Session) -> anyhow::Result<()> {
    let timeouts = timeouts(target.polling.timeout);
    let credentials = session.credentials.clone();
    match &target.region {
        Some(region) => {
            let overrides = aws_sdk_iotfleetwise::Config::builder()
                .region(sdk_region(region))
                .credentials_provider(credentials)
                .timeout_config(timeouts);
            let call = aws.fleetwise.get_register_account_status();
            call.customize().config_override(overrides).send().await?;
        }
        None => {
            let overrides = aws_sdk_account::Config::builder()
                .region(sdk_region(&Region::new("us-east-1")))
                .credentials_provider(credentials)
                .timeout_config(timeouts);
            let call = aws.account.get_gov_cloud_account_information();
            let call = call.standard_account_id(target.account.id.to_string());
            call.customize().config_override(overrides).send().await?;
        }
    }
    Ok(())
}
