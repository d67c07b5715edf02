//! One job run as it stands in a list or in `runs/get`: what it names, and when
//! it ended.
//!
//! A cluster can stand in half a dozen places of a run, and new kinds of tasks
//! bring new ones. So the links are not looked up by path: every `cluster_id`
//! and `existing_cluster_id` at any depth counts, which at worst names a cluster
//! too many. The shape around them (an id, tasks that are a list of objects, a
//! statement on whether more is to come) has to be as expected. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::wire::{self, Integer};
use super::ActiveRun;
use crate::cluster::ClusterId;
use crate::timestamp::Timestamp;

/// The states of a run or task that has ended, in both members that tell one
/// (databricks-sdk-go, `service/jobs/model.go`).
const OVER: [&str; 3] = ["TERMINATED", "SKIPPED", "INTERNAL_ERROR"];

/// What a run tells about clusters.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: String,
    name: Option<String>,
    /// What it says of its state, each word once.
    states: BTreeSet<String>,
    /// Every cluster that it names, in whatever place.
    pub(super) clusters: BTreeSet<ClusterId>,
    /// How many tasks and iterations this record holds.
    pub(super) tasks: usize,
    /// Whether the list left tasks out.
    pub(super) is_cut: bool,
    /// Whether it tells where it works: by tasks, were they none, by a cluster,
    /// or by the cluster that is made for it.
    pub(super) tells_where: bool,
    /// Of `runs/get`.
    pub(super) next_page_token: Option<String>,
    /// The run's own end.
    end: Option<Timestamp>,
    /// When its tasks ended on each cluster.
    task_ends: BTreeMap<ClusterId, TaskEnd>,
    /// Whether no task says that it goes on.
    tasks_are_over: bool,
}

/// When tasks ended on one cluster.
#[derive(Debug, Clone, Copy, Default)]
struct TaskEnd {
    latest: Option<Timestamp>,
    /// Whether one of them, of several attempts perhaps, does not tell its end.
    is_open: bool,
}

impl TaskEnd {
    fn add(&mut self, other: Self) {
        self.latest = self.latest.max(other.latest);
        self.is_open |= other.is_open;
    }
}

#[derive(Deserialize)]
struct RunRecord<'a> {
    run_id: Integer,
    run_name: Option<Value>,
    state: Option<Value>,
    status: Option<Value>,
    end_time: Option<Integer>,
    has_more: Option<bool>,
    next_page_token: Option<String>,
    cluster_spec: Option<IgnoredAny>,
    #[serde(borrow)]
    tasks: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    iterations: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct TaskRecord {
    state: Option<Value>,
    status: Option<Value>,
    end_time: Option<Integer>,
}

impl Run {
    /// Reads a run; the error is a clause about the run.
    pub(super) fn parse(raw: &RawValue) -> Result<Self, String> {
        let record: RunRecord<'_> =
            serde_json::from_str(raw.get()).map_err(|error| about("a run", &error.to_string()))?;
        let id = record.run_id.to_string();
        let of_run = |why: String| about(&format!("run {id}"), &why);
        let clusters = links(raw).map_err(of_run)?;
        let tells_where =
            record.tasks.is_some() || record.cluster_spec.is_some() || !clusters.is_empty();
        let mut run = Self {
            name: text(record.run_name.as_ref()),
            states: states(record.status.as_ref(), record.state.as_ref()),
            clusters,
            tasks: 0,
            is_cut: record.has_more == Some(true),
            tells_where,
            next_page_token: record.next_page_token,
            end: instant(record.end_time).map_err(of_run)?,
            task_ends: BTreeMap::new(),
            tasks_are_over: true,
            id: id.clone(),
        };
        for task in record.tasks.iter().chain(&record.iterations).flatten() {
            run.add_task(task).map_err(of_run)?;
        }
        Ok(run)
    }

    fn add_task(&mut self, raw: &RawValue) -> Result<(), String> {
        let record: TaskRecord = serde_json::from_str(raw.get()).map_err(|why| why.to_string())?;
        let latest = instant(record.end_time)?;
        let end = TaskEnd {
            latest,
            is_open: latest.is_none(),
        };
        for cluster in links(raw)? {
            self.task_ends.entry(cluster).or_default().add(end);
        }
        self.tasks += 1;
        self.tasks_are_over &= are_over(&states(record.status.as_ref(), record.state.as_ref()));
        Ok(())
    }

    /// Adds what another page of the same run holds.
    pub(super) fn absorb(&mut self, part: Self) {
        self.states.extend(part.states);
        self.clusters.extend(part.clusters);
        self.tells_where |= part.tells_where;
        self.end = self.end.max(part.end);
        for (cluster, end) in part.task_ends {
            self.task_ends.entry(cluster).or_default().add(end);
        }
        self.tasks_are_over &= part.tasks_are_over;
    }

    pub(super) fn label(&self) -> ActiveRun {
        let states: Vec<&str> = self.states.iter().map(String::as_str).collect();
        ActiveRun {
            run_id: self.id.clone(),
            name: self.name.clone(),
            state: (!states.is_empty()).then(|| states.join(" and ")),
        }
    }

    /// Whether it has ended by every word of it: one that says nothing of its
    /// state must have an end, and no task of it may go on.
    pub(super) fn is_over(&self) -> bool {
        let says_so = are_over(&self.states) && (self.end.is_some() || !self.states.is_empty());
        says_so && self.tasks_are_over
    }

    /// The latest end on each cluster: of its tasks if all of them tell one, else
    /// of the run, whose end can be hours later than the last task on this cluster.
    pub(super) fn ends(&self) -> impl Iterator<Item = (ClusterId, Timestamp)> {
        self.clusters.iter().filter_map(|cluster| {
            let tasks = self.task_ends.get(cluster).copied().unwrap_or(TaskEnd {
                latest: None,
                is_open: true,
            });
            let of_run = self.end.filter(|_| tasks.is_open);
            Some((cluster.clone(), tasks.latest.max(of_run)?))
        })
    }
}

fn about(what: &str, why: &str) -> String {
    wire::cut(&format!("{what} did not parse: {why}"))
}

fn instant(member: Option<Integer>) -> Result<Option<Timestamp>, String> {
    member.map_or(Ok(None), Integer::instant)
}

/// A description only, so that an odd one does no harm.
fn text(value: Option<&Value>) -> Option<String> {
    let text = value.and_then(Value::as_str)?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// Every word that a run or a task says of its state. `status.state` is the newer
/// form of `state.life_cycle_state`; both may be there, and they may disagree.
fn states(status: Option<&Value>, state: Option<&Value>) -> BTreeSet<String> {
    let words = [(status, "state"), (state, "life_cycle_state")];
    let words = words.into_iter().filter_map(|(member, key)| match member? {
        Value::Object(object) => object.get(key),
        odd @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)) => Some(odd),
    });
    words
        .filter_map(|word| match word {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            // No word at all, so none that says "over".
            odd @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Some(odd.to_string())
            }
        })
        .filter(|word| !word.is_empty())
        .collect()
}

fn are_over(states: &BTreeSet<String>) -> bool {
    states.iter().all(|word| OVER.contains(&word.as_str()))
}

/// Every cluster that `raw` names, at any depth.
fn links(raw: &RawValue) -> Result<BTreeSet<ClusterId>, String> {
    let mut found = BTreeSet::new();
    Scan {
        found: &mut found,
        is_link: false,
    }
    .deserialize(&mut serde_json::Deserializer::from_str(raw.get()))
    .map_err(|why| why.to_string())?;
    Ok(found)
}

/// Walks through any JSON and collects the values of the members that name a
/// cluster. One that is neither text nor `null` is an error.
struct Scan<'a> {
    found: &'a mut BTreeSet<ClusterId>,
    is_link: bool,
}

impl Scan<'_> {
    fn no_link<E: Error>(&self) -> Result<(), E> {
        if self.is_link {
            return Err(E::custom("a cluster's id is no text"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Scan<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scan<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.no_link()?;
        while let Some(key) = map.next_key::<String>()? {
            let is_link = matches!(key.as_str(), "cluster_id" | "existing_cluster_id");
            map.next_value_seed(Scan {
                found: &mut *self.found,
                is_link,
            })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.no_link()?;
        loop {
            let scan = Scan {
                found: &mut *self.found,
                is_link: false,
            };
            if items.next_element_seed(scan)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if self.is_link && !text.is_empty() {
            self.found.insert(ClusterId::new(text));
        }
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.no_link()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.no_link()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.no_link()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.no_link()
    }
}
