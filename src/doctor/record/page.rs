//! The outline of a page of HTML: which elements in which order, and known phrases.
//!
//! No attribute and no text is looked at but for the phrases of `vocabulary`; an element
//! of another name is only counted. Pure.

use serde::Serialize;

use super::vocabulary;

/// How many elements an outline names.
const MAX_OUTLINE: usize = 400;

/// A page without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page {
    pub chars: usize,
    /// The names of its elements as they open, one of a run of the same with how many.
    pub outline: Vec<(&'static str, usize)>,
    /// Elements of other names.
    pub other_elements: usize,
    /// Whether it ends with `</html>`.
    pub is_closed: bool,
    pub phrases: Vec<(&'static str, usize)>,
}

impl Page {
    pub(super) fn of(text: &str, phrases: Vec<(&'static str, usize)>) -> Self {
        let mut page = Self {
            chars: text.chars().count(),
            outline: Vec::new(),
            other_elements: 0,
            is_closed: text.trim_end().to_ascii_lowercase().ends_with("</html>"),
            phrases,
        };
        for after in text.split('<').skip(1) {
            let is_name = |next: char| next.is_ascii_alphanumeric() || next == '-';
            let end = after.find(|next| !is_name(next)).unwrap_or(after.len());
            match after.get(..end) {
                None | Some("") => {}
                Some(name) => match vocabulary::tag(name) {
                    Some(tag) => page.open(tag),
                    None => page.other_elements += 1,
                },
            }
        }
        page
    }

    fn open(&mut self, tag: &'static str) {
        let is_full = self.outline.len() >= MAX_OUTLINE;
        match self.outline.last_mut() {
            Some((last, count)) if *last == tag => *count += 1,
            Some(_) | None if is_full => {}
            Some(_) | None => self.outline.push((tag, 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_names_elements_and_nothing_else() {
        let html = "<!doctype html>\n<html><body class=\"planted\"><h3>planted</h3><tr><td>1</td></tr>\
                    <tr/><tr/><planted/></body></html>\n";
        let page = Page::of(html, Vec::new());
        assert_eq!(
            page.outline,
            [
                ("html", 1),
                ("body", 1),
                ("h3", 1),
                ("tr", 1),
                ("td", 1),
                ("tr", 2)
            ]
        );
        assert_eq!(page.other_elements, 1);
        assert!(page.is_closed);
        let text = serde_json::to_string(&page).unwrap();
        assert!(!text.contains("planted"), "{text}");
    }

    #[test]
    fn a_page_without_end_has_an_outline_with_one() {
        let page = Page::of(&"<a><b>".repeat(5000), Vec::new());
        assert_eq!(page.outline.len(), MAX_OUTLINE);
        assert!(!page.is_closed);
    }
}
