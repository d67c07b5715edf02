//! A pretend Azure for the tests of `terminate-clusters`: Entra, App Service's managed identity, Key Vault,
//! Azure Resource Manager with Azure Monitor's metrics, and Databricks workspaces with their clusters'
//! drivers.
//!
//! It is written from what is known of the real services and shares no code with the handler, so a wrong
//! field name cannot pass on both sides. Clients reach it as a CONNECT proxy that answers under the real
//! public host names with its own certificate authority; the binary under test runs in its default
//! configuration. It must never be kind: a request that nobody arranged is refused and kept.
//!
//! # Use
//!
//! ```no_run
//! use simulator::world::{Cluster, Run, Workspace, World, hours};
//! use simulator::{Fault, Match, Simulator, Times, When};
//!
//! # fn main() -> std::io::Result<()> {
//! let world = World::new().workspace(
//!     Workspace::named("analytics")
//!         .cluster(Cluster::idle("etl-dev").since(hours(5)))
//!         .cluster(Cluster::busy("reporting"))
//!         .run(Run::finished("nightly", hours(6)).on("etl-dev")),
//! );
//! let simulator = Simulator::start(world)?;
//! let environment = simulator.env();            // for the child process
//! let policy = simulator.policy_workspaces();   // `[[workspaces]]` in TOML
//!
//! // A fault: the first two cluster listings are throttled.
//! simulator.fault(Match::path("/clusters/list"), Times::First(2), Fault::throttled(1));
//! // A hook: the cluster is restarted between the first look and the second.
//! let id = simulator.world(|world| world.cluster_id("analytics", "etl-dev"));
//! simulator.hook(
//!     Match::path("/clusters/get").cluster(&id),
//!     Times::First(1),
//!     When::Before,
//!     |world| world.restart_cluster("analytics", "etl-dev"),
//! );
//!
//! // … run the client …
//! assert!(simulator.record().mutating().is_empty());
//! assert_eq!(simulator.world(|world| world.cluster_state("analytics", "etl-dev")), "RUNNING");
//! simulator.assert_clean();
//! # Ok(())
//! # }
//! ```
//!
//! # Parts
//!
//! * [`world`]: the model, with builders whose defaults are an ordinary cloud. Times are given relative to
//!   the world's making ([`world::Moment`]); `World::age` lets a client with the real clock see the world
//!   some hours later, `World::advance` moves the simulator's clock alone (tokens expire). Changes as they
//!   happen (`restart_cluster`, `start_run`, `rotate_secret`, `revoke_tokens`, `lose_driver`, …) are methods
//!   of [`world::World`].
//! * `world::Spark::real` puts a real Spark UI on this machine behind the driver proxy of a cluster.
//! * [`Fault`] with [`Match`] and [`Times`]: what goes wrong, where, how often.
//! * [`When`] with the same matchers: changes of the world just before or after a request.
//! * [`MemoryCloud`]: the same world, faults and hooks without sockets, in the caller's own time.
//! * [`estate`]: the world of the demo, with what a sweep must make of it; [`demo`] runs it.
//! * [`release`]: builds what the demo and the measurements run.
//! * [`scale`]: the world of hundreds of workspaces that `cargo scale` measures in.
//! * [`Record`]: every request, the answered secret reads, the token requests, the terminations, and the
//!   violations.
//!
//! # Fidelity
//!
//! The vendors' own clients work against it unchanged: `tests/real_sdk.rs` of the handler shows it. What the
//! real service answers in a case that nobody has recorded is a guess here, too: bodies of the
//! driver proxy's own errors, refusals of `clusters/delete` and of SCIM, the wording for an expired token,
//! what a PATCH of SCIM is answered with, how long a new membership takes to spread, what Entra says of a key
//! whose time is yet to come, and in which order it looks at an assertion. Clients must not lean on those
//! texts. What was recorded can be served as it is: [`Fault::recorded`].

mod connection;
mod delivery;
pub mod demo;
mod encode;
pub mod estate;
mod fault;
mod hook;
pub mod host;
mod http;
mod matching;
mod memory;
mod proxy;
mod record;
pub mod release;
pub mod scale;
mod services;
mod simulator;
mod socket;
mod tls;
mod upstream;
pub mod world;

pub use fault::Fault;
pub use hook::When;
pub use http::{Query, Request};
pub use matching::{Match, Times};
pub use memory::{Broken, MemoryCloud, Reply};
pub use record::{Record, RecordedConnect, RecordedRequest, Tally};
pub use simulator::Simulator;
