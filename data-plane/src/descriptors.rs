//! How many file descriptors this process may have, and so how many connections it can serve.

use std::io;

use rustix::process::{Resource, getrlimit, setrlimit};

/// Takes as many as this process may have without more rights, and returns how many; `None` if there is no limit. Container
/// runtimes start processes with a low limit that they may raise themselves, for the sake of programs that use `select`.
///
/// # Errors
///
/// If the system refuses; the limit stays as it is.
pub(crate) fn raise() -> io::Result<Option<u64>> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit)?;
    }
    Ok(limit.maximum)
}

/// Returns for how many connections of clients this many suffice, and for as many to endpoints.
pub(crate) fn connections(descriptors: Option<u64>) -> usize {
    let descriptors = descriptors.unwrap_or(u64::MAX);
    let connections = descriptors.saturating_sub(OTHERS) / 2;
    usize::try_from(connections).unwrap_or(usize::MAX)
}

/// Listeners, probes, the stream, the disk, a hand-over.
const OTHERS: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_needs_two() {
        assert_eq!(connections(Some(1024)), 384);
        assert_eq!(connections(Some(100)), 0);
        assert!(connections(None) > 1 << 40);
    }

    #[test]
    fn all_that_may_be_had_are_taken() {
        let taken = raise().unwrap();
        assert_eq!(taken, getrlimit(Resource::Nofile).current);
        assert_eq!(taken, getrlimit(Resource::Nofile).maximum);
    }
}
