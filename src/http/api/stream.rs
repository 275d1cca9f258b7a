//! `/api/v1/events/stream`: events as they happen, as server-sent events.
//!
//! Every reader has a place of its own in the event log and reads on from there when the log has grown:
//! one that is slow holds a few events and nobody up, and one that was cut off goes on where it was.
//! How long a connection may stand still is up to [`crate::http::connection`].

use std::convert::Infallible;
use std::time::Duration;
use std::vec;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa::openapi::Object;

use super::event::Filter;
use super::parameter::{Form, Parameters, Valid};
use super::problem::Problem;
use super::value::{Sequence, matching, words};
use crate::http::View;
use crate::http::connection::Lasting;
use crate::model::{Entry, TransitionKind};
use crate::sink::CloudEvent;
use crate::store::{EventQuery, Store, StoreError};

/// Events that are read from the log at a time, and the most that a slow reader makes us hold: 100 KB.
const PAGE: u32 = 64;

/// How long a reader that was cut off should wait. Many may be cut at once, when regwatch restarts.
const RETRY: Duration = Duration::from_secs(2);

/// What a stream is made of.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Where to look.
    pub(super) view: View,
    /// How long a stream is silent at most.
    pub(super) keep_alive: Duration,
}

/// What `/events/stream` takes.
#[derive(Debug)]
pub(super) struct StreamQuery {
    filter: Filter,
    last_event_id: Option<Sequence>,
}

impl Parameters for StreamQuery {
    fn ask(form: &mut impl Form) -> Self {
        let about =
            "The `id` of the last event received: the stream goes on after it. It counts more than `after`.";
        Self { filter: Filter::ask(form), last_event_id: form.header("Last-Event-ID", about) }
    }
}

/// A message of the stream with an event. OpenAPI 3.1 has no word for a stream of these.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the messages are written as text; this tells how they look")]
pub(super) struct StreamMessage {
    /// The event's sequence number.
    #[schema(schema_with = digits)]
    id: String,
    /// The event's kind.
    #[schema(schema_with = words::<TransitionKind>)]
    event: String,
    /// The event as a CloudEvent in JSON, on one line.
    #[schema(content_media_type = "application/json")]
    data: String,
}

fn digits() -> Object {
    matching("^[0-9]+$")
}

/// The events that match, as they happen.
///
/// Server-sent events: `id` is the sequence number, `event` the kind, `data` the CloudEvent on one line.
/// The stream begins with what happens from now on, or after `after`, or after `Last-Event-ID`; its first
/// message is an `id` alone, so that even a reader that was cut off before the first event can resume. A
/// comment is sent where there was nothing else for 15 seconds. A reader that takes nothing for a minute
/// is cut off, and so may be one whose place is needed.
#[utoipa::path(
    get, path = "/events/stream", context_path = super::BASE, tag = "events", operation_id = "stream_events",
    params(Valid<StreamQuery>),
    responses(
        (status = 200, description = "Events without end, until regwatch stops.", body = StreamMessage, content_type = "text/event-stream"),
        (status = 400, description = "Parameters are wrong.", body = Problem, content_type = Problem::CONTENT_TYPE),
        (status = 503, description = "The event log cannot be read just now.", body = Problem, content_type = Problem::CONTENT_TYPE),
    )
)]
pub(super) async fn stream(
    State(Source { view, keep_alive }): State<Source>,
    Valid(StreamQuery { filter, last_event_id }): Valid<StreamQuery>,
) -> Result<Response, Problem> {
    let latest = view.store.latest();
    let after = start(last_event_id, filter.after, *latest.borrow());
    let query = EventQuery { after, ..filter.query(PAGE) };
    let mut reader =
        Reader { store: view.store, latest, query, page: Vec::new().into_iter(), stopping: view.stopping };
    // Now, while there is a status to tell a failure with.
    reader.turn_page().await.map_err(|error| Problem::unreadable_store(&error))?;
    let first = Event::default().id(after.to_string()).retry(RETRY);
    let events = stream::unfold(reader, async |mut reader| {
        let entry = reader.next().await?;
        Some((written(&entry), reader))
    });
    let events = stream::iter([first]).chain(events).map(Ok::<_, Infallible>);
    let mut answer = Sse::new(events).keep_alive(KeepAlive::new().interval(keep_alive)).into_response();
    answer.extensions_mut().insert(Lasting);
    Ok(answer)
}

/// After which sequence number a stream begins. An id that the log has yet to give out is of another
/// log, one in memory that ended with its process: then everything is new to the reader.
fn start(last_event_id: Option<Sequence>, after: Option<Sequence>, latest: u64) -> u64 {
    match (last_event_id, after) {
        (Some(Sequence(id)), _) if id > latest => 0,
        (Some(Sequence(id)), _) => id,
        (None, Some(Sequence(after))) => after,
        (None, None) => latest,
    }
}

fn written(entry: &Entry) -> Event {
    let data = serde_json::to_string(&CloudEvent::from(entry)).expect("texts and numbers can be written");
    let kind = entry.event.transition.kind.as_str();
    Event::default().id(entry.sequence.to_string()).event(kind).data(data)
}

/// Somebody's place in the event log.
struct Reader {
    store: Store,
    latest: watch::Receiver<u64>,
    query: EventQuery,
    page: vec::IntoIter<Entry>,
    stopping: CancellationToken,
}

impl Reader {
    /// The next event, as soon as there is one; `None` once regwatch stops and the log has no more, or
    /// if it cannot be read: the reader may come back.
    async fn next(&mut self) -> Option<Entry> {
        loop {
            if let Some(entry) = self.page.next() {
                return Some(entry);
            }
            match self.turn_page().await {
                Ok(()) if self.page.len() > 0 => continue,
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(%error, "an event stream ends: the event log cannot be read");
                    return None;
                }
            }
            tokio::select! {
                biased;
                grown = self.latest.changed() => grown.ok()?,
                () = self.stopping.cancelled() => return None,
            }
        }
    }

    /// Reads on. What was passed over because nobody wants it is not read again.
    async fn turn_page(&mut self) -> Result<(), StoreError> {
        let latest = *self.latest.borrow_and_update();
        let entries = self.store.events(&self.query).await?;
        let is_full = entries.len() == self.query.limit as usize;
        let last = entries.last().map_or(self.query.after, |entry| entry.sequence);
        self.query.after = if is_full { last } else { last.max(latest) };
        self.page = entries.into_iter();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_begins_where_its_reader_stopped() {
        let [three, five] = [3, 5].map(|id| Some(Sequence(id)));
        assert_eq!(start(None, None, 9), 9);
        assert_eq!(start(None, three, 9), 3);
        assert_eq!(start(five, three, 9), 5);
        assert_eq!(start(five, None, 5), 5);
        // The daemon has forgotten everything, and given out two numbers again.
        assert_eq!(start(five, three, 2), 0);
    }
}
