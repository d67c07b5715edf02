//! The rule by which every listing of a workspace ends.
//!
//! A listing goes on while there is a token, must never repeat one, and has a
//! cap on its pages, so that a broken answer can neither loop for ever nor pass
//! for the end. Pure: the listings ask for the pages themselves.

use std::collections::BTreeSet;

/// Why a listing ended before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CutShort {
    /// The answers contradict themselves.
    Broken(&'static str),
    /// The cap on pages, with more to come.
    Cap,
}

/// The pages of one listing.
#[derive(Debug)]
pub(super) struct Pages {
    cap: usize,
    read: usize,
    seen: BTreeSet<String>,
}

impl Pages {
    pub(super) fn new(cap: usize) -> Self {
        Self {
            cap,
            read: 0,
            seen: BTreeSet::new(),
        }
    }

    /// How many pages were read.
    pub(super) fn read(&self) -> usize {
        self.read
    }

    /// Takes a page from the allowance; to be called before each request.
    pub(super) fn take_one(&mut self) -> Result<(), CutShort> {
        if self.read >= self.cap {
            return Err(CutShort::Cap);
        }
        self.read += 1;
        Ok(())
    }

    /// The token of the next page; `None` at the end, where the token is absent
    /// or empty.
    pub(super) fn next(
        &mut self,
        token: Option<String>,
        has_more: Option<bool>,
    ) -> Result<Option<String>, CutShort> {
        match token.filter(|token| !token.is_empty()) {
            Some(token) if !self.seen.insert(token.clone()) => {
                Err(CutShort::Broken("the same page token came twice"))
            }
            Some(token) => Ok(Some(token)),
            None if has_more == Some(true) => {
                Err(CutShort::Broken("more was announced without a page token"))
            }
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn ends_at_an_absent_or_empty_token() {
        let mut pages = Pages::new(9);
        assert_eq!(pages.next(token("a"), None), Ok(token("a")));
        assert_eq!(pages.next(token("b"), Some(false)), Ok(token("b")));
        assert_eq!(pages.next(token(""), None), Ok(None));
        assert_eq!(pages.next(None, Some(false)), Ok(None));
    }

    #[test]
    fn a_broken_answer_is_no_end() {
        let mut pages = Pages::new(9);
        assert!(pages.next(None, Some(true)).is_err());
        assert!(pages.next(token(""), Some(true)).is_err());
        assert!(pages.next(token("a"), None).is_ok());
        assert!(pages.next(token("b"), None).is_ok());
        assert!(pages.next(token("a"), None).is_err());
    }

    #[test]
    fn the_cap_counts_requests() {
        let mut pages = Pages::new(2);
        assert_eq!(pages.take_one(), Ok(()));
        assert_eq!(pages.take_one(), Ok(()));
        assert_eq!(pages.take_one(), Err(CutShort::Cap));
        assert_eq!(pages.read(), 2);
    }
}
