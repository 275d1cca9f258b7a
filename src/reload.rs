//! How whoever wants the configuration read anew asks for it, and is told what came of it.
//!
//! A signal, a request over HTTP and a change of the file all end up in the same place, one after the
//! other; the daemon answers each when the new configuration is in force, or refused as a whole. What came
//! of it is logged here, once for each, whoever asked and whether or not they still wait.

mod place;
mod watch;

pub use self::watch::Watch;

use tokio::sync::{mpsc, oneshot};

/// Wishes that may wait. Each is for the same thing, so more than a few at once are of no use; who asks
/// when there is no room waits for it.
const WISHES: usize = 4;

/// Asks for the configuration to be read anew. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Trigger {
    wishes: mpsc::Sender<Request>,
    because: &'static str,
}

/// Where the wishes arrive.
#[derive(Debug)]
pub struct Requests(mpsc::Receiver<Request>);

/// A wish, and who waits for the answer.
#[derive(Debug)]
pub struct Request {
    reply: oneshot::Sender<Result<(), Refused>>,
    because: &'static str,
}

/// The new configuration was refused, and nothing has changed. The text says what is wrong where, one
/// mistake a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// A trigger and what it triggers.
pub fn channel() -> (Trigger, Requests) {
    let (sender, receiver) = mpsc::channel(WISHES);
    (Trigger { wishes: sender, because: "regwatch itself" }, Requests(receiver))
}

impl Trigger {
    /// The same, for somebody: what the log gives as the reason.
    pub fn because(&self, because: &'static str) -> Self {
        Self { because, ..self.clone() }
    }

    /// Asks, and waits until the new configuration is in force.
    ///
    /// # Errors
    /// If it was refused, or the daemon is ending.
    pub async fn pull(&self) -> Result<(), Refused> {
        let ending = || Refused("regwatch is shutting down".to_owned());
        let (reply, answer) = oneshot::channel();
        let request = Request { reply, because: self.because };
        self.wishes.send(request).await.map_err(|_| ending())?;
        answer.await.map_err(|_| ending())?
    }
}

impl Requests {
    /// The next wish; `None` once nobody is left who could have one.
    pub async fn next(&mut self) -> Option<Request> {
        self.0.recv().await
    }
}

impl Request {
    /// Tells what came of it, and logs it.
    pub fn answer(self, outcome: Result<(), Refused>) {
        let because = self.because;
        match &outcome {
            Ok(()) => tracing::info!(because, "the configuration was read anew and is in force"),
            Err(Refused(reasons)) => {
                tracing::error!(
                    because,
                    reasons,
                    "the configuration was refused; the one before stays in force"
                );
            }
        }
        // Who asked may have gone; nobody else wants the answer.
        let _ = self.reply.send(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_wish_is_answered_for_itself() {
        let (trigger, mut requests) = channel();
        let refused = Refused("config.yaml:3:1: no".to_owned());
        let serve = async {
            requests.next().await.unwrap().answer(Ok(()));
            requests.next().await.unwrap().answer(Err(refused.clone()));
        };
        let ask = async { (trigger.pull().await, trigger.pull().await) };
        let (answers, ()) = tokio::join!(ask, serve);
        assert_eq!(answers, (Ok(()), Err(refused)));
        drop(requests);
        assert!(trigger.pull().await.unwrap_err().0.contains("shutting down"));
    }
}
