use super::*;
use crate::decision::Decision;
use crate::decision::tests::world::World;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/databricks/",
            $name
        ))
    };
}

fn raw(json: &str) -> Box<RawValue> {
    serde_json::from_str(json).expect("JSON")
}

fn parsed(json: &str) -> Cluster {
    cluster(&raw(json)).expect("a cluster")
}

/// A cluster with this member besides its id.
fn with(member: &str) -> Result<Cluster, NotParsed> {
    cluster(&raw(&format!(r#"{{"cluster_id":"c-1",{member}}}"#)))
}

fn millis(at: Option<Timestamp>) -> i64 {
    at.map_or(-1, Timestamp::as_millis)
}

/// Everything but id, name and tags on one line.
fn facts(cluster: &Cluster) -> String {
    let Cluster {
        id: _,
        name: _,
        state,
        source,
        spark_context_id,
        spark_version,
        tags: _,
        autotermination_minutes,
        last_activity_time,
        last_restarted_time,
        last_state_loss_time,
        driver,
        executors,
        node_type_id,
        driver_node_type_id,
        num_workers,
        autoscales,
        uses_pool,
    } = cluster;
    format!(
        "{} {source:?} {} {} auto={autotermination_minutes} active={} restarted={} lost={} \
         driver={:?} executors={} {}/{} workers={num_workers:?} autoscales={autoscales} \
         pool={uses_pool}",
        state.as_str(),
        spark_context_id.as_ref().map_or("-", |id| id.0.as_str()),
        spark_version.as_deref().unwrap_or("-"),
        millis(*last_activity_time),
        millis(*last_restarted_time),
        millis(*last_state_loss_time),
        driver.as_ref().map(|driver| millis(driver.started)),
        executors.len(),
        node_type_id.as_deref().unwrap_or("-"),
        driver_node_type_id.as_deref().unwrap_or("-"),
    )
}

#[test]
fn reads_the_shapes_of_all_years() {
    #[rustfmt::skip]
    let rows = [
        (fixture!("cluster_2018_azure.json"), "RUNNING Absent 4020997813441462 4.0.x-scala2.11 auto=120 active=1525165200000 restarted=-1 lost=1525161600100 driver=Some(1525161600001) executors=1 Standard_DS3_v2/Standard_DS3_v2 workers=Some(1) autoscales=false pool=false"),
        (fixture!("cluster_2020_aws.json"), "RUNNING Ui 4020997813441462000 7.3.x-scala2.12 auto=150 active=1606245156342 restarted=-1 lost=1606245179193 driver=Some(1606244960542) executors=1 i3.xlarge/i3.xlarge workers=None autoscales=true pool=false"),
        (fixture!("cluster_2020_azure.json"), "RUNNING Ui 1178437912356748901 7.3.x-scala2.12 auto=120 active=-1 restarted=-1 lost=-1 driver=Some(1606300000001) executors=2 Standard_DS3_v2/Standard_DS3_v2 workers=Some(2) autoscales=false pool=false"),
        (fixture!("cluster_2022_azure_terminated.json"), "TERMINATED Api 7012345678901234567 10.4.x-scala2.12 auto=120 active=1664464256000 restarted=1664464274000 lost=1664464274000 driver=None executors=0 Standard_DS3_v2/Standard_DS3_v2 workers=Some(1) autoscales=false pool=false"),
        (fixture!("cluster_2023_single_node_ml.json"), "RUNNING Ui 3007070280200869203 12.2.x-cpu-ml-scala2.12 auto=60 active=1695781787756 restarted=1695780635064 lost=1695780635036 driver=Some(1695780560563) executors=0 i3.2xlarge/i3.2xlarge workers=Some(0) autoscales=false pool=false"),
        (fixture!("cluster_2024_azure_simple_form.json"), "RUNNING Ui 18446744073709551615 15.4.x-cpu-ml-scala2.12 auto=0 active=1730793790000 restarted=1730793800064 lost=1730793800036 driver=Some(1730793700563) executors=0 Standard_D4ds_v5/Standard_D4ds_v5 workers=Some(0) autoscales=false pool=false"),
        (fixture!("cluster_2026_simple_form_ml.json"), "RUNNING Ui 3007070280200869301 - auto=60 active=-1 restarted=1795322099999 lost=1795322100000 driver=Some(1795322000000) executors=2 Standard_D8ds_v6/Standard_D8ds_v6 workers=Some(2) autoscales=false pool=false"),
        (fixture!("cluster_2026_effective_gpu.json"), "RUNNING Api 3007070280200869302 17.3.x-gpu-ml-scala2.13 auto=30 active=-1 restarted=1795322100000 lost=-1 driver=Some(1795322000000) executors=0 Standard_NC24ads_A100_v4/- workers=Some(0) autoscales=false pool=false"),
        (fixture!("cluster_2026_new_words.json"), "RUNNING_DEGRADED Other(\"NOTEBOOK_SERVERLESS\") 3007070280200869303 custom:18.x auto=10 active=-1 restarted=1795322100000 lost=-1 driver=Some(1795322000000) executors=1 -/- workers=None autoscales=true pool=true"),
        (fixture!("cluster_disagrees.json"), "RUNNING Ui 3007070280200869304 - auto=60 active=1795416400000 restarted=1795322100000 lost=1795322100000 driver=Some(1795322000000) executors=1 -/- workers=Some(0) autoscales=true pool=false"),
        (fixture!("cluster_gpu.json"), "RESIZING Api 5550001112223334445 15.4.x-gpu-ml-scala2.12 auto=240 active=-1 restarted=1748768600000 lost=-1 driver=Some(1748768500000) executors=0 Standard_NC24ads_A100_v4/Standard_DS4_v2 workers=Some(2) autoscales=false pool=false"),
        (fixture!("cluster_pool.json"), "RUNNING Ui 5550001112223334446 14.3.x-scala2.12 auto=45 active=-1 restarted=1748850000000 lost=-1 driver=None executors=0 Standard_DS3_v2/- workers=None autoscales=true pool=true"),
        (fixture!("cluster_minimal.json"), " Absent - - auto=0 active=-1 restarted=-1 lost=-1 driver=None executors=0 -/- workers=None autoscales=false pool=false"),
        (fixture!("cluster_nulls.json"), " Absent - - auto=0 active=-1 restarted=-1 lost=-1 driver=None executors=0 -/- workers=None autoscales=false pool=false"),
        (fixture!("cluster_strings.json"), "HIBERNATING Other(\"LAKEFLOW\") -8223372036854775808 - auto=30 active=1730793790000 restarted=1730793800064 lost=-1 driver=Some(1730793700563) executors=1 -/- workers=Some(4) autoscales=false pool=false"),
    ];
    for (json, expected) in rows {
        assert_eq!(facts(&parsed(json)), expected);
    }
}

/// Why the cluster of `json` is kept where all that is asked about it says idle,
/// as far as its record allows, and only Spark answers.
fn kept_for(json: &str) -> &'static str {
    let mut world = World::idle();
    world.signals.cluster = parsed(json);
    world.signals.cluster.autotermination_minutes = 0;
    world.policy.trust_platform_clock = false;
    world.lose_nodes();
    world.now = Timestamp::from_millis(1_805_330_000_000);
    match world.decide() {
        Decision::Keep(reason) => reason.as_str(),
        Decision::Terminate(_) => "idle",
    }
}

#[test]
fn what_a_record_does_not_say_or_says_in_two_ways_keeps_the_cluster() {
    for (json, reason) in [
        (fixture!("cluster_2018_azure.json"), "not_all_purpose"),
        (fixture!("cluster_minimal.json"), "not_all_purpose"),
        (fixture!("cluster_nulls.json"), "not_all_purpose"),
        (fixture!("cluster_2026_new_words.json"), "not_all_purpose"),
        (fixture!("cluster_gpu.json"), "not_running"),
        (
            fixture!("cluster_2026_simple_form_ml.json"),
            "evidence_too_weak",
        ),
        (
            fixture!("cluster_2026_effective_gpu.json"),
            "evidence_too_weak",
        ),
        (fixture!("cluster_disagrees.json"), "evidence_too_weak"),
        // The other side: with all of it said in one way, Spark alone is heard.
        (fixture!("cluster_2020_azure.json"), "idle"),
    ] {
        assert_eq!(kept_for(json), reason, "{json}");
    }
}

#[test]
fn a_runtime_is_known_only_where_its_members_agree() {
    let runtime = |members: &str| with(members).expect("a cluster").spark_version;
    let (plain, ml, gpu) = (
        "16.x-scala2.12",
        "16.x-cpu-ml-scala2.12",
        "16.x-gpu-ml-scala2.12",
    );
    for (named, effective, use_ml, expected) in [
        (plain, "", "null", Some(plain)),
        (plain, "", "false", Some(plain)),
        (ml, "", "null", Some(ml)),
        (ml, "", "true", Some(ml)),
        ("", ml, "null", Some(ml)),
        (plain, ml, "true", Some(ml)),
        (plain, gpu, "true", Some(gpu)),
        (ml, gpu, "false", Some(gpu)),
        (
            "16.X-GPU-ML-scala2.12",
            "16.X-Gpu-Ml-scala2.12",
            "true",
            Some("16.X-Gpu-Ml-scala2.12"),
        ),
        ("", "", "true", None),
        (plain, "", "true", None),
        (plain, plain, "true", None),
        (ml, plain, "null", None),
        (gpu, ml, "null", None),
        ("16.x-gpu-scala2.12", plain, "null", None),
    ] {
        let members = format!(
            r#""spark_version":"{named}","effective_spark_version":"{effective}","use_ml_runtime":{use_ml}"#
        );
        assert_eq!(runtime(&members).as_deref(), expected, "{members}");
    }
}

#[test]
fn a_cluster_that_is_said_to_be_a_single_node_counts_as_one() {
    let workers = |members: &str| with(members).expect("a cluster").num_workers;
    assert_eq!(workers(r#""is_single_node":true"#), Some(0));
    assert_eq!(workers(r#""is_single_node":true,"num_workers":4"#), Some(0));
    assert_eq!(
        workers(r#""is_single_node":false,"num_workers":4"#),
        Some(4)
    );
    assert_eq!(workers(r#""is_single_node":false"#), None);
}

#[test]
fn machines_keep_their_names_and_starts() {
    let cluster = parsed(fixture!("cluster_2020_azure.json"));
    let machine = |id: &str, at| Instance {
        instance_id: Some(id.to_owned()),
        started: Some(Timestamp::from_millis(at)),
    };
    assert_eq!(
        cluster.driver,
        Some(machine(
            "4edec295aaaabbbbccccddddeeeeffff",
            1_606_300_000_001
        ))
    );
    assert_eq!(
        cluster.executors,
        [
            machine("4edec295aaaabbbbccccddddeeeefff0", 1_606_300_000_002),
            machine("4edec295aaaabbbbccccddddeeeefff1", 1_606_300_000_003),
        ]
    );
    let cluster = parsed(fixture!("cluster_strings.json"));
    assert_eq!(cluster.driver.expect("a driver").instance_id, None);
    let started = cluster.executors.first().and_then(|one| one.started);
    assert_eq!(started, Some(Timestamp::from_millis(1_730_793_700_564)));
}

#[test]
fn tags_of_both_kinds_stay_visible_in_order() {
    let tags = |json| {
        let pairs = parsed(json).tags;
        let texts = pairs.iter().map(|(key, value)| format!("{key}={value}"));
        texts.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        tags(fixture!("cluster_pool.json")),
        "Vendor=Databricks DatabricksInstancePoolId=0101-120000-brick1-pool-ABCD1234 team=x cost=12"
    );
    assert_eq!(
        tags(fixture!("cluster_strings.json")),
        "flag=false count=7 k=1 k=2"
    );
    assert_eq!(tags(fixture!("cluster_nulls.json")), "keep=");
}

#[test]
fn a_context_id_keeps_every_digit_or_is_unknown() {
    let id = |json: &str| {
        let cluster = with(&format!(r#""spark_context_id":{json}"#)).expect("a cluster");
        cluster.spark_context_id.map(|id| id.0)
    };
    for digits in [
        "4020997813441462001",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "-4020997813441462001",
    ] {
        assert_eq!(id(digits).as_deref(), Some(digits));
        assert_eq!(id(&format!("\"{digits}\"")).as_deref(), Some(digits));
    }
    for unusable in [
        "null", "0", "\"0\"", "\"\"", "4.02e18", "1.0", "true", "{}", "[1]", "\"abc\"", "-0",
    ] {
        assert_eq!(id(unusable), None, "{unusable}");
    }
}

#[test]
fn a_member_that_makes_no_sense_fails_the_whole_item() {
    for member in [
        r#""autotermination_minutes":-1"#,
        r#""autotermination_minutes":1.5"#,
        r#""autotermination_minutes":"soon""#,
        r#""autotermination_minutes":"""#,
        r#""autotermination_minutes":{}"#,
        r#""autotermination_minutes":1e300"#,
        r#""last_activity_time":"yesterday""#,
        r#""last_restarted_time":99999999999999999999999"#,
        r#""last_restarted_time":18446744073709551615"#,
        r#""num_workers":-3"#,
        r#""state":7"#,
        r#""cluster_source":["UI"]"#,
        r#""custom_tags":[]"#,
        r#""custom_tags":{"a":{"b":1}}"#,
        r#""executors":[null]"#,
        r#""driver":[]"#,
        r#""is_single_node":"yes""#,
        r#""state":"RUNNING","state":"PENDING""#,
    ] {
        let item = with(member).expect_err(member);
        assert_eq!(item.id, Some(ClusterId::new("c-1")), "{member}");
        assert!(!item.why.is_empty(), "{member}");
    }
}

#[test]
fn an_item_without_a_readable_id_says_why() {
    for json in [
        "{}",
        "null",
        "7",
        "[]",
        r#"{"cluster_id":""}"#,
        r#"{"cluster_id":7}"#,
        r#"{"cluster_id":null,"cluster_name":"x"}"#,
    ] {
        let item = cluster(&raw(json)).expect_err(json);
        assert_eq!(item.id, None, "{json}");
        assert!(!item.why.is_empty(), "{json}");
    }
}

#[test]
fn why_an_item_did_not_parse_is_short_and_on_one_line() {
    let json = format!(r#""num_workers":"a\nERROR forged {}""#, "x".repeat(5000));
    let why = with(&json).expect_err("no number").why;
    assert!(why.chars().count() <= WHY_CAP + 20, "{why}");
    assert!(!why.contains('\n'), "{why}");
}

#[test]
fn the_latest_known_start_is_of_the_machine_or_of_the_restart() {
    let started = |json| millis(parsed(json).started());
    assert_eq!(
        started(fixture!("cluster_2020_azure.json")),
        1_606_300_000_001
    );
    assert_eq!(
        started(fixture!("cluster_2023_single_node_ml.json")),
        1_695_780_635_064
    );
    assert_eq!(started(fixture!("cluster_minimal.json")), -1);
}
