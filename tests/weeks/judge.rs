//! What regwatch promises, checked against the journal.

mod changes;
mod gate;
mod pages;
mod scopes;
mod transitions;
mod turns;

pub(crate) use self::changes::changes;
pub(crate) use self::pages::Pages;
pub(crate) use self::turns::turns;
