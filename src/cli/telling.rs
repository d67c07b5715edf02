//! The report on standard output, workspace by workspace as they end, and how
//! far the sweep is on standard error.

use std::io::{self, Write};

use super::Progress;
use crate::human::Count;
use crate::report::{Closing, WorkspaceReport, json, text};
use crate::sweep::ReportSink;

/// Prints the report as text or as JSON lines. A reader who has gone away is no
/// error: the sweep's result does not depend on being read.
#[derive(Debug)]
pub struct PrintedReport {
    as_json: bool,
    progress: Progress,
    workspaces: usize,
    done: usize,
    clusters: usize,
}

impl PrintedReport {
    #[must_use]
    pub fn new(as_json: bool, progress: Progress) -> Self {
        Self {
            as_json,
            progress,
            workspaces: 0,
            done: 0,
            clusters: 0,
        }
    }
}

impl ReportSink for PrintedReport {
    fn begin(&mut self, workspaces: usize) {
        self.workspaces = workspaces;
        self.progress
            .tell(&format!("sweeping {} …", Count(workspaces, "workspace")));
    }

    fn workspace(&mut self, report: &WorkspaceReport) {
        self.done += 1;
        self.clusters += report.lines.len();
        if self.as_json {
            print(&format!("{}\n", json::workspace(report)));
        } else {
            print(&format!("{}\n", text::workspace(report)));
        }
        let Self {
            workspaces,
            done,
            clusters,
            ..
        } = *self;
        self.progress.tell(&format!(
            "{done} of {} done, {} so far",
            Count(workspaces, "workspace"),
            Count(clusters, "cluster"),
        ));
    }

    fn closing(&mut self, closing: &Closing) {
        if self.as_json {
            print(&format!("{}\n", json::closing(closing)));
        } else {
            print(&text::closing(closing));
        }
    }
}

fn print(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}
