//! The examination as one JSON object on one line.
//!
//! The field names are stable, the sentences are those of the text. Pure.

use serde_json::{Value, json};

use super::Examination;
use super::check::Status;
use super::outlook::{Gain, Outlook};
use super::sheet::Finding;
pub(crate) use crate::report::json::one_line;

/// Everything that was found, without the line's end.
#[must_use]
pub fn examination(examination: &Examination) -> String {
    let Examination { sheet, outlooks } = examination;
    one_line(&json!({
        "failed": sheet.failed(),
        "counts": {
            "ok": sheet.count(Status::Ok),
            "warn": sheet.count(Status::Warn),
            "fail": sheet.count(Status::Fail),
            "skipped": sheet.count(Status::Skipped),
        },
        "checks": sheet.findings().iter().map(finding).collect::<Vec<_>>(),
        "outlooks": outlooks.iter().map(outlook).collect::<Vec<_>>(),
    }))
}

fn finding(finding: &Finding) -> Value {
    let Finding {
        id,
        subject,
        status,
        sentence,
        remedy,
    } = finding;
    let needs: Vec<&str> = id.needs().iter().map(|need| need.as_str()).collect();
    json!({
        "id": id.as_str(),
        "title": id.title(),
        "needs": needs,
        "principal": subject.principal,
        "workspace": subject.workspace,
        "item": subject.item,
        "status": status.as_str(),
        "sentence": sentence,
        "missing": remedy.as_ref().and_then(|remedy| remedy.missing.as_deref()),
        "command": remedy.as_ref().map(|remedy| remedy.command.as_str()),
        "docs": id.docs(),
    })
}

fn outlook(outlook: &Outlook) -> Value {
    let Outlook {
        workspace,
        spark,
        nodes,
        applies,
        sentence,
        gains,
    } = outlook;
    let gain = |gain: &Gain| json!({"sentence": gain.sentence, "command": gain.command});
    json!({
        "workspace": workspace,
        "spark": spark.as_str(),
        "nodes": nodes.as_str(),
        "evidence": applies.map(|(by, _)| by.as_str()),
        "threshold_s": applies.map(|(_, after)| after.as_secs()),
        "sentence": sentence,
        "gains": gains.iter().map(gain).collect::<Vec<_>>(),
    })
}
