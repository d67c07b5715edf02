//! Two pages of the list of clusters: no item may get lost, nor a tag of one.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use terminate_clusters::databricks::{ClusterListing, Databricks, Listed};
use terminate_clusters_fuzz::{Answers, assert_is_shown_safely, items, json, run, workspace};

fuzz_target!(|data: &[u8]| {
    let answers = Answers::of(data);
    let client = client(&answers);
    let listing = run(client.list_clusters());
    assert_is_complete(&answers, &listing);
    for item in &listing.clusters {
        match item {
            Listed::Parsed(_) => {}
            Listed::Unparsed { why, .. } => assert_is_shown_safely(why),
        }
    }
    if let Err(error) = &listing.complete {
        assert_is_shown_safely(&error.to_string());
    }
    let again = run(client.list_clusters());
    assert_eq!(again.clusters, listing.clusters, "read twice");
    // A pin that is not seen would not protect: all of them, or an error.
    if let Ok(pinned) = run(client.pinned_ids()) {
        for id in listed(&answers, listing.pages).filter_map(id_of) {
            let is_pinned = pinned.iter().any(|pin| pin.as_str() == id);
            assert!(is_pinned, "{id} is lost");
        }
    }
});

fn client(answers: &Answers) -> Databricks {
    let answers = answers.clone();
    Databricks::new(workspace(move |request| {
        let query = request.uri().query().unwrap_or_default();
        json(answers.body(usize::from(query.contains("page_token="))))
    }))
}

/// What stands in the pages that were read, by a plain reading.
fn listed(answers: &Answers, pages: usize) -> impl Iterator<Item = Value> {
    let pages: Vec<Value> = (0..pages.min(2))
        .filter_map(|page| answers.json(page))
        .collect();
    pages
        .into_iter()
        .flat_map(|page| items(&page, "clusters").to_vec())
}

fn id_of(item: Value) -> Option<String> {
    let id = item.get("cluster_id")?.as_str()?;
    (!id.is_empty()).then(|| id.to_owned())
}

/// A listing that calls itself complete has a line for each item, parsed or not.
fn assert_is_complete(answers: &Answers, listing: &ClusterListing) {
    if listing.complete.is_err() {
        return;
    }
    let pages: Option<Vec<Value>> = (0..listing.pages.min(2))
        .map(|page| answers.plain(page))
        .collect();
    let Some(pages) = pages else { return };
    let first = pages.first().expect("no page, and yet complete");
    for disguise in ["error_code", "error", "message", "detail"] {
        let is_error = first.get(disguise).is_some_and(|value| !value.is_null());
        assert!(!is_error, "an error passed for a list: {first}");
    }
    let all: Vec<Value> = listed(answers, listing.pages).collect();
    let ids: BTreeSet<String> = all.iter().cloned().filter_map(id_of).collect();
    let unnamed = all
        .iter()
        .filter(|item| id_of((*item).clone()).is_none())
        .count();
    let lines = listing.clusters.len();
    assert!(lines >= ids.len() + unnamed, "{lines} lines for {all:?}");
    for item in &listing.clusters {
        let Listed::Parsed(cluster) = item else {
            continue;
        };
        let of_cluster =
            |item: &&Value| id_of((*item).clone()).as_deref() == Some(cluster.id.as_str());
        // The record that came last is the one that counts.
        let record = all
            .iter()
            .rfind(of_cluster)
            .expect("a cluster that nobody listed");
        for member in ["custom_tags", "default_tags"] {
            for tag in record
                .get(member)
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                let has_tag = cluster.tags.iter().any(|(key, _)| key == tag.0);
                assert!(has_tag, "the tag {tag:?} is lost");
            }
        }
    }
}
