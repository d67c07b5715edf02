//! `docs/faults.md`: the matrix as an operator reads it, held to what was seen.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::cell::Cell;
use crate::endpoints::ENDPOINTS;
use crate::kinds::KINDS;

/// What stands above the tables.
const HEAD: &str = "\
# What an operator sees of each fault

`tests/faults.rs` makes this page: it sends the real binary into a pretend cloud in which one endpoint is out of order in one
way for the whole sweep, and writes down what it says. In every cell the sweep ends within its deadline and its attempts, nothing
that works is terminated, and no credential goes to another host; where the endpoint belongs to one workspace, another beside it
is swept as ever. Each cell has two clusters, one idle and one that works, seen through the struck endpoint alone where the
decision requires its answer, and one witness. The second column tells what became of the idle one. `failure` makes the sweep fail, `unknown` keeps the cluster. `…` stands for a duration,
`<status>` for the status that was answered.
";

/// Compares the page with what was seen, or writes it where the environment says so.
pub(crate) fn hold(cells: &[Cell]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md");
    let expected = render(cells);
    if std::env::vars_os().any(|(variable, _)| variable == "UPDATE_DOCS") {
        std::fs::write(path, expected).unwrap();
        return;
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    for (line, wanted) in text.lines().zip(expected.lines()) {
        assert_eq!(line, wanted, "`UPDATE_DOCS=1 cargo test --test faults`");
    }
    assert_eq!(text.len(), expected.len());
}

fn render(cells: &[Cell]) -> String {
    let mut page = HEAD.to_owned();
    for (place, endpoint) in ENDPOINTS.iter().enumerate() {
        let (purpose, request) = (endpoint.purpose, endpoint.request);
        let _ = write!(page, "\n## `{request}`\n\nFor {purpose}.\n\n");
        page.push_str("| Fault | Idle cluster | What is told |\n|---|---|---|\n");
        for (text, names) in grouped(cells.iter().filter(|cell| cell.endpoint == place)) {
            let _ = writeln!(page, "| {} | {text} |", names.join("; "));
        }
    }
    page
}

/// The kinds that are told alike, in the order of the first of each.
fn grouped<'c>(cells: impl Iterator<Item = &'c Cell>) -> Vec<(String, Vec<&'static str>)> {
    let mut groups: Vec<(String, Vec<&'static str>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for cell in cells {
        let text = row(cell);
        let place = *places.entry(text.clone()).or_insert_with(|| {
            groups.push((text, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(KINDS[cell.kind].name);
    }
    groups
}

fn row(cell: &Cell) -> String {
    let told = if cell.was_harmless() {
        "nothing: it passed, or nothing hung on it".to_owned()
    } else {
        cell.told.join("<br>")
    };
    let told = without_status(&told, KINDS[cell.kind].name);
    format!("`{}` | {}", cell.idle, told.replace('|', "\\|"))
}

fn without_status(text: &str, kind: &str) -> String {
    let status = kind.split([' ', ',']).next().unwrap_or_default();
    if status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.replace(status, "<status>");
    }
    text.to_owned()
}
