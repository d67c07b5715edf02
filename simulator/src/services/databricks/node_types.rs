//! Clusters API 2.1: the sizes of machines that a workspace offers, with their cores and GPUs.
//!
//! `num_cores` is a float in the real API. A size that a cluster has and this list lacks is a case that
//! clients must cope with, so nothing is added for clusters' sake.

use serde_json::{Value, json};

use super::Visit;
use crate::http::Answer;

pub(super) fn list(visit: &Visit<'_>) -> Result<Answer, Answer> {
    visit.check_keys(&[])?;
    let node_types: Vec<Value> = visit
        .workspace
        .node_types
        .iter()
        .map(|node_type| {
            json!({
                "node_type_id": node_type.id,
                "instance_type_id": node_type.id,
                "memory_mb": node_type.memory_mb,
                "num_cores": node_type.cores,
                "num_gpus": node_type.gpus,
                "description": node_type.id,
                "category": if node_type.gpus > 0 { "GPU Accelerated" } else { "General Purpose" },
                "is_deprecated": false,
                "is_hidden": false,
                "node_instance_type": { "instance_type_id": node_type.id },
            })
        })
        .collect();
    Ok(Answer::json(200, &json!({ "node_types": node_types })))
}
