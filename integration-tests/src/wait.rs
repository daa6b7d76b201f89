//! Waiting for a level: a condition is looked at again and again until it holds, with one generous
//! limit. Nothing here sleeps for a fixed time and hopes, and nothing counts edges.

use std::convert::Infallible;
use std::fmt::Display;
use std::time::Duration;

use anyhow::anyhow;
use tokio::time::{Instant, sleep, timeout_at};

/// Looks until `look` returns `Ok`, and returns what it returned.
///
/// `what` completes the sentence "waited for …". The error names it and the last reason why it did
/// not hold; a look that hangs is cut off at `limit` too.
pub async fn until<T, E: Display>(
    what: &str,
    limit: Duration,
    look: impl AsyncFnMut() -> Result<T, E>,
) -> anyhow::Result<T> {
    until_or_given_up(what, limit, || Ok::<(), Infallible>(()), look).await
}

/// As [`until`], but `go_on` is asked before every look and ends the wait with its error: there is
/// no point in waiting for a program that has ended.
pub(crate) async fn until_or_given_up<T, E: Display, G: Display>(
    what: &str,
    limit: Duration,
    mut go_on: impl FnMut() -> Result<(), G>,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + limit;
    let mut reason = "the first look had not returned".to_owned();
    loop {
        go_on().map_err(|why| anyhow!("waited for {what}, in vain: {why}"))?;
        match timeout_at(deadline, look()).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(why)) => reason = why.to_string(),
            Err(_) => {
                return Err(anyhow!(
                    "waited {limit:?} for {what}; the last look hung, and before that: {reason}"
                ));
            }
        }
        if Instant::now() >= deadline {
            return Err(anyhow!("waited {limit:?} for {what}; last: {reason}"));
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

/// Short enough that a test sees a change "at once", long enough to leave the machine to the
/// programs.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
