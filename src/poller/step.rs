//! What is under way for one target.
//!
//! A step keeps beside its work what the poller must know of it while it lasts: a new configuration gives
//! the target another place, or drops it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::model::{Failure, TargetId};
use crate::probe::Asked;
use crate::schedule::Permit;

/// A target whose time has come, and since when.
#[derive(Clone, Copy)]
pub(super) struct Due {
    pub(super) target: TargetId,
    pub(super) at: Instant,
}

/// What is under way for a target.
pub(super) struct Step<S> {
    pub(super) due: Due,
    pub(super) work: Work<S>,
}

pub(super) enum Work<S> {
    SigningIn(BoxFuture<'static, Result<S, Failure>>),
    Calling(Permit, BoxFuture<'static, Asked>),
}

impl<S> Work<S> {
    /// What the pace waits for.
    pub(super) fn permit(&self) -> Option<Permit> {
        match self {
            Self::SigningIn(_) => None,
            Self::Calling(permit, _) => Some(*permit),
        }
    }
}

/// What has come to its end.
pub(super) enum Ended<S> {
    SignedIn(Due, Result<S, Failure>),
    Answered(Due, Permit, Asked),
}

impl<S> Future for Step<S> {
    type Output = Ended<S>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended<S>> {
        let due = self.due;
        Poll::Ready(match &mut self.work {
            Work::SigningIn(work) => Ended::SignedIn(due, ready!(work.as_mut().poll(context))),
            Work::Calling(permit, work) => Ended::Answered(due, *permit, ready!(work.as_mut().poll(context))),
        })
    }
}
