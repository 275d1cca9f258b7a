use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::FailureReason;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn poll(second: i64, outcome: Result<Reading, Failure>) -> Poll {
    Poll {
        target: TargetId(0),
        attempted_at: at(second),
        next_poll: at(second + 300),
        lag: Duration::ZERO,
        duration: Duration::ZERO,
        outcome,
    }
}

fn reading(statuses: &[(Resource, Status)], modified: i64) -> Reading {
    Reading {
        resources: statuses
            .iter()
            .map(|&(resource, status)| ResourceReading::new(resource, status))
            .collect(),
        details: Details::None,
        created_at: Some(at(1)),
        modified_at: Some(at(modified)),
    }
}

const PENDING: Status = Status::RegistrationPending;
const SUCCESS: Status = Status::RegistrationSuccess;

#[test]
fn the_first_sight_is_no_change() {
    let mut state = TargetState::default();
    let seen = state.record(poll(10, Ok(reading(&[(Resource::Account, PENDING)], 5))));
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].kind, seen[0].from, seen[0].to), (TransitionKind::FirstSeen, None, PENDING));
    let expected = [SUCCESS, Status::RegistrationFailure].map(|to| TransitionCount {
        resource: Resource::Account,
        from: PENDING,
        to,
        count: 0,
    });
    assert_eq!(state.transitions, expected, "what usually comes next begins at 0");
}

#[test]
fn a_change_tells_both_states_and_since_when_the_former_was_known() {
    let mut state = TargetState::default();
    state.record(poll(10, Ok(reading(&[(Resource::Account, PENDING), (Resource::Iam, SUCCESS)], 5))));
    state.record(poll(20, Ok(reading(&[(Resource::Account, PENDING), (Resource::Iam, SUCCESS)], 5))));
    let seen =
        state.record(poll(30, Ok(reading(&[(Resource::Account, SUCCESS), (Resource::Iam, SUCCESS)], 25))));
    assert_eq!(seen.len(), 1);
    let change = &seen[0];
    assert_eq!((change.kind, change.resource), (TransitionKind::Changed, Resource::Account));
    assert_eq!((change.from, change.to), (Some(PENDING), SUCCESS));
    assert_eq!((change.previous_since, change.observed_at), (Some(at(10)), at(30)));
    assert_eq!(change.aws_modified_at, Some(at(25)));
    assert_eq!(state.resources[0].since, at(30));
    assert_eq!(state.resources[1].since, at(10));
}

#[test]
fn a_change_that_came_back_between_two_polls_is_told_by_the_modification_time() {
    let mut state = TargetState::default();
    state.record(poll(10, Ok(reading(&[(Resource::Account, SUCCESS)], 5))));
    let seen = state.record(poll(20, Ok(reading(&[(Resource::Account, SUCCESS)], 15))));
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].kind, seen[0].from, seen[0].to), (TransitionKind::Modified, Some(SUCCESS), SUCCESS));
    assert_eq!(state.resources[0].since, at(10));
    let count = TransitionCount { resource: Resource::Account, from: SUCCESS, to: SUCCESS, count: 1 };
    assert!(state.transitions.contains(&count), "{:?}", state.transitions);
}

#[test]
fn an_unknown_status_with_another_text_is_another_status() {
    let unknown = |text: &str| {
        let mut reading = reading(&[(Resource::Account, Status::Unknown)], 5);
        let resource = ResourceReading::new(Resource::Account, Status::Unknown);
        reading.resources[0] = resource.with_words(Some(text.into()), None);
        reading
    };
    let mut state = TargetState::default();
    state.record(poll(10, Ok(unknown("REGISTRATION_PAUSED"))));
    assert!(state.record(poll(20, Ok(unknown("REGISTRATION_PAUSED")))).is_empty());
    let seen = state.record(poll(30, Ok(unknown("REGISTRATION_RESUMED"))));
    assert_eq!(
        (seen[0].kind, seen[0].text.as_deref()),
        (TransitionKind::Changed, Some("REGISTRATION_RESUMED"))
    );
}

#[test]
fn silence_is_stale_from_the_start_until_the_first_answer_and_after_the_last() {
    let mut fleet = Fleet::default();
    let polling = crate::model::Polling {
        interval: Duration::from_secs(300),
        pending_interval: Duration::from_secs(15),
        failed_interval: Duration::from_secs(60),
        timeout: Duration::from_secs(10),
        stale_after: Duration::from_secs(900),
    };
    fleet.targets.push(crate::model::Target {
        account: Arc::new(crate::model::Account {
            id: "111122223333".parse().unwrap(),
            name: "a".into(),
            labels: Default::default(),
        }),
        probe: crate::model::Probe::GovCloud,
        region: None,
        identity: "hub".into(),
        scope: crate::model::ScopeId(0),
        polling: Arc::new(polling),
    });
    let mut snapshot = Snapshot::new(Arc::new(fleet), at(1000));
    assert!(!snapshot.is_stale(TargetId(0), at(1899)));
    assert!(snapshot.is_stale(TargetId(0), at(1900)));
    let state = Arc::make_mut(&mut snapshot.targets[0]);
    state.record(poll(1900, Ok(reading(&[(Resource::GovCloudAccount, Status::Active)], 5))));
    assert!(!snapshot.is_stale(TargetId(0), at(2799)));
    assert!(snapshot.is_stale(TargetId(0), at(2800)));
}

/// What AWS may say of an account, or why it does not.
fn outcomes() -> impl Strategy<Value = Vec<Result<Reading, Failure>>> {
    let status = prop::sample::select(Resource::Account.statuses());
    let parts = prop::sample::subsequence(vec![Resource::Iam, Resource::Timestream], 0..=2);
    let answer = (status.clone(), parts, prop::collection::vec(status, 2), 1..4_i64).prop_map(
        |(account, parts, statuses, modified)| {
            let mut all = vec![(Resource::Account, account)];
            all.extend(parts.into_iter().zip(statuses));
            Ok(reading(&all, modified))
        },
    );
    let reason = prop::sample::select(&FailureReason::ALL);
    let failure = reason.prop_map(|reason| Err(Failure::new(reason, "refused")));
    prop::collection::vec(prop_oneof![3 => answer, 1 => failure], 1..40)
}

proptest! {
    #[test]
    fn a_failure_changes_no_state(outcomes in outcomes(), reason in prop::sample::select(&FailureReason::ALL)) {
        let mut state = TargetState::default();
        for (second, outcome) in (0..).zip(outcomes) {
            state.record(poll(second, outcome));
        }
        let before = state.clone();
        let seen = state.record(poll(100, Err(Failure::new(reason, "refused"))));
        prop_assert!(seen.is_empty());
        prop_assert_eq!(&before.resources, &state.resources);
        prop_assert_eq!(before.last_success, state.last_success);
        prop_assert_eq!(before.modified_at, state.modified_at);
        prop_assert_eq!(before.failures.of(reason) + 1, state.failures.of(reason));
        prop_assert!(!state.is_up());
    }

    /// Whoever follows the transitions knows the state: each starts where the last one ended.
    #[test]
    fn transitions_tell_the_whole_story(outcomes in outcomes()) {
        let mut state = TargetState::default();
        let mut told = Vec::<(Resource, Status)>::new();
        let mut counted = 0;
        for (second, outcome) in (0..).zip(outcomes) {
            let answered = outcome.is_ok();
            for seen in state.record(poll(second, outcome)) {
                let known = told.iter().find(|(resource, _)| *resource == seen.resource).map(|known| known.1);
                prop_assert_eq!(seen.from, known);
                prop_assert_eq!(seen.kind == TransitionKind::FirstSeen, known.is_none());
                prop_assert_eq!(seen.kind == TransitionKind::Modified, known == Some(seen.to));
                told.retain(|(resource, _)| *resource != seen.resource);
                told.push((seen.resource, seen.to));
                counted += u32::from(seen.from.is_some());
            }
            if answered {
                told.retain(|(resource, _)| state.resources.iter().any(|s| s.reading.resource == *resource));
                let mut now: Vec<_> = state.resources.iter().map(|s| (s.reading.resource, s.reading.status)).collect();
                now.sort();
                told.sort();
                prop_assert_eq!(&told, &now);
            }
        }
        prop_assert_eq!(state.transitions.iter().map(|count| count.count).sum::<u32>(), counted);
    }
}
