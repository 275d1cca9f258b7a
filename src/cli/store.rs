//! `regwatch store`: what can be done with a store while no daemon uses it.

mod copy;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Copy a store to another file or database, with all that is kept, and compare both
    ///
    /// The states, the event log with its numbers and ids, how far each sink has come and what it gave up on,
    /// silences, the accounts of organizations, and until when quota scopes wait. Whoever goes on from the copy
    /// goes on where the daemon ended. All replicas have to have ended; the source is only read. The target has
    /// to be new: a schema and a file are made if they are not there. A copy that was interrupted goes on when
    /// the same command is given again, and no daemon takes a target before it is whole.
    ///
    /// FROM and TO are each a configuration, if the name ends in .yaml or .yml: then its `store` is meant.
    /// Anything else is a file of SQLite.
    ///
    /// Example: regwatch store copy --from /var/lib/regwatch/regwatch.db --to /etc/regwatch/config.yaml
    Copy(copy::Copy),
}

impl Store {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        match self {
            Self::Copy(copy) => copy.execute(),
        }
    }
}
