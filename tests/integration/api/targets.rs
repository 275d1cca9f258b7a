//! `/api/v1/targets`.

use std::sync::Arc;

use regwatch::model::{Caller, Fleet, Probe, Snapshot};
use reqwest::Method;
use serde_json::{Value, json};

use crate::server::Running;
use crate::snapshot::{account, at, rich, scope, target};

/// What tells targets apart.
fn keys(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items").iter();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    items.map(|item| [&item["account_id"], &item["probe"], &item["region"]].map(word).join("/")).collect()
}

#[tokio::test]
async fn a_target_is_shown_in_full() {
    let running = Running::start(rich()).await;
    let failing = running.json("/api/v1/targets/000011112222/fleetwise/eu-central-1").await;
    assert_eq!(
        failing,
        json!({
            "account_id": "000011112222",
            "account_name": "fleet-prod",
            "labels": {"cost-centre": "7", "team": "telematics"},
            "probe": "fleetwise",
            "region": "eu-central-1",
            "identity": "hub",
            "up": false,
            "stale": true,
            "last_attempt": "2026-11-21T11:59:30Z",
            "last_success": "2026-11-21T11:41:00Z",
            "next_poll": "2026-11-21T12:05:00Z",
            "left_at": null,
            "backoff_until": "2026-11-21T12:00:07Z",
            "failure": {"reason": "access_denied", "message": "no"},
            "resources": [
                {
                    "resource": "account", "status": "REGISTRATION_FAILURE", "text": null, "error_message": null,
                    "since": "2026-11-21T11:41:00Z"
                },
                {
                    "resource": "iam", "status": "REGISTRATION_SUCCESS", "text": null, "error_message": null,
                    "since": "2026-11-21T11:41:00Z"
                },
            ],
            "role_arn": "arn:aws:iam::000011112222:role/fleet \"writer\"\\1",
            "timestream_database_name": null,
            "timestream_table_name": null,
            "govcloud_account_id": null,
            "aws_created_at": "2026-11-21T08:00:00.125Z",
            "aws_modified_at": null,
            "polls": 4,
        })
    );
    let linked = running.json("/api/v1/targets/333344445555/govcloud").await;
    assert_eq!(linked["items"][0]["govcloud_account_id"], "444455556666");
    assert_eq!((&linked["items"][0]["region"], &linked["items"][0]["up"]), (&Value::Null, &json!(true)));
}

#[tokio::test]
async fn filters_leave_what_matches_all_of_them() {
    let running = Running::start(rich()).await;
    let (fleet, hub) = ("000011112222/fleetwise", "333344445555");
    let [frankfurt, mars, virginia] = [
        format!("{fleet}/eu-central-1"),
        format!("{fleet}/mars\"}} 1\n# EOF\\"),
        format!("{fleet}/us-east-1"),
    ];
    let [hub_virginia, hub_govcloud] = [format!("{hub}/fleetwise/us-east-1"), format!("{hub}/govcloud/")];
    for (query, expected) in [
        ("", vec![&frankfurt, &mars, &virginia, &hub_virginia, &hub_govcloud]),
        ("account=333344445555", vec![&hub_virginia, &hub_govcloud]),
        ("account=333344445555&account=000011112222&region=us-east-1", vec![&virginia, &hub_virginia]),
        ("probe=govcloud", vec![&hub_govcloud]),
        ("probe=govcloud&region=us-east-1", vec![]),
        ("status=ACTIVE&status=REGISTRATION_FAILURE", vec![&frankfurt, &hub_govcloud]),
        ("stale=true", vec![&frankfurt, &mars, &hub_virginia]),
        ("stale=false&status=REGISTRATION_SUCCESS", vec![&virginia]),
        ("account=999999999999", vec![]),
    ] {
        let page = running.json(&format!("/api/v1/targets?{query}")).await;
        assert_eq!(keys(&page).iter().collect::<Vec<_>>(), expected, "{query}");
        assert_eq!(page["next"], Value::Null);
    }
    let path = |path: &str| format!("/api/v1/targets/{path}");
    assert_eq!(keys(&running.json(&path(hub)).await), [hub_virginia, hub_govcloud]);
    assert_eq!(keys(&running.json(&path(fleet)).await), [frankfurt, mars, virginia]);
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let running = Running::start(rich()).await;
    for (path, status, parameters) in [
        ("targets?limit=0&acount=000011112222&stale=yes", 400, vec!["stale", "limit", "acount"]),
        ("targets?limit=1&limit=2", 400, vec!["limit"]),
        ("targets?after=000011112222", 400, vec!["after"]),
        ("targets?account=", 400, vec!["account"]),
        ("targets/1/govcloud", 400, vec!["account"]),
        ("targets/000011112222/iam/USA", 400, vec!["probe", "region"]),
        ("targets/000011112222?limit=1", 400, vec!["limit"]),
        ("targets/%ff", 400, vec![]),
        ("targets/999999999999", 404, vec![]),
        ("targets/000011112222/govcloud", 404, vec![]),
        ("targets/000011112222/fleetwise/ap-south-1", 404, vec![]),
    ] {
        let problem = running.problem(Method::GET, &format!("/api/v1/{path}")).await;
        assert_eq!(problem["status"], status, "{path}: {problem}");
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let named: Vec<_> = errors.iter().map(|error| error["parameter"].as_str().expect("a name")).collect();
        assert_eq!(named, parameters, "{path}: {problem}");
        assert!(errors.iter().all(|error| error["detail"].as_str().is_some_and(|detail| !detail.is_empty())));
    }
}

/// Two regions and the GovCloud account of each of these accounts.
fn fleet(accounts: impl Iterator<Item = u64>) -> Arc<Snapshot> {
    // The fleet's order is not the API's.
    let mut accounts: Vec<_> = accounts.map(|id| account(id, "fleet", &[])).collect();
    accounts.reverse();
    let regions = [Some("us-east-1"), None, Some("eu-central-1")];
    let targets = accounts.iter().flat_map(|account| regions.map(|region| target(account, region, 0)));
    let fleet = Fleet {
        targets: targets.collect(),
        scopes: vec![scope(Probe::FleetWise, Caller::Account(accounts[0].id), "us-east-1", &[0])],
        accounts,
        ..Fleet::default()
    };
    Arc::new(Snapshot::new(Arc::new(fleet), at("11:00:00")))
}

#[tokio::test]
async fn paging_shows_everything_once_though_the_fleet_changes() {
    let running = Running::start(fleet(1..=100)).await;
    let (mut seen, mut after, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = running.json(&format!("/api/v1/targets?limit=7{after}")).await;
        let items = keys(&page);
        seen.extend(items.iter().cloned());
        pages += 1;
        if pages == 20 {
            // What was just seen goes, and some more; others come, before and after the place.
            let stays = |id: &u64| !(46..=48).contains(id) && *id != 80;
            running.snapshot.send_replace(fleet((1..=120).filter(stays)));
        }
        let Some(next) = page["next"].as_str() else { break };
        assert_eq!(items.len(), 7);
        after = format!("&after={next}");
    }
    let expected = |id: u64| {
        ["fleetwise/eu-central-1", "fleetwise/us-east-1", "govcloud/"].map(|rest| format!("{id:012}/{rest}"))
    };
    // 140 targets were seen when the fleet changed: two of the 47th account.
    let expected: Vec<_> = (1..=120).filter(|id| ![48, 80].contains(id)).flat_map(expected).collect();
    let lost =
        expected.iter().position(|key| key.starts_with("000000000047/govcloud")).expect("it was there");
    assert_eq!(seen[..lost], expected[..lost]);
    assert_eq!(seen[lost..], expected[lost + 1..]);
}

#[tokio::test]
async fn a_page_has_at_most_a_thousand_of_ten_thousand_targets() {
    let running = Running::start(fleet(1..=3_400)).await;
    assert_eq!(keys(&running.json("/api/v1/targets").await).len(), 100);
    let page = running.json("/api/v1/targets?limit=1000&after=000000003000.govcloud").await;
    assert_eq!((keys(&page).len(), &page["next"]), (1_000, &json!("000000003334.fleetwise.eu-central-1")));
}
