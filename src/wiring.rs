//! Turns settings into the parts of one sweep: transport, vaults, identities,
//! policy, workspaces.
//!
//! The only place where settings and the stages meet. It sends nothing; what it
//! makes is built anew for every sweep, so that no secret or token outlives one.
//! The transport alone is kept, because its connections are worth keeping.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;
use tokio::time::Instant;
use url::Url;

use crate::action::ActionLimits;
use crate::cli::{AllowedActing, AllowedGrant};
use crate::clock::{Clock, SystemClock};
use crate::doctor::{Doctor, Reader, Ward};
use crate::grant::{Acting, Grants, Patience, Target};
use crate::identity::{
    Identities, Identity, Operator, PlatformIdentity, SecretError, SecretSource, TokenError,
};
use crate::key_vault::{KeyVault, VaultLogin};
use crate::settings::{Limits, PrincipalSettings, Settings, WorkspaceSettings};
use crate::sweep::{Sweep, SweepLimits};
use crate::transport::{
    Gate, HttpsTransport, ManagedIdentityEndpoint, Network, NetworkLimits, Transport,
};
use crate::workspace::Workspace;

/// Why a sweep could not be put together.
#[derive(Debug, Error)]
pub enum WiringError {
    #[error("IDENTITY_ENDPOINT {0}")]
    ManagedIdentity(String),
    #[error("the key vault cannot be used: {0}")]
    KeyVault(#[from] SecretError),
    #[error("{0}")]
    Operator(#[from] TokenError),
}

/// The real way out, for these settings.
///
/// # Errors
///
/// A managed identity endpoint that is not near.
pub fn transport(settings: &Settings) -> Result<Arc<dyn Transport>, WiringError> {
    let endpoint = settings
        .managed_identity
        .as_ref()
        .map(|identity| ManagedIdentityEndpoint::parse(identity.endpoint.as_str()))
        .transpose()
        .map_err(WiringError::ManagedIdentity)?;
    let gate = Gate::new(settings.cloud.clone(), endpoint);
    let limits = network_limits(&settings.limits);
    let roots = settings.ssl_cert_file.clone();
    Ok(Arc::new(HttpsTransport::new(gate, limits, roots)))
}

/// A sweep of the real cloud, over `transport`.
///
/// # Errors
///
/// A vault that the SDK refuses to talk to.
pub fn sweep(settings: &Settings, transport: Arc<dyn Transport>) -> Result<Sweep, WiringError> {
    let login = VaultLogin::of(platform(settings, None));
    sweep_over(settings, transport, Arc::new(SystemClock), &login)
}

/// An examination of the real cloud, over `transport`.
///
/// # Errors
///
/// A vault that the SDK refuses to talk to.
pub fn doctor(settings: &Settings, transport: Arc<dyn Transport>) -> Result<Doctor, WiringError> {
    let sweep = sweep(settings, transport)?;
    let login = VaultLogin::of(platform(settings, None));
    let mut vaults = Vaults::over(&sweep.network, &login);
    let mut wards = Vec::new();
    for principal in &settings.principals {
        let identity = principal.managed_identity_client_id.as_deref();
        let vault = principal.key_vault_url.clone();
        let vault = vault.filter(|_| principal.source.reads_a_vault());
        let vault = vault.map(|url| vaults.of(url, &platform(settings, identity)));
        wards.push(Ward {
            settings: principal.clone(),
            vault: vault.transpose()?,
        });
    }
    Ok(Doctor {
        wards,
        reader: match settings.managed_identity {
            Some(_) => Reader::FunctionApp,
            None => Reader::AzureCli,
        },
        warnings: settings.warnings.clone(),
        sweep,
    })
}

/// A sweep over any transport, by any clock; simulations bring their own.
///
/// # Errors
///
/// A vault that the SDK refuses to talk to.
pub fn sweep_over(
    settings: &Settings,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    login: &VaultLogin,
) -> Result<Sweep, WiringError> {
    let limits = network_limits(&settings.limits);
    let network = Network::new(settings.cloud.clone(), transport, clock, limits);
    Ok(Sweep {
        identities: identities(settings, &network, login)?,
        network,
        mode: settings.mode,
        policy: Arc::new(settings.policy.clone()),
        workspaces: settings.workspaces.iter().map(workspace).collect(),
        limits: sweep_limits(&settings.limits),
    })
}

/// The Function App's identity of this client id, or the system-assigned one.
fn platform(settings: &Settings, client_id: Option<&str>) -> PlatformIdentity {
    PlatformIdentity {
        is_here: settings.managed_identity.is_some(),
        client_id: client_id.map(str::to_owned),
    }
}

/// The principals, over one client for each vault and login.
fn identities(
    settings: &Settings,
    network: &Network,
    login: &VaultLogin,
) -> Result<Identities, SecretError> {
    let mut vaults = Vaults::over(network, login);
    let mut identities = Vec::new();
    for principal in &settings.principals {
        let PrincipalSettings {
            name,
            key_vault_url,
            managed_identity_client_id,
            source,
        } = principal.clone();
        let platform = platform(settings, managed_identity_client_id.as_deref());
        let vault = key_vault_url.filter(|_| source.reads_a_vault());
        let vault = vault.map(|url| vaults.of(url, &platform)).transpose()?;
        let identity = Identity::new(network.clone(), source, vault, platform);
        identities.push((name, identity));
    }
    Ok(identities.into_iter().collect())
}

/// The clients of vaults, one for each vault and login, and one login for each
/// identity, so that a token for the vaults is asked for once.
struct Vaults<'a> {
    network: &'a Network,
    login: &'a VaultLogin,
    logins: BTreeMap<Option<String>, VaultLogin>,
    vaults: BTreeMap<(Url, Option<String>), Arc<dyn SecretSource>>,
}

impl<'a> Vaults<'a> {
    fn over(network: &'a Network, login: &'a VaultLogin) -> Self {
        Self {
            network,
            login,
            logins: BTreeMap::new(),
            vaults: BTreeMap::new(),
        }
    }

    fn of(
        &mut self,
        url: Url,
        platform: &PlatformIdentity,
    ) -> Result<Arc<dyn SecretSource>, SecretError> {
        let key = (url, platform.client_id.clone());
        if let Some(known) = self.vaults.get(&key) {
            return Ok(Arc::clone(known));
        }
        let login = self.login(platform)?;
        let vault = KeyVault::new(self.network.clone(), &key.0, &login)?;
        let vault: Arc<dyn SecretSource> = Arc::new(vault);
        self.vaults.insert(key, Arc::clone(&vault));
        Ok(vault)
    }

    fn login(&mut self, platform: &PlatformIdentity) -> Result<VaultLogin, SecretError> {
        if let Some(known) = self.logins.get(&platform.client_id) {
            return Ok(known.clone());
        }
        let login = match self.login {
            VaultLogin::ManagedIdentity(_) => VaultLogin::ManagedIdentity(platform.clone()),
            VaultLogin::AzureCli | VaultLogin::Given(_) => self.login.clone(),
        };
        let login = login.shared(self.network)?;
        self.logins
            .insert(platform.client_id.clone(), login.clone());
        Ok(login)
    }
}

fn workspace(settings: &WorkspaceSettings) -> Workspace {
    let WorkspaceSettings {
        name,
        url,
        resource_id,
        access,
        mode,
        sees_all_runs,
        principal,
        spark_principal,
    } = settings.clone();
    Workspace {
        name,
        url,
        resource_id,
        access,
        mode,
        sees_all_runs,
        principal,
        spark_principal,
    }
}

/// What `grant` needs, over the same way out as a sweep.
///
/// # Errors
///
/// A vault or a login that cannot be used.
pub fn grants(
    settings: &Settings,
    allowed: &AllowedGrant,
    transport: Arc<dyn Transport>,
    deadline: Instant,
) -> Result<Grants, WiringError> {
    let Sweep {
        network,
        identities,
        ..
    } = sweep(settings, transport)?;
    let acting = match &allowed.acting {
        AllowedActing::Itself => Acting::Itself,
        AllowedActing::Principal(name) => Acting::Principal(name.clone()),
        AllowedActing::Operator => {
            Acting::Operator(Arc::new(Operator::at_the_azure_cli(network.clone())?))
        }
    };
    let target = |workspace: &WorkspaceSettings| Target {
        name: workspace.name.clone(),
        url: workspace.url.clone(),
        resource_id: workspace.resource_id.clone(),
        principal: workspace.principal.clone(),
        spark_principal: workspace.spark_principal.clone(),
    };
    Ok(Grants {
        network,
        identities,
        acting,
        wishes: allowed.wishes,
        targets: allowed.workspaces.iter().map(target).collect(),
        patience: patience(&settings.limits),
        deadline,
        apply: allowed.apply,
    })
}

fn patience(limits: &Limits) -> Patience {
    Patience {
        lasts: limits.join_for,
        every: limits.join_every,
    }
}

fn sweep_limits(limits: &Limits) -> SweepLimits {
    SweepLimits {
        action: ActionLimits {
            runs_age: limits.second_look_runs_age,
            read_back_for: limits.read_back_for,
            read_back_every: limits.read_back_every,
        },
        joining: patience(limits),
        runs_page_cap: whole(limits.runs_page_cap),
        parallel_workspaces: whole(limits.parallel_workspaces),
        warn_before: limits.warn_before,
    }
}

fn network_limits(limits: &Limits) -> NetworkLimits {
    NetworkLimits {
        connect_timeout: limits.connect_timeout,
        request_timeout: limits.request_timeout,
        token_timeout: limits.token_timeout,
        attempts: limits.request_attempts,
        retry_budget: limits.retry_budget,
        retry_first_wait: limits.retry_first_wait,
        retry_longest_wait: limits.retry_longest_wait,
        requests_per_second: limits.requests_per_second,
        burst: limits.request_burst,
        parallel_per_workspace: whole(limits.parallel_requests_per_workspace),
        parallel_overall: whole(limits.parallel_requests),
    }
}

fn whole(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
