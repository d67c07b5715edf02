//! Carries out one termination: looks again, terminates, reads back.
//!
//! The only caller of `clusters/delete`, which takes the plan's permit and the
//! proof of the second look. The second look is the first look's code with newer
//! runs and the cluster's own record read last. A termination whose answer was
//! lost is read back like one that was accepted, because it may have been.

use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::{Cluster, ClusterState};
use crate::databricks::{Databricks, cluster_gone, words_of_refusal};
use crate::decision::{Changed, Decision, Proof, decide};
use crate::escape::Shown;
use crate::plan::Permit;
use crate::report::Outcome;
use crate::service::{CallError, CallErrorCause, Lane};
use crate::signals::Signals;
use crate::signals::gather::{Gatherer, LookKind};
use crate::timestamp::Timestamp;

/// How long the cluster's own record, which the second look reads last, is good
/// enough to terminate on: a moment for the request to get its turn, too short
/// for a throttled one that waits while somebody begins to work.
const RECORD_LASTS: Duration = Duration::from_secs(10);

/// How old what the driver said may be when the record is read, and how long it may
/// take to say it: Spark's work begins from one moment to the next.
const DRIVERS_WORD_LASTS: Duration = Duration::from_secs(30);

/// How often the record is read if the answers come too slowly.
const RECORD_READINGS: u32 = 3;

/// How a termination is checked.
#[derive(Debug, Clone, Copy)]
pub struct ActionLimits {
    /// How old the walks over runs and pins may be at the second look.
    pub runs_age: Duration,
    /// How long a termination may take to show.
    pub read_back_for: Duration,
    /// How long to wait between two readings.
    pub read_back_every: Duration,
}

/// What terminates in one workspace.
#[derive(Debug)]
pub struct Action<'a> {
    pub databricks: &'a Databricks,
    pub gatherer: &'a Gatherer,
    pub limits: ActionLimits,
    /// Ends the sweep, after which nothing is read back, and knows whether our
    /// clock is the workspace's.
    pub lane: &'a Lane,
}

/// A `clusters/delete` that was sent, and what came of it so far.
#[derive(Debug)]
pub struct Sent {
    proof: Proof,
    answer: Result<(), CallError>,
}

impl Action<'_> {
    /// Looks again and sends `clusters/delete` if the first proof still stands.
    ///
    /// # Errors
    ///
    /// The permit, unused, and what has changed.
    pub async fn carry_out(
        &self,
        permit: Permit,
        cluster: &Cluster,
    ) -> Result<Sent, (Permit, Changed)> {
        match self.look_again(permit.proof(), cluster).await {
            Ok((proof, until)) => {
                let kept = proof.clone();
                // Told before it is done, so that it is on record even if the
                // process does not live to tell the report.
                tracing::info!(
                    evidence = proof.evidence().as_str(),
                    quiet_since = %proof.quiet_since(),
                    "Sending the termination of `{}`",
                    Shown::name(proof.cluster().as_str())
                );
                let answer = self
                    .databricks
                    .terminate_cluster(permit, proof, until)
                    .await;
                Ok(Sent {
                    proof: kept,
                    answer,
                })
            }
            Err(changed) => Err((permit, changed)),
        }
    }

    /// The proof of the second look, and until when it can be acted on.
    async fn look_again(
        &self,
        first: &Proof,
        cluster: &Cluster,
    ) -> Result<(Proof, Instant), Changed> {
        let runs_age = self.limits.runs_age;
        let kind = LookKind::Second {
            first_began: first.decided_at(),
            runs_age,
        };
        let began = Instant::now();
        let (mut signals, now) = self.gatherer.look(cluster.clone(), kind).await;
        first.confirmed_by(self.decide(&signals, now))?;
        // The witnesses took their time, and a run may have begun in it.
        self.gatherer.ask_runs_again(&mut signals, runs_age).await;
        // One that says nothing has no word that could go stale.
        let has_word = signals.spark.known().is_some();
        if has_word && began.elapsed() > DRIVERS_WORD_LASTS {
            let began = Instant::now();
            signals = self.gatherer.ask_driver_again(signals, now).await;
            if began.elapsed() > DRIVERS_WORD_LASTS {
                let why = "its driver answers too slowly to act on it".to_owned();
                return Err(Changed::Unreadable(why));
            }
        }
        for _ in 0..RECORD_READINGS {
            let asked_at = Instant::now();
            let record = self
                .databricks
                .get_cluster(&cluster.id)
                .await
                .map_err(|error| Changed::Unreadable(error.to_string()))?;
            if asked_at.elapsed() <= RECORD_LASTS / 2 {
                signals.renew_cluster(record);
                if let Some(skew) = self.lane.clock_skew() {
                    return Err(Changed::Unreadable(skew.to_string()));
                }
                let proof = first.confirmed_by(self.decide(&signals, now))?;
                return Ok((proof, asked_at + RECORD_LASTS));
            }
        }
        let why = "its record is answered too slowly to act on it".to_owned();
        Err(Changed::Unreadable(why))
    }

    /// By the policy of its record as it is in the signals: a tag may have changed it.
    fn decide(&self, signals: &Signals, now: Timestamp) -> Decision {
        let policy = self.gatherer.policies.of(&signals.cluster).policy;
        decide(signals, &policy, now)
    }

    /// Reads the cluster until it is seen to leave the running states.
    pub async fn read_back(&self, sent: Sent) -> Outcome {
        let Sent { proof, answer } = sent;
        if let Err(error) = &answer
            && !may_have_arrived(error)
        {
            return refused(error);
        }
        let until = (Instant::now() + self.limits.read_back_for).min(self.lane.deadline());
        loop {
            let seen = self.databricks.get_cluster(proof.cluster()).await;
            let is_last = Instant::now() + self.limits.read_back_every >= until;
            match judge(&seen, &proof) {
                Seen::Gone(state) => return Outcome::Terminated { proof, state },
                Seen::Running | Seen::Unreadable if !is_last => {
                    tokio::time::sleep(self.limits.read_back_every).await;
                }
                Seen::Running if answer.is_ok() => return Outcome::StillRunning(proof),
                Seen::Running | Seen::Unreadable => return unconfirmed(&answer, &seen),
            }
        }
    }
}

/// What one reading after the termination shows.
enum Seen {
    /// No longer in the life that was terminated; its state.
    Gone(String),
    Running,
    Unreadable,
}

fn judge(seen: &Result<Cluster, CallError>, proof: &Proof) -> Seen {
    let cluster = match seen {
        Ok(cluster) => cluster,
        Err(error) if cluster_gone(error) => return Seen::Gone("GONE".to_owned()),
        Err(_) => return Seen::Unreadable,
    };
    let state = cluster.state.as_str().to_owned();
    match &cluster.state {
        ClusterState::Terminating | ClusterState::Terminated | ClusterState::Pending => {
            Seen::Gone(state)
        }
        // Somebody may have started it again at once: another life of the driver.
        ClusterState::Running | ClusterState::Resizing => {
            let context = cluster.spark_context_id.as_ref();
            match context {
                Some(context) if !proof.is_of(context) => Seen::Gone(state),
                Some(_) | None => Seen::Running,
            }
        }
        ClusterState::Restarting | ClusterState::Other(_) => Seen::Running,
    }
}

/// Whether a `clusters/delete` that ended in this error may have taken effect.
fn may_have_arrived(error: &CallError) -> bool {
    match &error.cause {
        CallErrorCause::Status(status) => status.status >= 500,
        CallErrorCause::Transport(error) => !error.never_sent,
        CallErrorCause::NotJson { .. }
        | CallErrorCause::NotHtml { .. }
        | CallErrorCause::Shape(_)
        | CallErrorCause::Deadline => true,
        CallErrorCause::Token(_) | CallErrorCause::TooLate => false,
    }
}

fn refused(error: &CallError) -> Outcome {
    let forbidden = matches!(&error.cause, CallErrorCause::Status(status) if status.status == 403);
    if forbidden {
        let clause = format!(
            "{}; the service principal needs CAN_RESTART on the cluster, or must be a workspace admin",
            with_reason(error)
        );
        return Outcome::Forbidden { clause };
    }
    Outcome::Failed {
        clause: with_reason(error),
    }
}

/// The error with what the workspace said.
fn with_reason(error: &CallError) -> String {
    match words_of_refusal(error) {
        Some(words) => format!("{error} ({words})"),
        None => error.to_string(),
    }
}

fn unconfirmed(answer: &Result<(), CallError>, seen: &Result<Cluster, CallError>) -> Outcome {
    let sent = match answer {
        Ok(()) => "the termination was accepted".to_owned(),
        Err(error) => with_reason(error),
    };
    let seen = match seen {
        Ok(cluster) => format!("it still shows {}", cluster.state.as_str()),
        Err(error) => format!("it could not be read back: {error}"),
    };
    Outcome::Failed {
        clause: format!("{sent}; {seen}"),
    }
}

#[cfg(test)]
mod tests;
