//! The command `renew`: has something of the identity renewed before it is due, and says what happens when.
//!
//! It only begins a renewal. What follows is done by whichever control plane runs there, or, with `--wait`, by the command
//! itself. It is run in a control plane's pod (`kubectl exec`), whose environment says where the identity is.

use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use jiff::{SignedDuration, Timestamp, Unit};
use tokio::time::sleep;

use crate::args::Args;
use crate::identity::renewal::{self, Renewal};
use crate::identity::{Store, place};

/// What to renew, and how.
#[derive(Clone, Debug, ClapArgs)]
pub struct RenewArgs {
    /// What to renew.
    #[arg(value_name = "WHAT", default_value = "certificates")]
    what: What,

    /// How long both planes trust the next authority before it signs. A kubelet needs up to about 90 seconds to bring it to
    /// a pod; a data plane that does not have it by then cannot reconnect until it does.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    overlap: Duration,

    /// Trusts the authorities before no more, once the next has signed for as long as the overlap, and cuts off whoever
    /// came with a certificate of theirs: something may be in wrong hands. With `authority` only.
    #[arg(long)]
    distrust: bool,

    /// Waits until the next authority signs, and with `--distrust` until the others are trusted no more.
    #[arg(long)]
    wait: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum What {
    /// The authority, with a new key, and then all that it issues.
    Authority,
    /// The certificates of both planes, and the default one.
    Certificates,
    /// What data planes derive the keys of their disk copies from.
    Seal,
}

/// Renews.
///
/// # Errors
///
/// If it is not known where the identity is kept, or it cannot be read or written.
pub async fn renew(args: &Args, what: &RenewArgs) -> anyhow::Result<()> {
    anyhow::ensure!(
        !what.distrust || what.what == What::Authority,
        "only authorities can be distrusted: renew authority --distrust"
    );
    let store = place::store(args).await?;
    let renewal = match what.what {
        What::Authority => Renewal::Authority {
            overlap: what.overlap,
            distrusts: what.distrust,
        },
        What::Certificates => Renewal::Certificates,
        What::Seal => Renewal::SealKey,
    };
    let signs_after = renewal.begin(&store).await?;
    println!("{}", told(what, signs_after));
    match signs_after {
        Some(signs_after) if what.wait => {
            wait(&store, signs_after).await?;
            println!("The next authority signs now, and all certificates are made anew.");
            if what.distrust {
                println!("Those before are trusted no more.");
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn told(what: &RenewArgs, signs_after: Option<Timestamp>) -> String {
    let before = if what.distrust {
        "is trusted for as long again and then no more"
    } else {
        "stays trusted"
    };
    match (what.what, signs_after) {
        (What::Authority, Some(signs_after)) => format!(
            "The next authority is trusted beside the one of now. It signs after {}; then all certificates are made anew, \
             and the authority of now {before}. A control plane that runs does that by itself.",
            // Nobody needs to know it more precisely.
            signs_after.round(Unit::Second).unwrap_or(signs_after)
        ),
        (What::Authority, None) => {
            "The authority had ended, and the next one signs already.".to_owned()
        }
        (What::Certificates, _) => "The certificates are made anew. Control planes use theirs within seconds; data planes \
                                    when they next connect, which nothing makes them do."
            .to_owned(),
        (What::Seal, _) => "The seal key is made anew. Data planes seal with it once they have it, within two minutes; \
                               the key of now still opens what they sealed. Do not renew it again before."
            .to_owned(),
    }
}

async fn wait(store: &Store, mut due: Timestamp) -> anyhow::Result<()> {
    loop {
        let left = due.duration_since(Timestamp::now());
        sleep(left.max(BETWEEN_LOOKS).unsigned_abs()).await;
        match renewal::carry_on(store).await {
            Ok(Some(later)) => due = later,
            Ok(None) => return Ok(()),
            // A control plane that runs may have done it meanwhile.
            Err(error) if error.may_pass() => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot look; trying again"
                );
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok();
    let parsed = parsed.and_then(|parsed| Duration::try_from(parsed).ok());
    parsed.ok_or_else(|| "expected a duration such as 30s or 10m".to_owned())
}

const BETWEEN_LOOKS: SignedDuration = SignedDuration::from_secs(1);
