//! Who of several replicas asks.

use super::Look;
use super::moment::Moment;
use super::text::Foreign;
use crate::model::{Holder, ScopeId};
use crate::store::OutOfTouch;

/// Who asks in a quota scope.
pub(super) struct Asker {
    /// What the replica is called, if it is one.
    pub(super) name: Option<Foreign>,
    /// What is to be said of it besides, or instead.
    pub(super) remark: &'static str,
}

impl Asker {
    /// `None` where there is but one who could.
    pub(super) fn of(look: &Look, scope: ScopeId) -> Option<Self> {
        let holder = look.whole.several()?.of(scope);
        let remark = match holder {
            Holder::Each => "each for itself",
            Holder::Me(_) => "this one",
            Holder::Other(_) => "",
            Holder::Nobody => "nobody at the moment",
        };
        Some(Self { name: holder.name().map(Foreign::brief), remark })
    }

    /// In one line.
    pub(super) fn text(&self) -> String {
        match &self.name {
            Some(name) if self.remark.is_empty() => name.to_string(),
            Some(name) => format!("{name}, {}", self.remark),
            None => self.remark.to_owned(),
        }
    }
}

/// Since when nobody is asked here because the store does not answer, if that is so.
pub(super) fn out_of_touch_since(look: &Look) -> Option<Moment> {
    Moment::maybe(look.out_of_touch.map(|OutOfTouch(since)| since), look.now)
}

/// Since when nothing is heard of what other replicas hold, if that is so and this one asks on.
pub(super) fn unheard_since(look: &Look) -> Option<Moment> {
    let holders = look.whole.holders.as_ref().filter(|_| look.out_of_touch.is_none())?;
    Moment::maybe(holders.unheard_since, look.now)
}
