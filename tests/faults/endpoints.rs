//! What a sweep asks: each endpoint with the requests that it takes, the policy
//! that makes a sweep ask it, and the work that can be seen through it alone.

use simulator::Match;
use simulator::world::{
    Cluster, Load, Machine, Run, Spark, SparkJob, SqlExecution, Stream, Workspace, hours, minutes,
};

use crate::logins::{Login, identity_of, principal_of, secret_of};

/// Whose endpoint it is, and so what a fault of it can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A workspace's host: only its own workspace is struck.
    Workspace,
    /// A path of Azure Resource Manager that names one workspace.
    Arm,
    /// What one principal needs: only the workspace that is swept as this one is struck.
    Principal,
    /// What the whole sweep needs: vault, Entra, managed identity.
    Sweep,
}

/// One endpoint.
pub(crate) struct Endpoint {
    /// Method and path, as the document names it.
    pub(crate) request: &'static str,
    /// What a sweep wants of it.
    pub(crate) purpose: &'static str,
    pub(crate) reach: Reach,
    /// Which requests of a workspace are struck.
    pub(crate) matcher: fn(&Workspace) -> Match,
    /// Words by which a sentence names it; one of them is enough.
    pub(crate) named_by: &'static [&'static str],
    /// Lines of `[policy]` without which it is not asked.
    pub(crate) policy: &'static str,
    /// The one witness that the sweep has, so that what it cannot say shows.
    pub(crate) witness: Witness,
    /// Adds the cluster `busy`.
    pub(crate) busy: fn(Workspace) -> Workspace,
    /// The largest answer that is read, in bytes.
    pub(crate) cap: usize,
    /// Whether anything hangs on the body of the answer; else its status says it all.
    pub(crate) hangs_on_body: bool,
    pub(crate) struck: Struck,
    /// As whom its workspaces are swept.
    pub(crate) login: Login,
}

/// Who can say that a cluster is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Witness {
    Spark,
    Nodes,
}

/// What can be struck of an endpoint. Connections belong to a host and so to the
/// first endpoint that a sweep asks there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Struck {
    Answers,
    AnswersAndConnections,
    Connections,
}

const MIB: usize = 1 << 20;

const fn databricks(
    request: &'static str,
    purpose: &'static str,
    named_by: &'static [&'static str],
    matcher: fn(&Workspace) -> Match,
    busy: fn(Workspace) -> Workspace,
) -> Endpoint {
    Endpoint {
        request,
        purpose,
        reach: Reach::Workspace,
        matcher,
        named_by,
        policy: "",
        witness: Witness::Spark,
        busy,
        cap: 32 * MIB,
        hangs_on_body: true,
        struck: Struck::Answers,
        login: Login::Main,
    }
}

const fn driver(
    request: &'static str,
    purpose: &'static str,
    named_by: &'static [&'static str],
    matcher: fn(&Workspace) -> Match,
    busy: fn(Workspace) -> Workspace,
) -> Endpoint {
    Endpoint {
        cap: 8 * MIB,
        ..databricks(request, purpose, named_by, matcher, busy)
    }
}

const fn arm(
    request: &'static str,
    purpose: &'static str,
    named_by: &'static [&'static str],
    matcher: fn(&Workspace) -> Match,
) -> Endpoint {
    Endpoint {
        reach: Reach::Arm,
        witness: Witness::Nodes,
        cap: 4 * MIB,
        ..databricks(request, purpose, named_by, matcher, busy_machine)
    }
}

const fn of_the_sweep(
    request: &'static str,
    purpose: &'static str,
    named_by: &'static [&'static str],
    matcher: fn(&Workspace) -> Match,
) -> Endpoint {
    Endpoint {
        reach: Reach::Sweep,
        cap: MIB,
        ..databricks(request, purpose, named_by, matcher, spark_job)
    }
}

const fn of_a_principal(
    login: Login,
    request: &'static str,
    purpose: &'static str,
    named_by: &'static [&'static str],
    matcher: fn(&Workspace) -> Match,
) -> Endpoint {
    Endpoint {
        reach: Reach::Principal,
        login,
        ..of_the_sweep(request, purpose, named_by, matcher)
    }
}

/// All of them, in the order in which a sweep asks.
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    of_the_sweep(
        "GET {IDENTITY_ENDPOINT}",
        "the Function App's token for the vault",
        &["the login at", "our login", "managed identity"],
        |_| Match::host("managed-identity"),
    ),
    Endpoint {
        struck: Struck::AnswersAndConnections,
        ..of_the_sweep(
            "GET {vault}/secrets/{name}, without a token",
            "the vault's challenge",
            &["secret"],
            |_| {
                Match::any()
                    .path_prefix("/secrets/")
                    .without_header("authorization")
            },
        )
    },
    of_the_sweep(
        "GET {vault}/secrets/{name}",
        "a secret of the service principal",
        &["secret"],
        |_| {
            Match::any()
                .path_prefix("/secrets/")
                .with_header("authorization")
        },
    ),
    Endpoint {
        struck: Struck::AnswersAndConnections,
        ..of_the_sweep(
            "POST login.microsoftonline.com, for Databricks",
            "the token for every workspace",
            &["Databricks"],
            |_| Match::token_request().body("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"),
        )
    },
    Endpoint {
        witness: Witness::Nodes,
        busy: busy_machine,
        ..of_the_sweep(
            "POST login.microsoftonline.com, for ARM",
            "the token for the metrics",
            &["Azure Resource Manager"],
            |_| Match::token_request().body("management.azure.com"),
        )
    },
    of_a_principal(
        Login::Certificate,
        "GET {vault}/secrets/{name}, of a certificate",
        "the certificate and key of a service principal",
        &["secret"],
        |one| Match::path(&format!("/secrets/{}", secret_of(one))).with_header("authorization"),
    ),
    of_a_principal(
        Login::ManagedIdentity,
        "GET {IDENTITY_ENDPOINT}, for Databricks",
        "the token of a managed identity that is the principal itself",
        &["App Service gave no token"],
        |one| Match::host("managed-identity").query("client_id", &principal_of(one).client_id),
    ),
    of_a_principal(
        Login::Federated,
        "GET {IDENTITY_ENDPOINT}, for the exchange",
        "the token by which a managed identity proves an application",
        &["App Service gave no token", "App Service answered"],
        |one| Match::host("managed-identity").query("client_id", &identity_of(one).client_id),
    ),
    of_a_principal(
        Login::Federated,
        "POST login.microsoftonline.com, with a managed identity's token",
        "the token of the application that it proves",
        &["Databricks"],
        |one| Match::token_request().body(&principal_of(one).client_id),
    ),
    Endpoint {
        struck: Struck::AnswersAndConnections,
        ..databricks(
            "GET /api/2.1/clusters/list",
            "the clusters",
            &["list clusters"],
            |one| ends(one, "/clusters/list"),
            spark_job,
        )
    },
    of_a_principal(
        Login::Contributor,
        "POST login.microsoftonline.com, for Azure's service management",
        "the second token with which a contributor joins",
        &["Azure's service management"],
        |one| {
            let asks = Match::token_request().body(&principal_of(one).client_id);
            asks.body("management.core.windows.net")
        },
    ),
    Endpoint {
        cap: 4 * MIB,
        // What became of the call shows at the next plain one, whatever it answered.
        hangs_on_body: false,
        login: Login::Contributor,
        ..databricks(
            "GET /api/2.0/preview/scim/v2/Me, with the second token",
            "the membership, where `access` is `contributor` and the plain token was refused",
            &["join the workspace"],
            |one| at(one, "/scim/").with_header("x-databricks-azure-sp-management-token"),
            spark_job,
        )
    },
    Endpoint {
        policy: "protect_pinned = true",
        ..databricks(
            "GET /api/2.1/clusters/list, of pinned ones",
            "which clusters are pinned, where pins protect",
            &["list clusters"],
            |one| ends(one, "/clusters/list").query("filter_by.is_pinned", "true"),
            |one| one.cluster(idle("busy").pinned()),
        )
    },
    Endpoint {
        cap: 4 * MIB,
        ..databricks(
            "GET /api/2.0/preview/scim/v2/Me",
            "whether all runs are seen",
            &["read own groups"],
            |one| at(one, "/scim/"),
            |one| on_busy(one, Run::active("run", minutes(5))),
        )
    },
    databricks(
        "GET /api/2.2/jobs/runs/list, of active runs",
        "runs that are queued or running",
        &["active runs"],
        |one| at(one, "/jobs/runs/list").query("active_only", "true"),
        |one| on_busy(one, Run::active("run", minutes(5))),
    ),
    databricks(
        "GET /api/2.2/jobs/runs/get",
        "the tasks of a run beyond its hundredth",
        &["get run", "active runs could not be listed"],
        |one| at(one, "/jobs/runs/get"),
        |one| on_busy(one, Run::active("run", minutes(5)).filler_tasks(120)),
    ),
    databricks(
        "GET /api/2.2/jobs/runs/list, of completed runs",
        "when a run ended last",
        &["completed runs"],
        |one| at(one, "/jobs/runs/list").query("completed_only", "true"),
        spark_job,
    ),
    driver(
        "GET …/api/v1/applications",
        "the Spark application",
        &["list Spark applications"],
        |one| ends(one, "/api/v1/applications"),
        spark_job,
    ),
    driver(
        "GET …/applications/{id}/jobs?status=running",
        "running Spark jobs",
        &["list running Spark jobs"],
        |one| ends(one, "/jobs").query("status", "running"),
        spark_job,
    ),
    driver(
        "GET …/applications/{id}/stages",
        "active stages",
        &["list Spark stages"],
        |one| ends(one, "/stages"),
        |one| spark(one, Spark::quiet().orphan_stages(1)),
    ),
    driver(
        "GET …/applications/{id}/sql",
        "SQL executions",
        &["list SQL executions"],
        |one| ends(one, "/sql"),
        |one| spark(one, Spark::quiet().sql(SqlExecution::running(minutes(1)))),
    ),
    driver(
        "GET …/applications/{id}/jobs",
        "when a Spark job ended last",
        &["list Spark jobs"],
        |one| ends(one, "/jobs").without_query("status"),
        spark_job,
    ),
    Endpoint {
        // Without a query ever the page redirects.
        hangs_on_body: false,
        ..driver(
            "GET …/StreamingQuery/",
            "active streaming queries",
            &["the streaming page"],
            |one| at(one, "/StreamingQuery"),
            |one| {
                let quiet = Stream::live("orders", hours(300)).without_data();
                spark(one, Spark::quiet().stream(quiet))
            },
        )
    },
    driver(
        "GET …/applications/{id}/environment",
        "whether there would be a streaming page, where it redirects",
        &["read the Spark environment"],
        |one| ends(one, "/environment"),
        |one| {
            let quiet = Stream::live("orders", hours(300)).without_data();
            let hidden = Spark::quiet().stream(quiet).without_stream_threads();
            spark(one, hidden.conf("spark.sql.streaming.ui.enabled", "false"))
        },
    ),
    driver(
        "GET …/executors/driver/threads",
        "commands that a driver executes",
        &["dump the driver's threads"],
        |one| at(one, "/threads"),
        spark_job,
    ),
    Endpoint {
        witness: Witness::Nodes,
        ..databricks(
            "GET /api/2.1/clusters/list-node-types",
            "the size of machines",
            &["list node types"],
            |one| at(one, "/clusters/list-node-types"),
            busy_machine,
        )
    },
    Endpoint {
        struck: Struck::Connections,
        witness: Witness::Nodes,
        busy: busy_machine,
        ..of_the_sweep(
            "management.azure.com",
            "everything about machines",
            &["read the workspace resource"],
            |_| Match::any(),
        )
    },
    Endpoint {
        cap: MIB,
        ..arm(
            "GET management.azure.com, the workspace",
            "the managed resource group",
            &["read the workspace resource"],
            |one| arm_path(&one.resource_id),
        )
    },
    Endpoint {
        cap: 16 * MIB,
        ..arm(
            "GET management.azure.com, the VMs",
            "the machines of the managed resource group",
            &["list the VMs of the managed resource group"],
            |one| arm_path(&one.managed_group_id).path_suffix("/virtualMachines"),
        )
    },
    arm(
        "GET management.azure.com, metrics of a VM",
        "the load of machines",
        &["read the metrics of a VM"],
        |one| arm_path(&one.managed_group_id).path_suffix("/metrics"),
    ),
    Endpoint {
        witness: Witness::Nodes,
        ..databricks(
            "POST /api/2.1/clusters/events",
            "whether machines came or went, where they are the only witness",
            &["list cluster events"],
            |one| at(one, "/clusters/events"),
            |one| one.cluster(idle("busy").event("RESIZING", hours(3))),
        )
    },
    Endpoint {
        cap: 4 * MIB,
        ..databricks(
            "GET /api/2.1/clusters/get",
            "the cluster's record, last thing before a termination and after it",
            &["get cluster"],
            |one| at(one, "/clusters/get"),
            spark_job,
        )
    },
    Endpoint {
        cap: 4 * MIB,
        hangs_on_body: false,
        ..databricks(
            "POST /api/2.1/clusters/delete",
            "the termination",
            &["terminate cluster"],
            |one| at(one, "/clusters/delete"),
            spark_job,
        )
    },
];

fn at(workspace: &Workspace, part: &str) -> Match {
    Match::path(part).at_host(&workspace.host)
}

/// Paths that end like this, not those below it.
fn ends(workspace: &Workspace, end: &str) -> Match {
    Match::host(&workspace.host).path_suffix(end)
}

fn arm_path(resource: &str) -> Match {
    Match::host("management.azure.com").path_prefix(resource)
}

/// Idle for so long that Spark alone would do, and not so long that machines alone
/// would, which is when even a stream that waits for data is given up.
pub(crate) fn idle(name: &str) -> Cluster {
    Cluster::idle(name).since(hours(90))
}

fn spark(workspace: Workspace, spark: Spark) -> Workspace {
    workspace.cluster(idle("busy").spark(spark))
}

fn spark_job(workspace: Workspace) -> Workspace {
    spark(workspace, Spark::quiet().job(SparkJob::running(minutes(1))))
}

/// Work that Spark does not see.
fn busy_machine(workspace: Workspace) -> Workspace {
    workspace.cluster(idle("busy").load(Machine::Driver, &[Load::since(hours(1), 1.0)]))
}

fn on_busy(workspace: Workspace, run: Run) -> Workspace {
    workspace.cluster(idle("busy")).run(run.on("busy"))
}
