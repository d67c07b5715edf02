//! The `filter` of a SCIM listing: one comparison of one attribute.
//!
//! SCIM has more (`and`, `or`, brackets); a client that asks for it meets a refusal that is kept, instead of
//! an answer to another question.

use crate::http::{Answer, Request};

/// A comparison.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    attribute: String,
    operator: String,
    value: String,
}

impl Filter {
    /// The filter of a request, if it has one.
    pub(super) fn of(request: &Request) -> Result<Option<Self>, Answer> {
        let Some(text) = request.query.first("filter") else {
            return Ok(None);
        };
        match Self::parse(text) {
            Some(filter) => Ok(Some(filter)),
            None => Err(Answer::unarranged(format!("the SCIM filter {text:?}"))),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (attribute, rest) = text.trim().split_once(' ')?;
        let (operator, value) = rest.trim().split_once(' ')?;
        let value = value.trim();
        let quoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
        let value = quoted('"').or_else(|| quoted('\''))?;
        let operator = operator.to_ascii_lowercase();
        let is_known = matches!(operator.as_str(), "eq" | "ne" | "co" | "sw");
        let is_plain = !value.contains(['"', '\'', '\\']);
        (is_known && is_plain).then(|| Self {
            attribute: attribute.to_owned(),
            operator,
            value: value.to_owned(),
        })
    }

    /// Whether something passes whose attributes are told by `get`; an attribute that it does not have is
    /// none that can be asked for.
    pub(super) fn passes(&self, get: impl Fn(&str) -> Option<String>) -> Result<bool, Answer> {
        let Some(actual) = get(&self.attribute) else {
            return Err(Answer::unarranged(format!(
                "a SCIM filter by {:?}",
                self.attribute
            )));
        };
        let (actual, wanted) = (actual.to_lowercase(), self.value.to_lowercase());
        Ok(match self.operator.as_str() {
            "eq" => actual == wanted,
            "ne" => actual != wanted,
            "co" => actual.contains(&wanted),
            _ => actual.starts_with(&wanted),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_comparison_and_nothing_else() {
        for text in [
            r#"displayName eq "admins""#,
            "displayName eq 'admins'",
            r#" displayName  EQ  "admins" "#,
        ] {
            let filter = Filter::parse(text);
            let passes = |name: &str| {
                filter
                    .as_ref()
                    .and_then(|one| one.passes(|_| Some(name.to_owned())).ok())
            };
            assert_eq!(passes("Admins"), Some(true), "{text}");
            assert_eq!(passes("admin"), Some(false), "{text}");
        }
        for text in [
            "",
            "displayName",
            "displayName eq admins",
            r#"displayName eq "a" or displayName eq "b""#,
            r#"displayName gt "a""#,
            r#"displayName eq "a"#,
        ] {
            assert_eq!(Filter::parse(text), None, "{text}");
        }
    }
}
