use super::*;
use crate::decision::tests::world::{NOW, default_policy, hours, minutes};
use crate::policy::{ExemptSelector, Exemption, PolicyChanges, Selector, TagPattern};

/// A policy at its defaults, with both witnesses and one workspace.
struct Document {
    set: PolicySet,
    workspaces: Vec<(&'static str, bool)>,
}

impl Document {
    fn new() -> Self {
        Self {
            set: PolicySet::plain(default_policy()),
            workspaces: vec![("dev-1", true)],
        }
    }

    fn with(change: impl FnOnce(&mut Policy)) -> Self {
        let mut document = Self::new();
        change(&mut document.set.base);
        document
    }

    fn overriding(mut self, selector: Selector, change: impl FnOnce(&mut PolicyChanges)) -> Self {
        let mut changes = PolicyChanges::default();
        change(&mut changes);
        self.set.overrides.push(Override { selector, changes });
        self
    }

    fn all(&self) -> Vec<Warning> {
        let known = |(name, has_resource_id): &(&'static str, bool)| KnownWorkspace {
            name,
            has_resource_id: *has_resource_id,
        };
        let workspaces: Vec<KnownWorkspace<'_>> = self.workspaces.iter().map(known).collect();
        lint(&Linted {
            policy: &self.set,
            defaults: &default_policy(),
            workspaces: &workspaces,
            now: NOW,
        })
    }

    /// Table, key and what is said of it.
    fn found(&self) -> Vec<(Table, &'static str, String)> {
        let all = self.all().into_iter();
        all.map(|one| (one.subject.table, one.subject.key, one.what))
            .collect()
    }

    /// The only thing that is said, which is a warning.
    fn warning(&self) -> (Table, &'static str, String) {
        let all = self.all();
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0].weight, Weight::Warning);
        self.found().remove(0)
    }
}

fn workspace(glob: &str) -> Selector {
    Selector::Workspace(Glob::new(glob))
}

fn tags(pairs: &[(&str, &str)]) -> Vec<TagPattern> {
    let pattern = |(key, value): &(&str, &str)| TagPattern {
        key: (*key).to_owned(),
        value: Glob::new(value),
    };
    pairs.iter().map(pattern).collect()
}

fn tagged(pairs: &[(&str, &str)]) -> Selector {
    Selector::Tags(tags(pairs))
}

fn exempt(name: &str, until: Timestamp) -> Exemption {
    Exemption {
        selector: ExemptSelector::Name(Glob::new(name)),
        until,
        until_day: "2026-11-22".to_owned(),
        reason: "audit".to_owned(),
    }
}

fn globs(patterns: &[&str]) -> Vec<Glob> {
    patterns.iter().map(|pattern| Glob::new(pattern)).collect()
}

#[test]
fn the_defaults_are_no_matter_for_warnings() {
    assert_eq!(Document::new().all(), []);
    for (spark, nodes) in [(true, false), (false, true)] {
        let alone = Document::with(|policy| {
            (policy.spark_witness, policy.nodes_witness) = (spark, nodes);
        });
        assert_eq!(alone.all(), [], "{spark} {nodes}");
    }
}

#[test]
fn a_sensible_policy_is_no_matter_for_warnings() {
    let document = Document::with(|policy| {
        policy.idle_after = minutes(45);
        policy.idle_after_one_witness = hours(24);
        policy.streaming_silence = hours(120);
        policy.nodes_alone_suffices = true;
        policy.spark_alone_suffices = true;
        policy.protect_names = globs(&["prod-*", "demo"]);
        policy.exemptions = vec![exempt("migration-*", NOW.plus(hours(1)))];
    })
    .overriding(workspace("dev-*"), |changes| {
        changes.idle_after = Some(hours(1));
        changes.protect_names = Some(globs(&["prod-*", "demo*"]));
        changes.cap_per_workspace = Some(20);
    })
    .overriding(tagged(&[("team", "ml-*")]), |changes| {
        changes.idle_after = Some(hours(2));
        changes.spark_alone_suffices = Some(false);
    });
    assert_eq!(document.all(), []);
}

#[test]
fn warns_where_no_witness_is_left() {
    let document = Document::with(|policy| {
        policy.spark_witness = false;
        policy.nodes_witness = false;
    });
    let (table, _, what) = document.warning();
    assert_eq!(table, Table::Witness);
    assert_eq!(what, "is false, and Spark is off too");
}

#[test]
fn warns_of_a_wait_shorter_than_metrics_arrive() {
    let with = |wait: Duration, nodes: bool| {
        Document::with(|policy| {
            policy.idle_after = wait;
            policy.nodes_witness = nodes;
        })
    };
    let (table, key, what) = with(minutes(14), true).warning();
    assert_eq!((table, key), (Table::Policy, "idle_after"));
    assert_eq!(
        what,
        "is 14m, shorter than the 15m within which metrics must arrive"
    );
    assert_eq!(with(minutes(15), true).all(), []);
    // Without the metrics their delay is no matter; that one witness waits longer is.
    let (_, _, what) = with(minutes(14), false).warning();
    assert!(what.contains("the nodes are off"), "{what}");
    let override_too = Document::new().overriding(workspace("dev-1"), |changes| {
        changes.idle_after = Some(minutes(10));
    });
    assert_eq!(override_too.warning().0, Table::Override(0));
}

#[test]
fn warns_of_a_wait_that_takes_a_witness_that_is_off() {
    let with = |spark: bool, nodes: bool, one: Duration| {
        Document::with(|policy| {
            policy.idle_after = hours(1);
            policy.idle_after_one_witness = one;
            (policy.spark_witness, policy.nodes_witness) = (spark, nodes);
        })
    };
    let (_, key, what) = with(true, false, hours(12)).warning();
    assert_eq!(key, "idle_after");
    assert_eq!(
        what,
        "is 1h, but the nodes are off, so clusters are terminated after 12h"
    );
    let (_, _, what) = with(false, true, hours(12)).warning();
    assert_eq!(
        what,
        "is 1h, but Spark is off, so clusters are terminated after 96h"
    );
    assert_eq!(with(true, false, hours(1)).all(), []);
    assert_eq!(with(true, true, hours(12)).all(), []);
}

#[test]
fn warns_of_a_wait_for_one_witness_that_streaming_silence_outlasts() {
    let with = |one: Duration, spark: bool, suffices: bool| {
        Document::with(|policy| {
            policy.idle_after_one_witness = one;
            policy.spark_witness = spark;
            policy.nodes_alone_suffices = suffices;
        })
    };
    let (_, key, what) = with(hours(24), false, false).warning();
    assert_eq!(key, "idle_after_one_witness");
    assert_eq!(
        what,
        "is 24h, but Spark is off and nodes alone wait for `streaming_silence`, 96h"
    );
    assert_eq!(with(hours(24), true, false).all(), []);
    assert_eq!(with(hours(24), false, true).all(), []);
    assert_eq!(with(hours(96), false, false).all(), []);
}

#[test]
fn warns_of_an_override_by_which_one_witness_would_wait_for_less() {
    let short = Document::new().overriding(workspace("dev-1"), |changes| {
        changes.idle_after_one_witness = Some(hours(1));
    });
    assert_eq!(
        short.warning(),
        (
            Table::Override(0),
            "idle_after_one_witness",
            "is 1h, but `idle_after` is 2h, so one witness waits that long".to_owned()
        )
    );
    let mut long = Document::new().overriding(workspace("dev-1"), |changes| {
        changes.idle_after = Some(hours(24));
    });
    long.set.base.trust_platform_clock = false;
    assert_eq!(
        long.warning(),
        (
            Table::Override(0),
            "idle_after",
            "is 24h, longer than `idle_after_one_witness`, 12h, which then never holds".to_owned()
        )
    );
    let same = Document::new().overriding(workspace("dev-1"), |changes| {
        changes.idle_after_one_witness = Some(hours(2));
    });
    assert_eq!(same.all(), []);
}

#[test]
fn warns_of_a_silence_without_effect() {
    let with = |silence: Duration, change: fn(&mut Policy)| {
        Document::with(|policy| {
            policy.streaming_silence = silence;
            change(policy);
        })
    };
    let (_, key, what) = with(hours(12), |_| {}).warning();
    assert_eq!(key, "streaming_silence");
    assert_eq!(
        what,
        "is 12h, which has no effect: one witness waits as long already"
    );
    let cause = |document: Document| document.warning().2;
    let no_nodes = with(hours(13), |policy| policy.nodes_witness = false);
    assert!(cause(no_nodes).contains("the nodes are off"));
    let believed = with(hours(13), |policy| {
        policy.spark_witness = false;
        policy.nodes_alone_suffices = true;
    });
    assert!(cause(believed).contains("would see a stream's traces"));
    assert_eq!(with(hours(13), |_| {}).all(), []);
    let spark_off = with(hours(13), |policy| policy.spark_witness = false);
    assert_eq!(spark_off.all(), []);
}

#[test]
fn warns_of_a_witness_that_suffices_and_is_not_asked() {
    let spark = Document::with(|policy| {
        policy.spark_alone_suffices = true;
        policy.spark_witness = false;
    });
    assert_eq!(
        spark.warning(),
        (
            Table::Policy,
            "spark_alone_suffices",
            "is true, but Spark is off".to_owned()
        )
    );
    let nodes = Document::with(|policy| {
        policy.nodes_alone_suffices = true;
        policy.nodes_witness = false;
    });
    assert_eq!(nodes.warning().2, "is true, but the nodes are off");
    let idle = Document::with(|policy| {
        policy.nodes_alone_suffices = true;
        policy.idle_after_one_witness = hours(96);
    });
    assert_eq!(
        idle.warning().2,
        "is true, but `streaming_silence` is no longer than `idle_after_one_witness` anyway"
    );
    // What an override says about something else repeats nothing.
    let repeated = Document::with(|policy| {
        policy.spark_alone_suffices = true;
        policy.spark_witness = false;
    })
    .overriding(workspace("dev-1"), |changes| {
        changes.protect_pinned = Some(true);
    });
    assert_eq!(repeated.warning().0, Table::Policy);
}

#[test]
fn tells_of_a_wait_that_the_platform_ends() {
    let with = |wait: Duration, trust: bool| {
        Document::with(|policy| {
            policy.idle_after = wait;
            policy.idle_after_one_witness = policy.idle_after_one_witness.max(wait);
            policy.streaming_silence = hours(400);
            policy.trust_platform_clock = trust;
        })
    };
    let found = with(minutes(136), true).all();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].weight, Weight::Note);
    assert_eq!(
        found[0].what,
        "is 2h16m, which no cluster with the usual auto-termination of 120 minutes reaches: after 2h15m it is left to the platform"
    );
    assert_eq!(with(minutes(135), true).all(), []);
    assert_eq!(with(minutes(136), false).all(), []);
    let found = with(minutes(10_016), true).found();
    let keys: Vec<&str> = found.iter().map(|(_, key, _)| *key).collect();
    assert_eq!(keys, ["idle_after", "idle_after_one_witness"]);
    assert!(
        found
            .iter()
            .all(|(_, _, what)| what.contains("no cluster with auto-termination"))
    );
    // One witness waits for longer than the usual limit by default.
    let one = Document::with(|policy| policy.idle_after_one_witness = hours(24));
    assert_eq!(one.all(), []);
}

#[test]
fn warns_of_a_cap_that_the_sweeps_own_cap_hides() {
    let hidden = Document::with(|policy| policy.cap_per_workspace = 51);
    assert_eq!(
        hidden.warning(),
        (
            Table::Policy,
            "cap_per_workspace",
            "is 51, more than `cap_per_sweep` allows over all workspaces, 50".to_owned()
        )
    );
    let equal = Document::with(|policy| policy.cap_per_workspace = 50);
    assert_eq!(equal.all(), []);
    let overridden = Document::new().overriding(workspace("dev-1"), |changes| {
        changes.cap_per_workspace = Some(51);
    });
    assert_eq!(overridden.warning().0, Table::Override(0));
}

#[test]
fn tells_of_a_workspace_whose_metrics_cannot_be_found() {
    let mut document = Document::new();
    document.workspaces = vec![("one", true), ("two", false)];
    let found = document.all();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].weight, Weight::Note);
    assert_eq!(found[0].subject.table, Table::Workspaces(1));
    assert_eq!(
        found[0].what,
        "is missing for two, so only Spark can speak there"
    );
    document.set.base.spark_witness = false;
    assert_eq!(
        document.warning().2,
        "is missing for two, so no cluster there is ever terminated"
    );
    document.set.base.spark_witness = true;
    document.set.base.nodes_witness = false;
    assert_eq!(document.all(), []);
}

#[test]
fn warns_of_a_pattern_that_matches_everything() {
    let everything = "holds `*`, which matches everything";
    let protected = Document::with(|policy| policy.protect_names = globs(&["prod", "*"]));
    let found = protected.all();
    let first = found.iter().find(|one| one.what == everything).unwrap();
    assert_eq!(first.subject.item, Some(1));
    let exempted = Document::with(|policy| {
        policy.exemptions = vec![exempt("*", NOW.plus(hours(1)))];
    });
    assert_eq!(
        exempted.warning(),
        (Table::Exempt(0), "name", everything.to_owned())
    );
    let wide = |selector| {
        Document::new().overriding(selector, |changes| changes.idle_after = Some(hours(1)))
    };
    let (table, key, what) = wide(workspace("*")).warning();
    assert_eq!((table, key), (Table::Override(0), "workspace"));
    assert_eq!(what, everything);
    let both = Selector::WorkspaceAndTags(Glob::new("*"), tags(&[("team", "x")]));
    assert_eq!(wide(both).warning().1, "workspace");
    // A tag with any value is no tag on every cluster.
    assert_eq!(wide(tagged(&[("team", "*")])).all(), []);
}

#[test]
fn warns_of_a_pattern_in_another_language() {
    let document = Document::with(|policy| {
        policy.protect_names = globs(&["demo", "prod-.*"]);
    });
    let (_, key, what) = document.warning();
    assert_eq!(key, "protect_names");
    assert_eq!(what, "holds `prod-.*`, in which `.*` stands for itself");
    let by_tag = Document::new().overriding(tagged(&[("team", "^ml")]), |changes| {
        changes.idle_after = Some(hours(1));
    });
    assert_eq!(by_tag.warning().1, "tag");
}

#[test]
fn warns_of_a_pattern_that_another_covers() {
    let names = |patterns: &[&str]| Document::with(|policy| policy.protect_names = globs(patterns));
    let (_, _, what) = names(&["prod-etl", "prod-*"]).warning();
    assert_eq!(
        what,
        "holds `prod-etl`, which `protect_names` covers already by `prod-*`"
    );
    let twice = names(&["demo", "DEMO"]).all();
    assert_eq!(twice.len(), 1, "{twice:?}");
    assert_eq!(twice[0].subject.item, Some(1));
    assert_eq!(names(&["prod-*", "dev-*"]).all(), []);
    let exempted = Document::with(|policy| {
        policy.protect_names = globs(&["prod-*"]);
        policy.exemptions = vec![exempt("prod-1", NOW.plus(hours(1)))];
    });
    assert_eq!(exempted.warning().0, Table::Exempt(0));
    // Where an override replaces the names, the exemption may be all that is left.
    let replaced = exempted.overriding(workspace("dev-1"), |changes| {
        changes.protect_names = Some(globs(&["prod-*", "x"]));
    });
    assert_eq!(replaced.all(), []);
}

#[test]
fn warns_of_an_exemption_that_has_ended() {
    let until = |until| Document::with(|policy| policy.exemptions = vec![exempt("a", until)]);
    assert_eq!(
        until(NOW).warning(),
        (
            Table::Exempt(0),
            "until",
            "was 2026-11-22, which is over".to_owned()
        )
    );
    assert_eq!(until(NOW.plus(minutes(1))).all(), []);
}

#[test]
fn warns_of_an_exemption_whose_cluster_is_no_id() {
    let named = |id: &str| {
        Document::with(|policy| {
            policy.exemptions = vec![Exemption {
                selector: ExemptSelector::Id(id.to_owned()),
                ..exempt("a", NOW.plus(hours(1)))
            }];
        })
    };
    assert_eq!(
        named("shared-lab").warning(),
        (
            Table::Exempt(0),
            "cluster",
            "is `shared-lab`, which does not look like a cluster's id".to_owned()
        )
    );
    assert_eq!(named("0915-021615-abcd1234").all(), []);
}

#[test]
fn warns_of_an_override_for_no_workspace() {
    let document = |glob: &str| {
        Document::new().overriding(workspace(glob), |changes| {
            changes.idle_after = Some(hours(1))
        })
    };
    assert_eq!(
        document("prod-*").warning(),
        (
            Table::Override(0),
            "workspace",
            "is `prod-*`, which matches the name of no [[workspaces]]".to_owned()
        )
    );
    assert_eq!(document("DEV-*").all(), []);
}

#[test]
fn warns_of_an_override_that_changes_nothing() {
    let same = Document::new().overriding(workspace("dev-1"), |changes| {
        changes.idle_after = Some(hours(2));
        changes.protect_pinned = Some(true);
    });
    assert_eq!(
        same.warning(),
        (
            Table::Override(0),
            "idle_after",
            "is 2h, as it is without this table".to_owned()
        )
    );
    // A tag that brings the value of [policy] back undoes something.
    let undone = |other: Selector| {
        Document::new()
            .overriding(other, |changes| changes.idle_after = Some(hours(1)))
            .overriding(tagged(&[("team", "ml")]), |changes| {
                changes.idle_after = Some(hours(2));
            })
    };
    assert_eq!(undone(workspace("dev-1")).all(), []);
    // Among equals it wins by being the more cautious, which is another finding.
    let (_, _, what) = undone(tagged(&[("team", "m*")])).warning();
    assert!(what.contains("equally specific"), "{what}");
    let narrower = Selector::WorkspaceAndTags(Glob::new("dev-1"), tags(&[("team", "ml")]));
    assert_eq!(undone(narrower).warning().0, Table::Override(1));
    assert_eq!(
        undone(tagged(&[("team", "etl")])).warning().0,
        Table::Override(1)
    );
}

#[test]
fn warns_of_equals_that_disagree() {
    let two = |one: Selector, other: Selector| {
        Document::new()
            .overriding(one, |changes| changes.idle_after = Some(hours(1)))
            .overriding(other, |changes| changes.idle_after = Some(minutes(30)))
    };
    let (table, key, what) = two(workspace("dev-*"), workspace("*-1")).warning();
    assert_eq!((table, key), (Table::Override(1), "idle_after"));
    assert_eq!(
        what,
        "is 30m here and 1h in the equally specific table for workspace `dev-*`"
    );
    let team = |value: &str| tagged(&[("team", value)]);
    assert_eq!(two(team("ml-*"), team("*-eu")).warning().1, "idle_after");
    assert_eq!(
        two(team("ml"), tagged(&[("stage", "x")])).warning().1,
        "idle_after"
    );
    // No cluster has both, or one is more specific.
    assert_eq!(two(team("ml-*"), tagged(&[("TEAM", "etl-*")])).all(), []);
    assert_eq!(two(workspace("dev-1"), team("ml")).all(), []);
    let mut apart = two(workspace("dev-*"), workspace("*-1"));
    apart.workspaces = vec![("dev-2", true), ("prod-1", true)];
    assert_eq!(apart.all(), []);
    let agreed = Document::new()
        .overriding(team("a*"), |changes| changes.idle_after = Some(hours(1)))
        .overriding(team("*b"), |changes| changes.idle_after = Some(hours(1)));
    assert_eq!(agreed.all(), []);
}

#[test]
fn warns_of_protection_that_an_override_drops() {
    let document = |kept: &[&str]| {
        Document::with(|policy| policy.protect_names = globs(&["prod-*", "demo"])).overriding(
            workspace("dev-1"),
            |changes| {
                changes.protect_names = Some(globs(kept));
            },
        )
    };
    assert_eq!(
        document(&["prod-etl-*"]).warning(),
        (
            Table::Override(0),
            "protect_names",
            "leaves out `prod-*`, `demo`, which [policy] protects".to_owned()
        )
    );
    assert_eq!(document(&["p*", "demo"]).all(), []);
}

#[test]
fn patterns_from_the_document_stay_on_one_line() {
    let hostile = "[a]\n\u{202e}`*";
    let document = Document::with(|policy| policy.protect_names = globs(&[hostile])).overriding(
        workspace(hostile),
        |changes| {
            changes.protect_names = Some(globs(&["x"]));
        },
    );
    let found = document.all();
    assert!(found.len() >= 4, "{found:?}");
    for one in found {
        assert!(!one.what.contains(['\n', '\u{202e}']), "{}", one.what);
    }
}
