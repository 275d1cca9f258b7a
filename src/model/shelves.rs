//! A list that two holders share but for what differs.
//!
//! The tracker shows what it knows ten times a second, and between two times a poll has changed one target
//! in a hundred or a thousand. In a list of 100,000 it is that difference which should cost something, and
//! not the list.

use std::ops::{Index, IndexMut};
use std::sync::Arc;

/// How many items are copied when one changes. To share a list of n items in which k change takes
/// n / SHELF + k * SHELF copies: for 100,000 and the hundred of a tenth of a second, 32 makes it the least.
const SHELF: usize = 32;

/// A list whose clones share what neither has changed since. It does not grow.
#[derive(Clone, Debug)]
pub struct Shelves<T> {
    /// All are full but the last.
    shelves: Vec<Arc<[T]>>,
    len: usize,
}

impl<T> Shelves<T> {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The items in their order.
    pub fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.shelves.iter().flat_map(|shelf| shelf.iter())
    }

    /// The places of the items that are not shared with another list.
    pub fn unshared<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = usize> + 'a {
        let is_shared =
            |at: &usize| other.shelves.get(*at).is_some_and(|shelf| Arc::ptr_eq(shelf, &self.shelves[*at]));
        let places = |at: usize| at * SHELF..at * SHELF + self.shelves[at].len();
        (0..self.shelves.len()).filter(move |at| !is_shared(at)).flat_map(places)
    }
}

impl<T: Clone> Shelves<T> {
    /// The items in their order, to be changed. Then nothing is shared any more.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.shelves.iter_mut().flat_map(Arc::make_mut)
    }
}

impl<T> Index<usize> for Shelves<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        &self.shelves[place / SHELF][place % SHELF]
    }
}

impl<T: Clone> IndexMut<usize> for Shelves<T> {
    fn index_mut(&mut self, place: usize) -> &mut T {
        &mut Arc::make_mut(&mut self.shelves[place / SHELF])[place % SHELF]
    }
}

impl<T> FromIterator<T> for Shelves<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter();
        let (mut shelves, mut len) = (Vec::new(), 0);
        loop {
            let shelf: Arc<[T]> = items.by_ref().take(SHELF).collect();
            len += shelf.len();
            if shelf.is_empty() {
                return Self { shelves, len };
            }
            shelves.push(shelf);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_list(
            items in prop::collection::vec(any::<u8>(), 0..150),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..10),
        ) {
            let mut list = items.clone();
            let mut shelves: Shelves<u8> = items.iter().copied().collect();
            let before = shelves.clone();
            for (place, item) in changes.iter().filter(|_| !items.is_empty()) {
                list[place.index(items.len())] = *item;
                shelves[place.index(items.len())] = *item;
            }
            prop_assert_eq!(shelves.iter().copied().collect::<Vec<_>>(), list.clone());
            prop_assert!((0..list.len()).all(|place| shelves[place] == list[place]));
            prop_assert_eq!((shelves.len(), shelves.is_empty()), (list.len(), list.is_empty()));
            prop_assert_eq!(before.iter().copied().collect::<Vec<_>>(), items);
            shelves.iter_mut().for_each(|item| *item = 7);
            prop_assert!(shelves.iter().all(|item| *item == 7));
        }
    }

    #[test]
    fn what_is_not_changed_is_shared() {
        let before: Shelves<usize> = (0..10 * SHELF).collect();
        let mut after = before.clone();
        after[3 * SHELF] += 1;
        assert_eq!(after.unshared(&before).collect::<Vec<_>>(), Vec::from_iter(3 * SHELF..4 * SHELF));
        assert_eq!(before.clone().unshared(&before).count(), 0);
        let shorter: Shelves<usize> = (0..SHELF + 1).collect();
        assert_eq!(shorter.unshared(&before).count(), SHELF + 1);
    }
}
