//! `local.settings.json`, which Core Tools keep for a developer's machine: its
//! `Values` count as environment variables on the command line.

use std::collections::BTreeMap;

use serde_json::Value;

/// The `Values` of the file's text.
///
/// # Errors
///
/// A sentence that names the file and the fix, and holds no value of it.
pub fn local_values(text: &str) -> Result<BTreeMap<String, String>, String> {
    let refused = |why: &str| Err(format!("local.settings.json {why}"));
    let document: Value = match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(document) => document,
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            return refused(&format!(
                "is not JSON (line {line}, column {column}); correct or remove it"
            ));
        }
    };
    let Some(document) = document.as_object() else {
        return refused("is not a JSON object; compare local.settings.json.example");
    };
    if document.get("IsEncrypted").and_then(Value::as_bool) == Some(true) {
        return refused("is encrypted; run `func settings decrypt` and try again");
    }
    let Some(values) = document.get("Values") else {
        return Ok(BTreeMap::new());
    };
    let Some(values) = values.as_object() else {
        return refused(
            "has `Values` that are no JSON object; compare local.settings.json.example",
        );
    };
    let mut found = BTreeMap::new();
    for (name, value) in values {
        let Some(text) = value.as_str() else {
            let name = crate::escape::Shown::new(name, 100);
            return refused(&format!(
                "has the value `{name}` that is no text; put it in quotes"
            ));
        };
        found.insert(name.clone(), text.to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_values_and_ignores_the_rest() {
        let values = local_values(
            r#"{"IsEncrypted":false,"Values":{"A":"1","B":""},"Host":{"LocalHttpPort":7071}}"#,
        )
        .unwrap();
        assert_eq!(values.len(), 2);
        assert_eq!(values["A"], "1");
        assert!(local_values("{}").unwrap().is_empty());
    }

    #[test]
    fn refuses_what_it_cannot_read_without_showing_a_value() {
        for (text, part) in [
            (
                r#"{"IsEncrypted":true,"Values":{"A":"marker"}}"#,
                "encrypted",
            ),
            (r#"{"Values":{"A":"marker",}}"#, "not JSON"),
            (r#"["marker"]"#, "not a JSON object"),
            (r#"{"Values":["marker"]}"#, "no JSON object"),
            (r#"{"Values":{"A":1}}"#, "`A`"),
        ] {
            let refused = local_values(text).unwrap_err();
            assert!(refused.contains(part), "{refused}");
            assert!(!refused.contains("marker"), "{refused}");
        }
    }
}
