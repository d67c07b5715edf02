//! Tests of faults and hooks.

use std::time::{Duration, Instant};

use serde_json::json;
use simulator::world::{Cluster, Workspace};
use simulator::{Fault, Match, Simulator, Times, When};

use crate::client::{Client, DATABRICKS, Outcome, start, url};

const LIST: &str = "/api/2.1/clusters/list";

async fn ready() -> Result<(Simulator, Client, String), Box<dyn std::error::Error>> {
    let simulator = start(Workspace::named("analytics").cluster(Cluster::idle("etl")))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let url = url(&simulator, LIST);
    Ok((simulator, client, url))
}

#[tokio::test]
async fn a_fault_strikes_as_often_as_it_is_told() -> Outcome {
    for (times, expected) in [
        (Times::Always, [503, 503, 503, 503]),
        (Times::First(2), [503, 503, 200, 200]),
        (Times::Nth(2), [200, 503, 200, 200]),
        (Times::From(3), [200, 200, 503, 503]),
    ] {
        let (simulator, client, url) = ready().await?;
        simulator.fault(Match::path(LIST), times, Fault::status(503));
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(client.get(&url).await?.status);
        }
        assert_eq!(statuses, expected, "{times:?}");
        simulator.clear_faults();
        assert_eq!(client.get(&url).await?.status, 200);
        simulator.assert_clean();
    }
    Ok(())
}

#[tokio::test]
async fn answers_can_be_replaced_and_bent() -> Outcome {
    let (simulator, client, url) = ready().await?;
    let strike = async |fault: Fault| {
        simulator.clear_faults();
        simulator.fault(Match::path(LIST), Times::Always, fault);
        client.get(&url).await
    };
    let throttled = strike(Fault::throttled(3)).await?;
    assert_eq!(
        (throttled.status, throttled.header("retry-after")),
        (429, "3")
    );
    let redirect = strike(Fault::Redirect(307, "https://example.com/".to_owned())).await?;
    assert_eq!(
        (redirect.status, redirect.header("location")),
        (307, "https://example.com/")
    );
    let html = strike(Fault::Html200).await?;
    assert_eq!(
        (html.status, html.header("content-type")),
        (200, "text/html;charset=utf-8")
    );
    let kind = strike(Fault::ContentType("application/octet-stream".to_owned())).await?;
    assert_eq!(kind.header("content-type"), "application/octet-stream");
    assert!(kind.json()["clusters"].is_array());
    assert_eq!(
        strike(Fault::OtherJson("[1]".to_owned())).await?.json(),
        json!([1])
    );
    assert_eq!(strike(Fault::EmptyBody).await?.text, "");
    assert!(strike(Fault::OverlongBody(2_000_000)).await?.text.len() > 2_000_000);
    let slow = Instant::now();
    assert!(
        strike(Fault::SlowBody(Duration::from_millis(10)))
            .await?
            .json()["clusters"]
            .is_array()
    );
    assert!(slow.elapsed() >= Duration::from_millis(80));
    let late = Instant::now();
    assert_eq!(
        strike(Fault::Delay(Duration::from_millis(60)))
            .await?
            .status,
        200
    );
    assert!(late.elapsed() >= Duration::from_millis(60));
    Ok(())
}

#[tokio::test]
async fn connections_can_be_broken_at_every_stage() -> Outcome {
    for fault in [
        Fault::ResetBeforeAnswer,
        Fault::LoseAnswer,
        Fault::ResetAfterHeaders,
        Fault::TruncateBody,
    ] {
        let (simulator, client, url) = ready().await?;
        simulator.fault(Match::path(LIST), Times::First(1), fault.clone());
        assert!(client.get(&url).await.is_err(), "{fault:?}");
        assert_eq!(client.get(&url).await?.status, 200, "after {fault:?}");
        simulator.assert_clean();
    }
    for fault in [
        Fault::RefuseConnection,
        Fault::ResetConnection,
        Fault::CertificateOf("login.microsoftonline.com".to_owned()),
    ] {
        let (simulator, client, url) = ready().await?;
        let host = url.split('/').nth(2).ok_or("no host")?;
        simulator.fault(Match::host(host), Times::First(1), fault.clone());
        assert!(client.get(&url).await.is_err(), "{fault:?}");
        assert_eq!(client.get(&url).await?.status, 200, "after {fault:?}");
        assert!(simulator.record().to(host).len() == 1, "{fault:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_hanging_answer_is_recorded_without_a_status() -> Outcome {
    let (simulator, client, url) = ready().await?;
    simulator.fault(Match::path(LIST), Times::Always, Fault::Hang);
    let waited = tokio::time::timeout(Duration::from_millis(100), client.get(&url)).await;
    assert!(waited.is_err());
    assert_eq!(
        simulator.record().matching(&Match::path(LIST))[0].status,
        None
    );
    Ok(())
}

#[tokio::test]
async fn a_termination_happens_although_its_answer_is_lost() -> Outcome {
    for (fault, state) in [
        (Fault::LoseAnswer, "TERMINATING"),
        (Fault::ResetBeforeAnswer, "RUNNING"),
    ] {
        let (simulator, client, _) = ready().await?;
        simulator.fault(Match::termination(), Times::Always, fault);
        let id = simulator.world(|world| world.cluster_id("analytics", "etl"));
        let delete = url(&simulator, "/api/2.1/clusters/delete");
        assert!(
            client
                .post(&delete, &json!({ "cluster_id": id }))
                .await
                .is_err()
        );
        assert_eq!(
            simulator.world(|world| world.cluster_state("analytics", "etl")),
            state
        );
    }
    Ok(())
}

#[tokio::test]
async fn gzip_is_what_it_says() -> Outcome {
    let (simulator, client, url) = ready().await?;
    let plain = client.get(&url).await?.text;
    simulator.fault(Match::path(LIST), Times::Always, Fault::Gzip);
    let request = client.get(&url).await?;
    // The reqwest of the tests unpacks gzip only where a crate beside this one turned that on.
    let unpacked = request.header("content-encoding").is_empty();
    assert!(!unpacked || request.text == plain);
    assert!(unpacked || request.text.contains("cluster_id"));
    Ok(())
}

#[tokio::test]
async fn a_hook_changes_the_world_before_or_after_its_request() -> Outcome {
    for (when, first) in [(When::Before, 2), (When::After, 1)] {
        let (simulator, client, url) = ready().await?;
        simulator.hook(Match::path(LIST), Times::First(1), when, |world| {
            world
                .workspace_mut("analytics")
                .add_cluster(Cluster::idle("second"));
        });
        let count = async || -> Result<usize, reqwest::Error> {
            let body = client.get(&url).await?.json();
            Ok(body["clusters"].as_array().map_or(0, Vec::len))
        };
        assert_eq!((count().await?, count().await?), (first, 2), "{when:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_hook_that_speaks_of_what_is_not_there_is_a_violation() -> Outcome {
    let (simulator, client, url) = ready().await?;
    simulator.hook(Match::path(LIST), Times::Always, When::Before, |world| {
        world.restart_cluster("analytics", "no such cluster");
    });
    assert_eq!(client.get(&url).await?.status, 501);
    assert_eq!(simulator.violations().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_matcher_can_ask_for_a_cluster_a_query_and_a_body() -> Outcome {
    let (simulator, client, _) = ready().await?;
    let id = simulator.world(|world| world.cluster_id("analytics", "etl"));
    client
        .get(&url(
            &simulator,
            &format!("/api/2.1/clusters/get?cluster_id={id}"),
        ))
        .await?;
    client
        .post(
            &url(&simulator, "/api/2.1/clusters/events"),
            &json!({ "cluster_id": id }),
        )
        .await?;
    let record = simulator.record();
    let count = |matcher: Match| record.matching(&matcher).len();
    assert_eq!(count(Match::any().cluster(&id)), 2);
    assert_eq!(count(Match::any().cluster("other")), 0);
    assert_eq!(count(Match::path("/clusters/").query("cluster_id", &id)), 1);
    assert_eq!(count(Match::any().body(&id)), 1);
    assert_eq!(count(Match::token_request().body("client_secret=")), 1);
    assert_eq!(count(Match::any().path_prefix("/api/2.1/")), 2);
    Ok(())
}

#[tokio::test]
async fn a_recorded_answer_is_served_to_the_last_byte() -> Outcome {
    for text in [
        include_str!("../../../tests/fixtures/recorded/entra_unknown_certificate.http"),
        include_str!("../../../tests/fixtures/recorded/entra_wrong_secret.http"),
        include_str!("../../../tests/fixtures/recorded/identity_token.http"),
        include_str!("../../../tests/fixtures/recorded/identity_token_user_assigned.http"),
        include_str!("../../../tests/fixtures/recorded/vault_challenge.http"),
        include_str!("../../../tests/fixtures/recorded/vault_no_such_secret.http"),
        include_str!("../../../tests/fixtures/recorded/vault_secret.http"),
    ] {
        let (simulator, client, url) = ready().await?;
        simulator.fault(Match::path(LIST), Times::Always, Fault::recorded(text));
        let reply = client.get(&url).await?;
        let (head, body) = text.split_once("\n\n").ok_or("no body")?;
        assert_eq!(reply.text, body);
        let mut lines = head.lines();
        let status_line = lines.next().ok_or("no status")?;
        assert!(status_line.contains(&reply.status.to_string()));
        let mut recorded: Vec<String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| format!("{}: {value}", name.to_lowercase()))
            .collect();
        let mut served: Vec<String> = reply
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")))
            .collect();
        recorded.sort();
        served.sort();
        assert_eq!(served, recorded);
    }
    Ok(())
}
