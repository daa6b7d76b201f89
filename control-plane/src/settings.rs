//! The settings file: read at start, watched, and sent on whenever it changes.
//!
//! It does not know what a setting means (`sluice_translate::EdgeSettings` parses them). What cannot be used is a problem
//! while the last good settings stay; only at the start it is an error, because there is nothing to go on with.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sluice_proto::{ObjectReference, Problem};
use sluice_translate::{EdgeSettings, SettingsError};
use tokio::sync::watch;

use crate::path_watch::PathWatch;

/// The settings that hold now, and what is wrong with the file if they are not the newest.
#[derive(Clone, Debug)]
pub struct CurrentSettings {
    /// The last good ones.
    pub settings: Arc<EdgeSettings>,
    /// Why the file's present content does not hold.
    pub problem: Option<Problem>,
}

/// The work of watching the file. Its owner polls it and drops it to stop it.
pub type SettingsTask = BoxFuture<'static, Result<Infallible, SettingsFileError>>;

/// Reads the settings and starts to watch them. Without a file, the defaults hold for ever.
///
/// # Errors
///
/// If the file cannot be read or used.
pub async fn open(
    file: Option<&Path>,
) -> Result<(watch::Receiver<CurrentSettings>, SettingsTask), SettingsFileError> {
    let Some(file) = file else {
        let (sender, receiver) = watch::channel(CurrentSettings {
            settings: Arc::default(),
            problem: None,
        });
        let forever = async move {
            sender.closed().await;
            Err(SettingsFileError::Closed)
        };
        return Ok((receiver, forever.boxed()));
    };
    let file = file.to_owned();
    let mut watched = PathWatch::file(&file);
    watched.arm().await;
    let text = read(&file).await?;
    let settings = parse(&file, &text)?;
    let (sender, receiver) = watch::channel(CurrentSettings {
        settings: Arc::new(settings),
        problem: None,
    });
    Ok((receiver, follow(file, text, watched, sender).boxed()))
}

/// Returns the settings as they are now. Without a file, they are the defaults.
///
/// # Errors
///
/// If the file cannot be read or used.
pub async fn now(file: Option<&Path>) -> Result<EdgeSettings, SettingsFileError> {
    match file {
        Some(file) => parse(file, &read(file).await?),
        None => Ok(EdgeSettings::default()),
    }
}

/// Why settings cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsFileError {
    /// The file cannot be read: the user's path, or its rights.
    #[error("the settings file {} cannot be read", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What is in it cannot be used: the user's content.
    #[error("the settings file {} cannot be used", file.display())]
    Unusable {
        /// Which.
        file: PathBuf,
        /// Why, with line and field.
        #[source]
        source: SettingsError,
    },
    /// The program's own fault: who uses the settings is gone.
    #[error("nobody takes the settings")]
    Closed,
}

async fn follow(
    file: PathBuf,
    mut last: String,
    mut watched: PathWatch,
    sender: watch::Sender<CurrentSettings>,
) -> Result<Infallible, SettingsFileError> {
    loop {
        watched.changed().await;
        if sender.is_closed() {
            return Err(SettingsFileError::Closed);
        }
        let text = read(&file).await;
        let unchanged = text.as_ref().is_ok_and(|text| *text == last);
        if unchanged && sender.borrow().problem.is_none() {
            continue;
        }
        let parsed = text.and_then(|text| {
            let settings = parse(&file, &text)?;
            last = text;
            Ok(settings)
        });
        match parsed {
            Ok(settings) => {
                tracing::info!(file = %file.display(), "the settings changed");
                sender.send_replace(CurrentSettings {
                    settings: Arc::new(settings),
                    problem: None,
                });
            }
            Err(error) => {
                let problem = problem(&file, &error);
                // The slow look finds the same again and again.
                sender.send_if_modified(|current| {
                    let changed = current.problem.as_ref() != Some(&problem);
                    current.problem = Some(problem);
                    changed
                });
            }
        }
    }
}

async fn read(file: &Path) -> Result<String, SettingsFileError> {
    tokio::fs::read_to_string(file)
        .await
        .map_err(|source| SettingsFileError::Unreadable {
            file: file.to_owned(),
            source,
        })
}

fn parse(file: &Path, text: &str) -> Result<EdgeSettings, SettingsFileError> {
    EdgeSettings::parse(text).map_err(|source| SettingsFileError::Unusable {
        file: file.to_owned(),
        source,
    })
}

fn problem(file: &Path, error: &SettingsFileError) -> Problem {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    Problem {
        object: ObjectReference {
            kind: "File".to_owned(),
            namespace: String::new(),
            name: file.display().to_string(),
        },
        field: String::new(),
        code: "SettingsUnusable".to_owned(),
        message: format!(
            "{error}: {}. The last good settings stay in force",
            cause.unwrap_or_default()
        ),
        remedy: "Mend the file; it is read again as soon as it changes".to_owned(),
    }
}
