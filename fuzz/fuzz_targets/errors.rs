//! Answers that are no success, in every dialect. Whatever they repeat, nothing
//! that is shown holds our token, and an error is never taken for a removal
//! that it does not tell of.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use terminate_clusters::azure_monitor::{AzureMonitor, ManagedResourceGroup, Throttles};
use terminate_clusters::cluster::ClusterId;
use terminate_clusters::databricks::access::AccessProblem;
use terminate_clusters::databricks::errors::ErrorBody;
use terminate_clusters::databricks::{Databricks, cluster_gone, words_of_refusal};
use terminate_clusters::identity::Audience;
use terminate_clusters::spark::{SPARK_UI_PORT, SparkDriver};
use terminate_clusters_fuzz::{
    Answers, TOKEN, answer, assert_is_shown_safely, run, service, workspace,
};

const STATUSES: [u16; 16] = [
    200, 204, 301, 307, 400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 529, 599,
];
const TYPES: [&str; 4] = ["application/json", "text/html", "text/plain", ""];
const GROUP: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/managed";

// The first byte chooses status and content type; `@` stands for our token.
fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    let status = STATUSES[usize::from(choice & 0x0f)];
    let content_type = TYPES[usize::from((choice >> 4) & 0x03)];
    let body = Answers::of(data)
        .text(0)
        .unwrap_or_default()
        .replace('@', TOKEN);
    assert_is_read_alike(&body);
    let bytes = Bytes::from(body.clone());
    let respond = move |_: &_| answer(status, content_type, bytes.clone());
    let id = ClusterId::new("1122-080000-fuzz0001");

    let client = Databricks::new(workspace(respond.clone()));
    if let Err(error) = run(client.get_cluster(&id)) {
        assert_is_shown_safely(&error.to_string());
        assert_is_shown_safely(&AccessProblem::of(&error).to_string());
        assert!(
            !format!("{error:?}").contains(TOKEN),
            "the token is in the error"
        );
        if let Some(words) = words_of_refusal(&error) {
            assert_is_shown_safely(&words);
        }
        let says_so = [
            "RESOURCE_DOES_NOT_EXIST",
            "INVALID_STATE",
            "INVALID_PARAMETER_VALUE",
        ];
        if cluster_gone(&error) {
            assert!(says_so.iter().any(|code| body.contains(code)) || body.contains("\\u"));
            assert!(status >= 300, "gone by a success");
        }
    }
    let base = "https://management.azure.com/";
    let service = service(base, Audience::Arm, respond.clone());
    let monitor = AzureMonitor::new(service, Throttles::default());
    let group = ManagedResourceGroup::parse(GROUP).expect("a group");
    if let Err(why) = run(monitor.machines(&group)) {
        assert_is_shown_safely(&why.to_string());
    }
    let driver = SparkDriver::new(workspace(respond), "5".to_owned(), SPARK_UI_PORT);
    if let Err(why) = run(driver.look(&id)) {
        assert_is_shown_safely(&why.to_string());
    }
});

fn assert_is_read_alike(body: &str) {
    let read = ErrorBody::parse(body);
    assert_eq!(ErrorBody::parse(body), read, "read twice");
    assert_eq!(
        ErrorBody::parse(&format!(" {body}\n")),
        read,
        "read with space around"
    );
    assert!(
        read.message.chars().count() <= 500,
        "{} characters",
        read.message.len()
    );
}
