//! How tests wait: for a level, with one generous timeout.

use std::time::Duration;

/// Returns what comes, or panics when it does not come for very long.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} in vain: {what}"),
    }
}

/// Returns what `poll` finds, or panics when it finds nothing for very long.
pub(crate) async fn until<T>(what: &str, mut poll: impl AsyncFnMut() -> Option<T>) -> T {
    soon(what, async {
        loop {
            if let Some(found) = poll().await {
                return found;
            }
            tokio::time::sleep(BETWEEN).await;
        }
    })
    .await
}

const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN: Duration = Duration::from_millis(20);
