//! The paths of one host: which of its routes takes a request's path.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use sluice_proto::PathMatch;

/// Maps paths to the index of the route that takes them.
#[derive(Debug, Default)]
pub(crate) struct PathTable {
    exact: HashMap<Arc<str>, usize>,
    prefix: HashMap<Arc<str>, usize>,
    // The numbers of elements that prefixes have, the most first: nothing else is probed.
    depths: Vec<usize>,
    default: Option<usize>,
}

impl PathTable {
    /// Returns the table of these paths; of the same path twice, the first one counts.
    pub(crate) fn new<'a>(paths: impl Iterator<Item = &'a PathMatch>) -> Self {
        let mut table = Self::default();
        for (index, path) in paths.enumerate() {
            match path {
                PathMatch::Exact(path) => {
                    table.exact.entry(Arc::clone(path)).or_insert(index);
                }
                PathMatch::Prefix(path) => {
                    table.prefix.entry(Arc::clone(path)).or_insert(index);
                    table.depths.push(depth(path));
                }
                PathMatch::Default => {
                    table.default.get_or_insert(index);
                }
            }
        }
        table.depths.sort_unstable_by_key(|depth| Reverse(*depth));
        table.depths.dedup();
        table.depths.shrink_to_fit();
        table
    }

    /// Returns the index of the route that takes this path: exact, then the longest prefix, then the default.
    pub(crate) fn lookup(&self, path: &str) -> Option<usize> {
        self.exact
            .get(path)
            .or_else(|| self.longest_prefix(path))
            .copied()
            .or(self.default)
    }

    // "A request is a match for path p if every p is an element-wise prefix of p of the request path": what can match is
    // the path itself and what stands before one of its slashes.
    fn longest_prefix(&self, path: &str) -> Option<&usize> {
        let deepest = *self.depths.first()?;
        let mut prefix = path;
        let mut depth = depth(path);
        // A path far deeper than any prefix is cut from the front.
        if depth > deepest
            && let Some((end, _)) = path.match_indices('/').nth(deepest)
        {
            prefix = &path[..end];
            depth = deepest;
        }
        for wanted in &self.depths {
            while depth > *wanted {
                prefix = &prefix[..prefix.rfind('/')?];
                depth -= 1;
            }
            if depth == *wanted
                && let Some(index) = self.prefix.get(prefix)
            {
                return Some(index);
            }
        }
        None
    }
}

// A prefix has no final slash, so it has as many elements as slashes.
fn depth(path: &str) -> usize {
    path.bytes().filter(|byte| *byte == b'/').count()
}
