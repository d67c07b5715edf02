//! Tests of the driver proxy, Spark's REST API and the page of streaming queries.

use serde_json::{Value, json};
use simulator::Simulator;
use simulator::world::{
    Cluster, DriverProxy, Member, Permission, Principal, Spark, SparkJob, SqlExecution, Stream,
    StreamingPage, Workspace, World, hours, minutes, seconds,
};

use crate::client::{Client, DATABRICKS, Outcome, Reply, start, url};

struct Driver {
    simulator: Simulator,
    client: Client,
    ui: String,
}

impl Driver {
    async fn of(cluster: Cluster) -> Result<Self, Box<dyn std::error::Error>> {
        let name = cluster.name.clone();
        let simulator = start(Workspace::named("analytics").cluster(cluster))?;
        let client = Client::with_scope(&simulator, DATABRICKS).await?;
        let ui = ui(&simulator, &name);
        Ok(Self {
            simulator,
            client,
            ui,
        })
    }

    async fn get(&self, path: &str) -> Result<Reply, reqwest::Error> {
        self.client.get(&format!("{}{path}", self.ui)).await
    }

    /// The answer to a path below the application.
    async fn app(&self, path: &str) -> Result<Value, Box<dyn std::error::Error>> {
        let apps = self.get("/api/v1/applications").await?.json();
        let id = apps[0]["id"].as_str().ok_or("no application")?;
        Ok(self
            .get(&format!("/api/v1/applications/{id}/{path}"))
            .await?
            .json())
    }
}

fn ui(simulator: &Simulator, cluster: &str) -> String {
    let path = simulator.world(|world| {
        let id = world.cluster_id("analytics", cluster);
        format!(
            "/driver-proxy-api/o/{}/{id}/40001",
            world.workspace_mut("analytics").id
        )
    });
    url(simulator, &path)
}

fn count(body: &Value) -> Option<usize> {
    body.as_array().map(Vec::len)
}

#[tokio::test]
async fn the_application_tells_its_start_as_text_and_as_a_number() -> Outcome {
    let driver = Driver::of(Cluster::idle("etl").since(hours(5))).await?;
    let apps = driver.get("/api/v1/applications").await?.json();
    let attempt = &apps[0]["attempts"][0];
    let text = attempt["startTime"].as_str().ok_or("no start")?;
    assert!(text.ends_with("GMT"), "{text}");
    let epoch = attempt["startTimeEpoch"].as_i64().ok_or("no number")?;
    let now = driver.simulator.world(|world| world.clock.now_ms());
    assert!((now - epoch - 8 * 3_600_000).abs() < 60_000);
    assert_eq!(
        count(
            &driver
                .get("/api/v1/applications?status=completed")
                .await?
                .json()
        ),
        Some(0)
    );
    assert_eq!(
        driver.get("/api/v1/version").await?.json(),
        json!({ "spark": "3.5.0" })
    );
    let unknown = driver.get("/api/v1/applications/nope/jobs").await?;
    assert_eq!(
        (unknown.status, unknown.text.as_str()),
        (404, "no such app: nope")
    );
    driver.simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn a_finished_job_tells_its_end_and_a_running_one_does_not() -> Outcome {
    let driver = Driver::of(Cluster::idle("etl").since(hours(5))).await?;
    assert_eq!(count(&driver.app("jobs?status=running").await?), Some(0));
    let jobs = driver.app("jobs").await?;
    assert_eq!(jobs[0]["status"], json!("SUCCEEDED"));
    assert!(jobs[0]["completionTime"].is_string());
    let driver = Driver::of(Cluster::busy("etl")).await?;
    let running = driver.app("jobs?status=RUNNING").await?;
    assert_eq!(
        (count(&running), running[0].get("completionTime")),
        (Some(1), None)
    );
    assert_eq!(count(&driver.app("stages?status=active").await?), Some(1));
    assert_eq!(
        driver.app("executors").await?[0]["activeTasks"],
        json!(0),
        "task counts lie"
    );
    assert_eq!(
        count(&driver.app("jobs?status=running&status=succeeded").await?),
        Some(1)
    );
    let apps = driver.get("/api/v1/applications").await?.json();
    let id = apps[0]["id"].as_str().ok_or("no application")?;
    let bogus = driver
        .get(&format!("/api/v1/applications/{id}/jobs?status=bogus"))
        .await?;
    assert_eq!(
        (bogus.status, bogus.header("content-type")),
        (404, "text/html;charset=utf-8")
    );
    driver.simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn a_job_that_ends_later_is_finished_once_the_clock_has_passed_it() -> Outcome {
    let job = SparkJob::at(
        simulator::world::Moment::ago(minutes(5)),
        Some(simulator::world::Moment::ahead(minutes(5))),
    );
    let driver = Driver::of(Cluster::idle("etl").spark(Spark::quiet().job(job))).await?;
    assert_eq!(driver.app("jobs").await?[0]["status"], json!("RUNNING"));
    driver.simulator.world(|world| world.advance(minutes(6)));
    assert_eq!(driver.app("jobs").await?[0]["status"], json!("SUCCEEDED"));
    Ok(())
}

#[tokio::test]
async fn old_jobs_are_forgotten_and_ids_stay_dense() -> Outcome {
    let spark = (0..30).fold(Spark::quiet().retained_jobs(10), |spark, index| {
        spark.job(SparkJob::finished(minutes(60 - index)))
    });
    let driver = Driver::of(Cluster::idle("etl").spark(spark)).await?;
    let jobs = driver.app("jobs").await?;
    assert_eq!(
        (count(&jobs), &jobs[0]["jobId"], &jobs[9]["jobId"]),
        (Some(10), &json!(29), &json!(20))
    );
    Ok(())
}

#[tokio::test]
async fn sql_executions_come_oldest_first_and_twenty_at_a_time() -> Outcome {
    let spark = (0..24).fold(Spark::quiet(), |spark, index| {
        spark.sql(SqlExecution::finished(minutes(60 - index)))
    });
    let driver =
        Driver::of(Cluster::idle("etl").spark(spark.sql(SqlExecution::running(minutes(1)))))
            .await?;
    let some = driver.app("sql").await?;
    assert_eq!((count(&some), &some[19]["id"]), (Some(20), &json!(19)));
    let all = driver
        .app("sql?details=false&planDescription=false&offset=0&length=100000")
        .await?;
    assert_eq!(
        (count(&all), &all[24]["status"]),
        (Some(25), &json!("RUNNING"))
    );
    assert_eq!(
        (&all[0]["planDescription"], &all[0]["nodes"]),
        (&json!(""), &json!([]))
    );
    assert_eq!(
        (&all[0]["duration"], all[0].get("completionTime")),
        (&json!(30_000), None)
    );
    assert_eq!(count(&driver.app("sql?offset=22&length=2").await?), Some(2));
    Ok(())
}

#[tokio::test]
async fn a_stream_leaves_its_signature_and_one_without_data_leaves_nothing() -> Outcome {
    let spark = Spark::quiet().stream(Stream::live("orders", minutes(10)).every(seconds(60)));
    let driver = Driver::of(Cluster::idle("etl").spark(spark)).await?;
    let jobs = driver.app("jobs").await?;
    assert!(matches!(count(&jobs), Some(10 | 11)), "{jobs}");
    let description = jobs[0]["description"].as_str().ok_or("no description")?;
    assert!(
        description.starts_with("orders\nid = ") && description.contains("\nbatch = "),
        "{description}"
    );
    let group = jobs[0]["jobGroup"].as_str().ok_or("no group")?;
    assert!(
        description.contains(&format!("\nrunId = {group}\n")),
        "{description}"
    );
    let spark = Spark::quiet().stream(Stream::live("", minutes(10)).without_data());
    let driver = Driver::of(Cluster::idle("etl").spark(spark)).await?;
    assert_eq!(count(&driver.app("jobs").await?), Some(0));
    assert_eq!(count(&driver.app("sql").await?), Some(0));
    let page = driver.get("/StreamingQuery/").await?;
    assert!(
        page.text.contains("<a>Active Streaming Queries (1)</a>"),
        "{}",
        page.text
    );
    Ok(())
}

#[tokio::test]
async fn the_streaming_page_redirects_until_the_first_query() -> Outcome {
    let driver = Driver::of(Cluster::idle("etl")).await?;
    let page = driver.get("/StreamingQuery/").await?;
    assert_eq!(
        (page.status, page.header("location")),
        (302, format!("{}/jobs/", driver.ui).as_str())
    );
    let bare = Cluster::idle("etl").spark(Spark::quiet().streaming_page(StreamingPage::Bare));
    let driver = Driver::of(bare).await?;
    let page = driver.get("/StreamingQuery/").await?;
    assert_eq!(
        (page.status, page.header("location")),
        (302, "http://10.139.64.10:40001/jobs/")
    );
    driver
        .simulator
        .world(|world| world.start_stream("analytics", "etl", "s"));
    assert_eq!(driver.get("/StreamingQuery/").await?.status, 200);
    driver.simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn the_streaming_page_has_a_table_only_for_what_there_is() -> Outcome {
    let ended = Stream::live("Active Streaming Queries (1)<b>", hours(3)).ended(hours(1));
    let driver = Driver::of(Cluster::idle("etl").spark(Spark::quiet().stream(ended))).await?;
    let page = driver.get("/StreamingQuery/").await?.text;
    assert!(
        page.contains("<a>Completed Streaming Queries (1)</a>"),
        "{page}"
    );
    assert!(!page.contains("<a>Active Streaming Queries"), "{page}");
    assert!(page.contains("(1)&lt;b&gt;"), "{page}");
    for (answer, status) in [
        (StreamingPage::Status(500), 500),
        (StreamingPage::OtherHtml, 200),
        (StreamingPage::RedirectTo("/login.html".to_owned()), 302),
    ] {
        let cluster = Cluster::idle("etl").spark(Spark::quiet().streaming_page(answer));
        assert_eq!(
            Driver::of(cluster)
                .await?
                .get("/StreamingQuery/")
                .await?
                .status,
            status
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_thread_dump_tells_frames_and_dstreams_are_not_attached() -> Outcome {
    let spark = Spark::quiet()
        .thread(&["com.databricks.backend.daemon.driver.DriverLocal.execute(DriverLocal.scala)"]);
    let driver = Driver::of(Cluster::idle("etl").spark(spark)).await?;
    let threads = driver.app("executors/driver/threads").await?;
    let topmost: Vec<&str> = (threads.as_array().ok_or("no list")?.iter())
        .filter_map(|thread| thread["stackTrace"]["elems"][0].as_str())
        .collect();
    assert_eq!(
        topmost.len(),
        2,
        "one that idles in every driver, and this one"
    );
    assert!(topmost[1].contains("DriverLocal.execute"), "{topmost:?}");
    let apps = driver.get("/api/v1/applications").await?.json();
    let id = apps[0]["id"].as_str().ok_or("no application")?;
    let reply = driver
        .get(&format!("/api/v1/applications/{id}/streaming/statistics"))
        .await?;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (404, "text/plain;charset=utf-8")
    );
    Ok(())
}

#[tokio::test]
async fn a_driver_that_does_not_answer_fails_as_it_is_told() -> Outcome {
    for (answer, status) in [
        (DriverProxy::Status(403), 403),
        (DriverProxy::Status(404), 404),
        (DriverProxy::Status(503), 503),
        (DriverProxy::Html, 200),
    ] {
        let driver = Driver::of(Cluster::busy("etl").driver(answer)).await?;
        let reply = driver.get("/api/v1/applications").await?;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (status, "text/html;charset=utf-8")
        );
    }
    let driver = Driver::of(Cluster::busy("etl").driver(DriverProxy::Hang)).await?;
    let waiting = driver.get("/api/v1/applications");
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(100), waiting)
            .await
            .is_err()
    );
    let driver = Driver::of(Cluster::busy("etl").state("RESTARTING")).await?;
    assert_eq!(driver.get("/api/v1/applications").await?.status, 503);
    Ok(())
}

#[tokio::test]
async fn a_driver_is_open_to_those_who_may_attach_and_is_only_read() -> Outcome {
    let world = World::new().principal(Principal::named("user")).workspace(
        Workspace::named("analytics")
            .member(Member::user("user", Permission::None))
            .cluster(Cluster::busy("closed"))
            .cluster(Cluster::busy("open").permission("user", Permission::CanAttachTo)),
    );
    let simulator = Simulator::start(world)?;
    let client = Client::as_principal(&simulator, "user", DATABRICKS).await?;
    for (cluster, status) in [("closed", 403), ("open", 200)] {
        let url = format!("{}/api/v1/applications", ui(&simulator, cluster));
        assert_eq!(client.get(&url).await?.status, status, "{cluster}");
    }
    let zero = format!("{}/api/v1/applications", ui(&simulator, "open"));
    let org = simulator.world(|world| world.workspace_mut("analytics").id.to_string());
    assert_eq!(
        client
            .get(&zero.replace(&format!("/o/{org}/"), "/o/0/"))
            .await?
            .status,
        200
    );
    assert_eq!(
        client
            .get(&zero.replace(&format!("/o/{org}/"), "/o/12/"))
            .await?
            .status,
        404
    );
    simulator.assert_clean();
    let kill = format!("{}/jobs/job/kill/?id=1", ui(&simulator, "open"));
    assert_eq!(client.post(&kill, &json!({})).await?.status, 501);
    assert_eq!(simulator.violations().len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_environment_tells_the_settings_and_one_of_them_takes_the_streaming_page_away()
-> Outcome {
    let key = "spark.sql.streaming.ui.enabled";
    let live = Stream::live("orders", hours(3)).without_data();
    let spark = Spark::quiet().stream(live).conf(key, "false");
    let driver = Driver::of(Cluster::idle("etl").spark(spark)).await?;
    let environment = driver.app("environment").await?;
    let settings = environment["sparkProperties"].as_array().ok_or("no list")?;
    assert!(settings.contains(&json!([key, "false"])), "{settings:?}");
    assert!(
        settings.contains(&json!(["spark.ui.port", "40001"])),
        "{settings:?}"
    );
    let page = driver.get("/StreamingQuery/").await?;
    assert_eq!(page.status, 302, "though a query is active");
    driver.simulator.assert_clean();
    Ok(())
}

#[tokio::test]
async fn a_live_stream_has_a_thread_with_its_name_and_ids_until_it_ends() -> Outcome {
    let names = async |stream: Stream| -> Result<String, Box<dyn std::error::Error>> {
        let spark = Spark::quiet().stream(stream.without_data());
        let driver = Driver::of(Cluster::idle("etl").spark(spark)).await?;
        Ok(driver.app("executors/driver/threads").await?.to_string())
    };
    let stream = Stream::live("orders", hours(3));
    let name = format!(
        "\"stream execution thread for orders [id = {}, runId = {}]\"",
        stream.id, stream.run_id
    );
    assert!(names(stream.clone()).await?.contains(&name));
    assert!(
        names(Stream::live("", hours(3)))
            .await?
            .contains("thread for [id = ")
    );
    let ended = names(stream.ended(hours(1))).await?;
    assert!(!ended.contains("stream execution thread"), "{ended}");
    Ok(())
}

#[tokio::test]
async fn the_list_of_applications_tells_which_have_ended() -> Outcome {
    let spark = Spark::quiet()
        .other_application("app-old", hours(30), true)
        .other_application("app-new", hours(1), false);
    let driver = Driver::of(Cluster::idle("etl").spark(spark)).await?;
    let list = driver.get("/api/v1/applications").await?.json();
    let told: Vec<(&Value, &Value)> = (list.as_array().ok_or("no list")?.iter())
        .map(|one| (&one["id"], &one["attempts"][0]["completed"]))
        .collect();
    assert_eq!(told.len(), 3);
    assert_eq!(told[0].1, &json!(false));
    assert_eq!(told[1], (&json!("app-old"), &json!(true)));
    assert_eq!(told[2], (&json!("app-new"), &json!(false)));
    let running = driver
        .get("/api/v1/applications?status=running")
        .await?
        .json();
    assert_eq!(count(&running), Some(2));
    let gone = Cluster::idle("etl").spark(Spark::quiet().ended());
    let driver = Driver::of(gone).await?;
    let list = driver.get("/api/v1/applications").await?.json();
    assert_eq!(list[0]["attempts"][0]["completed"], json!(true));
    Ok(())
}

#[tokio::test]
async fn what_ended_first_is_forgotten_first_and_sql_still_names_its_jobs() -> Outcome {
    use simulator::world::Moment;
    let ago = |from: u64, to: u64| (Moment::ago(minutes(from)), Some(Moment::ago(minutes(to))));
    let mut spark = Spark::quiet().retained_jobs(2).retained_executions(1);
    // The first began long before the others and ended after them.
    for (from, to) in [(100, 10), (80, 70), (60, 50), (40, 30)] {
        let (from, to) = ago(from, to);
        spark = spark
            .job(SparkJob::at(from, to))
            .sql(SqlExecution::at(from, to));
    }
    let driver = Driver::of(Cluster::idle("etl").spark(spark)).await?;
    let jobs = driver.app("jobs").await?;
    let ids: Vec<&Value> = (jobs.as_array().ok_or("no list")?.iter())
        .map(|job| &job["jobId"])
        .collect();
    assert_eq!(ids, [&json!(3), &json!(0)]);
    let sql = driver.app("sql").await?;
    assert_eq!((count(&sql), &sql[0]["id"]), (Some(1), &json!(0)));
    assert_eq!(sql[0]["successJobIds"], json!([0, 1, 2, 3]));
    Ok(())
}
