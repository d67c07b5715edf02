//! Threads as two versions of Spark dump them, and those of Databricks as they
//! stand in public stack traces.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

macro_rules! recorded {
    ($name:literal) => {
        [
            parse(include_str!(concat!(
                "../../../../tests/fixtures/spark/3.5.9/",
                $name
            ))),
            parse(include_str!(concat!(
                "../../../../tests/fixtures/spark/4.0.1/",
                $name
            ))),
        ]
    };
}

fn parse<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("the recording is of the shape that we read")
}

fn thread(name: &str, frames: &[&str]) -> Thread {
    let value = json!({"threadId": 5, "threadName": name, "threadState": "WAITING",
        "stackTrace": {"elems": frames}, "blockedByLock": "", "holdingLocks": []});
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_thread_inside_a_databricks_drivers_execute_is_a_running_command() {
    let frames = [
        "com.databricks.backend.daemon.driver.DriverLocal.execute(DriverLocal.scala:408)",
        "app//com.databricks.backend.daemon.driver.PythonDriverLocal.executePython(X.scala:1)",
        "at com.databricks.backend.daemon.driver.JupyterDriverLocal.executeCommand(X.scala:1)",
    ];
    for frame in frames {
        let stack = [
            "java.base@17.0.15/java.lang.Object.wait(Native Method)",
            frame,
        ];
        let threads = vec![thread("main", &[]), thread("Thread-42", &stack)];
        let signal = running_command(&Ok(threads));
        assert_eq!(
            signal,
            Signal::Known(Some("Thread-42".to_owned())),
            "{frame}"
        );
    }
}

#[test]
fn any_other_thread_says_nothing() {
    let frames = [
        "com.databricks.backend.daemon.driver.DriverWrapper.tryExecutingCommand(D.scala:645)",
        "com.databricks.backend.daemon.driver.DriverLocal.withAttributionTags(D.scala:48)",
        "com.databricks.backend.daemon.driver.DriverWrapper.execute(D.scala:1)",
        "com.databricks.backend.daemon.data.DriverLocal.execute(D.scala:1)",
        "org.example.com.databricks.backend.daemon.driver.DriverLocal.execute(D.scala:1)",
        "com.databricks.backend.daemon.driver.execute(D.scala:1)",
        "execute",
        "",
        "((..//",
    ];
    for frame in frames {
        let signal = running_command(&Ok(vec![thread("Thread-42", &[frame])]));
        assert_eq!(signal, Signal::Known(None), "{frame}");
    }
    let recordings: [Vec<Thread>; 2] = recorded!("threads.json");
    for threads in recordings {
        assert!(
            threads
                .iter()
                .any(|thread| !thread.stack_trace.frames().is_empty())
        );
        assert_eq!(running_command(&Ok(threads)), Signal::Known(None));
    }
}

#[test]
fn stacks_are_read_as_object_and_as_list_and_nothing_else() {
    let dump = |stack: Value| json!([{"threadName": "t", "stackTrace": stack}]).to_string();
    let frame = "com.databricks.backend.daemon.driver.DriverLocal.execute(D.scala:1)";
    for stack in [json!({"elems": [frame]}), json!([frame])] {
        let threads = parse::<Vec<Thread>>(&dump(stack));
        assert_eq!(
            running_command(&Ok(threads)),
            Signal::Known(Some("t".to_owned()))
        );
    }
    for stack in [Value::Null, json!("text"), json!({"frames": []})] {
        assert!(serde_json::from_str::<Vec<Thread>>(&dump(stack)).is_err());
    }
}

#[test]
fn a_dump_that_is_empty_or_failed_is_unknown() {
    assert!(running_command(&Ok(vec![])).why().is_some());
    let failed = Err(Why::new("the driver proxy answered 404"));
    assert_eq!(
        running_command(&failed),
        Signal::unknown("the driver proxy answered 404")
    );
}

#[test]
fn the_thread_of_a_stream_shows_it_whether_or_not_data_comes() {
    let ids =
        "[id = 83656dd0-25f3-40a4-8482-43d53b0ea9ab, runId = 99da2b92-e720-4605-9711-e988ba3e3a61]";
    let names = [
        format!("stream execution thread for {ids}"),
        format!("stream execution thread for rates {ids}"),
        "stream execution thread for rates".to_owned(),
        "RecurringTimer - JobGenerator".to_owned(),
    ];
    for name in names {
        let threads = [
            thread("main", &[]),
            thread(&name, &["java.lang.Object.wait"]),
        ];
        assert!(stream_lives(&threads), "{name}");
    }
    let others = [
        "",
        "main",
        "Thread-4",
        "stream execution thread",
        "about the stream execution thread for rates",
        "RecurringTimer - BlockGenerator",
        "state-store-maintenance-task",
        "spark-listener-group-streams",
    ];
    for name in others {
        assert!(!stream_lives(&[thread(name, &[])]), "{name}");
    }
    let recordings: [Vec<Thread>; 2] = recorded!("threads.json");
    for threads in recordings {
        assert!(!stream_lives(&threads));
    }
}

#[test]
fn a_recorded_query_without_data_is_seen_by_its_thread() {
    let mut threads: Vec<Thread> = parse(include_str!(
        "../../../../tests/fixtures/spark/3.5.9/threads_stream.json"
    ));
    assert!(stream_lives(&threads));
    threads.retain(|thread| thread.thread_name == "spark-listener-group-streams");
    assert_eq!(threads.len(), 1, "the queue of events outlives the query");
    assert!(!stream_lives(&threads));
}
