//! Everything that looks and acts, over a [`Scene`] that can change meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::{Duration, Instant};
use url::Url;

use super::scene::{Scene, Stream, WORKSPACE};
use crate::action::{Action, ActionLimits};
use crate::azure_monitor::{AzureMonitor, Throttles};
use crate::clock::{Clock, PausableClock};
use crate::databricks::Databricks;
use crate::decision::tests::world::{NOW, default_policy, hours};
use crate::identity::Audience;
use crate::policy::{Glob, Policy, PolicySet};
use crate::service::testing::{FixedToken, answer, limits, network};
use crate::service::{Lane, Service};
use crate::signals::facts::{FactsSettings, WorkspaceFacts};
use crate::signals::gather::Gatherer;
use crate::spark::SparkDriver;
use crate::transport::{MemoryTransport, TransportError};

const HOST: &str = "adb-5555555555555555.19.azuredatabricks.net";

/// A scene that is played, and what is still to happen to it.
struct Play {
    scene: Scene,
    at_the_record: Option<fn(&mut Scene)>,
}

impl Play {
    fn reply(&mut self, request: &Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let path = request.uri().path();
        if path.ends_with("/clusters/get")
            && let Some(happen) = self.at_the_record.take()
        {
            happen(&mut self.scene);
        }
        if let (true, Some(spark)) = (path.ends_with("/StreamingQuery/"), &self.scene.spark) {
            return streaming_page(spark.stream);
        }
        let query = request.uri().query().unwrap_or_default();
        let (status, json) = self.scene.answer(path, query);
        answer(status, "application/json", json.to_string())
    }
}

fn streaming_page(stream: Stream) -> Result<Response<Bytes>, TransportError> {
    let (title, active) = match stream {
        Stream::Never | Stream::Off => {
            let jobs = format!("https://{HOST}/jobs/");
            let redirect = Response::builder().status(302).header("location", jobs);
            return Ok(redirect.body(Bytes::new()).expect("a redirect"));
        }
        Stream::NoneActive => ("app - Streaming Query", ""),
        Stream::Active => (
            "app - Streaming Query",
            "<h4>Active Streaming Queries (1)</h4>",
        ),
        Stream::Login => ("Log in", ""),
    };
    let ended = "<h4>Completed Streaming Queries (1)</h4><table></table>";
    let page =
        format!("<html><head><title>{title}</title></head><body>{active}{ended}</body></html>");
    answer(200, "text/html", page)
}

/// What looks and acts in the played workspace.
pub(super) struct Desk {
    pub(super) databricks: Arc<Databricks>,
    pub(super) gatherer: Gatherer,
    play: Arc<Mutex<Play>>,
    transport: Arc<MemoryTransport>,
    lane: Arc<Lane>,
}

impl Desk {
    /// At `NOW`, over `scene`.
    pub(super) fn over(scene: &Scene) -> Self {
        let play = Arc::new(Mutex::new(Play {
            scene: scene.clone(),
            at_the_record: None,
        }));
        let played = Arc::clone(&play);
        let (network, transport) = network(move |request: Request<Bytes>| {
            let mut play = played.lock().unwrap_or_else(PoisonError::into_inner);
            let reply = play.reply(&request);
            let is_drivers = request.uri().path().contains("/driver-proxy-api/");
            let takes = is_drivers.then_some(play.scene.driver_takes);
            async move {
                tokio::time::sleep(takes.unwrap_or_default()).await;
                reply
            }
        });
        let lane = Arc::new(Lane::new(&limits(), Instant::now() + hours(10)));
        let service = |audience, base: &str| {
            let base = Url::parse(base).expect("the URL is well-formed");
            let tokens = Arc::new(FixedToken);
            Service::new(network.clone(), tokens, audience, base, Arc::clone(&lane)).share()
        };
        let workspace = service(Audience::Databricks, &format!("https://{HOST}/"));
        let arm = service(Audience::Arm, "https://management.azure.com/");
        let policies = Arc::new(PolicySet::plain(policy()).for_workspace("main"));
        let settings = FactsSettings {
            name: "main".to_owned(),
            sees_all_runs: true,
            resource_id: Some(WORKSPACE.to_owned()),
            runs_page_cap: 10,
            longest_threshold: policies.longest_threshold(),
        };
        let databricks = Arc::new(Databricks::new(Arc::clone(&workspace)));
        let clock: Arc<dyn Clock> = Arc::new(PausableClock::starting_at(NOW));
        let facts = WorkspaceFacts::new(Arc::clone(&databricks), clock, settings);
        let spark = SparkDriver::new(workspace, "5555555555555555".to_owned(), 40001);
        let gatherer = Gatherer {
            facts: Arc::new(facts),
            spark: Some(spark),
            monitor: Some(AzureMonitor::new(arm, Throttles::default())),
            policies,
        };
        Self {
            databricks,
            gatherer,
            play,
            transport,
            lane,
        }
    }

    /// Changes the scene at once, `seconds` after `NOW`.
    pub(super) fn change(&self, seconds: u64, change: fn(&mut Scene)) {
        let mut play = self.play.lock().unwrap_or_else(PoisonError::into_inner);
        play.scene.now = NOW.plus(Duration::from_secs(seconds));
        change(&mut play.scene);
    }

    /// Changes the scene when the cluster's record is asked for next.
    pub(super) fn change_at_the_record(&self, seconds: u64, change: fn(&mut Scene)) {
        self.change(seconds, |_| {});
        let mut play = self.play.lock().unwrap_or_else(PoisonError::into_inner);
        play.at_the_record = Some(change);
    }

    pub(super) fn action(&self) -> Action<'_> {
        Action {
            databricks: &self.databricks,
            gatherer: &self.gatherer,
            limits: ActionLimits {
                runs_age: Duration::from_secs(30),
                read_back_for: Duration::from_secs(60),
                read_back_every: Duration::from_secs(2),
            },
            lane: &self.lane,
        }
    }

    /// How many requests to terminate were sent.
    pub(super) fn terminations(&self) -> usize {
        let sent = self.transport.sent();
        let paths = sent.iter().map(|request| request.url.path());
        paths
            .filter(|path| path.ends_with("/clusters/delete"))
            .count()
    }
}

fn policy() -> Policy {
    Policy {
        protect_pinned: true,
        protect_names: vec![Glob::new("keep-*")],
        spark_alone_suffices: true,
        nodes_alone_suffices: true,
        ..default_policy()
    }
}
