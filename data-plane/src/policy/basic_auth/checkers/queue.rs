//! What waits to be checked: who has little of it waits for nobody who has much.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Jobs of several owners, who take turns.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    comes: Condvar,
    most: usize,
}

struct State<T> {
    // The one whose turn is next first; each has a job.
    owners: VecDeque<(usize, VecDeque<T>)>,
    count: usize,
    closed: bool,
}

impl<T> Queue<T> {
    /// Returns one that takes so many jobs.
    pub(super) fn new(most: usize) -> Self {
        Self {
            state: Mutex::new(State {
                owners: VecDeque::new(),
                count: 0,
                closed: false,
            }),
            comes: Condvar::new(),
            most,
        }
    }

    /// Adds a job of this owner; returns whether there was room.
    pub(super) fn push(&self, owner: usize, job: T) -> bool {
        let mut state = self.state();
        if state.count >= self.most {
            return false;
        }
        state.count += 1;
        match state.owners.iter_mut().find(|(own, _)| *own == owner) {
            Some((_, jobs)) => jobs.push_back(job),
            None => state.owners.push_back((owner, VecDeque::from([job]))),
        }
        drop(state);
        self.comes.notify_one();
        true
    }

    /// Waits for a job; `None` when it is closed.
    pub(super) fn pop(&self) -> Option<T> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.next() {
                return Some(job);
            }
            let waited = self.comes.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Has nobody wait any more.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.comes.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn next(&mut self) -> Option<T> {
        let (owner, mut jobs) = self.owners.pop_front()?;
        let job = jobs.pop_front()?;
        if !jobs.is_empty() {
            self.owners.push_back((owner, jobs));
        }
        self.count -= 1;
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_take_turns() {
        let queue = Queue::new(6);
        for job in ["a1", "a2", "a3", "a4"] {
            assert!(queue.push(1, job));
        }
        assert!(queue.push(2, "b1"));
        assert!(queue.push(3, "c1"));
        assert!(!queue.push(3, "c2"), "it is full");
        let order: Vec<_> = (0..6).map(|_| queue.pop().unwrap()).collect();
        assert_eq!(order, ["a1", "b1", "c1", "a2", "a3", "a4"]);
        assert!(queue.push(3, "c2"));
        queue.close();
        assert_eq!(queue.pop(), None);
    }
}
