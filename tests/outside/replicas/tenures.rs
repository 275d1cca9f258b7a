//! Who held which lease and until when, by the database's own record.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row;

use crate::postgres::server::Server;

/// The longest that a call may be on its way to where it is written down, on a machine that has much to do.
pub(super) const ON_ITS_WAY: Duration = Duration::from_millis(500);

/// Writes down each change of a lease: each take, renewal and release.
const RECORD: &str = "
    CREATE TABLE public.tenures (at timestamptz, lease text, epoch bigint, name text, expires_at timestamptz);
    CREATE FUNCTION public.note_tenure() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.tenures SELECT clock_timestamp(), NEW.lease, NEW.epoch,
            (SELECT name FROM regwatch.replicas WHERE id = NEW.holder), NEW.expires_at;
        RETURN NULL;
    END $$;
    CREATE TRIGGER note_tenure AFTER UPDATE ON regwatch.leases
        FOR EACH ROW EXECUTE FUNCTION public.note_tenure();";

const READ: &str = "SELECT lease, epoch, name, (extract(epoch FROM at) * 1000000)::bigint AS at,
    (extract(epoch FROM expires_at) * 1000000)::bigint AS expires_at FROM public.tenures ORDER BY at";

/// By lease, in the order of time.
pub(super) struct Tenures(BTreeMap<String, Vec<Entry>>);

/// How a lease is from a moment on.
struct Entry {
    at: Timestamp,
    epoch: i64,
    /// Who holds it, and until when unless that is changed before.
    held: Option<(String, Timestamp)>,
}

impl Tenures {
    /// Begins to record.
    pub(super) async fn record(server: &Server) {
        server.run(RECORD).await;
    }

    /// What was recorded.
    pub(super) async fn read(server: &Server) -> Self {
        let mut connection = server.connect().await;
        let rows = sqlx::query(READ).fetch_all(&mut connection).await.expect("the test's own table");
        let mut tenures: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for row in rows {
            let time = |column| row.get::<Option<i64>, _>(column).map(from_microseconds);
            let held = row.get::<Option<String>, _>("name").zip(time("expires_at"));
            let at = time("at").expect("it has a time");
            let entry = Entry { at, epoch: row.get("epoch"), held };
            tenures.entry(row.get("lease")).or_default().push(entry);
        }
        Self(tenures)
    }

    /// How often leases of shards were taken.
    pub(super) fn takes(&self) -> usize {
        let shards = self.0.iter().filter(|(lease, _)| lease.starts_with("shard/"));
        shards.map(|(_, entries)| entries.chunk_by(|a, b| a.epoch == b.epoch).count()).sum()
    }

    /// Who has held a lease, in a line.
    pub(super) fn course(&self, lease: &str, began: Timestamp) -> String {
        let entries = self.0.get(lease).map_or(&[][..], Vec::as_slice);
        let holder = |entry: &Entry| entry.held.as_ref().map(|(name, _)| name.clone());
        let changes = entries.chunk_by(|a, b| (a.epoch, holder(a)) == (b.epoch, holder(b)));
        let change = |same: &[Entry]| {
            let (first, last) = (&same[0], &same[same.len() - 1]);
            let offset = |at: Timestamp| at.duration_since(began).as_secs_f64();
            let end = last.held.as_ref().map(|(_, end)| format!(", until {:.1}", offset(*end)));
            let name = holder(first).unwrap_or_else(|| "nobody".to_owned());
            format!("{name} by {} from {:.1}{}", first.epoch, offset(first.at), end.unwrap_or_default())
        };
        changes.map(change).collect::<Vec<_>>().join("; ")
    }

    /// Whether a call that came then may be of somebody who held the lease. What is older than the record is
    /// not judged.
    pub(super) fn allow(&self, lease: &str, name: &str, came: Timestamp) -> bool {
        let Some(entries) = self.0.get(lease) else { return true };
        let sent = came - ON_ITS_WAY;
        if entries.first().is_none_or(|first| sent < first.at) {
            return true;
        }
        let begun = entries.partition_point(|entry| entry.at <= came);
        let since = entries[..begun].partition_point(|entry| entry.at <= sent).saturating_sub(1);
        let of =
            |entry: &Entry| entry.held.as_ref().is_some_and(|(holder, end)| holder == name && *end >= sent);
        entries[since..begun].iter().any(of)
    }
}

fn from_microseconds(time: i64) -> Timestamp {
    Timestamp::from_microsecond(time).expect("a time of this century")
}
