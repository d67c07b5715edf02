//! The witnesses of activity: what their raw answers mean.
//!
//! Pure: answers and `now` are handed in, a signal comes out. No call is made
//! here and no clock is read; `spark` and `azure_monitor` fetch the answers,
//! `signals` puts the two together and `decision` weighs the result. Whatever
//! is not understood is Unknown, and never taken for a quiet cluster.

pub mod nodes;
pub mod spark;

use crate::signals::Why;

/// The most characters of an outside word that a reason repeats.
const SHOWN_CHARS: usize = 40;

/// An outside word as a reason may repeat it: anything but ASCII letters,
/// digits and `_-. :` is replaced, and the rest is cut.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN_CHARS)
        .map(|c| {
            let plain = c.is_ascii_alphanumeric() || "_-. :".contains(c);
            if plain { c } else { '?' }
        })
        .collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// Shorthand for the refusals of the judges.
fn refuse<T>(clause: impl Into<String>) -> Result<T, Why> {
    Err(Why::new(clause))
}
