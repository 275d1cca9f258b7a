//! Closed sets of words: what labels, columns, parameters and configuration say of a value.

use super::{FailureReason, Probe, Resource, Status, TransitionKind};

/// A value of a closed set, each with a word of its own.
pub trait Word: Copy + Ord + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// Its word.
    fn word(self) -> &'static str;

    /// The value of a word; `None` for any other text.
    fn from_word(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.word() == text)
    }
}

macro_rules! words_of {
    ($($set:ty),*) => {$(
        impl Word for $set {
            const ALL: &'static [Self] = &<$set>::ALL;

            fn word(self) -> &'static str {
                self.as_str()
            }
        }
    )*};
}

words_of!(FailureReason, Probe, Resource, Status, TransitionKind);

#[cfg(test)]
mod tests {
    use super::*;

    fn each_has_a_word_of_its_own<T: Word + std::fmt::Debug>() {
        for &value in T::ALL {
            assert_eq!(T::from_word(value.word()), Some(value));
        }
        assert_eq!(T::from_word("SUCCESS"), None);
    }

    #[test]
    fn words_lead_back_to_their_values() {
        each_has_a_word_of_its_own::<FailureReason>();
        each_has_a_word_of_its_own::<Probe>();
        each_has_a_word_of_its_own::<Resource>();
        each_has_a_word_of_its_own::<Status>();
        each_has_a_word_of_its_own::<TransitionKind>();
    }
}
