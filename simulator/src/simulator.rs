//! The simulator as tests hold it: starts the pretend cloud on a thread of its own, and is the handle to
//! its world, faults, hooks and record.
//!
//! It runs beside any test, with or without a runtime, and stops when it is dropped. It holds no logic of
//! any service.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::connection::{Shared, lock};
use crate::fault::{Fault, Faults};
use crate::hook::{Hooks, When};
use crate::matching::{Match, Times};
use crate::proxy;
use crate::record::Record;
use crate::tls::Authority;
use crate::world::{
    Access, CLIENT_ID_SECRET, CLIENT_SECRET_SECRET, TENANT_ID_SECRET, VAULT, World,
};

/// A running simulator.
pub struct Simulator {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
    directory: tempfile::TempDir,
    proxy_address: SocketAddr,
    identity_address: SocketAddr,
}

impl Simulator {
    /// Starts a simulator of a world on free loopback ports.
    ///
    /// # Errors
    /// If no port, thread or temporary file can be had.
    pub fn start(world: World) -> io::Result<Self> {
        let authority = Authority::generate()?;
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("ca.pem"), authority.pem())?;
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            faults: Mutex::default(),
            hooks: Mutex::new(Hooks::default()),
            record: Mutex::default(),
            authority,
        });
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("simulator")
            .enable_all()
            .build()?;
        let (proxy_listener, proxy_address) = bind(&runtime)?;
        let (identity_listener, identity_address) = bind(&runtime)?;
        runtime.spawn(proxy::accept_proxy(proxy_listener, Arc::clone(&shared)));
        runtime.spawn(proxy::accept_identity(
            identity_listener,
            Arc::clone(&shared),
        ));
        Ok(Self {
            shared,
            runtime: Some(runtime),
            directory,
            proxy_address,
            identity_address,
        })
    }

    /// The proxy's URL.
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.proxy_address)
    }

    /// The managed identity's endpoint.
    pub fn identity_endpoint(&self) -> String {
        format!("http://{}/msi/token", self.identity_address)
    }

    /// The file with the authority's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// The authority's certificate in PEM.
    pub fn ca_pem(&self) -> &str {
        self.shared.authority.pem()
    }

    /// A directory of this simulator's own, gone with it; a place for a test's policy file.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Looks into the world, or changes it.
    pub fn world<T>(&self, with: impl FnOnce(&mut World) -> T) -> T {
        with(&mut lock(&self.shared.world))
    }

    /// Sets a fault up. Of several that match a request the first that strikes counts.
    pub fn fault(&self, matcher: Match, times: Times, fault: Fault) {
        lock(&self.shared.faults).add(matcher, times, fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        *lock(&self.shared.faults) = Faults::default();
    }

    /// Changes the world when a request comes. The change gets the locked world: it must not call
    /// [`Simulator::world`], which would wait for that lock for ever.
    pub fn hook(
        &self,
        matcher: Match,
        times: Times,
        when: When,
        change: impl FnMut(&mut World) + Send + 'static,
    ) {
        lock(&self.shared.hooks).add(matcher, times, when, Box::new(change));
    }

    /// What has happened so far.
    pub fn record(&self) -> Record {
        lock(&self.shared.record).clone()
    }

    /// Looks at what has happened so far without a copy of it.
    pub fn look_at_record<T>(&self, with: impl FnOnce(&Record) -> T) -> T {
        with(&lock(&self.shared.record))
    }

    /// Forgets what has happened so far, so that a test can look at a second sweep alone.
    pub fn forget_record(&self) {
        lock(&self.shared.record).forget();
    }

    /// Keeps no requests from now on and only counts them, or keeps them again: a million requests with
    /// their headers are gigabytes.
    pub fn count_only(&self, counts_only: bool) {
        lock(&self.shared.record).count_only(counts_only);
    }

    /// What nobody arranged, in words.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.shared.record).violations()
    }

    /// Makes sure that every request was one the world arranged.
    ///
    /// # Panics
    /// If one was not, with all of them.
    pub fn assert_clean(&self) {
        let violations = self.violations();
        assert!(
            violations.is_empty(),
            "nobody arranged:\n{}",
            violations.join("\n")
        );
    }

    /// The environment for a client process: how to reach the pretend cloud and whom to be there.
    pub fn env(&self) -> Vec<(String, String)> {
        let (proxy, ca) = (self.proxy_url(), self.ca_file().display().to_string());
        let (header, azure) = self.world(|world| (world.identity.header.clone(), world.azure));
        let identity_endpoint = self.identity_endpoint();
        let vault_url = format!("https://{VAULT}.{}", azure.vaults);
        [
            ("HTTPS_PROXY", proxy.as_str()),
            ("https_proxy", &proxy),
            ("NO_PROXY", ""),
            ("no_proxy", ""),
            ("SSL_CERT_FILE", &ca),
            // A set directory would be searched too; this one holds nothing.
            ("SSL_CERT_DIR", "/nonexistent"),
            ("IDENTITY_ENDPOINT", &identity_endpoint),
            ("IDENTITY_HEADER", &header),
            ("TERMINATE_CLUSTERS_CLOUD", azure.name),
            ("TERMINATE_CLUSTERS_KEY_VAULT_URL", &vault_url),
            ("TERMINATE_CLUSTERS_TENANT_ID_SECRET", TENANT_ID_SECRET),
            ("TERMINATE_CLUSTERS_CLIENT_ID_SECRET", CLIENT_ID_SECRET),
            (
                "TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET",
                CLIENT_SECRET_SECRET,
            ),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }

    /// The `[[workspaces]]` of a policy for this world, in TOML, and its `[cloud]` where that is custom.
    pub fn policy_workspaces(&self) -> String {
        self.world(|world| {
            let mut text = String::new();
            for workspace in &world.workspaces {
                let url = workspace.url();
                let (name, id) = (
                    toml_string(&workspace.name),
                    toml_string(&workspace.resource_id),
                );
                // Writing to a string cannot fail.
                let _ = write!(
                    text,
                    "[[workspaces]]\nname = {name}\nurl = \"{url}\"\nresource_id = {id}\n"
                );
                if workspace.sees_all_runs {
                    text.push_str("sees_all_runs = true\n");
                }
                if workspace.access == Access::Contributor {
                    text.push_str("access = \"contributor\"\n");
                }
                for line in &workspace.policy_lines {
                    let _ = writeln!(text, "{line}");
                }
                text.push('\n');
            }
            if world.azure.name == "custom" {
                text.push_str(&world.azure.spelled_out());
            }
            text
        })
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Dropping a runtime inside another one would panic; this does not wait.
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Simulator({})", self.proxy_address)
    }
}

fn bind(runtime: &Runtime) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let _guard = runtime.enter();
    Ok((TcpListener::from_std(listener)?, address))
}

/// A basic string of TOML.
fn toml_string(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|character| match character {
            '"' | '\\' => format!("\\{character}"),
            character if character.is_control() => format!("\\u{:04X}", u32::from(character)),
            character => character.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}
