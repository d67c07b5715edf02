//! What was learned of a workspace's machines as a whole: whether their names are
//! confirmed, and how much they work while nobody uses them.
//!
//! A fold over what the looks have seen; text, JSON and log use these sentences.
//! Pure; text from outside is escaped here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cluster::ClusterId;
use crate::escape::Shown;
use crate::human::Count;
use crate::witness::nodes::{BUSY_CORES, RestingLoad, TagCheck};

/// The machines of one workspace; nothing where no cluster's nodes were asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Machines {
    pub names: Option<NameCheck>,
    /// By size, of the drivers of clusters that are quiet by all other signals.
    pub resting: Vec<RestingLoad>,
}

/// How far the tags in Azure confirm the machines that clusters' records name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameCheck {
    pub clusters: usize,
    pub machines: usize,
    pub confirmed: usize,
    /// Machines of pools, which bear no cluster's id.
    pub of_pool: usize,
    /// Clusters whose tags and record exclude each other.
    pub contradicted: usize,
}

impl NameCheck {
    /// The sum over clusters; `None` of none.
    #[must_use]
    pub fn of(checks: &BTreeMap<ClusterId, TagCheck>) -> Option<Self> {
        let sum = |count: fn(&TagCheck) -> usize| checks.values().map(count).sum();
        (!checks.is_empty()).then(|| Self {
            clusters: checks.len(),
            machines: sum(|check| check.machines),
            confirmed: sum(|check| check.confirmed),
            of_pool: sum(|check| check.of_pool),
            contradicted: sum(|check| usize::from(check.contradiction.is_some())),
        })
    }

    /// For people.
    #[must_use]
    pub fn clause(&self) -> String {
        let Self {
            clusters,
            machines,
            confirmed,
            of_pool,
            contradicted,
        } = self;
        let mut clause = format!(
            "the tags in Azure confirm {confirmed} of {} of {}",
            Count(*machines, "machine"),
            Count(*clusters, "cluster")
        );
        if *of_pool > 0 {
            clause.push_str(&format!("; {of_pool} of a pool cannot be confirmed"));
        }
        if *contradicted > 0 {
            let clusters = Count(*contradicted, "cluster");
            clause.push_str(&format!("; they contradict the record of {clusters}"));
        }
        clause
    }
}

impl Machines {
    /// The sentences for people.
    #[must_use]
    pub fn clauses(&self) -> Vec<String> {
        let names = self.names.iter().map(NameCheck::clause);
        names
            .chain(self.resting.iter().map(resting_clause))
            .collect()
    }

    pub(super) fn json(&self) -> Value {
        let names = self.names.map(|names| {
            json!({
                "clusters": names.clusters,
                "machines": names.machines,
                "confirmed": names.confirmed,
                "of_pool": names.of_pool,
                "contradicted_clusters": names.contradicted,
            })
        });
        let resting = self.resting.iter().map(|load| {
            json!({
                "node_type": load.node_type,
                "drivers": load.drivers,
                "buckets": load.buckets,
                "p50_cores": thousandths(load.p50),
                "p95_cores": thousandths(load.p95),
            })
        });
        json!({"names": names, "resting": resting.collect::<Vec<_>>()})
    }
}

/// The sentence on one size.
#[must_use]
pub fn resting_clause(load: &RestingLoad) -> String {
    let RestingLoad {
        node_type,
        drivers,
        buckets,
        p50,
        p95,
    } = load;
    format!(
        "at rest, {} of `{}`: p50 {p50:.2}, p95 {p95:.2} busy cores in {buckets} times five minutes \
         (busy from {BUSY_CORES:.2})",
        Count(*drivers, "driver"),
        Shown::name(node_type),
    )
}

/// Finer than this, the figures would only be noise.
#[must_use]
pub fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::witness::nodes::Contradiction;

    fn check(machines: usize, confirmed: usize, of_pool: usize) -> TagCheck {
        TagCheck {
            machines,
            confirmed,
            of_pool,
            contradiction: None,
        }
    }

    fn names(checks: Vec<TagCheck>) -> Option<NameCheck> {
        let named = (0..)
            .zip(checks)
            .map(|(number, check): (u32, _)| (ClusterId::new(format!("0915-{number}")), check));
        NameCheck::of(&named.collect())
    }

    #[test]
    fn the_check_of_names_is_a_sum_over_clusters() {
        assert_eq!(names(Vec::new()), None);
        let mut contradicted = check(2, 1, 0);
        contradicted.contradiction = Some(Contradiction::Unlisted {
            machine: "c".to_owned(),
        });
        let all = names(vec![check(3, 3, 0), check(2, 0, 2), contradicted]);
        let expected = NameCheck {
            clusters: 3,
            machines: 7,
            confirmed: 4,
            of_pool: 2,
            contradicted: 1,
        };
        assert_eq!(all, Some(expected));
        assert_eq!(
            expected.clause(),
            "the tags in Azure confirm 4 of 7 machines of 3 clusters; 2 of a pool cannot be \
             confirmed; they contradict the record of 1 cluster"
        );
        let plain = names(vec![check(1, 1, 0)]).map(|names| names.clause());
        let expected = "the tags in Azure confirm 1 of 1 machine of 1 cluster";
        assert_eq!(plain.as_deref(), Some(expected));
    }

    #[test]
    fn the_load_at_rest_is_told_with_the_bound_and_on_one_line() {
        let resting = RestingLoad {
            node_type: "Standard\n_DS3".to_owned(),
            drivers: 2,
            buckets: 52,
            p50: 0.071_4,
            p95: 0.125,
        };
        let machines = Machines {
            names: None,
            resting: vec![resting],
        };
        let expected = "at rest, 2 drivers of `Standard\\n_DS3`: p50 0.07, p95 0.12 busy cores in 52 times \
             five minutes (busy from 0.50)";
        assert_eq!(machines.clauses(), [expected]);
        let json = machines.json();
        assert_eq!(json["names"], Value::Null);
        assert_eq!(json["resting"][0]["p50_cores"], 0.071);
        assert_eq!(json["resting"][0]["p95_cores"], 0.125);
        assert_eq!(json["resting"][0]["node_type"], "Standard\n_DS3");
    }
}
