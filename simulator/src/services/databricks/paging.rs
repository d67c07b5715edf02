//! Page tokens: opaque to clients, and good only for the query that they continue.
//!
//! A token holds characters that must be percent-encoded in a query, so that a client which splices it in
//! raw fails here as it would in production.

use crate::encode;

/// One page of a listing.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<String>,
    pub(super) previous: Option<String>,
}

/// Cuts the page that a token names out of a listing. `query` is what the listing depends on; a token made
/// for another one is refused.
pub(super) fn cut<T>(
    all: Vec<T>,
    size: usize,
    token: Option<&str>,
    query: &str,
) -> Result<Page<T>, String> {
    let mark = encode::number_for(query) % 1_000_000;
    let offset = match token.filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => token
            .strip_prefix("tok/")
            .and_then(|rest| rest.strip_suffix("=="))
            .and_then(|rest| rest.split_once('+'))
            .filter(|(_, made_for)| *made_for == mark.to_string())
            .and_then(|(offset, _)| offset.parse::<usize>().ok())
            .ok_or_else(|| format!("Invalid page token {token:?} for this request."))?,
    };
    let size = size.max(1);
    let name = |offset: usize| format!("tok/{offset}+{mark}==");
    let next = (offset + size < all.len()).then(|| name(offset + size));
    let previous = (offset > 0).then(|| name(offset.saturating_sub(size)));
    let items = all.into_iter().skip(offset).take(size).collect();
    Ok(Page {
        items,
        next,
        previous,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_join_up_to_the_whole_listing() -> Result<(), String> {
        let mut seen = Vec::new();
        let mut token = None;
        loop {
            let page = cut((0..7).collect(), 3, token.as_deref(), "q")?;
            seen.extend(page.items);
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..7).collect::<Vec<_>>());
        Ok(())
    }

    #[test]
    fn refuses_a_token_that_was_made_for_another_query() -> Result<(), String> {
        let page = cut((0..7).collect(), 3, None, "q")?;
        assert!(cut::<i32>((0..7).collect(), 3, page.next.as_deref(), "other").is_err());
        Ok(())
    }
}
