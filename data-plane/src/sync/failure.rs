//! Why there is no stream from the control plane, in a line that says what to do about it.
//!
//! It does not decide whether to try again: that is always done.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};
use tokio::task::JoinError;
use tonic::Status;

use crate::identity::IdentityError;
use crate::sync::machine::Violation;

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("applying a snapshot ended early")]
    Apply(#[source] JoinError),
    #[error("the stream broke")]
    Broke(#[source] Status),
    #[error("cannot connect")]
    Connect(#[source] tonic::transport::Error),
    #[error("the control plane ended the stream")]
    Ended,
    #[error(transparent)]
    Identity(IdentityError),
    #[error("the leader of the control plane does not answer")]
    Late,
    #[error("the control plane ended the stream ({:?}): {}", .0.code(), .0.message())]
    Refused(Status),
    #[error("the control plane sent what it may not")]
    Violation(#[source] Violation),
}

impl Failure {
    /// Returns why a stream ended with this status: it came from the control plane, or stands for what the connection
    /// suffered.
    pub(crate) fn of_status(status: Status) -> Self {
        if status.source().is_some() {
            Self::Broke(status)
        } else {
            Self::Refused(status)
        }
    }

    /// Returns the failure and all of its causes in one line, and what to do if that is known. A cause that its effect
    /// already tells is told once.
    pub(crate) fn line(&self) -> String {
        let mut line = self.to_string();
        let mut remedy = None;
        let mut cause = self.source();
        while let Some(error) = cause {
            // A status tells its code and details, too, which say nothing here.
            let told = match error.downcast_ref::<Status>() {
                Some(status) => status.message().to_owned(),
                None => error.to_string(),
            };
            if !line.contains(&told) {
                line = format!("{line}: {told}");
            }
            remedy = remedy.or_else(|| self::remedy(error));
            cause = error.source();
        }
        match remedy {
            Some(remedy) => format!("{line}; {remedy}"),
            None => line,
        }
    }
}

fn remedy(error: &(dyn Error + 'static)) -> Option<&'static str> {
    // TLS hides its errors in errors of I/O.
    let io: Option<&io::Error> = error.downcast_ref();
    let hidden = io.and_then(|io| io.get_ref()?.downcast_ref());
    if let Some(error) = hidden.or_else(|| error.downcast_ref()) {
        return remedy_of(error);
    }
    // Once HTTP/2 has begun, it keeps no more of them than their text.
    let told = io?.to_string();
    CERTIFICATE_REFUSED
        .map(rustls::Error::AlertReceived)
        .iter()
        .find(|alert| told == alert.to_string())
        .and_then(remedy_of)
}

fn remedy_of(error: &rustls::Error) -> Option<&'static str> {
    match error {
        rustls::Error::AlertReceived(alert) if CERTIFICATE_REFUSED.contains(alert) => Some(
            "the control plane does not accept tls.crt of --identity-dir: mount the data-plane folder that this very \
             control plane made",
        ),
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => Some(
            "check the clocks of both machines, and that the control plane can renew its certificate",
        ),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Some("what answers there is not the stream of a control plane: check --control-plane"),
        rustls::Error::InvalidCertificate(_) => Some(
            "what answers there is not of the authority in ca.crt of --identity-dir: check --control-plane, or mount \
             the data-plane folder that this very control plane made",
        ),
        rustls::Error::InconsistentKeys(_) => Some(
            "tls.crt and tls.key of --identity-dir must be of one pair: mount the data-plane folder that the control \
             plane made",
        ),
        rustls::Error::InvalidMessage(_) => {
            Some("what answers there does not speak TLS: check --control-plane")
        }
        _ => None,
    }
}

/// What a server says that does not accept its client's certificate.
const CERTIFICATE_REFUSED: [AlertDescription; 9] = [
    AlertDescription::AccessDenied,
    AlertDescription::BadCertificate,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateRequired,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateUnknown,
    AlertDescription::DecryptError,
    AlertDescription::UnknownCA,
    AlertDescription::UnsupportedCertificate,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn broke(error: rustls::Error) -> Failure {
        let io = io::Error::new(io::ErrorKind::InvalidData, error);
        Failure::of_status(Status::from_error(Box::new(io)))
    }

    #[test]
    fn what_tls_says_comes_with_what_to_do() {
        for (error, expected) in [
            (
                rustls::Error::AlertReceived(AlertDescription::CertificateRequired),
                "does not accept tls.crt",
            ),
            (
                CertificateError::UnknownIssuer.into(),
                "authority in ca.crt",
            ),
            (
                CertificateError::NotValidForName.into(),
                "check --control-plane",
            ),
            (CertificateError::Expired.into(), "clocks"),
            (rustls::InconsistentKeys::KeyMismatch.into(), "of one pair"),
        ] {
            let told = error.to_string();
            let line = broke(error).line();
            assert!(line.starts_with("the stream broke: "), "{line}");
            assert!(line.contains(&told) && line.contains(expected), "{line}");
            assert_eq!(line.matches(&told).count(), 1, "told once: {line}");
        }
    }

    #[test]
    fn what_the_control_plane_says_is_not_taken_for_a_broken_stream() {
        let failure = Failure::of_status(Status::invalid_argument("Hello: node must be a name"));
        assert_eq!(
            failure.line(),
            "the control plane ended the stream (InvalidArgument): Hello: node must be a name"
        );
    }
}
