//! The examination as a person reads it.
//!
//! Pure; everything from outside is escaped, so that no name can forge a line.

use std::fmt::Write;

use super::Examination;
use super::check::{CheckId, Scope, Status};
use super::outlook::Outlook;
use super::sheet::Finding;
use crate::escape::Shown;
use crate::human::Count;

/// Everything that was found.
#[must_use]
pub fn examination(examination: &Examination) -> String {
    let Examination { sheet, outlooks } = examination;
    let widths = CheckId::ALL.iter().map(|id| id.as_str().len());
    let width = widths.max().unwrap_or(0);
    let mut out = String::new();
    let mut heading = String::new();
    for finding in sheet.findings() {
        let next = heading_of(finding);
        if next != heading {
            let _ = writeln!(out, "{}{next}", if heading.is_empty() { "" } else { "\n" });
            heading = next;
        }
        write_finding(&mut out, finding, width);
    }
    for outlook in outlooks {
        write_outlook(&mut out, outlook);
    }
    let _ = writeln!(out, "\n{}", summary(examination));
    out
}

/// Counts, on one line.
#[must_use]
pub fn summary(examination: &Examination) -> String {
    let sheet = &examination.sheet;
    let checks = Count(sheet.findings().len(), "check");
    format!(
        "{checks}: {} ok, {} to look at, {} failed, {} skipped; nothing was changed",
        sheet.count(Status::Ok),
        sheet.count(Status::Warn),
        sheet.count(Status::Fail),
        sheet.count(Status::Skipped),
    )
}

fn heading_of(finding: &Finding) -> String {
    let subject = &finding.subject;
    let (kind, name) = match finding.id.scope() {
        Scope::Installation => return "installation".to_owned(),
        Scope::Principal => ("principal", &subject.principal),
        Scope::Workspace => ("workspace", &subject.workspace),
    };
    match name {
        Some(name) => format!("{kind} `{}`", Shown::name(name)),
        // The settings, which would name it, cannot be read.
        None => format!("every {kind}"),
    }
}

fn write_finding(out: &mut String, finding: &Finding, width: usize) {
    let Finding {
        id,
        subject,
        status,
        sentence,
        remedy,
    } = finding;
    let item = subject.item.as_deref();
    let item = item.map(|item| format!("`{}`: ", Shown::name(item)));
    let _ = writeln!(
        out,
        "  {:7}  {:width$}  {}{}",
        status.as_str(),
        id.as_str(),
        item.unwrap_or_default(),
        Shown::sentence(sentence),
    );
    let Some(remedy) = remedy else {
        return;
    };
    let indent = width + 13;
    if let Some(missing) = &remedy.missing {
        let _ = writeln!(out, "{:indent$}missing: {}", "", Shown::sentence(missing));
    }
    let _ = writeln!(
        out,
        "{:indent$}run:     {}",
        "",
        Shown::sentence(&remedy.command)
    );
    let _ = writeln!(out, "{:indent$}see:     {}", "", id.docs());
}

fn write_outlook(out: &mut String, outlook: &Outlook) {
    let Outlook {
        workspace,
        sentence,
        gains,
        ..
    } = outlook;
    let name = Shown::name(workspace);
    let _ = writeln!(out, "\noutlook of `{name}`: {}", Shown::sentence(sentence));
    for gain in gains {
        let _ = writeln!(out, "  - {}", Shown::sentence(&gain.sentence));
        if let Some(command) = &gain.command {
            let _ = writeln!(out, "    {}", Shown::sentence(command));
        }
    }
}
