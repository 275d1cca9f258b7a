//! What regwatch promises, checked against the journal.

mod changes;
mod pages;
mod turns;

pub(crate) use self::changes::changes;
pub(crate) use self::pages::Pages;
pub(crate) use self::turns::turns;
