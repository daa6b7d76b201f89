//! The settings file: refused as a whole if anything in it cannot be used, with line and field.

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::settings::spec::SettingsSpec;
use crate::settings::{EdgeSettings, SettingsError};
use crate::yaml::{self, Unreadable};

/// Parses the text of a settings file.
pub(super) fn parse(text: &str) -> Result<EdgeSettings, SettingsError> {
    let (spec, _) = yaml::read::<Option<SettingsSpec>>(text).map_err(error)?;
    let mut settings = EdgeSettings::default();
    spec.unwrap_or_default().apply(&mut settings);
    if let Some(index) = settings.first_unknown_set() {
        return Err(SettingsError {
            line: line_of_set(text, index)?,
            field: format!("trustedProxies.sets[{index}]"),
            reason: settings.unknown_set(index),
        });
    }
    Ok(settings)
}

fn error(unreadable: Unreadable) -> SettingsError {
    SettingsError {
        line: unreadable.line,
        field: unreadable.field,
        reason: unreadable.reason,
    }
}

fn line_of_set(text: &str, index: usize) -> Result<usize, SettingsError> {
    let (lines, _) = yaml::read::<Lines>(text).map_err(error)?;
    let set = lines.trusted_proxies.sets.get(index);
    let line = set.map_or(1, |set| set.referenced.line());
    Ok(usize::try_from(line).unwrap_or(usize::MAX))
}

/// A settings file again, for where the sets stand that it names.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lines {
    trusted_proxies: LinesOfProxies,
}

#[derive(Deserialize)]
struct LinesOfProxies {
    sets: Vec<Spanned<String>>,
}
