//! Tests of the proxy, the record and the load that they bear.

use std::time::{Duration, Instant};

use simulator::Simulator;
use simulator::world::{Access, Cluster, Workspace, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Client, DATABRICKS, Outcome, start, url};

#[tokio::test]
async fn a_host_that_nobody_arranged_is_refused_and_kept() -> Outcome {
    let simulator = Simulator::start(World::new())?;
    let client = Client::of(&simulator)?;
    assert!(client.get("https://example.com/").await.is_err());
    assert_eq!(simulator.violations().len(), 1);
    let record = simulator.record();
    assert_eq!(record.connects()[0].target, "example.com:443");
    assert!(!record.connects()[0].was_accepted);
    assert!(record.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_meant_to_be_unknown_is_refused_and_no_violation() -> Outcome {
    let simulator = start(Workspace::named("analytics").access(Access::NoSuchHost))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    assert!(
        client
            .get(&url(&simulator, "/api/2.1/clusters/list"))
            .await
            .is_err()
    );
    simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn anything_but_connect_is_refused_and_kept() -> Outcome {
    let simulator = Simulator::start(World::new())?;
    let address = simulator.proxy_url().replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream
        .write_all(b"GET http://169.254.169.254/ HTTP/1.1\r\nhost: x\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert_eq!(simulator.violations().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_plain_port_of_a_known_host_is_refused() -> Outcome {
    let simulator = Simulator::start(World::new())?;
    let client = Client::of(&simulator)?;
    assert!(
        client
            .get("https://management.azure.com:8443/x")
            .await
            .is_err()
    );
    assert_eq!(simulator.violations().len(), 1);
    Ok(())
}

#[tokio::test]
async fn secrets_show_in_no_rendering_of_the_record() -> Outcome {
    let simulator = start(Workspace::named("analytics").cluster(Cluster::idle("etl")))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    client
        .get(&url(&simulator, "/api/2.1/clusters/list"))
        .await?;
    let record = simulator.record();
    let rendered = format!("{record:?} {:?}", simulator.world(|world| world.clone()));
    let secrets = simulator.world(|world| world.secrets());
    assert!(secrets.len() >= 3);
    for secret in &secrets {
        assert!(!rendered.contains(secret.as_str()));
    }
    let authorization = record.requests()[1].headers()["authorization"].to_str()?;
    assert_eq!(authorization, format!("Bearer {}", client.held_token()));
    Ok(())
}

#[tokio::test]
async fn the_record_can_be_forgotten_between_two_sweeps() -> Outcome {
    let simulator = start(Workspace::named("analytics"))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    simulator.forget_record();
    client
        .get(&url(&simulator, "/api/2.1/clusters/list"))
        .await?;
    assert_eq!(simulator.record().requests().len(), 1);
    assert!(simulator.record().token_requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn the_environment_and_the_policy_name_this_simulator() -> Outcome {
    let world = World::new()
        .workspace(Workspace::named("analytics").sees_all_runs())
        .workspace(Workspace::named("quo\"te").access(Access::Contributor));
    let simulator = Simulator::start(world)?;
    let env = simulator.env();
    let value = |name: &str| {
        env.iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(value("HTTPS_PROXY"), Some(simulator.proxy_url().as_str()));
    assert_eq!(value("SSL_CERT_DIR"), Some("/nonexistent"));
    assert_eq!(
        value("TERMINATE_CLUSTERS_KEY_VAULT_URL"),
        Some("https://tc-vault.vault.azure.net")
    );
    let file = value("SSL_CERT_FILE").ok_or("no file")?;
    assert_eq!(std::fs::read_to_string(file)?, simulator.ca_pem());
    let policy = simulator.policy_workspaces();
    assert!(
        policy.contains("name = \"analytics\"") && policy.contains("sees_all_runs = true"),
        "{policy}"
    );
    assert!(
        policy.contains("name = \"quo\\\"te\"") && policy.contains("access = \"contributor\""),
        "{policy}"
    );
    Ok(())
}

#[tokio::test]
async fn nothing_answers_once_the_simulator_is_dropped() -> Outcome {
    let simulator = start(Workspace::named("analytics"))?;
    let client = Client::with_scope(&simulator, DATABRICKS).await?;
    let url = url(&simulator, "/api/2.1/clusters/list");
    drop(simulator);
    assert!(client.get(&url).await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bears_thousands_of_requests_at_once() -> Outcome {
    const CONNECTIONS: usize = 100;
    const REQUESTS: usize = 20;
    let simulator = start(Workspace::named("analytics").cluster(Cluster::idle("etl")))?;
    let client = std::sync::Arc::new(Client::with_scope(&simulator, DATABRICKS).await?);
    let url = url(&simulator, "/api/2.1/clusters/list");
    let began = Instant::now();
    let workers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (client, url) = (std::sync::Arc::clone(&client), url.clone());
            tokio::spawn(async move {
                for _ in 0..REQUESTS {
                    assert_eq!(client.get(&url).await?.status, 200);
                }
                Ok::<_, reqwest::Error>(())
            })
        })
        .collect();
    for worker in workers {
        worker.await??;
    }
    let host = url.split('/').nth(2).ok_or("no host")?;
    assert_eq!(simulator.record().to(host).len(), CONNECTIONS * REQUESTS);
    assert!(simulator.record().peak_at(host) > 1);
    // A debug build does this in a second or two; the bound only tells a stall from work.
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
    Ok(())
}
