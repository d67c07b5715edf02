//! The words that may leave: names of members, headers, tags, modes and phrases, as the
//! services document them or as they were recorded.
//!
//! Everything that a record says of an answer in words stands here, so a reader of this
//! file has read all that it can say. A lookup gives the word of this file and never the text
//! that was looked up. Pure.

/// Members of the answers that are recorded.
#[rustfmt::skip]
const MEMBERS: &[&str] = &[
    // Clusters API; the Go SDK's ClusterDetails and what live answers had beside it.
    "clusters", "cluster_id", "cluster_name", "cluster_source", "cluster_cores", "cluster_memory_mb",
    "cluster_log_conf", "cluster_log_status", "state", "state_message", "start_time", "terminated_time",
    "termination_reason", "last_activity_time", "last_restarted_time", "last_state_loss_time",
    "autotermination_minutes", "autoscale", "min_workers", "max_workers", "num_workers", "spark_context_id",
    "spark_version", "effective_spark_version", "release_version", "runtime_engine", "spark_conf",
    "spark_env_vars", "node_type_id", "driver_node_type_id", "instance_pool_id", "driver_instance_pool_id",
    "azure_attributes", "first_on_demand", "availability", "spot_bid_max_price", "log_analytics_info",
    "custom_tags", "default_tags", "Vendor", "Creator", "ClusterName", "ClusterId", "RunName", "JobId",
    "ResourceClass", "data_security_mode", "single_user_name", "assigned_principal", "policy_id",
    "enable_elastic_disk", "enable_local_disk_encryption", "disk_spec", "instance_source",
    "driver_instance_source", "driver_healthy", "jdbc_port", "init_scripts", "init_scripts_safe_mode",
    "pinned_by_user_name", "creator_user_name", "is_single_node", "kind", "use_ml_runtime", "workload_type",
    "clients", "jobs", "notebooks", "docker_image", "ssh_public_keys", "spec", "apply_policy_default_values",
    "driver", "executors", "private_ip", "host_private_ip", "public_dns", "node_id", "instance_id",
    "start_timestamp", "node_attributes", "is_spot", "next_page_token", "prev_page_token",
    // Errors, in their dialects.
    "error", "error_code", "error_codes", "message", "details", "detail", "status", "scimType", "schemas",
    "X-Databricks-Reason-Phrase", "code", "innererror", "target", "additionalInfo", "request_id",
    // SCIM.
    "id", "userName", "displayName", "applicationId", "active", "groups", "display", "type", "value", "$ref",
    "entitlements", "roles", "emails", "name", "primary",
    // Permissions.
    "object_id", "object_type", "access_control_list", "user_name", "group_name", "service_principal_name",
    "all_permissions", "permission_level", "inherited", "inherited_from_object",
    // Job runs.
    "runs", "has_more", "run_id", "run_name", "job_id", "number_in_job", "original_attempt_run_id",
    "life_cycle_state", "result_state", "user_cancelled_or_timedout", "termination_details", "tasks", "task_key",
    "existing_cluster_id", "job_cluster_key", "job_clusters", "cluster_instance", "cluster_spec", "new_cluster",
    "setup_duration", "execution_duration", "cleanup_duration", "end_time", "run_duration", "trigger", "run_type",
    "run_page_url", "format", "schedule", "notebook_task", "notebook_path", "depends_on", "attempt_number",
    "run_if", "queue_reason", "queue_duration", "job_run_id", "effective_performance_target",
    // Spark's REST API.
    "attempts", "attemptId", "startTime", "endTime", "lastUpdated", "startTimeEpoch", "endTimeEpoch",
    "lastUpdatedEpoch", "duration", "sparkUser", "completed", "appSparkVersion", "coresGranted", "maxCores",
    "coresPerExecutor", "memoryPerExecutorMB", "jobId", "description", "submissionTime", "completionTime",
    "stageIds", "jobGroup", "jobTags", "numTasks", "numActiveTasks", "numCompletedTasks", "numSkippedTasks",
    "numFailedTasks", "numKilledTasks", "numCompletedIndices", "numActiveStages", "numCompletedStages",
    "numSkippedStages", "numFailedStages", "killedTasksSummary", "stageId", "numCompleteTasks",
    "firstTaskLaunchedTime", "schedulingPool", "successJobIds", "failedJobIds", "runningJobIds", "planDescription",
    "nodes", "edges", "isActive", "hostPort", "isDriver", "activeTasks", "totalTasks", "totalDuration",
    "failedTasks", "completedTasks", "addTime", "runtime", "javaVersion", "javaHome", "scalaVersion",
    "sparkProperties", "hadoopProperties", "systemProperties", "metricsProperties", "classpathEntries",
    "resourceProfiles",
    // The thread dump.
    "threadId", "threadName", "threadState", "stackTrace", "elems", "blockedByThreadId", "blockedByLock",
    "holdingLocks", "synchronizers", "monitors", "lockName", "lockOwnerName", "suspended", "inNative", "isDaemon",
    "priority",
    // Azure Resource Manager and Azure Monitor.
    "properties", "managedResourceGroupId", "workspaceUrl", "workspaceId", "provisioningState",
    "publicNetworkAccess", "requiredNsgRules", "privateEndpointConnections", "createdDateTime", "createdBy",
    "authorizations", "parameters", "isUcEnabled", "location", "tags", "sku", "nextLink", "vmId",
    "hardwareProfile", "vmSize", "osProfile", "computerName", "timeCreated", "priority", "evictionPolicy",
    "instanceView", "statuses", "storageProfile", "networkProfile", "networkInterfaces", "zones",
    "databricks-instance-name", "DatabricksEnvironment", "DatabricksInstancePoolId", "DatabricksInstanceGroupId",
    "SqlEndpointId", "SqlWarehouseId", "management_service", "cost", "timespan", "interval", "namespace",
    "resourceregion", "localizedValue", "unit", "errorCode", "errorMessage", "displayDescription", "timeseries",
    "metadatavalues", "data", "timeStamp", "average", "total", "minimum", "maximum", "count",
    // Machine sizes.
    "node_types", "instance_type_id", "num_cores", "memory_mb", "num_gpus", "category", "node_instance_type",
    "is_deprecated", "is_hidden", "node_info", "support_ebs_volumes", "support_port_forwarding",
];

/// Headers of answers whose names are recorded.
#[rustfmt::skip]
const HEADERS: &[&str] = &[
    "alt-svc", "cache-control", "connection", "content-encoding", "content-length", "content-security-policy",
    "content-type", "date", "etag", "expires", "location", "pragma", "referrer-policy", "retry-after", "server",
    "set-cookie", "strict-transport-security", "transfer-encoding", "vary", "via", "www-authenticate",
    "x-content-type-options", "x-databricks-apiproxy-response-code-details", "x-databricks-org-id",
    "x-databricks-reason-phrase", "x-frame-options", "x-request-id", "x-xss-protection",
    "x-ms-correlation-request-id", "x-ms-ratelimit-remaining-subscription-reads",
    "x-ms-ratelimit-remaining-subscription-resource-requests", "x-ms-request-id", "x-ms-routing-request-id",
    "server-timing", "x-thriftserver-error-message",
];

/// Content types, without their parameters.
#[rustfmt::skip]
const CONTENT_TYPES: &[&str] = &[
    "application/json", "application/scim+json", "application/octet-stream", "application/javascript", "text/html",
    "text/plain", "text/xml", "text/css",
];

/// HTML elements.
#[rustfmt::skip]
const TAGS: &[&str] = &[
    "html", "head", "title", "meta", "link", "script", "style", "body", "div", "span", "h1", "h2", "h3", "h4",
    "h5", "h6", "p", "pre", "a", "b", "strong", "ul", "ol", "li", "table", "thead", "tbody", "tfoot", "tr", "th",
    "td", "form", "input", "button", "nav", "footer", "header", "section", "img", "svg", "br", "hr", "iframe",
    "noscript", "main", "label", "select", "option",
];

/// `data_security_mode`.
#[rustfmt::skip]
const ACCESS_MODES: &[&str] = &[
    "NONE", "SINGLE_USER", "USER_ISOLATION", "LEGACY_TABLE_ACL", "LEGACY_PASSTHROUGH", "LEGACY_SINGLE_USER",
    "LEGACY_SINGLE_USER_STANDARD", "DATA_SECURITY_MODE_AUTO", "DATA_SECURITY_MODE_STANDARD",
    "DATA_SECURITY_MODE_DEDICATED",
];

/// Phrases whose presence in pages, error texts and thread dumps is told. In lower case.
#[rustfmt::skip]
const PHRASES: &[&str] = &[
    // Spark's pages.
    "streaming query", "active streaming queries", "completed streaming queries", "activequeries",
    "completedqueries", "spark jobs", "streaming statistics", "<td>running</td>", "spark 3.", "spark 4.",
    "spark master at",
    // Refusals.
    "user not authorized", "invalid access token", "token is expired", "credential was not sent",
    "workspace-access entitlement", "unauthorized access to org", "unauthorized network access to workspace",
    "public access is not allowed for workspace", "private-link-validation-error", "expected iss claim",
    "expected aud claim", "does not have", "permission denied", "permission_denied", "not found",
    "cluster is not running", "driver is not", "no such cluster", "temporarily unavailable", "bad gateway",
    "gateway timeout", "single user", "single_user", "not allowed", "access mode", "login", "sign in",
    "denyassignmentauthorizationfailed", "authorizationfailed", "resourcenotfound",
    // Threads.
    "com.databricks.backend.daemon.driver.", "driverlocal", "pythondriverlocal", "jupyterdriverlocal",
    "scaladriverlocal", "sqldriverlocal", "rdriverlocal", "jupyterkernellistener", ".execute(", "repl",
    "stream execution thread for ", "recurringtimer - jobgenerator", "thread-pool", "task-result-getter",
    "dag-scheduler-event-loop", "sparkui", "heartbeat", "wsfs", "unity", "spark-connect", "sparkconnect",
    "execute-plan", "runningcommand", "command-execution",
];

fn find(words: &'static [&'static str], text: &str) -> Option<&'static str> {
    words.iter().find(|word| **word == text).copied()
}

/// The member of this name.
pub(super) fn member(key: &str) -> Option<&'static str> {
    find(MEMBERS, key)
}

/// The header of this name, which is in lower case.
pub(super) fn header(name: &str) -> Option<&'static str> {
    find(HEADERS, name)
}

/// The content type, its parameters left out; `<none>` and `<other>` for what is none of them.
pub(super) fn content_type(value: Option<&str>) -> &'static str {
    let Some(value) = value else {
        return "<none>";
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    find(CONTENT_TYPES, &essence.to_ascii_lowercase()).unwrap_or("<other>")
}

/// The element of this name, in any case.
pub(super) fn tag(name: &str) -> Option<&'static str> {
    find(TAGS, &name.to_ascii_lowercase())
}

/// The access mode; `<none>` and `<other>` for what is none of them.
pub(super) fn access_mode(value: Option<&str>) -> &'static str {
    match value {
        None => "<none>",
        Some(mode) => find(ACCESS_MODES, mode).unwrap_or("<other>"),
    }
}

/// Each known phrase that `text` holds, with how often.
pub(super) fn phrases(text: &str) -> Vec<(&'static str, usize)> {
    let text = text.to_lowercase();
    let counted = PHRASES
        .iter()
        .map(|phrase| (*phrase, text.matches(phrase).count()));
    counted.filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_known_word_has_none() {
        assert_eq!(member("state"), Some("state"));
        assert_eq!(member("State"), None);
        assert_eq!(header("x-planted"), None);
        assert_eq!(tag("TABLE"), Some("table"));
        assert_eq!(tag("planted"), None);
        assert_eq!(
            content_type(Some("Text/HTML; charset=planted")),
            "text/html"
        );
        assert_eq!(content_type(Some("planted/html")), "<other>");
        assert_eq!(content_type(None), "<none>");
        assert_eq!(access_mode(Some("SINGLE_USER")), "SINGLE_USER");
        assert_eq!(access_mode(Some("PLANTED")), "<other>");
    }

    #[test]
    fn phrases_are_found_in_any_case_and_stand_here_in_lower_case() {
        let found = phrases("<h4>Active Streaming Queries (2)</h4> planted");
        assert_eq!(found, [("active streaming queries", 1)]);
        for phrase in PHRASES {
            assert_eq!(phrase.to_lowercase(), **phrase);
        }
    }
}
