//! What the rules share: which witnesses say quiet, since when, how long that
//! must last, and what makes a lone witness too weak.
//!
//! Reads signals only through `Look::read`, like the rules. Pure.

use std::time::Duration;

use super::proof::{Evidence, Quiet};
use super::reason::Weakness;
use super::{Look, Question};
use crate::policy::{PLATFORM_MARGIN, Policy};
use crate::signals::{NodesView, SparkView, StreamingView};
use crate::timestamp::Timestamp;

/// How far ahead of our clock a time from outside may lie and still count as now.
const CLOCK_SKEW: Duration = Duration::from_mins(5);

impl<'a> Look<'a> {
    pub(super) fn spark(&self) -> Result<Option<&'a SparkView>, Question> {
        self.read(&self.signals.spark, Question::Spark)
    }

    /// The driver's machine; its size first, without which no load can be told.
    pub(super) fn driver_node(&self) -> Result<Option<&'a NodesView>, Question> {
        if !self.policy.nodes_witness {
            return Ok(None);
        }
        self.read(&self.signals.hardware, Question::Hardware)?;
        self.read(&self.signals.driver_node, Question::DriverNode)
    }

    pub(super) fn all_nodes(&self) -> Result<Option<&'a NodesView>, Question> {
        if !self.policy.nodes_witness {
            return Ok(None);
        }
        self.read(&self.signals.hardware, Question::Hardware)?;
        self.read(&self.signals.all_nodes, Question::AllNodes)
    }

    /// `last_activity_time`, unless it lies too far ahead to be believed.
    pub(super) fn last_activity(&self) -> Option<Timestamp> {
        let at = self.signals.cluster.last_activity_time?;
        (at <= self.now.plus(CLOCK_SKEW)).then(|| at.min(self.now))
    }

    /// The latest known start of the driver.
    pub(super) fn start(&self) -> Result<Option<Timestamp>, Question> {
        let application = self.spark()?.map(|spark| spark.application_started);
        Ok(self.signals.cluster.started().max(application))
    }

    /// Whether Spark is a witness and says quiet: no work, and no stream that
    /// could be waiting for data.
    pub(super) fn spark_says_quiet(&self) -> Result<bool, Question> {
        let Some(spark) = self.spark()? else {
            return Ok(false);
        };
        let streaming = self.read(&self.signals.streaming, Question::Streaming)?;
        let no_stream = match streaming {
            Some(StreamingView::NoneActive | StreamingView::NeverAny) => true,
            Some(StreamingView::Active) | None => false,
        };
        Ok(spark.busy.is_none() && no_stream)
    }

    /// What the nodes say if they are quiet: beside Spark the driver's machine is
    /// enough, alone every machine must be known.
    pub(super) fn quiet_nodes(&self) -> Result<Option<&'a NodesView>, Question> {
        let driver = self.driver_node()?;
        let view = if self.spark_says_quiet()? || driver.is_none() {
            driver
        } else {
            self.all_nodes()?
        };
        Ok(view.filter(|view| match view {
            NodesView::Busy { .. } => false,
            NodesView::QuietSince(_) | NodesView::QuietThroughout(_) => true,
        }))
    }

    pub(super) fn evidence(&self) -> Result<Option<Evidence>, Question> {
        let nodes = self.quiet_nodes()?.is_some();
        Ok(match (self.spark_says_quiet()?, nodes) {
            (true, true) => Some(Evidence::Both),
            (true, false) => Some(Evidence::SparkAlone),
            (false, true) => Some(Evidence::NodesAlone),
            (false, false) => None,
        })
    }

    /// The latest sign of life among everything that is known, with the wait
    /// that the evidence for quiet asks for.
    pub(super) fn quiet(&self) -> Result<Option<Quiet>, Question> {
        let Some(evidence) = self.evidence()? else {
            return Ok(None);
        };
        let spark = self.spark()?;
        let ended = self.read(&self.signals.last_run_end, Question::CompletedRuns)?;
        // Where the metrics begin is a bound of what is known, but no sign of life.
        let (came_to_rest, known_from) = match self.quiet_nodes()? {
            Some(NodesView::QuietSince(at)) => (Some(*at), None),
            Some(NodesView::QuietThroughout(from)) => (None, Some(*from)),
            Some(NodesView::Busy { .. }) | None => (None, None),
        };
        let signs = [
            self.start()?,
            ended.copied().flatten(),
            spark.and_then(|spark| spark.last_completion),
            spark.and_then(|spark| spark.last_stream_batch),
            came_to_rest,
            self.last_activity(),
        ];
        let last_sign = signs.into_iter().flatten().max();
        let threshold = threshold(evidence, self.policy);
        Ok(last_sign.map(|last_sign| Quiet {
            since: last_sign.max(known_from.unwrap_or(last_sign)).min(self.now),
            last_sign: last_sign.min(self.now),
            evidence,
            threshold,
            left_to_platform: self.platform_limit().is_some_and(|limit| limit < threshold),
        }))
    }

    /// How long a quiet cluster may live before it must have been active by the
    /// platform's reckoning; `None` where that says nothing, or is not trusted.
    pub(super) fn platform_limit(&self) -> Option<Duration> {
        let minutes = self.signals.cluster.autotermination_minutes;
        let trusted = minutes > 0 && self.policy.trust_platform_clock;
        let limit = Duration::from_secs(minutes.saturating_mul(60));
        trusted.then(|| limit.saturating_add(PLATFORM_MARGIN))
    }

    pub(super) fn weakness_of_spark(&self) -> Result<Option<Weakness>, Question> {
        let cluster = &self.signals.cluster;
        let hardware = self.read(&self.signals.hardware, Question::Hardware)?;
        let ml = cluster.spark_version.as_deref().is_none_or(is_ml_runtime);
        let gpu_runtime = cluster.spark_version.as_deref().is_none_or(is_gpu_runtime);
        let gpus = hardware.and_then(|hardware| hardware.has_gpus) != Some(false);
        let ran_a_job = self.spark()?.is_some_and(|spark| spark.ran_a_job);
        // An autoscaling cluster tells no number; one that tells none at work is
        // a single node for now.
        let workers = match cluster.num_workers {
            Some(workers) => workers > 0,
            None => cluster.autoscales,
        };
        Ok(if !workers {
            Some(Weakness::SingleNode)
        } else if gpus || gpu_runtime {
            Some(Weakness::Gpu)
        } else if ml {
            Some(Weakness::MlRuntime)
        } else if !ran_a_job {
            Some(Weakness::NoSparkJobYet)
        } else {
            None
        })
    }

    pub(super) fn weakness_of_nodes(&self) -> Result<Option<Weakness>, Question> {
        let cluster = &self.signals.cluster;
        let hardware = self.read(&self.signals.hardware, Question::Hardware)?;
        let gpu_runtime = cluster.spark_version.as_deref().is_none_or(is_gpu_runtime);
        let gpus = hardware.and_then(|hardware| hardware.has_gpus) != Some(false);
        Ok(if gpus || gpu_runtime {
            Some(Weakness::NodesBlindToGpu)
        } else if cluster.uses_pool {
            Some(Weakness::NodesOfAPool)
        } else {
            None
        })
    }
}

/// How long the quiet must last. One witness is never enough sooner than both,
/// whatever the policy says, so that losing one cannot hasten a termination.
pub fn threshold(evidence: Evidence, policy: &Policy) -> Duration {
    match evidence {
        Evidence::Both => policy.idle_after,
        Evidence::SparkAlone => policy.idle_after_one_witness.max(policy.idle_after),
        Evidence::NodesAlone => policy.nodes_alone_threshold().max(policy.idle_after),
    }
}

fn is_ml_runtime(spark_version: &str) -> bool {
    spark_version.to_ascii_lowercase().contains("-ml-")
}

fn is_gpu_runtime(spark_version: &str) -> bool {
    spark_version.to_ascii_lowercase().contains("-gpu")
}
