//! The machines of one workspace by name and tag: whether a cluster's record and
//! the tags of its machines mean the same ones.
//!
//! Pure: `azure_monitor` fetches the list, the looks ask [`Roster::check`]. The
//! name is the key, because that a cluster's `instance_id` is the name of its
//! VM is an inference that no recording proves; the tag is the cross-check.
//! Machines of a pool bear the pool's id and no cluster's (recorded), so for
//! them the tags say nothing. The list tells no power state (`$expand=instanceView`
//! needs a filter by scale set), so a machine that was evicted counts like one at work.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::Cluster;
use crate::escape::Shown;
use crate::signals::Why;

/// One VM of the managed resource group, as far as its tags matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaggedMachine {
    pub name: String,
    /// The tag `ClusterId`.
    pub cluster: Option<String>,
    /// Whether the tag `DatabricksInstancePoolId` is there.
    pub of_pool: bool,
    /// Whether Azure is deleting it, so that it can do no more work.
    pub is_leaving: bool,
}

/// All VMs of a workspace's managed resource group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// By name in lower case: Azure's names have no case.
    by_name: BTreeMap<String, TaggedMachine>,
    /// The names, in lower case, that bear a cluster's id.
    by_cluster: BTreeMap<String, BTreeSet<String>>,
}

/// What the tags say of the machines that one cluster's record names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagCheck {
    /// Different machines that the record names.
    pub machines: usize,
    /// Those of them that bear the cluster's id.
    pub confirmed: usize,
    /// Those that bear a pool's id and no cluster's, as the record has it.
    pub of_pool: usize,
    pub contradiction: Option<Contradiction>,
}

/// How tags and record exclude each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contradiction {
    /// A machine of the record bears another cluster's id.
    OfAnother { machine: String, cluster: String },
    /// A machine that the record does not list bears this cluster's id.
    Unlisted { machine: String },
}

impl Roster {
    #[must_use]
    pub fn new(machines: impl IntoIterator<Item = TaggedMachine>) -> Self {
        let mut roster = Self::default();
        for machine in machines {
            let name = machine.name.to_ascii_lowercase();
            if let Some(cluster) = machine.cluster.clone().filter(|_| !machine.is_leaving) {
                let names = roster.by_cluster.entry(cluster).or_default();
                names.insert(name.clone());
            }
            roster.by_name.insert(name, machine);
        }
        roster
    }

    /// The ids of the clusters that any machine bears which Azure is not deleting.
    pub fn clusters(&self) -> impl Iterator<Item = &str> {
        self.by_cluster.keys().map(String::as_str)
    }

    /// How many machines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Compares the tags with the record of `cluster`.
    #[must_use]
    pub fn check(&self, cluster: &Cluster) -> TagCheck {
        let recorded: BTreeSet<String> = cluster
            .driver
            .iter()
            .chain(&cluster.executors)
            .filter_map(|machine| Some(machine.instance_id.as_ref()?.to_ascii_lowercase()))
            .collect();
        let mut check = TagCheck {
            machines: recorded.len(),
            confirmed: 0,
            of_pool: 0,
            contradiction: None,
        };
        for name in &recorded {
            let Some(machine) = self.by_name.get(name) else {
                continue;
            };
            match &machine.cluster {
                Some(owner) if owner == cluster.id.as_str() => check.confirmed += 1,
                Some(owner) => {
                    check
                        .contradiction
                        .get_or_insert_with(|| Contradiction::OfAnother {
                            machine: name.clone(),
                            cluster: owner.clone(),
                        });
                }
                None if machine.of_pool && cluster.uses_pool => check.of_pool += 1,
                None => {}
            }
        }
        let tagged = self.by_cluster.get(cluster.id.as_str());
        let unlisted = tagged.and_then(|tagged| tagged.difference(&recorded).next());
        if let Some(machine) = unlisted {
            let machine = machine.clone();
            check
                .contradiction
                .get_or_insert(Contradiction::Unlisted { machine });
        }
        check
    }
}

impl TagCheck {
    /// Why the tags leave it open whether all machines of the cluster were asked,
    /// and nothing else; `None` where they confirm every one, or where a pool's
    /// machines cannot be confirmed, which the rules weigh by themselves.
    #[must_use]
    pub fn unproven(&self) -> Option<Why> {
        let open = self.machines.saturating_sub(self.confirmed + self.of_pool);
        (open > 0).then(|| {
            let total = self.machines;
            Why::new(format!(
                "the tags in Azure do not confirm {open} of its {total} machines"
            ))
        })
    }
}

impl Contradiction {
    /// The reason why the cluster's nodes are unknown; the same for all clusters
    /// of a kind, so that a report can count them.
    #[must_use]
    pub fn why(&self) -> Why {
        Why::new(match self {
            Self::OfAnother { .. } => {
                "the tags in Azure give a machine of its record to another cluster"
            }
            Self::Unlisted { .. } => {
                "the tags in Azure give it a machine that its record does not list"
            }
        })
    }

    /// The machine in question, for whoever looks into it.
    #[must_use]
    pub fn example(&self) -> String {
        match self {
            Self::OfAnother { machine, cluster } => {
                let (machine, cluster) = (Shown::name(machine), Shown::name(cluster));
                format!("VM `{machine}` is tagged as one of `{cluster}`")
            }
            Self::Unlisted { machine } => {
                let machine = Shown::name(machine);
                format!(
                    "VM `{machine}` is tagged as one of its own, and its record does not list it"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{ClusterId, Instance};
    use crate::decision::tests::world::idle_cluster;

    const OURS: &str = "0915-021615-abcd1234";

    fn vm(name: &str, cluster: Option<&str>) -> TaggedMachine {
        TaggedMachine {
            name: name.to_owned(),
            cluster: cluster.map(str::to_owned),
            of_pool: false,
            is_leaving: false,
        }
    }

    fn pooled(name: &str) -> TaggedMachine {
        TaggedMachine {
            of_pool: true,
            ..vm(name, None)
        }
    }

    fn cluster(machines: &[&str]) -> Cluster {
        let instance = |name: &&str| Instance {
            instance_id: Some((*name).to_owned()),
            started: None,
        };
        let mut all = machines.iter().map(instance);
        Cluster {
            id: ClusterId::new(OURS),
            driver: all.next(),
            executors: all.collect(),
            ..idle_cluster()
        }
    }

    fn check(machines: &[TaggedMachine], recorded: &[&str]) -> TagCheck {
        Roster::new(machines.to_vec()).check(&cluster(recorded))
    }

    #[test]
    fn tags_confirm_machines_that_bear_the_id_of_the_cluster() {
        let all = [vm("A", Some(OURS)), vm("b", Some(OURS)), vm("z", None)];
        let found = check(&all, &["a", "B"]);
        let expected = TagCheck {
            machines: 2,
            confirmed: 2,
            of_pool: 0,
            contradiction: None,
        };
        assert_eq!(found, expected);
        assert_eq!(found.unproven(), None);
    }

    #[test]
    fn a_machine_that_is_missing_or_bears_no_tag_is_left_open() {
        for list in [
            vec![vm("a", Some(OURS))],
            vec![vm("a", Some(OURS)), vm("b", None)],
        ] {
            let found = check(&list, &["a", "b"]);
            assert_eq!((found.confirmed, found.contradiction.as_ref()), (1, None));
            let why = found.unproven().expect("one machine is open");
            assert!(why.0.contains("1 of its 2 machines"), "{why}");
        }
    }

    #[test]
    fn a_machine_that_is_tagged_as_anothers_contradicts() {
        let list = [vm("a", Some(OURS)), vm("b", Some("0915-other"))];
        let found = check(&list, &["a", "b"]);
        let expected = Contradiction::OfAnother {
            machine: "b".to_owned(),
            cluster: "0915-other".to_owned(),
        };
        assert_eq!(found.contradiction, Some(expected));
    }

    #[test]
    fn a_machine_that_the_record_does_not_list_contradicts_unless_it_is_leaving() {
        let extra = vm("C", Some(OURS));
        let list = [vm("a", Some(OURS)), extra.clone()];
        let unlisted = Contradiction::Unlisted {
            machine: "c".to_owned(),
        };
        assert_eq!(check(&list, &["a"]).contradiction, Some(unlisted.clone()));
        // Names of another kind, such as those of a scale set, are found out so.
        assert_eq!(
            check(std::slice::from_ref(&extra), &["a"]).contradiction,
            Some(unlisted)
        );
        let leaving = TaggedMachine {
            is_leaving: true,
            ..extra
        };
        let list = [vm("a", Some(OURS)), leaving];
        assert_eq!(check(&list, &["a"]).contradiction, None);
        assert_eq!(check(&list, &["a", "c"]).unproven(), None);
    }

    #[test]
    fn machines_of_a_pool_are_neither_confirmed_nor_open() {
        let pool_cluster = Cluster {
            uses_pool: true,
            ..cluster(&["a", "b"])
        };
        let found = Roster::new([pooled("a"), pooled("b")]).check(&pool_cluster);
        assert_eq!((found.confirmed, found.of_pool), (0, 2));
        assert_eq!((found.unproven(), found.contradiction), (None, None));
        let mixed = Roster::new([pooled("a"), vm("b", Some(OURS))]).check(&pool_cluster);
        assert_eq!((mixed.confirmed, mixed.of_pool), (1, 1));
        assert_eq!(mixed.unproven(), None);
    }

    #[test]
    fn machines_of_a_pool_that_the_record_knows_nothing_of_are_open() {
        let found = check(&[pooled("a"), pooled("b")], &["a", "b"]);
        assert!(found.unproven().is_some());
    }

    #[test]
    fn machines_are_counted_by_their_names_which_have_no_case() {
        let roster = Roster::new([vm("a", Some(OURS)), vm("A", None), pooled("b")]);
        assert_eq!((roster.len(), roster.is_empty()), (2, false));
        let none = Roster::new([]);
        assert_eq!((none.len(), none.is_empty()), (0, true));
    }

    #[test]
    fn clusters_are_those_whose_machines_are_not_all_leaving() {
        let leaving = |name: &str, cluster: &str| TaggedMachine {
            is_leaving: true,
            ..vm(name, Some(cluster))
        };
        let roster = Roster::new([
            vm("a", Some("0915-other")),
            vm("b", Some(OURS)),
            leaving("c", OURS),
            leaving("d", "0915-gone"),
            pooled("e"),
        ]);
        let clusters: Vec<&str> = roster.clusters().collect();
        assert_eq!(clusters, [OURS, "0915-other"]);
        assert_eq!(Roster::new([pooled("e")]).clusters().next(), None);
    }

    #[test]
    fn one_name_in_two_places_of_the_record_is_one_machine() {
        let found = check(&[vm("a", Some(OURS))], &["a", "A"]);
        assert_eq!((found.machines, found.confirmed), (1, 1));
    }

    #[test]
    fn machine_in_question_is_named_with_whom_the_tags_give_it_to() {
        let machine = || "vm-7".to_owned();
        let of_another = Contradiction::OfAnother {
            machine: machine(),
            cluster: "0915-other".to_owned(),
        };
        let example = of_another.example();
        assert!(example.contains("vm-7") && example.contains("0915-other"));
        let unlisted = Contradiction::Unlisted { machine: machine() };
        assert!(unlisted.example().contains("vm-7"));
    }

    #[test]
    fn what_contradicts_is_shown_without_its_own_line_ends() {
        for contradiction in [
            Contradiction::OfAnother {
                machine: "a\nb".to_owned(),
                cluster: "c\nd".to_owned(),
            },
            Contradiction::Unlisted {
                machine: "a\nb".to_owned(),
            },
        ] {
            assert!(!contradiction.example().contains('\n'));
            assert!(contradiction.why().0.starts_with("the tags in Azure give"));
        }
    }
}
