//! The pretend cloud without sockets: a request goes in, and what a client would see of it comes out.
//!
//! It answers from the same world, with the same faults, hooks and record as the one behind the proxy, but
//! in the caller's task and by the caller's time, so that a paused clock makes hours of it pass in an
//! instant. TLS and HTTP are left out: a fault that would break them is told as a [`Broken`].

use std::future::pending;
use std::sync::Mutex;

use bytes::Bytes;
use hyper::HeaderMap;

use crate::connection::{Replacement, bend, lock, replacement, work};
use crate::delivery::Shape;
use crate::fault::{Fault, Faults};
use crate::hook::{Hooks, When};
use crate::http::{Answer, Request};
use crate::matching::{Match, Times};
use crate::record::Record;
use crate::services::{self, Service};
use crate::world::World;

/// Pieces of a slow body, each after its pause.
const SLOW_PIECES: u32 = 8;

/// A world that answers from memory.
pub struct MemoryCloud {
    world: Mutex<World>,
    faults: Mutex<Faults>,
    hooks: Mutex<Hooks>,
    record: Mutex<Record>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers, without those that HTTP itself adds.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why a client sees no whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// No connection came about, so nothing was sent.
    NoConnection,
    /// The certificate was another host's, so nothing was sent.
    OtherCertificate,
    /// The connection ended after the request was sent, before the answer did.
    Reset,
}

impl MemoryCloud {
    /// A cloud of a world.
    pub fn new(world: World) -> Self {
        Self {
            world: Mutex::new(world),
            faults: Mutex::default(),
            hooks: Mutex::new(Hooks::default()),
            record: Mutex::default(),
        }
    }

    /// Looks into the world, or changes it.
    pub fn world<T>(&self, with: impl FnOnce(&mut World) -> T) -> T {
        with(&mut lock(&self.world))
    }

    /// Sets a fault up. Of several that match a request the first that strikes counts.
    pub fn fault(&self, matcher: Match, times: Times, fault: Fault) {
        lock(&self.faults).add(matcher, times, fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        *lock(&self.faults) = Faults::default();
    }

    /// Changes the world when a request comes. The change gets the locked world: it must not call
    /// [`MemoryCloud::world`], which would wait for that lock for ever.
    pub fn hook(
        &self,
        matcher: Match,
        times: Times,
        when: When,
        change: impl FnMut(&mut World) + Send + 'static,
    ) {
        lock(&self.hooks).add(matcher, times, when, Box::new(change));
    }

    /// Ends all hooks.
    pub fn clear_hooks(&self) {
        *lock(&self.hooks) = Hooks::default();
    }

    /// Looks at what has happened so far.
    pub fn look_at_record<T>(&self, with: impl FnOnce(&Record) -> T) -> T {
        with(&lock(&self.record))
    }

    /// Forgets what has happened so far.
    pub fn forget_record(&self) {
        lock(&self.record).forget();
    }

    /// Answers a request, as late as the faults have it; never, where they are silent.
    ///
    /// # Errors
    /// If a client would see no whole answer.
    pub async fn exchange(&self, request: Request) -> Result<Reply, Broken> {
        self.connect(&request.host)?;
        let at_ms = lock(&self.world).clock.now_ms();
        let number = lock(&self.record).begin(&request, at_ms);
        let mut closing = Closing {
            record: &self.record,
            number,
            status: None,
            violation: None,
        };
        let fault = lock(&self.faults).strike_request(&request);
        if let Some(Fault::Delay(length)) = fault {
            tokio::time::sleep(length).await;
        }
        let answer = match replacement(fault.as_ref()) {
            Some(Replacement::Reset) => return Err(Broken::Reset),
            Some(Replacement::Answer(answer)) => answer,
            None => without_sockets(work(&self.hooks, &self.world, &request)),
        };
        closing.violation.clone_from(&answer.violation);
        if answer.hang {
            drop(closing);
            return pending().await;
        }
        if matches!(fault, Some(Fault::LoseAnswer)) {
            return Err(Broken::Reset);
        }
        let (answer, shape) = bend(answer, fault);
        closing.status = Some(answer.status);
        drop(closing);
        deliver(answer, shape).await
    }

    /// Whether there is a way to this host.
    fn connect(&self, host: &str) -> Result<(), Broken> {
        let service = services::service_of(&lock(&self.world), host);
        let is_identity = service == Service::Identity;
        let fault = lock(&self.faults).strike_connection(host);
        let end = match (service, fault) {
            (Service::NoSuchHost, _) => Err(Broken::NoConnection),
            (Service::Unarranged, _) => {
                let why = format!("a connection to {host}, which nobody arranged");
                lock(&self.record).violation(why);
                Err(Broken::NoConnection)
            }
            (_, Some(Fault::RefuseConnection | Fault::ResetConnection)) => {
                Err(Broken::NoConnection)
            }
            (_, Some(Fault::CertificateOf(_))) => Err(Broken::OtherCertificate),
            (_, Some(_) | None) => Ok(()),
        };
        // The proxy never sees what stays on the machine.
        if !is_identity {
            let target = format!("{host}:443");
            lock(&self.record).connect(&target, end != Err(Broken::NoConnection));
        }
        end
    }
}

impl std::fmt::Debug for MemoryCloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryCloud")
    }
}

/// A real driver is behind a socket, and in a time of its own.
fn without_sockets(answer: Answer) -> Answer {
    if answer.forward.is_some() {
        Answer::unarranged("a real driver in a cloud without sockets")
    } else {
        answer
    }
}

async fn deliver(answer: Answer, shape: Shape) -> Result<Reply, Broken> {
    match shape {
        Shape::Plain => {}
        Shape::Slow(pause) => tokio::time::sleep(pause.saturating_mul(SLOW_PIECES)).await,
        Shape::ResetAfterHeaders | Shape::Truncated => return Err(Broken::Reset),
    }
    Ok(Reply {
        status: answer.status,
        headers: answer.header_map(),
        body: answer.body,
    })
}

/// Writes the outcome down, also when the client leaves before there is one.
struct Closing<'r> {
    record: &'r Mutex<Record>,
    number: usize,
    status: Option<u16>,
    violation: Option<String>,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        lock(self.record).end(self.number, self.status, self.violation.take());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::world::{Azure, Cluster, VAULT, Workspace};

    fn cloud() -> (MemoryCloud, String) {
        let workspace = Workspace::named("one").cluster(Cluster::idle("etl"));
        let host = workspace.host.clone();
        (MemoryCloud::new(World::new().workspace(workspace)), host)
    }

    fn get(host: &str, path: &str) -> Request {
        Request::new("GET", host, path, "", HeaderMap::new(), Bytes::new())
    }

    #[tokio::test(start_paused = true)]
    async fn it_answers_as_the_service_does_and_writes_it_down() {
        let (cloud, host) = cloud();
        let reply = cloud.exchange(get(&host, "/api/2.1/clusters/list")).await;
        // Without a token.
        assert_eq!(reply.unwrap().status, 401);
        let reply = cloud.exchange(get("elsewhere.example", "/")).await;
        assert_eq!(reply.unwrap_err(), Broken::NoConnection);
        cloud.look_at_record(|record| {
            assert_eq!(record.requests().len(), 1);
            assert_eq!(record.requests()[0].status, Some(401));
            assert_eq!(record.violations().len(), 1);
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_world_knows_the_hosts_of_its_own_azure_and_no_others() {
        let all = [Azure::PUBLIC, Azure::US_GOV, Azure::CHINA];
        for azure in all {
            let workspace = Workspace::named("one").cluster(Cluster::idle("etl"));
            let number = workspace.host.replace(Azure::PUBLIC.workspaces, "");
            let cloud = MemoryCloud::new(World::new().in_azure(azure).workspace(workspace));
            for other in all {
                for host in [
                    other.login.to_owned(),
                    other.arm.to_owned(),
                    format!("{VAULT}.{}", other.vaults),
                    format!("{number}{}", other.workspaces),
                ] {
                    let answered = cloud.exchange(get(&host, "/x")).await.is_ok();
                    assert_eq!(answered, other == azure, "{host} in {}", azure.name);
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn its_faults_take_the_callers_time() {
        let (cloud, host) = cloud();
        let began = tokio::time::Instant::now();
        let slow = Fault::SlowBody(Duration::from_secs(3));
        cloud.fault(Match::any(), Times::Nth(1), slow);
        cloud.fault(Match::any(), Times::Nth(2), Fault::LoseAnswer);
        cloud.fault(Match::any(), Times::Nth(3), Fault::Hang);
        let path = "/api/2.1/clusters/list";
        assert!(cloud.exchange(get(&host, path)).await.is_ok());
        assert_eq!(began.elapsed(), Duration::from_secs(24));
        let lost = cloud.exchange(get(&host, path)).await;
        assert_eq!(lost.unwrap_err(), Broken::Reset);
        let silent = cloud.exchange(get(&host, path));
        let week = Duration::from_secs(7 * 24 * 3600);
        assert!(tokio::time::timeout(week, silent).await.is_err());
    }
}
