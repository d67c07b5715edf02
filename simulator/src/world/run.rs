//! Job runs of a workspace and the forms in which a run can name a cluster.
//!
//! A run names its cluster by the cluster's name in the world; the answer carries the id. The model only;
//! the `databricks::runs` module renders it.

use std::time::Duration;

use super::clock::Moment;

/// A job run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The run's id; 0 until the workspace gives one.
    pub id: i64,
    /// The job's id.
    pub job_id: i64,
    /// The run's name.
    pub name: String,
    /// `JOB_RUN`, `SUBMIT_RUN` or `WORKFLOW_RUN`.
    pub run_type: String,
    /// The state while it has not ended, such as `RUNNING` or `QUEUED`.
    pub state: String,
    /// When it started.
    pub started: Moment,
    /// When it ends; `None` goes on.
    pub ended: Option<Moment>,
    /// Its tasks. A run without tasks is a legacy single-task run.
    pub tasks: Vec<Task>,
    /// The cluster of a legacy single-task run, by name.
    pub legacy_cluster: Option<(String, TaskForm)>,
    /// Whether principals that are no admins see it.
    pub is_visible_to_all: bool,
    /// In which fields its state is told.
    pub state_style: StateStyle,
}

/// In which fields a run tells its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateStyle {
    /// `state.life_cycle_state` and `status.state`.
    Both,
    /// Only the deprecated `state.life_cycle_state`.
    Legacy,
    /// Only `status.state`.
    Status,
}

/// How a task names its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskForm {
    /// `existing_cluster_id` and `cluster_instance.cluster_id`.
    Existing,
    /// Only `cluster_instance.cluster_id`.
    Instance,
    /// Only `existing_cluster_id`, as before the task starts.
    ExistingOnly,
    /// `for_each_task.task.existing_cluster_id`.
    ForEach,
    /// `job_cluster_key` and, once created, the instance.
    JobCluster,
    /// No cluster: serverless, a SQL warehouse.
    None,
}

/// A task of a run.
#[derive(Clone, Debug)]
pub struct Task {
    /// The task's key.
    pub key: String,
    /// The cluster's name in the world, or an id that is not in it.
    pub cluster: String,
    /// How it is named.
    pub form: TaskForm,
    /// The state while it has not ended.
    pub state: String,
    /// When it ends; `None` takes the run's end.
    pub ended: Option<Moment>,
}

impl Run {
    fn new(name: &str, started: Moment, ended: Option<Moment>) -> Self {
        Self {
            id: 0,
            job_id: 0,
            name: name.to_owned(),
            run_type: "JOB_RUN".to_owned(),
            state: "RUNNING".to_owned(),
            started,
            ended,
            tasks: Vec::new(),
            legacy_cluster: None,
            is_visible_to_all: false,
            state_style: StateStyle::Both,
        }
    }

    /// A run that started this long ago and goes on.
    pub fn active(name: &str, since: Duration) -> Self {
        Self::new(name, Moment::ago(since), None)
    }

    /// A run of ten minutes that ended this long ago.
    pub fn finished(name: &str, ago: Duration) -> Self {
        Self::new(
            name,
            Moment::ago(ago + Duration::from_secs(600)),
            Some(Moment::ago(ago)),
        )
    }

    /// Adds a task on a cluster.
    #[must_use]
    pub fn on(self, cluster: &str) -> Self {
        self.task(cluster, TaskForm::Existing)
    }

    /// Adds a task that names a cluster in this form.
    #[must_use]
    pub fn task(mut self, cluster: &str, form: TaskForm) -> Self {
        self.tasks.push(Task {
            key: format!("task_{}", self.tasks.len()),
            cluster: cluster.to_owned(),
            form,
            state: self.state.clone(),
            ended: None,
        });
        self
    }

    /// Makes it a legacy single-task run on a cluster.
    #[must_use]
    pub fn legacy_on(mut self, cluster: &str, form: TaskForm) -> Self {
        self.legacy_cluster = Some((cluster.to_owned(), form));
        self
    }

    /// Adds this many tasks without a cluster, to push later tasks off the first hundred.
    #[must_use]
    pub fn filler_tasks(mut self, count: usize) -> Self {
        for _ in 0..count {
            self = self.task("", TaskForm::None);
        }
        self
    }

    /// Sets the state of the run and of its last task, such as `QUEUED` or `BLOCKED`.
    #[must_use]
    pub fn state(mut self, state: &str) -> Self {
        state.clone_into(&mut self.state);
        self
    }

    /// Sets the state of the last task only.
    #[must_use]
    pub fn task_state(mut self, state: &str) -> Self {
        if let Some(task) = self.tasks.last_mut() {
            state.clone_into(&mut task.state);
        }
        self
    }

    /// Sets how long ago it started.
    #[must_use]
    pub fn started(mut self, ago: Duration) -> Self {
        self.started = Moment::ago(ago);
        self
    }

    /// Sets the run type, such as `SUBMIT_RUN`.
    #[must_use]
    pub fn run_type(mut self, run_type: &str) -> Self {
        run_type.clone_into(&mut self.run_type);
        self
    }

    /// Lets principals that are no admins see it.
    #[must_use]
    pub fn visible_to_all(mut self) -> Self {
        self.is_visible_to_all = true;
        self
    }

    /// Sets in which fields the state is told.
    #[must_use]
    pub fn state_style(mut self, style: StateStyle) -> Self {
        self.state_style = style;
        self
    }

    pub(crate) fn is_active(&self, now: Moment) -> bool {
        self.ended.is_none_or(|ended| now < ended)
    }
}
