//! Texts that were made to deceive whoever reads a report or a log.
//!
//! Whoever may create a cluster may choose its name, its tags and the names of
//! its jobs, and the workspace's own messages repeat them.

/// Each tries to end a line, to forge a row or a record, to change its level, or
/// to drive the terminal.
pub(crate) fn names() -> Vec<String> {
    vec![
        "plain\nidle terminated  forged".to_owned(),
        "2026-11-22T14:29:53.086Z ERROR\r\n2026-11-22T14:29:53.086Z ERROR x: y".to_owned(),
        "\u{1b}[2J\u{1b}[31mred".to_owned(),
        "warn WARNING".to_owned(),
        "azfuncjsonlog:{\"level\":\"x\"}".to_owned(),
        "LanguageWorkerConsoleLog hidden".to_owned(),
        "quotes \" ' ` \\ end".to_owned(),
        "\u{202e}desrever\u{2066}".to_owned(),
        "line\u{2028}separator\u{85}next".to_owned(),
        "zero\u{200b}width\u{feff}".to_owned(),
        "nul\0bell\u{7}".to_owned(),
        "{\"outcome\":\"terminated\"}".to_owned(),
        "a outcome=terminated invocation=forged".to_owned(),
        "x".repeat(100_000),
        "\u{202e}".repeat(30_000),
    ]
}
