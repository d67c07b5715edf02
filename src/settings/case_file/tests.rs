use std::io;

use super::keys::{CASE_TABLE, CASE_TABLES, EXPECT_TABLE};
use super::*;
use crate::cluster::{ClusterSource, ClusterState};
use crate::decision::Question;
use crate::policy_cases::{Choice, Due};
use crate::settings::key::Kind;
use crate::signals::{NodesView, Signal, SparkWorkKind, StreamingView, Why};

const NOW: &str = "2027-01-31T12:00:00Z";
const EXPECT: &str = "expect.decision = \"keep\"\n";

fn read(text: &str) -> Result<Vec<Case>, Vec<String>> {
    let read_file = |_: &Path| Ok(text.to_owned());
    let read = read_cases(Path::new("cases.toml"), &[], &read_file);
    let all = |error: &SettingsError| error.mistakes().iter().map(ToString::to_string).collect();
    read.map_err(|error| all(&error))
}

/// The only case of a file that says this of it.
fn case(lines: &str) -> Case {
    let text = format!("[[case]]\nname = \"x\"\nnow = {NOW}\n{EXPECT}{lines}");
    let mut cases = read(&text).unwrap();
    assert_eq!(cases.len(), 1);
    cases.remove(0)
}

/// What is wrong with a case that says this, without file and line.
fn mistakes(lines: &str) -> Vec<String> {
    let text = format!("[[case]]\nname = \"x\"\nnow = {NOW}\n{EXPECT}{lines}");
    let mistakes = read(&text).unwrap_err().into_iter();
    let problem = |mistake: String| match mistake.split_once(": ") {
        Some((_, problem)) => problem.to_owned(),
        None => mistake,
    };
    mistakes.map(problem).collect()
}

fn ago(case: &Case, hours: u64) -> Timestamp {
    case.now.minus(Duration::from_hours(hours))
}

#[test]
fn a_case_that_states_nothing_is_an_idle_cluster() {
    let text = "[[case]]\nname = \"x\"\nexpect.decision = \"terminate\"\n";
    let case = read(text).unwrap().remove(0);
    assert_eq!(case.now.to_string(), "2026-01-01T12:00:00Z");
    let quiet_since = ago(&case, 40 * 24);
    let started = ago(&case, 80 * 24);
    let cluster = crate::policy_cases::base::cluster(Some(started));
    let idle = crate::policy_cases::base::idle(cluster, started, quiet_since);
    assert_eq!(case.signals, idle);
    assert!(case.answered.is_empty());
    assert_eq!(case.line, 1);
    assert_eq!(case.workspace, None);
    let expected = &case.expected;
    assert_eq!(expected.choice, Choice::Terminate);
    assert_eq!(
        (expected.reason, expected.earliest, expected.threshold),
        (None, None, None)
    );
}

/// What the documentation calls the default is what an absent key comes to.
#[test]
fn every_documented_default_is_the_one_in_force() {
    let mut lines = String::from("signals.spark = \"busy\"\n");
    for table in CASE_TABLES
        .iter()
        .filter(|one| one.header != EXPECT_TABLE.header)
    {
        let part = match table.header {
            header if header == CASE_TABLE.header => "",
            header => header.trim_start_matches("[case.").trim_end_matches(']'),
        };
        for key in table.keys.iter().filter(|key| !key.default.is_empty()) {
            let is_told = ["name", "now", "spark"].contains(&key.name) && part != "cluster";
            if is_told {
                continue;
            }
            let bare = matches!(key.kind, Kind::Count { .. } | Kind::Flag)
                || ["true", "false", "{}"].contains(&key.default);
            let value = match bare {
                true => key.default.to_owned(),
                false => format!("\"{}\"", key.default),
            };
            let dot = if part.is_empty() { "" } else { "." };
            lines.push_str(&format!("{part}{dot}{} = {value}\n", key.name));
        }
    }
    assert!(lines.lines().count() > 18, "{lines}");
    let spelled_out = case(&lines);
    let bare = case("signals.spark = \"busy\"\n");
    assert_eq!(spelled_out.signals, bare.signals);
    assert_eq!(spelled_out.workspace, bare.workspace);
    assert_eq!(keys::NOW.default, DEFAULT_NOW.to_string());
}

#[test]
fn every_key_of_the_cluster_reaches_its_place() {
    let case = case(
        r#"
        [case.cluster]
        name = "team-x"
        id = "0915-021615-abcd1234"
        tags = { team = "x", terminate-clusters = "" }
        source = "JOB"
        state = "RESIZING"
        autotermination_minutes = 60
        workers = 0
        spark_version = "unknown"
        gpu = "unknown"
        pool = true
        pinned = true
        started = "3000h ago"
        last_activity = "2h ago"
        "#,
    );
    let cluster = &case.signals.cluster;
    assert_eq!(cluster.name, "team-x");
    assert_eq!(cluster.id.as_str(), "0915-021615-abcd1234");
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let tags = [tag("team", "x"), tag("terminate-clusters", "")];
    assert!(tags.iter().all(|tag| cluster.tags.contains(tag)));
    assert_eq!(cluster.source, ClusterSource::Other("JOB".to_owned()));
    assert_eq!(cluster.state, ClusterState::Resizing);
    assert_eq!(cluster.autotermination_minutes, 60);
    assert_eq!(cluster.num_workers, Some(0));
    assert_eq!(cluster.spark_version, None);
    assert!(cluster.uses_pool);
    assert_eq!(cluster.started(), Some(ago(&case, 3000)));
    assert_eq!(cluster.last_activity_time, Some(ago(&case, 2)));
    assert_eq!(case.signals.pinned, Signal::Known(true));
    assert_eq!(case.signals.hardware.known().unwrap().has_gpus, None);
    assert_eq!(
        case.signals.spark.known().unwrap().application_started,
        ago(&case, 3000)
    );
    assert_eq!(case.answered, [Question::Pin]);
}

#[test]
fn sources_and_states_are_spelled_as_databricks_does() {
    let source = |text: &str| {
        case(&format!("cluster.source = \"{text}\""))
            .signals
            .cluster
            .source
    };
    assert_eq!(source("UI"), ClusterSource::Ui);
    assert_eq!(source("API"), ClusterSource::Api);
    assert_eq!(source("absent"), ClusterSource::Absent);
    assert_eq!(source("JOB_2"), ClusterSource::Other("JOB_2".to_owned()));
    for text in ["RUNNING", "PENDING", "TERMINATED", "HIBERNATED"] {
        let state = case(&format!("cluster.state = \"{text}\""))
            .signals
            .cluster
            .state;
        assert_eq!(state.as_str(), text);
    }
}

#[test]
fn spark_says_what_the_case_lets_it_say() {
    let spark = |words: &str| case(&format!("signals.spark = \"{words}\""));
    let quiet = spark("quiet for 3h");
    let view = quiet.signals.spark.known().unwrap();
    assert_eq!(view.last_completion, Some(ago(&quiet, 3)));
    assert_eq!((view.busy.as_ref(), view.ran_a_job), (None, true));
    let since = spark("quiet since 2027-01-31T09:00:00Z");
    assert_eq!(since.signals, quiet.signals);
    let unused = spark("unused");
    let view = unused.signals.spark.known().unwrap();
    assert_eq!((view.last_completion, view.ran_a_job), (None, false));
    let busy = spark("busy for 3h");
    let work = busy.signals.spark.known().unwrap().busy.clone().unwrap();
    assert_eq!(
        (work.kind, work.since),
        (SparkWorkKind::Job, Some(ago(&busy, 3)))
    );
    let sql = case("signals.spark = \"busy\"\nsignals.spark_work = \"sql\"");
    let work = sql.signals.spark.known().unwrap().busy.clone().unwrap();
    assert_eq!((work.kind, work.since), (SparkWorkKind::Sql, None));
    assert_eq!(sql.answered, [Question::Spark]);
}

#[test]
fn without_spark_neither_streams_nor_commands_are_known() {
    let lost = case("signals.spark = \"unknown: HTTP 403\"").signals;
    assert_eq!(lost.spark, Signal::Unknown(Why::new("HTTP 403")));
    assert!(lost.streaming.why().is_some() && lost.command.why().is_some());
    let told = case("signals.spark = \"unknown\"\nsignals.command = \"running\"").signals;
    assert!(matches!(told.command, Signal::Known(Some(_))));
    assert!(told.streaming.why().is_some());
}

#[test]
fn every_other_signal_reaches_its_place() {
    let case = case(
        r#"
        [case.signals]
        active_run = "running"
        last_run_end = "3h ago"
        streaming = "active"
        last_stream_batch = "4h ago"
        command = "running"
        nodes = "quiet for 5h"
        driver_node = "busy"
        "#,
    );
    let signals = &case.signals;
    assert!(matches!(signals.active_run, Signal::Known(Some(_))));
    assert_eq!(signals.last_run_end, Signal::Known(Some(ago(&case, 3))));
    assert_eq!(signals.streaming, Signal::Known(StreamingView::Active));
    let spark = signals.spark.known().unwrap();
    assert_eq!(spark.last_stream_batch, Some(ago(&case, 4)));
    assert_eq!(spark.last_completion, Some(ago(&case, 4)));
    assert!(matches!(signals.command, Signal::Known(Some(_))));
    let quiet = NodesView::QuietSince(ago(&case, 5));
    assert_eq!(signals.all_nodes, Signal::Known(quiet));
    assert!(matches!(
        signals.driver_node,
        Signal::Known(NodesView::Busy { .. })
    ));
    assert_eq!(case.answered.len(), 7);
}

#[test]
fn a_driver_can_rest_while_its_executors_work() {
    let case =
        case("quiet_for = \"9h\"\nsignals.nodes = \"busy\"\nsignals.driver_node = \"quiet\"");
    let quiet = NodesView::QuietSince(ago(&case, 9));
    assert_eq!(case.signals.driver_node, Signal::Known(quiet));
    let all = case.signals.all_nodes;
    assert!(matches!(all, Signal::Known(NodesView::Busy { .. })));
}

#[test]
fn every_signal_can_be_unknown_with_a_reason_or_without() {
    for key in [
        "active_run",
        "last_run_end",
        "streaming",
        "command",
        "nodes",
        "spark",
    ] {
        for words in ["unknown", "unknown: nobody asked"] {
            let signals = case(&format!("signals.{key} = \"{words}\"")).signals;
            let why = words
                .split_once(": ")
                .map_or("the case says so", |(_, why)| why);
            let told = signals.unknowns();
            assert!(
                told.iter().any(|(_, told)| told.0 == why),
                "{key}: {told:?}"
            );
        }
    }
    let never = case("signals.streaming = \"never\"").signals;
    assert_eq!(never.streaming, Signal::Known(StreamingView::NeverAny));
    let pin = case("cluster.pinned = \"unknown\"").signals;
    assert!(pin.pinned.why().is_some());
}

#[test]
fn a_start_that_nobody_knows_is_unknown_in_the_record() {
    let case = case("cluster.started = \"unknown\"\nsignals.spark = \"unknown\"");
    assert_eq!(case.signals.cluster.started(), None);
}

#[test]
fn quiet_for_moves_every_witness_and_the_start_before_it() {
    let case = case("quiet_for = \"90d\"");
    let since = ago(&case, 90 * 24);
    assert_eq!(
        case.signals.spark.known().unwrap().last_completion,
        Some(since)
    );
    assert_eq!(
        case.signals.all_nodes,
        Signal::Known(NodesView::QuietSince(since))
    );
    assert_eq!(case.signals.cluster.started(), Some(since.minus(UP_BEFORE)));
}

#[test]
fn every_expectation_reaches_its_place() {
    let text = format!(
        "now = {NOW}\n[[case]]\nname = \"x\"\nexpect = {{ decision = \"keep\", reason = \"quiet_too_short\", earliest = \"in 90m\", threshold = \"12h\" }}"
    );
    let case = read(&text).unwrap().remove(0);
    assert_eq!(case.now.to_string(), NOW);
    let expected = &case.expected;
    assert_eq!(expected.reason, Some("quiet_too_short"));
    let later = case.now.plus(Duration::from_mins(90));
    assert_eq!(expected.earliest, Some(Due::At(later)));
    assert_eq!(expected.threshold, Some(Duration::from_hours(12)));
    for (text, due) in [
        ("never", Due::Never),
        ("2027-01-31T13:30:00Z", Due::At(later)),
    ] {
        let lines = format!(
            "now = {NOW}\nname = \"x\"\nexpect = {{ decision = \"keep\", earliest = \"{text}\" }}"
        );
        let case = read(&format!("[[case]]\n{lines}")).unwrap().remove(0);
        assert_eq!(case.expected.earliest, Some(due), "{text}");
    }
}

#[test]
fn a_case_has_its_own_now_or_the_one_of_its_file() {
    let text = format!(
        "now = {NOW}\n[[case]]\nname = \"a\"\n{EXPECT}[[case]]\nname = \"b\"\nnow = \"2027-03-01T00:00:00+01:00\"\n{EXPECT}"
    );
    let cases = read(&text).unwrap();
    let now: Vec<String> = cases.iter().map(|case| case.now.to_string()).collect();
    assert_eq!(now, [NOW, "2027-02-28T23:00:00Z"]);
    let lines: Vec<usize> = cases.iter().map(|case| case.line).collect();
    assert_eq!(lines, [2, 5]);
}

#[test]
fn a_word_that_databricks_spells_in_capitals_is_refused_in_others() {
    let text = r#"[[case]]
name = "a"
cluster.state = "Running"
cluster.source = "ui"
cluster.tags = { team = 3 }
expect.decision = "keep"
"#;
    let refused = read(text).unwrap_err();
    assert_eq!(
        refused,
        [
            "cases.toml, line 3: `state` is \"Running\"; Databricks spells it \"RUNNING\"",
            "cases.toml, line 4: `source` is \"ui\"; Databricks spells it \"UI\"",
            "cases.toml, line 5: `tags` holds `team`, which has the type integer; write a text in quotes",
        ]
    );
    let unheard_of = text.replace("Running", "NAPPING").replace("ui", "absent");
    assert!(read(&unheard_of.replace("= 3", "= \"x\"")).is_ok());
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_with_their_lines() {
    let text = r#"nwo = 3
[[case]]
nam = "idle"
quiet_for = "0h"
cluster.gpu = "maybe"
cluster.tags = [1]
signals.spark = "buzy for 3h"
signals.last_run_end = "2026-01-01T00:00:00Z"
expect.decision = "terminate"
expect.reason = "spark_busy"
[[case]]
name = "x"
signals = 3
[[case]]
name = "x"
workspace = ""
expect = { decision = "kepp", reason = "spark_bussy", earliest = "soon", threshold = "12" }
"#;
    let expected = [
        "1: `nwo` is not a key of a file of cases; did you mean `now`?",
        "2: `name` is missing in [[case]]: what the case shows; required, and its own in the file",
        "3: `nam` is not a key of [[case]]; did you mean `name`?",
        "4: `quiet_for` is \"0h\", which is zero; write a number with its unit, such as \"90s\", \"30m\", \"2h\" or \"1h30m\"",
        "5: `gpu` is the text \"maybe\"; write `true` or `false` without quotes, or \"unknown\"",
        "6: `tags` has the type array; write a table of texts, such as { team = \"x\" }",
        "7: `spark` is \"buzy for 3h\"; write \"quiet\", \"quiet for 3h\", \"unused\", \"busy\", \"busy for 20m\" or \"unknown\"",
        "8: `last_run_end` is a time of the calendar, but the case has no `now`; write one, or \"3h ago\"",
        "10: `reason` is \"spark_busy\", which goes with the decision \"keep\"; known are `both_witnesses`, `spark_alone`, `nodes_alone`",
        "11: `expect` is missing in [[case]]; write at least expect.decision = \"keep\" or \"terminate\"",
        "13: `case.signals` has the type integer; write a table, [case.signals]",
        "15: `name` is \"x\", as another case's; each needs its own",
        "16: `workspace` is empty",
        "17: `decision` is \"kepp\"; write \"keep\" or \"terminate\"",
        "17: `reason` is \"spark_bussy\", which no report says; did you mean `spark_busy`?",
        "17: `earliest` is \"soon\"; write \"in 3h\", or a time such as 2027-01-31T18:00:00Z",
        "17: `threshold` is \"12\", which lacks a unit; write a number with its unit, such as \"90s\", \"30m\", \"2h\" or \"1h30m\"",
    ];
    let expected: Vec<String> = expected
        .iter()
        .map(|line| format!("cases.toml, line {line}"))
        .collect();
    assert_eq!(read(text).unwrap_err(), expected);
}

#[test]
fn a_world_that_cannot_be_is_refused() {
    let before = "reaches back beyond `cluster.started`, before which nobody could tell";
    let start = "cluster.started = \"3h ago\"\n";
    for key in ["signals.spark", "signals.nodes", "signals.driver_node"] {
        let refused = mistakes(&format!("{start}{key} = \"quiet for 4h\""));
        let key = key.trim_start_matches("signals.");
        assert_eq!(refused, [format!("`{key}` {before}")]);
    }
    let refused = mistakes(&format!("{start}quiet_for = \"181m\""));
    assert_eq!(refused, [format!("`quiet_for` {before}")]);
    assert!(
        case(&format!("{start}quiet_for = \"3h\""))
            .signals
            .spark
            .known()
            .is_some()
    );
    for (lines, part) in [
        (
            "cluster.started = \"2027-01-31T12:00:01Z\"",
            "lies ahead of the case's `now`",
        ),
        (
            "signals.spark_work = \"sql\"",
            "stands without a busy `spark`",
        ),
        (
            "signals.nodes = \"busy for 3h\"",
            "says since when machines are busy",
        ),
        ("signals.nodes = \"unused\"", "write \"quiet\""),
        (
            "signals.last_stream_batch = \"3h ago\"\nsignals.spark = \"unknown\"",
            "is told by Spark's jobs",
        ),
        (
            "signals.last_stream_batch = \"3h ago\"\nsignals.streaming = \"never\"",
            "there was never any",
        ),
        ("signals.spark = \"unused for 3h\"", "write \"quiet\""),
        ("signals.spark = \"unknown:\"", "write \"quiet\""),
        ("signals.spark = \"quiet since 3h\"", "write \"3h ago\""),
        ("expect.earliest = \"now\"", "but the cluster is kept"),
        (
            "expect.reason = \"nodes_alone\"",
            "goes with the decision \"terminate\"",
        ),
        ("cluster.workers = -1", "must be 0 to"),
        ("cluster.autotermination_minutes = 10001", "must be 0 to"),
    ] {
        let refused = mistakes(lines);
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert!(refused[0].contains(part), "{refused:?}");
    }
    let terminated =
        "[[case]]\nname = \"x\"\nexpect = { decision = \"terminate\", earliest = \"never\" }";
    let refused = read(terminated).unwrap_err();
    assert!(refused[0].contains("is terminated now"), "{refused:?}");
}

#[test]
fn a_file_without_a_case_is_a_mistake_and_no_pass() {
    for text in ["", "# nothing\n", "case = []", "now = 2027-01-31T12:00:00Z"] {
        let refused = read(text).unwrap_err();
        assert_eq!(
            refused,
            [
                "cases: `cases.toml` holds no [[case]], and a test of nothing proves nothing; write one"
            ],
            "{text}"
        );
    }
    for text in ["case = 3", "[case]\nname = \"x\""] {
        let refused = read(text).unwrap_err();
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert!(refused[0].contains("with double brackets"), "{refused:?}");
    }
    let refused = read("[[case]").unwrap_err();
    assert!(
        refused[0].starts_with("cases.toml, line 1: not TOML: "),
        "{refused:?}"
    );
    let absent = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let refused = read_cases(Path::new("cases.toml"), &[], &absent).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "cases: `cases.toml` cannot be read (entity not found)"
    );
}

#[test]
fn a_workspace_is_one_of_the_policy_if_that_lists_any() {
    let listed = |name: &str| WorkspaceSettings {
        name: name.to_owned(),
        url: url::Url::parse("https://adb-1.1.azuredatabricks.net").unwrap(),
        resource_id: None,
        access: crate::policy::Access::Member,
        mode: crate::policy::Mode::Report,
        sees_all_runs: false,
        principal: crate::identity::PrincipalName::main(),
        spark_principal: None,
    };
    let workspaces = [listed("Analytics")];
    let read_one = |name: &str, workspaces: &[WorkspaceSettings]| {
        let text = format!("[[case]]\nname = \"x\"\nworkspace = \"{name}\"\n{EXPECT}");
        let read_file = |_: &Path| Ok(text.clone());
        read_cases(Path::new("c"), workspaces, &read_file)
    };
    let read = |name, workspaces| {
        let case = read_one(name, workspaces).unwrap().remove(0);
        (case.workspace.unwrap(), case.has_metrics)
    };
    let listed_one = ("Analytics".to_owned(), false);
    assert_eq!(read("analytics", &workspaces), listed_one);
    assert_eq!(read("anything", &[]), ("anything".to_owned(), true));
    let refused = read_one("analytic", &workspaces).unwrap_err().to_string();
    assert_eq!(
        refused,
        "c, line 3: `workspace` is \"analytic\", which the policy does not list; did you mean `Analytics`?"
    );
}
