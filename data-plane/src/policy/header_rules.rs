//! Changes of headers: of requests before they are forwarded, and of responses, whoever made them.

use std::str::FromStr;

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue};
use sluice_proto::{HeaderChange, HeaderOperation};

use crate::cores::Scheme;
use crate::policy::InvalidPolicy;
use crate::policy::passage::Asked;
use crate::proxy::Cause;

/// Changes of headers.
pub(super) struct HeaderRules {
    request: Vec<Change>,
    response: Vec<Change>,
    // In lower case.
    allowed_hosts: Vec<String>,
}

struct Change {
    name: HeaderName,
    operation: Operation,
    only_https: bool,
}

enum Operation {
    Set(HeaderValue),
    Add(HeaderValue),
    Remove,
}

impl HeaderRules {
    pub(super) fn new(rules: &sluice_proto::HeaderRules) -> Result<Self, InvalidPolicy> {
        let changes = |changes: &[HeaderChange]| {
            let changes = changes.iter().map(Change::new);
            changes.collect::<Result<Vec<_>, _>>()
        };
        let hosts = rules.allowed_hosts.iter();
        Ok(Self {
            request: changes(&rules.request)?,
            response: changes(&rules.response)?,
            allowed_hosts: hosts.map(|host| host.to_ascii_lowercase()).collect(),
        })
    }

    pub(super) fn admit(&self, asked: &Asked<'_>, headers: &mut HeaderMap) -> Result<(), Cause> {
        let is_allowed = |host: &String| host == asked.host || *host == asked.authority;
        if !self.allowed_hosts.is_empty() && !self.allowed_hosts.iter().any(is_allowed) {
            return Err(Cause::HostNotAllowed);
        }
        make(&self.request, asked.scheme, headers);
        Ok(())
    }

    pub(super) fn release(&self, scheme: Scheme, headers: &mut HeaderMap) {
        make(&self.response, scheme, headers);
    }
}

impl Change {
    fn new(change: &HeaderChange) -> Result<Self, InvalidPolicy> {
        let name = header_name(&change.name)?;
        if is_of_the_connection(name.as_str()) {
            return Err(InvalidPolicy::HeaderReserved(change.name.clone()));
        }
        let operation = match &change.operation {
            HeaderOperation::Set(value) => Operation::Set(header_value(value)?),
            HeaderOperation::Add(value) => Operation::Add(header_value(value)?),
            // Without a host there is no request.
            HeaderOperation::Remove if name == HOST => {
                return Err(InvalidPolicy::HeaderReserved(change.name.clone()));
            }
            HeaderOperation::Remove => Operation::Remove,
        };
        Ok(Self {
            name,
            operation,
            only_https: change.only_https,
        })
    }
}

fn make(changes: &[Change], scheme: Scheme, headers: &mut HeaderMap) {
    for change in changes {
        if change.only_https && scheme != Scheme::Https {
            continue;
        }
        match &change.operation {
            Operation::Set(value) => drop(headers.insert(&change.name, value.clone())),
            Operation::Add(value) => drop(headers.append(&change.name, value.clone())),
            Operation::Remove => drop(headers.remove(&change.name)),
        }
    }
}

/// Parses a header's name.
pub(super) fn header_name(name: &str) -> Result<HeaderName, InvalidPolicy> {
    HeaderName::from_str(name).map_err(|_| InvalidPolicy::HeaderName(name.to_owned()))
}

/// Parses a header's value.
pub(super) fn header_value(value: &str) -> Result<HeaderValue, InvalidPolicy> {
    HeaderValue::from_str(value).map_err(|_| InvalidPolicy::HeaderValue(value.to_owned()))
}

// What frames a message is not for a user to change: two programs would read it differently.
pub(super) fn is_of_the_connection(name: &str) -> bool {
    RESERVED.contains(&name)
}

const RESERVED: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
