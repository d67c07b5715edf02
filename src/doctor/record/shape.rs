//! The shape of JSON: which members, of which types, how long; never a value.
//!
//! What a shape can hold are numbers that it counted itself and names that stand in
//! this program: no text, owned or borrowed, can get in. So nothing of an answer can come
//! out again, however the answer is made. Keys can be data too (maps by id or by
//! e-mail address), so a key that is no word of `vocabulary` is only counted. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::vocabulary;

/// What stands for every key that is no known word.
pub(super) const OTHER_KEY: &str = "<key>";

/// Nested deeper than this nothing is looked at.
const MAX_DEPTH: usize = 16;

/// How many, and how long at least and at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lengths {
    pub count: usize,
    pub shortest: usize,
    pub longest: usize,
}

/// What kind of text a string is, as far as that tells nothing of what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TextKind {
    Empty,
    Digits,
    /// As the names of Databricks' machines.
    Hex32,
    Guid,
    /// Digits, `-`, `:` and `T`, as times are written.
    Time,
    /// Capitals and `_`, as states are written.
    Constant,
    Path,
    Url,
    Email,
    Markup,
    Other,
}

/// All values that stood in one place, merged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Shape {
    #[serde(skip_serializing_if = "is_none")]
    pub nulls: usize,
    #[serde(skip_serializing_if = "is_none")]
    pub booleans: usize,
    /// By the number of their digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integers: Option<Lengths>,
    #[serde(skip_serializing_if = "is_none")]
    pub fractions: usize,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<TextKind, Lengths>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lists: Option<Lengths>,
    /// The items of all these lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Shape>>,
    #[serde(skip_serializing_if = "is_none")]
    pub objects: usize,
    /// The members of all these objects.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<&'static str, Shape>,
    #[serde(skip_serializing_if = "is_none")]
    pub too_deep: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

impl Lengths {
    fn note(noted: &mut Option<Self>, length: usize) {
        let lengths = noted.get_or_insert(Self {
            count: 0,
            shortest: length,
            longest: length,
        });
        lengths.count += 1;
        lengths.shortest = lengths.shortest.min(length);
        lengths.longest = lengths.longest.max(length);
    }
}

impl Shape {
    /// The shape of one value.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        let mut shape = Self::default();
        shape.add(value, 0);
        shape
    }

    /// Whether a member of this name was there.
    #[must_use]
    pub fn has(&self, member: &'static str) -> bool {
        self.members.contains_key(member)
    }

    fn add(&mut self, value: &Value, depth: usize) {
        if depth > MAX_DEPTH {
            self.too_deep += 1;
            return;
        }
        match value {
            Value::Null => self.nulls += 1,
            Value::Bool(_) => self.booleans += 1,
            Value::Number(number) => {
                let digits = number.to_string();
                if digits
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'-')
                {
                    Lengths::note(&mut self.integers, digits.trim_start_matches('-').len());
                } else {
                    self.fractions += 1;
                }
            }
            Value::String(text) => {
                let mut noted = self.texts.remove(&TextKind::of(text));
                Lengths::note(&mut noted, text.chars().count());
                self.texts
                    .extend(noted.map(|lengths| (TextKind::of(text), lengths)));
            }
            Value::Array(items) => {
                Lengths::note(&mut self.lists, items.len());
                for item in items {
                    self.items.get_or_insert_default().add(item, depth + 1);
                }
            }
            Value::Object(members) => {
                self.objects += 1;
                for (key, member) in members {
                    let name = vocabulary::member(key).unwrap_or(OTHER_KEY);
                    self.members.entry(name).or_default().add(member, depth + 1);
                }
            }
        }
    }
}

impl TextKind {
    /// What kind `text` is.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let all = |is: fn(u8) -> bool| text.bytes().all(is);
        if text.is_empty() {
            Self::Empty
        } else if all(|byte| byte.is_ascii_digit()) {
            Self::Digits
        } else if text.len() == 32 && all(|byte| byte.is_ascii_hexdigit()) {
            Self::Hex32
        } else if is_guid(text) {
            Self::Guid
        } else if is_time(text) {
            Self::Time
        } else if all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
            Self::Constant
        } else if text.starts_with('<') {
            Self::Markup
        } else if text.starts_with('/') {
            Self::Path
        } else if text.contains("://") {
            Self::Url
        } else if text.contains('@') && !text.contains(' ') {
            Self::Email
        } else {
            Self::Other
        }
    }
}

fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// `2026-11-27T08:00:00.000GMT` and its relatives.
fn is_time(text: &str) -> bool {
    let mut parts = text.splitn(2, 'T');
    let (day, time) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let is_part = |part: &str, marks: &[u8]| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_digit() || marks.contains(&byte))
    };
    let time = time.trim_end_matches("GMT").trim_end_matches('Z');
    day.len() == 10 && is_part(day, b"-") && is_part(time, b":.+-")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text_of(value: &Value) -> String {
        serde_json::to_string(&Shape::of(value)).unwrap()
    }

    #[test]
    fn a_shape_tells_members_types_and_lengths() {
        let value = json!({
            "cluster_id": "0915-021615-abcd1234",
            "state": "RUNNING",
            "executors": [{"instance_id": "0123456789abcdef0123456789abcdef"}, {"instance_id": null}],
            "cluster_cores": 12.5,
            "start_time": 1_694_744_176_080_u64,
            "is_single_node": true,
        });
        let expected = concat!(
            r#"{"objects":1,"members":{"cluster_cores":{"fractions":1},"#,
            r#""cluster_id":{"texts":{"other":{"count":1,"shortest":20,"longest":20}}},"#,
            r#""executors":{"lists":{"count":1,"shortest":2,"longest":2},"items":{"objects":2,"#,
            r#""members":{"instance_id":{"nulls":1,"texts":{"hex32":{"count":1,"shortest":32,"longest":32}}}}}},"#,
            r#""is_single_node":{"booleans":1},"#,
            r#""start_time":{"integers":{"count":1,"shortest":13,"longest":13}},"#,
            r#""state":{"texts":{"constant":{"count":1,"shortest":7,"longest":7}}}}}"#,
        );
        assert_eq!(text_of(&value), expected);
    }

    #[test]
    fn keys_that_are_no_known_words_are_only_counted() {
        let value = json!({"default_tags": {"alice@example.com": "x", "cost-centre": "yy"}});
        let shape = Shape::of(&value);
        let tags = &shape.members["default_tags"];
        assert_eq!(
            tags.members.keys().copied().collect::<Vec<_>>(),
            [OTHER_KEY]
        );
        let text = text_of(&value);
        assert!(!text.contains("alice") && !text.contains("cost"), "{text}");
    }

    #[test]
    fn nothing_that_stood_in_an_answer_stands_in_its_shape() {
        let marker = "planted";
        let value = json!({
            marker: marker,
            "state": [marker, {marker: [marker]}, format!("{marker}@{marker}.com")],
            "message": {"state": {marker: marker.to_uppercase()}},
        });
        let text = text_of(&value).to_lowercase();
        assert!(!text.contains(marker), "{text}");
    }

    #[test]
    fn hostile_depth_ends_early() {
        let mut value = json!(1);
        for _ in 0..100 {
            value = json!([value]);
        }
        let text = text_of(&value);
        assert!(text.contains("too_deep"), "{text}");
    }

    #[test]
    fn texts_are_told_apart_by_their_form() {
        for (text, expected) in [
            ("", TextKind::Empty),
            ("123", TextKind::Digits),
            ("0123456789abcdef0123456789ABCDEF", TextKind::Hex32),
            ("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d", TextKind::Guid),
            ("2026-11-27T08:00:00.123GMT", TextKind::Time),
            ("2026-11-27T08:00:00Z", TextKind::Time),
            ("USER_ISOLATION", TextKind::Constant),
            ("/jobs/", TextKind::Path),
            ("https://x", TextKind::Url),
            ("a@b.c", TextKind::Email),
            ("<html>", TextKind::Markup),
            ("15.4.x-scala2.12", TextKind::Other),
        ] {
            assert_eq!(TextKind::of(text), expected, "{text}");
        }
    }
}
