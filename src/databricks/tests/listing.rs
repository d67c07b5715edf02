use std::collections::BTreeSet;

use super::*;
use crate::service::testing::TOKEN;

const FIRST: &str = "GET /api/2.1/clusters/list?filter_by.cluster_states=RUNNING\
    &filter_by.cluster_states=RESIZING&filter_by.cluster_sources=UI\
    &filter_by.cluster_sources=API&page_size=100";

/// The listing as one line: ids, `?` before those that did not parse.
fn ids(listing: &ClusterListing) -> String {
    let text = |item: &Listed| match item {
        Listed::Parsed(cluster) => cluster.id.to_string(),
        Listed::Unparsed { id, .. } => format!("?{}", id.as_deref().unwrap_or("-")),
    };
    listing
        .clusters
        .iter()
        .map(text)
        .collect::<Vec<_>>()
        .join(" ")
}

fn state<'a>(listing: &'a ClusterListing, id: &str) -> Option<&'a str> {
    listing.clusters.iter().find_map(|item| match item {
        Listed::Parsed(cluster) if cluster.id.as_str() == id => Some(cluster.state.as_str()),
        Listed::Parsed(_) | Listed::Unparsed { .. } => None,
    })
}

#[tokio::test(start_paused = true)]
async fn lists_all_pages_and_every_id_once() {
    let (databricks, transport) = workspace(|_, query, _| {
        let json = match token(query) {
            "" => {
                r#"{"clusters":[{"cluster_id":"a","state":"RUNNING"},{"cluster_id":"b"}],"next_page_token":"t/2+="}"#
            }
            "t%2F2%2B%3D" => r#"{"next_page_token":"t3"}"#,
            "t3" => {
                r#"{"clusters":[{"cluster_id":"a","state":"RESIZING"},{"cluster_id":"c"}],"next_page_token":"","prev_page_token":"t2"}"#
            }
            other => panic!("no such page: {other}"),
        };
        (200, json.to_owned())
    });
    let listing = databricks.list_clusters().await;
    assert!(listing.complete.is_ok());
    assert_eq!(ids(&listing), "a b c");
    assert_eq!(state(&listing, "a"), Some("RESIZING"));
    assert_eq!(listing.pages, 3);
    assert_eq!(
        requests(&transport),
        [
            FIRST.to_owned(),
            format!("{FIRST}&page_token=t%2F2%2B%3D"),
            format!("{FIRST}&page_token=t3"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failing_page_keeps_what_was_seen() {
    for status in [403, 500] {
        let (databricks, _) = workspace(move |_, query, _| match token(query) {
            "" => {
                let json = r#"{"clusters":[{"cluster_id":"a"}],"next_page_token":"2"}"#;
                (200, json.to_owned())
            }
            _ => (status, "{}".to_owned()),
        });
        let listing = databricks.list_clusters().await;
        assert_eq!(ids(&listing), "a");
        let error = listing.complete.expect_err("page 2 failed");
        assert!(matches!(&error.cause, CallErrorCause::Status(one) if one.status == status));
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_page_token_ends_the_listing_as_incomplete() {
    let (databricks, transport) = workspace(|_, query, _| {
        let next = if token(query) == "x" { "y" } else { "x" };
        let json = format!(r#"{{"clusters":[{{"cluster_id":"a"}}],"next_page_token":"{next}"}}"#);
        (200, json)
    });
    let listing = databricks.list_clusters().await;
    assert!(listing.complete.is_err());
    assert_eq!(ids(&listing), "a");
    assert_eq!(transport.sent().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_listing_without_end_is_incomplete() {
    let (databricks, transport) = workspace(|_, query, _| {
        let page: u32 = token(query).parse().unwrap_or(0);
        (200, format!(r#"{{"next_page_token":"{}"}}"#, page + 1))
    });
    let listing = databricks.list_clusters().await;
    let error = listing.complete.expect_err("the cap");
    assert!(error.to_string().contains("pages"), "{error}");
    assert_eq!(transport.sent().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn items_that_do_not_parse_are_listed_as_such() {
    let json = r#"{"clusters":[
        {"cluster_id":"a","num_workers":-1},
        {"cluster_id":"b"},
        {"cluster_name":"no id"},
        null,
        {"cluster_id":"b","autotermination_minutes":"never"},
        {"cluster_id":"a"}
    ]}"#;
    let (databricks, _) = always(200, json);
    let listing = databricks.list_clusters().await;
    assert!(listing.complete.is_ok());
    assert_eq!(ids(&listing), "?a ?b ?- ?-");
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_shape_is_no_empty_listing() {
    for json in [
        "[]",
        "null",
        r#"{"clusters":{}}"#,
        r#"{"clusters":[],"next_page_token":7}"#,
        r#"{"error_code":"TEMPORARILY_UNAVAILABLE","message":"x"}"#,
    ] {
        let (databricks, _) = always(200, json);
        let listing = databricks.list_clusters().await;
        assert!(listing.complete.is_err(), "{json}");
    }
    for json in ["{}", r#"{"clusters":null}"#, r#"{"clusters":[]}"#] {
        let (databricks, _) = always(200, json);
        let listing = databricks.list_clusters().await;
        assert!(listing.complete.is_ok(), "{json}");
    }
}

#[tokio::test(start_paused = true)]
async fn pins_are_known_whole_or_not_at_all() {
    let (databricks, transport) = workspace(|_, query, _| {
        let json = match token(query) {
            "" => r#"{"clusters":[{"cluster_id":"a","num_workers":-1}],"next_page_token":"2"}"#,
            _ => r#"{"clusters":[{"cluster_id":"b","state":"TERMINATED"}]}"#,
        };
        (200, json.to_owned())
    });
    let ids = databricks.pinned_ids().await.expect("pins");
    assert_eq!(
        ids,
        BTreeSet::from([ClusterId::new("a"), ClusterId::new("b")])
    );
    let first = "GET /api/2.1/clusters/list?filter_by.is_pinned=true&page_size=100";
    assert_eq!(
        requests(&transport),
        [first.to_owned(), format!("{first}&page_token=2")]
    );

    let (databricks, _) = always(200, r#"{"clusters":[{"cluster_id":"a"},{}]}"#);
    assert!(databricks.pinned_ids().await.is_err());
    let (databricks, _) = workspace(|_, query, _| match token(query) {
        "" => (200, r#"{"next_page_token":"2"}"#.to_owned()),
        _ => (500, "{}".to_owned()),
    });
    assert!(databricks.pinned_ids().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_stands_in_the_place_of_a_cluster_is_no_way_for_our_token() {
    for text in [
        format!(r#"": {TOKEN}""#),
        format!(r#"{{"cluster_id":"a","executors":"{TOKEN}"}}"#),
        format!(r#"{{"cluster_id":"a","custom_tags":["{TOKEN} \" \""]}}"#),
        format!(r#"{{"cluster_id":"a","cluster_name":"{TOKEN}"}}"#),
    ] {
        let page = format!(r#"{{"clusters":[{text}]}}"#);
        let (databricks, _) = workspace(move |_, _, _| (200, page.clone()));
        let listing = databricks.list_clusters().await;
        assert_eq!(listing.clusters.len(), 1, "{text}");
        let told = format!("{listing:?}");
        assert!(!told.contains(TOKEN), "{told}");
    }
}
