//! Cuts a text into its YAML documents, so that one that cannot be parsed costs no other.
//!
//! It does not parse any.

/// A document of a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Document<'a> {
    /// Counted from 1; what holds only comments does not count.
    pub(super) number: usize,
    /// The line of the text in which it starts, counted from 1.
    pub(super) line: usize,
    pub(super) text: &'a str,
}

/// Returns the documents of a text.
///
/// "A line beginning with `---` may be used to explicitly denote the beginning of a new YAML document", and neither that
/// nor the end marker `...` may begin a line inside one.
pub(super) fn documents(text: &str) -> Vec<Document<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    let mut start = Start::default();
    let mut offset = 0;
    let (mut has_marker, mut has_content) = (false, false);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if let Some(rest) = after_marker(line, "---") {
            if has_content {
                push(&mut documents, text, start, offset);
            }
            // Directives and comments before the first marker belong to its document.
            if has_content || has_marker {
                start = Start { offset, number };
            }
            has_marker = true;
            has_content = is_content(rest);
        } else if after_marker(line, "...").is_some() {
            if has_content {
                push(&mut documents, text, start, offset);
            }
            start = Start {
                offset: offset + line.len(),
                number: number + 1,
            };
            (has_marker, has_content) = (false, false);
        } else {
            has_content |= is_content(line);
        }
        offset += line.len();
    }
    if has_content {
        push(&mut documents, text, start, offset);
    }
    documents
}

#[derive(Clone, Copy, Default)]
struct Start {
    offset: usize,
    /// The number of the line, counted from 0.
    number: usize,
}

fn push<'a>(documents: &mut Vec<Document<'a>>, text: &'a str, start: Start, end: usize) {
    documents.push(Document {
        number: documents.len() + 1,
        line: start.number + 1,
        text: text.get(start.offset..end).unwrap_or_default(),
    });
}

/// Returns what follows a marker, if the line begins with it.
fn after_marker<'a>(line: &'a str, marker: &str) -> Option<&'a str> {
    line.strip_prefix(marker)
        .filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn is_content(line: &str) -> bool {
    let content = line.trim();
    !content.is_empty() && !content.starts_with('#') && !line.starts_with('%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_markers_and_counts_lines() {
        let text = "# header\n---\na: 1\n---\n# nothing\n---\n\n--- # c\nb: |\n  ---\n  x\n...\n# end\n---\n{}\n";
        let found = documents(text);
        let places: Vec<_> = found
            .iter()
            .map(|found| (found.number, found.line))
            .collect();
        assert_eq!(places, [(1, 1), (2, 8), (3, 13)]);
        assert!(found[1].text.ends_with("  ---\n  x\n"));
    }

    #[test]
    fn a_text_without_content_has_none() {
        for text in [
            "",
            "\n",
            "# a",
            "---",
            "---\n---\n",
            "\u{feff}",
            "%YAML 1.2\n---\n",
            "...\n",
        ] {
            assert_eq!(documents(text), [], "{text:?}");
        }
    }
}
