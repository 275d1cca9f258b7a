//! Why a database could not be opened as a store.

use std::path::PathBuf;

use crate::store::StoreError;

/// A database could not be opened as a store. Each text tells what, where, and what to do, and none of them
/// the URL: where the database is, is told without who asks.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The file with the URL says nothing of use.
    #[error("`store.postgres.url_file` {} {wrong}", path.display())]
    Url {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        wrong: String,
    },
    /// The file with who may vouch for the server is of no use.
    #[error("`store.postgres.tls.ca_file` {} {wrong}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        wrong: String,
    },
    /// The server, or the way to it, does not let us in.
    #[error("the store in PostgreSQL at {at} cannot be opened; mend what it names and try again")]
    Closed {
        /// Where.
        at: String,
        /// What the server says, or what stands in between.
        source: StoreError,
    },
    /// The server is too old.
    #[error("PostgreSQL at {at} is of version {found}; the store needs 13 or later")]
    OldServer {
        /// Where.
        at: String,
        /// Its version.
        found: String,
    },
    /// The database takes no writes.
    #[error("PostgreSQL at {at} takes no writes: {why}; name the one that does in `store.postgres.url_file`")]
    ReadOnly {
        /// Where.
        at: String,
        /// By which of its settings.
        why: &'static str,
    },
    /// The database cannot hold every text.
    #[error(
        "the database at {at} is encoded as {found}; the store needs one in UTF8: make it with \
             CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding {
        /// Where.
        at: String,
        /// How it is encoded.
        found: String,
    },
    /// The schema is not there and may not be made.
    #[error(
        "there is no schema {schema} in PostgreSQL at {at}, and {user} may not make it; let an \
             administrator run: CREATE SCHEMA {schema} AUTHORIZATION {user}"
    )]
    NoSchema {
        /// Where.
        at: String,
        /// What the schema is called.
        schema: String,
        /// Who asks, as SQL writes it.
        user: String,
    },
    /// The schema is there and may not be used.
    #[error(
        "{user} may not use what is in schema {schema} of PostgreSQL at {at}; let an administrator run: \
             ALTER SCHEMA {schema} OWNER TO {user}, and the same of its tables"
    )]
    NoRights {
        /// Where.
        at: String,
        /// What the schema is called.
        schema: String,
        /// Who asks, as SQL writes it.
        user: String,
    },
    /// The schema belongs to somebody else.
    #[error(
        "schema {schema} of PostgreSQL at {at} holds tables of another program, such as {table}; it was \
             left as it is: name another in `store.postgres.schema`"
    )]
    Foreign {
        /// Where.
        at: String,
        /// What the schema is called.
        schema: String,
        /// One of its tables.
        table: String,
    },
    /// There is no schema of ours to read.
    #[error(
        "there is no store in schema {schema} of PostgreSQL at {at}; name the `store.postgres.schema` of a \
             regwatch that has run"
    )]
    Missing {
        /// Where.
        at: String,
        /// What the schema is called.
        schema: String,
    },
    /// The schema is to be read only, and its form is not yet that of this release.
    #[error(
        "schema {schema} of PostgreSQL at {at} has a form of an older release; start the daemon of this one, \
             which brings it up to date"
    )]
    Older {
        /// Where.
        at: String,
        /// What the schema is called.
        schema: String,
    },
    /// A later release has changed the form, and this one would do harm.
    #[error(
        "schema {schema} of PostgreSQL at {at} was brought to form {found} by a newer release of \
             regwatch, which releases from form {usable_from} on can use; this one knows form {known}, and \
             it was left as it is: run a newer release"
    )]
    Newer {
        /// Where.
        at: String,
        /// What the schema is called.
        schema: String,
        /// The number of its form.
        found: i64,
        /// The last form that a program has to know.
        usable_from: i64,
        /// The last form that is known here.
        known: i64,
    },
    /// A form was given by other statements than this release has.
    #[error(
        "form {number} of schema {schema} of PostgreSQL at {at} is not the one that this release gives; \
             it was left as it is: run the release that made it, or name another in `store.postgres.schema`"
    )]
    Altered {
        /// Where.
        at: String,
        /// What the schema is called.
        schema: String,
        /// The number of the form.
        number: i64,
    },
    /// Replicas are at work that could not go on with the next form.
    #[error(
        "schema {schema} of PostgreSQL at {at} has to be brought to form {wanted}, and the replica \
             {replica} knows form {known} alone; end every replica of the older release first"
    )]
    OldReplica {
        /// Where.
        at: String,
        /// What the schema is called.
        schema: String,
        /// The form that is next.
        wanted: i64,
        /// A replica that is at work.
        replica: String,
        /// The last form that it knows.
        known: i64,
    },
    /// The replicas that are at work deal the quota scopes in another way.
    #[error(
        "the replica {replica} is at work on schema {schema} of PostgreSQL at {at} with {found} shards; \
             `store.postgres.shards` is {wanted} here: set it to {found}, or end every replica first"
    )]
    OtherShards {
        /// Where.
        at: String,
        /// What the schema is called.
        schema: String,
        /// A replica that is at work.
        replica: String,
        /// Into how many parts they deal.
        found: i64,
        /// Into how many parts this one would.
        wanted: u16,
    },
}
