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
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::wire::{self, Integer};
use super::ActiveRun;
use crate::cluster::ClusterId;
use crate::timestamp::Timestamp;

/// What a run tells about clusters.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: String,
    name: Option<String>,
    state: Option<String>,
    /// Every cluster that it names, in whatever place.
    pub(super) clusters: BTreeSet<ClusterId>,
    /// How many tasks and iterations this record holds.
    pub(super) tasks: usize,
    /// Whether the list left tasks out.
    pub(super) is_cut: bool,
    /// Of `runs/get`.
    pub(super) next_page_token: Option<String>,
    /// The run's own end.
    end: Option<Timestamp>,
    /// The latest known end of a task on each cluster; `None` for one whose tasks have none.
    task_ends: BTreeMap<ClusterId, Option<Timestamp>>,
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
    #[serde(borrow)]
    tasks: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    iterations: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct TaskRecord {
    end_time: Option<Integer>,
}

impl Run {
    /// Reads a run; the error is a clause about the run.
    pub(super) fn parse(raw: &RawValue) -> Result<Self, String> {
        let record: RunRecord<'_> =
            serde_json::from_str(raw.get()).map_err(|error| about("a run", &error.to_string()))?;
        let id = record.run_id.to_string();
        let of_run = |why: String| about(&format!("run {id}"), &why);
        let mut task_ends = BTreeMap::new();
        let mut tasks = 0;
        for task in record.tasks.iter().chain(&record.iterations).flatten() {
            tasks += 1;
            add_task(task, &mut task_ends).map_err(of_run)?;
        }
        Ok(Self {
            name: text(record.run_name.as_ref()),
            state: state(record.status.as_ref(), record.state.as_ref()),
            clusters: links(raw).map_err(of_run)?,
            tasks,
            is_cut: record.has_more == Some(true),
            next_page_token: record.next_page_token,
            end: instant(record.end_time).map_err(of_run)?,
            task_ends,
            id,
        })
    }

    /// Adds what another page of the same run holds.
    pub(super) fn absorb(&mut self, part: Self) {
        self.clusters.extend(part.clusters);
        self.end = self.end.max(part.end);
        for (cluster, end) in part.task_ends {
            let latest = self.task_ends.entry(cluster).or_insert(None);
            *latest = end.max(*latest);
        }
    }

    pub(super) fn label(&self) -> ActiveRun {
        ActiveRun {
            run_id: self.id.clone(),
            name: self.name.clone(),
            state: self.state.clone(),
        }
    }

    /// The latest end on each cluster: of its tasks where they have one, else of
    /// the run, whose end can be hours later than the last task on this cluster.
    pub(super) fn ends(&self) -> impl Iterator<Item = (ClusterId, Timestamp)> {
        self.clusters.iter().filter_map(|cluster| {
            let of_tasks = self.task_ends.get(cluster).copied().flatten();
            Some((cluster.clone(), of_tasks.or(self.end)?))
        })
    }
}

fn add_task(
    raw: &RawValue,
    ends: &mut BTreeMap<ClusterId, Option<Timestamp>>,
) -> Result<(), String> {
    let record: TaskRecord = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    let end = instant(record.end_time)?;
    for cluster in links(raw)? {
        let latest = ends.entry(cluster).or_insert(None);
        *latest = end.max(*latest);
    }
    Ok(())
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

/// `status.state` is the newer form of `state.life_cycle_state`.
fn state(status: Option<&Value>, state: Option<&Value>) -> Option<String> {
    let new = status.and_then(|status| status.get("state"));
    let old = state.and_then(|state| state.get("life_cycle_state"));
    text(new).or_else(|| text(old))
}

/// Every cluster that `raw` names, at any depth.
fn links(raw: &RawValue) -> Result<BTreeSet<ClusterId>, String> {
    let mut found = BTreeSet::new();
    Scan {
        found: &mut found,
        is_link: false,
    }
    .deserialize(&mut serde_json::Deserializer::from_str(raw.get()))
    .map_err(|error| error.to_string())?;
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
