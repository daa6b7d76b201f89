//! A row of the table: requests that belong together, and what is known of how the answers to them differ.

use std::fmt;

use super::request::Request;

/// Requests, sent in this order.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) requests: Vec<Request>,
    /// All at once instead of one after the other.
    pub(super) at_once: bool,
    /// Cookies that came with an answer go along with what follows.
    pub(super) keeps_cookies: bool,
    /// That Traefik answers 404 by itself is what the row shows.
    pub(super) unserved: bool,
    /// The documented differences that it shows.
    pub(super) differences: Vec<&'static str>,
}

/// A row of one request.
pub(super) fn row(name: &'static str, request: Request) -> Row {
    Row {
        name,
        requests: vec![request],
        at_once: false,
        keeps_cookies: false,
        unserved: false,
        differences: Vec::new(),
    }
}

impl Row {
    /// Asks this next.
    pub(super) fn then(mut self, request: Request) -> Self {
        self.requests.push(request);
        self
    }

    /// Sends the last request this many times.
    pub(super) fn times(mut self, times: usize) -> Self {
        let last = self.requests.last().unwrap().clone();
        self.requests.extend(vec![last; times - 1]);
        self
    }

    /// Sends all at once. Which of them is answered how is up to chance then, so only how many are is compared.
    pub(super) fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// Brings cookies back.
    pub(super) fn keeping_cookies(mut self) -> Self {
        self.keeps_cookies = true;
        self
    }

    /// Traefik answers 404 by itself: it has no route, or has unmounted it, or refuses so. Elsewhere that means that the
    /// objects are broken.
    pub(super) fn unserved(mut self) -> Self {
        self.unserved = true;
        self
    }

    /// Shows a documented difference.
    pub(super) fn differs(mut self, id: &'static str) -> Self {
        self.differences.push(id);
        self
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut texts: Vec<(String, usize)> = Vec::new();
        for request in &self.requests {
            let text = request.to_string();
            match texts.last_mut() {
                Some((last, times)) if *last == text => *times += 1,
                _ => texts.push((text, 1)),
            }
        }
        for (index, (text, times)) in texts.iter().enumerate() {
            let between = if index == 0 { "" } else { ", " };
            let times = if *times == 1 {
                String::new()
            } else {
                format!(" x{times}")
            };
            write!(f, "{between}{text}{times}")?;
        }
        f.write_str(if self.at_once { " at once" } else { "" })
    }
}
