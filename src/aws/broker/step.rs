//! What is under way for credentials.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_credential_types::Credentials;
use futures_util::future::BoxFuture;

use super::super::credentials::{Issued, Key};
use crate::model::Failure;
use crate::schedule::Permit;

/// A step of a fetch, and which fetch it is of.
pub(super) struct Step {
    pub(super) key: Key,
    pub(super) work: Work,
}

pub(super) enum Work {
    /// Getting the credentials that STS is to be called with.
    Base(BoxFuture<'static, Result<Credentials, Failure>>),
    /// Calling STS.
    Call(Permit, BoxFuture<'static, Result<Issued, Failure>>),
}

/// What a step has come to.
pub(super) enum Ended {
    Base(Result<Credentials, Failure>),
    Call(Permit, Result<Issued, Failure>),
}

impl Future for Step {
    type Output = (Key, Ended);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<(Key, Ended)> {
        let ended = match &mut self.work {
            Work::Base(work) => Ended::Base(ready!(work.as_mut().poll(context))),
            Work::Call(permit, work) => Ended::Call(*permit, ready!(work.as_mut().poll(context))),
        };
        Poll::Ready((self.key.clone(), ended))
    }
}
