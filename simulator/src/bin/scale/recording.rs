//! The requests of one sweep as the plain client reads them: a line of JSON with the tokens, then a line a
//! workspace with its requests in the order in which they came.
//!
//! Requests for tokens and secrets are left out, since the plain client gets the tokens with the file. They are
//! the simulator's own tokens and open nothing else.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use serde::{Deserialize, Serialize};
use serde_json::json;
use simulator::world::World;
use simulator::{Record, RecordedRequest};

use crate::Outcome;

/// What the record says about the bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shape {
    /// All requests, those for tokens and secrets included.
    pub(crate) requests: u64,
    /// The requests in the file.
    pub(crate) written: u64,
    /// The most requests of one workspace of which each waits for the one before: what all its clusters wait
    /// for, and one cluster's own.
    pub(crate) chain: u64,
}

/// How requests are put down to workspaces and clusters.
#[derive(Debug, Default)]
pub(crate) struct Names {
    hosts: HashMap<String, usize>,
    /// Lower-case names of resource groups.
    groups: HashMap<String, usize>,
    /// The cluster of each machine.
    machines: HashMap<String, String>,
}

pub(crate) fn names(world: &World) -> Names {
    let mut names = Names::default();
    for (number, workspace) in world.workspaces.iter().enumerate() {
        names.hosts.insert(workspace.host.clone(), number);
        for id in [&workspace.resource_id, &workspace.managed_group_id] {
            if let Some(group) = group_of(id) {
                names.groups.insert(group, number);
            }
        }
        for cluster in &workspace.clusters {
            let machines = cluster.vms.iter();
            let pairs = machines.map(|vm| (vm.name.to_lowercase(), cluster.id.clone()));
            names.machines.extend(pairs);
        }
    }
    names
}

/// The name of the resource group in an id or path.
fn group_of(path: &str) -> Option<String> {
    Some(path.split('/').nth(4)?.to_lowercase())
}

impl Names {
    fn workspace(&self, request: &RecordedRequest) -> Option<usize> {
        let by_host = self.hosts.get(request.host());
        let group = || self.groups.get(&group_of(request.path())?);
        by_host.or_else(group).copied()
    }

    /// The cluster that a request is about, if it is about one alone.
    fn cluster(&self, request: &RecordedRequest) -> Option<String> {
        let path = request.path();
        if request.is_driver_proxy() {
            return path.split('/').nth(4).map(str::to_owned);
        }
        let (_, machine) = path.split_once("/virtualMachines/")?;
        let machine = machine.split('/').next()?.to_lowercase();
        self.machines.get(&machine).cloned()
    }
}

/// One workspace's requests.
#[derive(Default)]
struct Visit<'r> {
    requests: Vec<&'r RecordedRequest>,
    shared: u64,
    of_clusters: BTreeMap<String, u64>,
}

pub(crate) fn write(record: &Record, names: &Names, to: &mut impl Write) -> Outcome<Shape> {
    let mut visits: BTreeMap<usize, Visit<'_>> = BTreeMap::new();
    let mut shape = Shape::default();
    for request in record.requests() {
        shape.requests += 1;
        let Some(workspace) = names.workspace(request) else {
            continue;
        };
        if request.method() != "GET" {
            return Err(format!("the plain client sends no {request}").into());
        }
        shape.written += 1;
        let visit = visits.entry(workspace).or_default();
        visit.requests.push(request);
        match names.cluster(request) {
            Some(cluster) => *visit.of_clusters.entry(cluster).or_default() += 1,
            None => visit.shared += 1,
        }
    }
    let chain = |visit: &Visit<'_>| visit.shared + visit.of_clusters.values().max().unwrap_or(&0);
    shape.chain = visits.values().map(chain).max().unwrap_or(0);
    let mut tokens: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for visit in visits.values() {
        let requests: Vec<_> = visit
            .requests
            .iter()
            .map(|request| line(request, &mut tokens))
            .collect();
        lines.push(json!({ "requests": requests }));
    }
    writeln!(to, "{}", json!({ "tokens": tokens }))?;
    for line in lines {
        writeln!(to, "{line}")?;
    }
    Ok(shape)
}

fn line<'r>(recorded: &'r RecordedRequest, tokens: &mut Vec<&'r str>) -> serde_json::Value {
    let request = &recorded.request;
    let token = request.bearer().unwrap_or_default();
    let number = tokens.iter().position(|known| *known == token);
    let number = number.unwrap_or_else(|| {
        tokens.push(token);
        tokens.len() - 1
    });
    let mut url = format!("https://{}{}", request.host, request.path);
    if !request.raw_query.is_empty() {
        url.push('?');
        url.push_str(&request.raw_query);
    }
    json!({ "token": number, "url": url, "accept": request.header("accept") })
}
