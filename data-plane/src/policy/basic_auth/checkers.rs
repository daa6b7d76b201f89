//! The threads that check passwords, so that no core ever does, and what they have found.
//!
//! Whoever floods an edge with wrong passwords must not keep others from it: each client has a few checks under way, each
//! policy some more, and more than that is answered at once. Policies take turns, so that one that is flooded does not keep
//! the others waiting.

mod queue;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::policy::basic_auth::checkers::queue::Queue;
use crate::policy::source::Key;

/// The threads that check passwords. They end when the last one who could ask has.
pub(crate) struct Checkers {
    jobs: Arc<Queue<Job>>,
}

/// There is too much to check already.
#[derive(Debug)]
pub(super) struct Busy;

/// What was found of the users of one policy, and what is being checked.
pub(super) struct Remembered {
    // By a hash of name and password, under a key of this process: neither is kept.
    found: Cache<[u8; 32], Found>,
    key: [u8; 32],
    under_way: Mutex<HashMap<Key, usize>>,
}

#[derive(Clone, Copy)]
struct Found {
    right: bool,
    at: Instant,
}

struct Job {
    check: Box<dyn FnOnce() -> bool + Send>,
    answer: oneshot::Sender<bool>,
}

// Counts a check that is under way until it is dropped.
struct UnderWay {
    remembered: Arc<Remembered>,
    client: Key,
}

impl Checkers {
    /// What its threads are called.
    pub(crate) const THREAD: &'static str = "checker";

    /// Starts so many threads.
    pub(crate) fn start(threads: usize) -> io::Result<Self> {
        let jobs = Arc::new(Queue::new(MOST_WAITING));
        // Dropped, it ends those that run already.
        let checkers = Self {
            jobs: Arc::clone(&jobs),
        };
        for index in 0..threads {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new()
                .name(format!("{}-{index}", Self::THREAD))
                .spawn(move || work(&jobs))?;
        }
        Ok(checkers)
    }

    /// Has a password checked.
    pub(super) async fn check(
        &self,
        remembered: &Arc<Remembered>,
        client: IpAddr,
        user: &str,
        password: Vec<u8>,
        check: impl FnOnce(&[u8]) -> bool + Send + 'static,
    ) -> Result<bool, Busy> {
        let entry = remembered.entry(user, &password);
        let under_way = UnderWay::begin(remembered, client).ok_or(Busy)?;
        let (answer, answered) = oneshot::channel();
        let check = Box::new(move || check(&password));
        let policy = Arc::as_ptr(remembered).addr();
        if !self.jobs.push(policy, Job { check, answer }) {
            return Err(Busy);
        }
        let right = answered.await.map_err(|_| Busy)?;
        remembered.found.insert(
            entry,
            Found {
                right,
                at: Instant::now(),
            },
        );
        drop(under_way);
        Ok(right)
    }
}

impl Drop for Checkers {
    fn drop(&mut self) {
        self.jobs.close();
    }
}

fn work(jobs: &Queue<Job>) {
    while let Some(Job { check, answer }) = jobs.pop() {
        // Whoever asked may have gone away meanwhile.
        if !answer.is_closed() {
            let _ = answer.send(check());
        }
    }
}

impl Remembered {
    /// Returns whether this is a right password, if that is known.
    pub(super) fn find(&self, user: &str, password: &[u8]) -> Option<bool> {
        let found = self.found.get(&self.entry(user, password))?;
        (found.at.elapsed() < REMEMBERED_FOR).then_some(found.right)
    }

    fn entry(&self, user: &str, password: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&(user.len() as u64).to_le_bytes());
        hasher.update(user.as_bytes()).update(password);
        *hasher.finalize().as_bytes()
    }
}

impl Default for Remembered {
    fn default() -> Self {
        let mut key = [0; 32];
        // A guess at this key is worth nothing to whoever cannot read this process' memory.
        fastrand::fill(&mut key);
        Self {
            found: Cache::new(MOST_REMEMBERED),
            key,
            under_way: Mutex::default(),
        }
    }
}

impl UnderWay {
    fn begin(remembered: &Arc<Remembered>, client: IpAddr) -> Option<Self> {
        let client = Key::of_address(client, SUBSCRIBERS);
        let mut counts = lock(&remembered.under_way);
        let all: usize = counts.values().sum();
        let own = counts.get(&client).copied().unwrap_or_default();
        if all >= MOST_OF_POLICY || own >= MOST_OF_CLIENT {
            return None;
        }
        counts.insert(client, own + 1);
        drop(counts);
        Some(Self {
            remembered: Arc::clone(remembered),
            client,
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut counts = lock(&self.remembered.under_way);
        match counts.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.client)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MOST_WAITING: usize = 256;
/// Whoever has one IPv6 address has, at least, all that begin with the same 64 bits.
const SUBSCRIBERS: u128 = u128::MAX << 64;
const MOST_OF_POLICY: usize = 16;
const MOST_OF_CLIENT: usize = 2;
const MOST_REMEMBERED: usize = 4_096;
const REMEMBERED_FOR: Duration = Duration::from_secs(300);
