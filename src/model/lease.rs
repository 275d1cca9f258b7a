//! What one replica at a time may do, and how it names its right to: several replicas share one store, and
//! what is done by the wrong one would be done twice.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

/// What one replica at a time may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lease {
    /// To ask AWS in the quota scopes of this shard.
    Shard(u16),
    /// To deliver to this sink.
    Sink(Arc<str>),
    /// To keep the event log within its bounds.
    House,
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shard(number) => write!(f, "shard/{number}"),
            Self::Sink(name) => write!(f, "sink/{name}"),
            Self::House => f.write_str("house"),
        }
    }
}

/// A text that names no lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is neither `house` nor `shard/` with a number nor `sink/` with a name")]
pub struct ParseLeaseError;

impl FromStr for Lease {
    type Err = ParseLeaseError;

    fn from_str(text: &str) -> Result<Self, ParseLeaseError> {
        let lease = match text.split_once('/') {
            None => Self::House,
            Some(("shard", number)) => Self::Shard(number.parse().map_err(|_| ParseLeaseError)?),
            Some((_, name)) => Self::Sink(name.into()),
        };
        // One lease has one text, or two could hold the same under two names.
        if lease.to_string() == text { Ok(lease) } else { Err(ParseLeaseError) }
    }
}

/// How often a lease has changed hands: each holder has one greater than all before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A lease as one holder has it. Once another holds it, the claim is stale for ever.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// What is held.
    pub lease: Lease,
    /// Since which change of hands.
    pub epoch: Epoch,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at epoch {}", self.lease, self.epoch)
    }
}

/// What names a replica: each run of the program has one of its own, so that whoever comes back under the
/// same name never takes what its predecessor held for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId(Uuid);

impl ReplicaId {
    /// A new one, by chance.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The id as a UUID.
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for ReplicaId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_has_one_text() {
        let leases = [
            (Lease::Shard(0), "shard/0"),
            (Lease::Shard(65535), "shard/65535"),
            (Lease::Sink("pager".into()), "sink/pager"),
            (Lease::Sink("a/b".into()), "sink/a/b"),
            (Lease::House, "house"),
        ];
        for (lease, text) in leases {
            assert_eq!(lease.to_string(), text);
            assert_eq!(text.parse(), Ok(lease));
        }
        for text in ["", "shard", "shard/", "shard/03", "shard/+3", "shard/65536", "house/", "sinks/x"] {
            assert_eq!(text.parse::<Lease>(), Err(ParseLeaseError), "{text}");
        }
    }

    #[test]
    fn no_two_replicas_are_called_the_same() {
        assert_ne!(ReplicaId::random(), ReplicaId::random());
    }
}
