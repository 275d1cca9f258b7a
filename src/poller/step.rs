//! What is under way for one target.
//!
//! A step keeps beside its work what the poller must know of it while it lasts: a new configuration gives
//! the target another place, or drops it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
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

/// All that is under way in a scope. Of a hundred thousand pollers nearly all have nothing under way, and
/// take no memory for it.
pub(super) struct UnderWay<S>(Option<Box<Parts<S>>>);

struct Parts<S> {
    /// Signing in and calling.
    steps: FuturesUnordered<Step<S>>,
    /// Signed in, and waiting for the pace.
    ready: VecDeque<(Due, S)>,
}

impl<S> Default for UnderWay<S> {
    fn default() -> Self {
        Self(None)
    }
}

impl<S> UnderWay<S> {
    /// How many sign in or call.
    pub(super) fn steps(&self) -> usize {
        self.0.as_ref().map_or(0, |parts| parts.steps.len())
    }

    pub(super) fn is_anybody_ready(&self) -> bool {
        self.0.as_ref().is_some_and(|parts| !parts.ready.is_empty())
    }

    pub(super) fn begin(&mut self, due: Due, work: Work<S>) {
        self.parts().steps.push(Step { due, work });
    }

    /// Somebody has signed in.
    pub(super) fn ready(&mut self, due: Due, session: S) {
        self.parts().ready.push_back((due, session));
    }

    /// Who has been ready for the longest, whose call then is the next to begin.
    pub(super) fn next_ready(&mut self) -> Option<(Due, S)> {
        self.0.as_mut()?.ready.pop_front()
    }

    /// The next step that ends; `None` if there is none. May be dropped at any time.
    pub(super) async fn next(&mut self) -> Option<Ended<S>> {
        let parts = self.0.as_mut()?;
        let ended = parts.steps.next().await;
        if parts.steps.is_empty() && parts.ready.is_empty() {
            self.0 = None;
        }
        ended
    }

    /// Who is ready, and what steps there are.
    pub(super) fn into_parts(self) -> (VecDeque<(Due, S)>, FuturesUnordered<Step<S>>) {
        self.0.map(|parts| (parts.ready, parts.steps)).unwrap_or_default()
    }

    fn parts(&mut self) -> &mut Parts<S> {
        let empty = || Box::new(Parts { steps: FuturesUnordered::new(), ready: VecDeque::new() });
        self.0.get_or_insert_with(empty)
    }
}
