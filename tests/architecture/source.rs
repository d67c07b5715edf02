//! Source files as text, with comments and tests taken out.
//!
//! No parser: a scanner that knows comments, strings and character literals is
//! enough, because formatting is checked elsewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// One file that is no test.
pub(super) struct SourceFile {
    /// From the root, with `/`.
    pub(super) path: String,
    /// As it is.
    pub(super) text: String,
    /// Without comments and without tests; strings stay.
    pub(super) code: String,
}

/// Every file below `folder` that is no test, in order.
pub(super) fn below(folder: &str) -> Vec<SourceFile> {
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!found.is_empty(), "nothing below {folder}");
    found
}

fn collect(folder: &Path, found: &mut Vec<SourceFile>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        // `testing` holds builders for tests and is compiled for them alone.
        if name == "tests" || name == "testing" {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let from_root = path.strip_prefix(root()).unwrap().to_str().unwrap();
            found.push(SourceFile {
                path: from_root.replace('\\', "/"),
                code: without_comments(untested(&text)),
                text,
            });
        }
    }
}

/// The part before the inline tests.
fn untested(text: &str) -> &str {
    let tests = text.find("#[cfg(test)]\nmod tests {");
    tests.map_or(text, |at| &text[..at])
}

impl SourceFile {
    pub(super) fn untested_lines(&self) -> usize {
        untested(&self.text).lines().count()
    }

    /// The module of the handler that it belongs to. `signals` is two: the values,
    /// and the parts that ask for them.
    pub(super) fn module(&self) -> String {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let parts: Vec<&str> = path.split('/').collect();
        match parts[..] {
            ["signals", part] => asking(part).unwrap_or("signals").to_owned(),
            [module, ..] => module.to_owned(),
            [] => String::new(),
        }
    }

    /// The other modules of the handler that it uses.
    pub(super) fn uses(&self) -> BTreeSet<String> {
        let roots = ["crate::", "terminate_clusters::"];
        let paths = roots.iter().flat_map(|root| self.code.split(root).skip(1));
        let used = paths.map(|path| {
            let mut words = path.split(|next: char| !next.is_alphanumeric() && next != '_');
            let module = words.next().unwrap_or_default();
            // `::` leaves an empty word between two names.
            let part = words.nth(1).unwrap_or_default();
            let asking = asking(part).filter(|_| module == "signals");
            asking.unwrap_or(module).to_owned()
        });
        let own = self.module();
        used.filter(|module| *module != own).collect()
    }
}

fn asking(part: &str) -> Option<&'static str> {
    match part {
        "gather" | "machines" => Some("signals::gather"),
        "facts" | "machine_facts" | "aged" => Some("signals::facts"),
        _ => None,
    }
}

fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            let line = rest.find('\n').unwrap_or(rest.len());
            rest = &rest[line..];
            continue;
        } else if rest.starts_with("/*") {
            let end = rest.find("*/").map_or(rest.len(), |at| at + 2);
            rest = &rest[end..];
            continue;
        } else if rest.starts_with("r#\"") {
            rest.find("\"#").map_or(rest.len(), |at| at + 2)
        } else if next == '"' {
            string_length(rest)
        } else if rest.starts_with("'\"'") {
            3
        } else if rest.starts_with("'\\\"'") {
            4
        } else {
            next.len_utf8()
        };
        code.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    code
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, next) in text.char_indices().skip(1) {
        match next {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

#[test]
fn comments_and_tests_are_taken_out_and_strings_stay() {
    let text =
        "let a = \"// no \\\" comment\"; // gone\nlet b = '\"'; /* gone */ let c = r#\"//\"#;\n";
    let code = "let a = \"// no \\\" comment\"; \nlet b = '\"';  let c = r#\"//\"#;\n";
    assert_eq!(without_comments(text), code);
    let tested = "code\n#[cfg(test)]\nmod tests {\n    gone\n}\n";
    assert_eq!(untested(tested), "code\n");
}
