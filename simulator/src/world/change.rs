//! Changes that happen to a world while it is looked at: clusters restarted, work begun, rights and
//! secrets taken away.
//!
//! Hooks call these between a client's requests. Each keeps the world coherent, as the real event would;
//! a test that names something the world does not hold fails at once.

use std::time::Duration;

use super::clock::Moment;
use super::cluster::{Cluster, DriverProxy, Machine, Termination, context_id};
use super::spark::{Spark, SparkJob, Stream};
use super::vm::{Load, MetricsQuirk};
use super::{Audience, Certificate, ClientSecret, Principal, Run, TaskForm, Workspace, World};
use crate::encode;

impl World {
    /// Lets time pass for the simulator only: tokens come nearer to their end.
    pub fn advance(&mut self, length: Duration) {
        self.clock.advance(length);
    }

    /// Lets a client that has the real clock see the world as if this much time had passed.
    pub fn age(&mut self, length: Duration) {
        self.clock.age(length);
    }

    /// A workspace to change.
    ///
    /// # Panics
    /// If there is none of this name or host.
    pub fn workspace_mut(&mut self, workspace: &str) -> &mut Workspace {
        let found = self
            .workspaces
            .iter_mut()
            .find(|known| known.name == workspace || known.host == workspace);
        let Some(found) = found else {
            panic!("the world holds no workspace {workspace:?}");
        };
        found
    }

    /// A cluster to change.
    ///
    /// # Panics
    /// If there is none of this name or id in the workspace.
    pub fn cluster_mut(&mut self, workspace: &str, cluster: &str) -> &mut Cluster {
        let found = self
            .workspace_mut(workspace)
            .clusters
            .iter_mut()
            .find(|known| known.id == cluster || known.name == cluster);
        let Some(found) = found else {
            panic!("the world holds no cluster {cluster:?} in workspace {workspace:?}");
        };
        found
    }

    /// Restarts a cluster now: another Spark context, nothing done since.
    pub fn restart_cluster(&mut self, workspace: &str, cluster: &str) {
        let now = self.now();
        let cluster = self.cluster_mut(workspace, cluster);
        "RUNNING".clone_into(&mut cluster.state);
        cluster.started = Some(now);
        cluster.terminated = None;
        let number = encode::number_for(&format!("restart {}", cluster.spark_context_id));
        cluster.spark_context_id = context_id(number);
        cluster.spark = Spark {
            streaming_page: cluster.spark.streaming_page.clone(),
            ..Spark::quiet()
        };
        for (index, vm) in cluster.vms.iter_mut().enumerate() {
            vm.name = encode::hex32_for(&format!("{number}/vm{index}"));
            vm.started = now;
            vm.stopped = None;
            vm.loads.clear();
        }
    }

    /// Starts a Spark job on a cluster now, which runs on.
    pub fn start_spark_job(&mut self, workspace: &str, cluster: &str) {
        let now = self.now();
        let cluster = self.cluster_mut(workspace, cluster);
        cluster.spark.jobs.push(SparkJob::at(now, None));
        let load = Load {
            from: now,
            to: None,
            cores: 2.5,
            network: 90_000_000.0,
        };
        for vm in &mut cluster.vms {
            vm.loads.push(load);
        }
    }

    /// Starts a structured stream on a cluster now.
    pub fn start_stream(&mut self, workspace: &str, cluster: &str, name: &str) {
        let now = self.now();
        let mut stream = Stream::live(name, Duration::ZERO).without_data();
        stream.started = now;
        self.cluster_mut(workspace, cluster)
            .spark
            .streams
            .push(stream);
    }

    /// Starts a job run on a cluster now.
    pub fn start_run(&mut self, workspace: &str, cluster: &str, run_name: &str) {
        let now = self.now();
        let mut run = Run::active(run_name, Duration::ZERO).task(cluster, TaskForm::Existing);
        run.started = now;
        self.workspace_mut(workspace).add_run(run);
    }

    /// Cuts the driver proxy off from a cluster.
    pub fn lose_driver(&mut self, workspace: &str, cluster: &str) {
        self.cluster_mut(workspace, cluster).driver = DriverProxy::Status(503);
    }

    /// Takes the metrics of all machines of a cluster away.
    pub fn lose_metrics(&mut self, workspace: &str, cluster: &str) {
        let cluster = self.cluster_mut(workspace, cluster);
        *cluster = cluster
            .clone()
            .metrics(Machine::All, &MetricsQuirk::Missing);
    }

    /// Terminates a cluster now, by the platform or by someone else.
    pub fn terminate_cluster(&mut self, workspace: &str, cluster: &str) {
        let now = self.now();
        self.cluster_mut(workspace, cluster).terminate(now, "");
    }

    /// Gives a principal another client secret, expires the older ones, and stores the new one in the
    /// vault that holds the old. Tokens in hand stay valid.
    pub fn rotate_secret(&mut self, principal: &str) {
        let fresh = {
            let principal = self.principal_mut(principal);
            let serial = principal.secrets.len();
            for secret in &mut principal.secrets {
                secret.is_expired = true;
            }
            let seed = format!("secret {} {serial}", principal.name);
            let value = format!("Sec8Q~{}", encode::hex32_for(&seed));
            principal.secrets.push(ClientSecret {
                value: value.clone(),
                is_expired: false,
            });
            value
        };
        let older: Vec<String> = self
            .principal_mut(principal)
            .secrets
            .iter()
            .map(|secret| secret.value.clone())
            .collect();
        let is_old =
            |value: &Option<String>| value.as_ref().is_some_and(|value| older.contains(value));
        for vault in &mut self.vaults {
            let holding: Vec<String> = vault
                .secrets
                .iter()
                .filter(|secret| {
                    secret
                        .versions
                        .last()
                        .is_some_and(|version| is_old(&version.value))
                })
                .map(|secret| secret.name.clone())
                .collect();
            for name in holding {
                vault.set(&name, &fresh);
            }
        }
    }

    /// Lets Entra refuse the secrets of a principal as expired.
    pub fn expire_secrets(&mut self, principal: &str) {
        for secret in &mut self.principal_mut(principal).secrets {
            secret.is_expired = true;
        }
    }

    /// Registers another certificate for a principal and forgets those it had. Tokens in hand stay valid.
    pub fn rotate_certificate(&mut self, principal: &str, fresh: Certificate) {
        self.principal_mut(principal).certificates = vec![fresh];
    }

    /// Takes a token that was given out elsewhere, in a recorded answer, as one of a principal's, for an hour.
    pub fn admit_token(&mut self, value: &str, audience: Audience, principal: &str) {
        let principal = self.principal_mut(principal).clone();
        let expires_at_ms = self.clock.now_ms() + 3_600_000;
        self.tokens
            .admit(value, audience, &principal, expires_at_ms);
    }

    /// Takes all tokens of a principal back; new ones can be had.
    pub fn revoke_tokens(&mut self, principal: &str) {
        for token in self.tokens.all_mut() {
            if token.principal == principal {
                token.is_revoked = true;
            }
        }
    }

    /// A principal to change.
    ///
    /// # Panics
    /// If there is none of this name.
    pub fn principal_mut(&mut self, name: &str) -> &mut Principal {
        let identity = &mut self.identity;
        let managed = std::iter::once(&mut identity.principal).chain(&mut identity.user_assigned);
        let Some(principal) = managed
            .chain(&mut self.principals)
            .find(|known| known.name == name)
        else {
            panic!("the world holds no principal {name:?}");
        };
        principal
    }
}

impl Cluster {
    /// Accepts a termination; does nothing to a cluster that is terminating already.
    pub(crate) fn terminate(&mut self, now: Moment, by: &str) {
        if self.terminated.is_none() {
            self.terminated = Some(Termination {
                at: now,
                by: by.to_owned(),
            });
        }
    }
}
