//! The structured log as a sink: one line an event.

use super::delivery::{Deliver, Refusal};
use crate::model::{Account, Entry, Event, Phase, Region, Status, Transition, TransitionKind};

/// Writes each event to the log.
#[derive(Clone, Copy, Debug)]
pub struct Log;

impl Log {
    /// What logs and metrics call it.
    pub const NAME: &str = "log";
}

impl Deliver for Log {
    async fn deliver(&mut self, entry: &Entry) -> Result<(), Refusal> {
        write(entry);
        Ok(())
    }
}

fn write(Entry { sequence, event }: &Entry) {
    let Event { id: event_id, account, probe, region, transition, .. } = event;
    let Account { id, name, .. } = &**account;
    let Transition { kind, resource, from, to, text, error_message, .. } = transition;
    // Fields without a value are left out.
    macro_rules! line {
        ($level:ident, $message:literal) => {
            tracing::$level!(
                account.id = %id, account.name = %name, aws.region = region.as_ref().map(Region::as_str),
                probe = probe.as_str(), resource = resource.as_str(), from = from.map(Status::as_str),
                to = to.as_str(), text = text.as_deref(), error = error_message.as_deref(),
                sequence, event.id = %event_id,
                $message
            )
        };
    }
    match kind {
        // At the first start, for each of what may be ten thousand targets.
        TransitionKind::FirstSeen if to.phase() == Phase::Settled => line!(debug, "first seen"),
        TransitionKind::FirstSeen => line!(info, "first seen"),
        TransitionKind::Changed => line!(info, "state changed"),
        TransitionKind::Modified => line!(info, "changed and came back between two polls"),
        TransitionKind::Ended => line!(info, "not watched any more: the account has left its organization"),
    }
}
