//! Which store the identity is kept in: what the arguments say of it.
//!
//! It does not read anything there.

use crate::args::{Args, SourceKind};
use crate::identity::store::Store;
use crate::source;

/// Returns the store: the folder if one is given, else the Secrets of the namespace.
///
/// # Errors
///
/// If the arguments do not say where it is, or there is no client for the API server.
pub(crate) async fn store(args: &Args) -> anyhow::Result<Store> {
    match place(args)? {
        Place::Folder(folder) => Ok(Store::folder(folder)),
        Place::Secrets {
            namespace,
            data_plane_namespace,
        } => {
            let client = source::kube::client(args.kubeconfig.as_deref()).await?;
            Ok(Store::secrets(client, namespace, data_plane_namespace))
        }
    }
}

/// Why it is not known where the identity is kept: the arguments are at fault.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error(
        "it is not said where the identity is kept; give --namespace NAMESPACE for Secrets of that namespace, or \
         --identity-dir DIR for a folder"
    )]
    Missing,
    #[error(
        "--source files knows no API server for the Secrets of --namespace; give --identity-dir DIR to keep the identity \
         in a folder, or --kubeconfig FILE"
    )]
    NoApiServer,
}

#[derive(Debug, Eq, PartialEq)]
enum Place<'a> {
    Folder(&'a std::path::Path),
    Secrets {
        namespace: &'a str,
        data_plane_namespace: &'a str,
    },
}

fn place(args: &Args) -> Result<Place<'_>, PlaceError> {
    if let Some(folder) = &args.identity_dir {
        return Ok(Place::Folder(folder));
    }
    let namespace = args.namespace.as_deref().ok_or(PlaceError::Missing)?;
    if args.source == SourceKind::Files && args.kubeconfig.is_none() {
        return Err(PlaceError::NoApiServer);
    }
    Ok(Place::Secrets {
        namespace,
        data_plane_namespace: args.data_plane_namespace.as_deref().unwrap_or(namespace),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use clap::Parser as _;

    use super::*;

    fn args(more: &[&str]) -> Args {
        let mut args = Args::try_parse_from(["sluice-control-plane"].iter().chain(more)).unwrap();
        if !more.iter().any(|arg| arg.starts_with("--kubeconfig")) {
            // Whoever runs the tests may have one in their environment.
            args.kubeconfig = None;
        }
        args
    }

    #[test]
    fn a_folder_decides_and_else_the_namespace() {
        let both = args(&["--identity-dir=i", "--namespace=n"]);
        assert_eq!(place(&both), Ok(Place::Folder("i".as_ref())));
        for (more, data_plane_namespace) in [(&[][..], "n"), (&["--data-plane-namespace=d"], "d")] {
            let secrets = args(&[&["--namespace=n"], more].concat());
            let expected = Place::Secrets {
                namespace: "n",
                data_plane_namespace,
            };
            assert_eq!(place(&secrets), Ok(expected));
        }
    }

    #[test]
    fn what_decides_nothing_is_told() {
        assert_eq!(place(&args(&[])), Err(PlaceError::Missing));
        let files = ["--source=files", "--files=f", "--namespace=n"];
        assert_eq!(place(&args(&files)), Err(PlaceError::NoApiServer));
        let with = [&files[..], &["--kubeconfig=k"]].concat();
        assert!(place(&args(&with)).is_ok());
    }
}
