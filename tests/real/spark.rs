//! A real Spark driver as a test holds it: one process for each version, one
//! application for each test.
//!
//! The process is `spark_driver.py`, which does what it is told and answers when
//! Spark's own event bus has delivered it. Its clock runs as far behind as a test
//! says, so an unmodified Spark tells of hours ago and the unmodified binary judges
//! that now. A new application starts with nothing that the one before it did.
//! The process ends with its stdin, so none outlives this one.

use std::fs::{File, create_dir_all};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Far more than anything takes; a driver that is silent for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(180);

/// The versions that `tests/real/setup` installs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    V3_5_9,
    V4_3_0,
}

impl Version {
    fn number(self) -> &'static str {
        match self {
            Self::V3_5_9 => "3.5.9",
            Self::V4_3_0 => "4.3.0",
        }
    }

    /// The only driver of this version, shared by all tests, one at a time.
    fn driver(self) -> &'static Mutex<Option<Driver>> {
        static V3_5_9: Mutex<Option<Driver>> = Mutex::new(None);
        static V4_3_0: Mutex<Option<Driver>> = Mutex::new(None);
        match self {
            Self::V3_5_9 => &V3_5_9,
            Self::V4_3_0 => &V4_3_0,
        }
    }
}

/// A Spark driver in the hands of one test.
pub(crate) struct Spark {
    driver: MutexGuard<'static, Option<Driver>>,
    /// Where the UI of its present application listens.
    pub(crate) ui: SocketAddr,
    /// When its present application started, in milliseconds.
    pub(crate) started_ms: i64,
}

/// When something happened, by the driver's own clock.
#[derive(Debug)]
pub(crate) struct Happened {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
}

impl Spark {
    /// A new application, whose clock is this far behind.
    pub(crate) fn start(version: Version, behind: Duration) -> Self {
        Self::start_with(version, behind, &json!({}))
    }

    /// A new application with further properties.
    pub(crate) fn start_with(version: Version, behind: Duration, properties: &Value) -> Self {
        let mut driver = version
            .driver()
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let running = driver.get_or_insert_with(|| Driver::spawn(version));
        let behind_s = behind.as_secs();
        let order = json!({"do": "start", "behind_s": behind_s, "conf": properties});
        let started = running.carry_out(&order);
        assert_eq!(started["version"], version.number());
        let ui = started["ui"].as_str().unwrap();
        Self {
            ui: ui.strip_prefix("http://").unwrap().parse().unwrap(),
            started_ms: started["started_ms"].as_i64().unwrap(),
            driver,
        }
    }

    /// Lets the driver do something, and waits until its UI knows of it.
    pub(crate) fn tell(&mut self, order: &Value) -> Happened {
        let answer = self.carry_out(order);
        let millis = |key: &str| answer[key].as_i64().unwrap();
        Happened {
            from_ms: millis("from_ms"),
            to_ms: millis("to_ms"),
        }
    }

    /// `tell` for something that needs no more than its name.
    pub(crate) fn does(&mut self, verb: &str) -> Happened {
        self.tell(&json!({ "do": verb }))
    }

    /// Lets the driver's clock catch up until it is this far behind.
    pub(crate) fn later(&mut self, behind: Duration) {
        self.tell(&json!({"do": "clock", "behind_s": behind.as_secs()}));
    }

    /// When the latest job ended, as Spark keeps it: to the millisecond, and not
    /// by way of the API that the product reads.
    pub(crate) fn last_end_ms(&mut self) -> i64 {
        let order = json!({"do": "last_end"});
        self.carry_out(&order)["end_ms"].as_i64().unwrap()
    }

    /// When the latest SQL execution ended, likewise; for a stream's batch a little
    /// later than its job.
    pub(crate) fn last_sql_end_ms(&mut self) -> i64 {
        let order = json!({"do": "last_sql_end"});
        self.carry_out(&order)["end_ms"].as_i64().unwrap()
    }

    /// What its UI answers to a path below the application.
    pub(crate) fn api(&mut self, path: &str) -> Value {
        self.carry_out(&json!({"do": "api", "path": path}))["answer"].take()
    }

    fn carry_out(&mut self, order: &Value) -> Value {
        self.driver.as_mut().unwrap().carry_out(order)
    }
}

impl Drop for Spark {
    fn drop(&mut self) {
        // What state the driver is in after a failure is not worth guessing.
        if std::thread::panicking() {
            self.driver.take();
        }
    }
}

impl Happened {
    /// Whether an instant lies within it.
    pub(crate) fn includes(&self, millis: i64) -> bool {
        (self.from_ms..=self.to_ms).contains(&millis)
    }
}

/// An instant as reports write it: UTC, to the second.
pub(crate) fn instant(millis: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000)).unwrap();
    at.format(&Rfc3339).unwrap()
}

struct Driver {
    process: Child,
    /// `None` once it was closed, which ends the process.
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
    log: PathBuf,
}

impl Driver {
    fn spawn(version: Version) -> Self {
        let number = version.number();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let real = root.join("target/real");
        let python = real.join(format!("spark-{number}/bin/python"));
        assert!(python.exists(), "run tests/real/setup first");
        let work = real.join(format!("work-{number}-{}", std::process::id()));
        create_dir_all(&work).unwrap();
        let log = real.join(format!("spark-{number}.log"));
        let mut process = Command::new(&python)
            .arg(root.join("tests/real/spark_driver.py"))
            .args([work.as_path(), &real.join("libfaketime.so.1")])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("JAVA_HOME", real.join("java"))
            // Nothing here runs for long enough to pay for a thorough compiler.
            .env(
                "JAVA_TOOL_OPTIONS",
                "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            )
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .env("PYSPARK_PYTHON", &python)
            .current_dir(&work)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            orders: process.stdin.take(),
            process,
            answers,
            log,
        }
    }

    fn carry_out(&mut self, order: &Value) -> Value {
        let log = self.log.display();
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
        let answer = self.answers.recv_timeout(PATIENCE);
        let answer = answer.unwrap_or_else(|why| panic!("{order}: {why}; see {log}"));
        serde_json::from_str(&answer).unwrap()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It tidies up when its stdin ends, and is killed if it can't.
        self.orders.take();
        while self.answers.recv_timeout(Duration::from_secs(10)).is_ok() {}
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
