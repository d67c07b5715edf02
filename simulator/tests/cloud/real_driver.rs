//! Tests of a driver whose Spark UI is another process: what reaches it, and what comes back.
//!
//! The other process is a few bytes on a socket here. A real Spark stands there in the handler's own
//! ignored tests.

use std::net::SocketAddr;

use simulator::Simulator;
use simulator::world::{Cluster, Permission, Spark, UpstreamHost, Workspace};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::client::{Client, DATABRICKS, Outcome, start, url};

/// Where a driver is, seen from inside its network.
const DRIVER: &str = "10.139.64.10:40001";

/// Listens, and answers one request with these bytes; gives the request's head.
async fn ui(answer: &'static str) -> std::io::Result<(SocketAddr, JoinHandle<String>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let asked = tokio::spawn(async move {
        let mut head = Vec::new();
        let Ok((mut stream, _)) = listener.accept().await else {
            return String::new();
        };
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        stream.write_all(answer.as_bytes()).await.ok();
        String::from_utf8_lossy(&head).to_ascii_lowercase()
    });
    Ok((address, asked))
}

fn simulator(address: SocketAddr, host: UpstreamHost) -> std::io::Result<Simulator> {
    let cluster = Cluster::idle("etl").spark(Spark::real(address, host));
    start(Workspace::named("analytics").cluster(cluster))
}

fn base(simulator: &Simulator) -> String {
    let (org, id) = simulator.world(|world| {
        let org = world.workspace_mut("analytics").id;
        (org, world.cluster_id("analytics", "etl"))
    });
    url(simulator, &format!("/driver-proxy-api/o/{org}/{id}/40001"))
}

#[tokio::test]
async fn path_query_and_answer_pass_a_real_driver_unchanged() -> Outcome {
    let (address, asked) = ui(
        "HTTP/1.1 418 Odd\r\nContent-Type: text/odd\r\nX-Kind: own\r\n\
         Content-Length: 4\r\nConnection: close\r\n\r\nbody",
    )
    .await?;
    let simulator = simulator(address, UpstreamHost::Named(DRIVER))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let path = "/api/v1/applications/a%2Fb/sql/?length=3&x=%20y&x=";
    let reply = client.get(&(base(&simulator) + path)).await?;
    assert_eq!((reply.status, reply.text.as_str()), (418, "body"));
    assert_eq!(reply.header("content-type"), "text/odd");
    assert_eq!(reply.header("x-kind"), "own");
    let asked = asked.await?;
    let expected = format!("get {} http/1.1\r\n", path.to_ascii_lowercase());
    assert!(asked.starts_with(&expected), "{asked}");
    assert!(!asked.contains("authorization"), "{asked}");
    let record = simulator.record();
    let recorded = record.driver_requests();
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded[0].status, Some(418));
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn a_redirect_comes_back_as_it_is_and_the_world_chooses_the_host() -> Outcome {
    for (choice, passes_host) in [
        (UpstreamHost::Named(DRIVER), false),
        (UpstreamHost::PassedOn, true),
    ] {
        let (address, asked) = ui(
            "HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/jobs/\r\n\
             Content-Length: 0\r\n\r\n",
        )
        .await?;
        let simulator = simulator(address, choice)?;
        let client = Client::with_scope(&simulator, DATABRICKS).await?;
        let reply = client.get(&(base(&simulator) + "/StreamingQuery/")).await?;
        let location = reply.header("location");
        assert_eq!(
            (reply.status, location),
            (302, "http://elsewhere.example/jobs/")
        );
        let host = simulator.world(|world| world.workspace_mut("analytics").host.clone());
        let expected = if passes_host { host.as_str() } else { DRIVER };
        let asked = asked.await?;
        assert!(asked.contains(&format!("host: {expected}\r\n")), "{asked}");
        simulator.assert_clean();
    }
    Ok(())
}

#[tokio::test]
async fn a_real_driver_is_only_read_and_only_by_those_who_may() -> Outcome {
    let (address, asked) = ui("").await?;
    let simulator = simulator(address, UpstreamHost::Named(DRIVER))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let page = base(&simulator) + "/jobs/job/kill/?id=1";
    let kill = client.post(&page, &serde_json::Value::Null).await?;
    assert_eq!(kill.status, 501);
    assert_eq!(simulator.violations().len(), 1);
    simulator.world(|world| {
        world.cluster_mut("analytics", "etl").permissions =
            vec![("main".to_owned(), Permission::None)];
        world.workspace_mut("analytics").members.clear();
    });
    let refused = client
        .get(&(base(&simulator) + "/api/v1/applications"))
        .await?;
    assert!(matches!(refused.status, 401 | 403), "{}", refused.status);
    assert!(!asked.is_finished(), "something reached the driver");
    Ok(())
}

#[tokio::test]
async fn a_real_driver_that_is_gone_cannot_be_reached() -> Outcome {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    drop(listener);
    let simulator = simulator(address, UpstreamHost::Named(DRIVER))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let page = base(&simulator) + "/api/v1/applications";
    assert_eq!(client.get(&page).await?.status, 503);
    simulator.assert_clean();
    Ok(())
}
