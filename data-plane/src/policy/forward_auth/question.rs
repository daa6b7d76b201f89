//! What a service that decides is asked: the request's headers, and who asks for what.

use http::header::{CONTENT_LENGTH, HOST, TRAILER};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};

use crate::policy::InvalidPolicy;
use crate::policy::header_rules::{header_name, header_value};
use crate::proxy::{Cause, RequestBody, Service, remove_connection_headers};

/// How a service is asked.
pub(super) struct Question {
    uri: Uri,
    host: HeaderValue,
    // Empty for all.
    headers: Vec<HeaderName>,
    keep_method: bool,
}

impl Question {
    pub(super) fn new(
        auth: &sluice_proto::ForwardAuth,
        service: &Service,
    ) -> Result<Self, InvalidPolicy> {
        let names = auth.request_headers.iter();
        Ok(Self {
            uri: Uri::from(service.path.clone()),
            host: header_value(service.authority.as_str())?,
            headers: names
                .map(|name| header_name(name))
                .collect::<Result<_, _>>()?,
            keep_method: auth.keep_method,
        })
    }

    /// Returns the question about this request, of whose body the service gets so much.
    pub(super) fn about(
        &self,
        request: &Request<RequestBody>,
        body: RequestBody,
    ) -> Result<Request<RequestBody>, Cause> {
        let mut question = Request::new(body);
        if self.keep_method {
            request.method().clone_into(question.method_mut());
        }
        *question.uri_mut() = self.uri.clone();
        *question.headers_mut() = self.headers(request)?;
        Ok(question)
    }

    // What says who the client is and how it came stands in the request since its beginning, from whom is trusted only. What
    // says what it asks for is said here, and by nobody else.
    fn headers(&self, request: &Request<RequestBody>) -> Result<HeaderMap, Cause> {
        let given = request.headers();
        let mut headers = if self.headers.is_empty() {
            given.clone()
        } else {
            let mut listed = HeaderMap::new();
            for name in self.headers.iter().chain(&IDENTITY) {
                listed.remove(name);
                for value in given.get_all(name) {
                    listed.append(name, value.clone());
                }
            }
            listed
        };
        remove_connection_headers(&mut headers);
        // Those of another body.
        headers.remove(CONTENT_LENGTH);
        headers.remove(TRAILER);
        headers.insert(HOST, self.host.clone());
        headers.insert(METHOD, value(request.method().as_str())?);
        let path = request.uri().path_and_query();
        let path = path.map_or("/", PathAndQuery::as_str);
        headers.insert(URI, value(path)?);
        Ok(headers)
    }
}

// All characters that a method or a path can have are a value's, too.
fn value(text: &str) -> Result<HeaderValue, Cause> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| Cause::PathImpossible)
}

const METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const IDENTITY: [HeaderName; 4] = [
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
];
