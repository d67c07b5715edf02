//! The record: every connection and request that reached the simulator, in order of arrival, and what was
//! answered.
//!
//! Values of headers and bodies are kept, so that a test can search for leaks and assert on what was sent;
//! `Debug` and `Display` show neither. Tests read snapshots; only the connections write.

mod request;

use std::collections::BTreeMap;

pub use request::RecordedRequest;
use request::{is_mutating, is_token_request};

use crate::http::Request;
use crate::matching::Match;
use crate::services::IDENTITY_HOST;

/// The number of a request that was counted and not kept.
const NOT_KEPT: usize = usize::MAX;

/// One attempt to connect to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedConnect {
    /// The host and port that the client named.
    pub target: String,
    /// Whether the proxy connected.
    pub was_accepted: bool,
}

/// How much has happened so far, also where the requests themselves are not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections that the proxy made.
    pub connects: u64,
    /// Requests of any kind.
    pub requests: u64,
    /// Token requests at Entra.
    pub token_requests: u64,
    /// Requests that could change something.
    pub mutating: u64,
    /// Requests that are open now.
    pub open: u64,
    /// The most that were open at one time.
    pub most_open: u64,
}

/// What has happened so far.
#[derive(Clone, Debug, Default)]
pub struct Record {
    tally: Tally,
    counts_only: bool,
    requests: Vec<RecordedRequest>,
    connects: Vec<RecordedConnect>,
    other_violations: Vec<String>,
    open: BTreeMap<String, usize>,
    peak: BTreeMap<String, usize>,
}

impl Record {
    /// All requests in order of arrival.
    pub fn requests(&self) -> &[RecordedRequest] {
        &self.requests
    }

    /// All attempts to connect, in order.
    pub fn connects(&self) -> &[RecordedConnect] {
        &self.connects
    }

    /// The requests that a matcher matches.
    pub fn matching(&self, matcher: &Match) -> Vec<&RecordedRequest> {
        self.filter(|recorded| matcher.matches(&recorded.request))
    }

    /// The requests to a host.
    pub fn to(&self, host: &str) -> Vec<&RecordedRequest> {
        self.filter(|recorded| recorded.host() == host)
    }

    /// The requests that could change something at Databricks or Azure Resource Manager.
    pub fn mutating(&self) -> Vec<&RecordedRequest> {
        self.filter(RecordedRequest::is_mutating)
    }

    /// The requests with a header by which a contributor on the workspace's resource becomes an admin.
    pub fn joinings(&self) -> Vec<&RecordedRequest> {
        self.filter(RecordedRequest::carries_azure_header)
    }

    /// The ids of the clusters that a client asked to terminate, in order, whatever was answered.
    pub fn terminations(&self) -> Vec<String> {
        self.matching(&Match::termination())
            .iter()
            .filter_map(|recorded| {
                recorded.request.json_body()["cluster_id"]
                    .as_str()
                    .map(str::to_owned)
            })
            .collect()
    }

    /// The token requests at Entra.
    pub fn token_requests(&self) -> Vec<&RecordedRequest> {
        self.filter(|recorded| is_token_request(&recorded.request))
    }

    /// The scopes (or, at the first version of the endpoint, resources) of the token requests at Entra that
    /// were answered with a token, in order.
    pub fn granted_scopes(&self) -> Vec<String> {
        self.token_requests()
            .iter()
            .filter(|recorded| recorded.status == Some(200))
            .filter_map(|recorded| {
                // The first version reads `resource` and ignores the `scope` that some clients send along.
                let is_v2 = recorded.path().ends_with("/v2.0/token");
                let key = if is_v2 { "scope" } else { "resource" };
                recorded.request.form_body().first(key).map(str::to_owned)
            })
            .collect()
    }

    /// Who was given a token at Entra for what: tenant, client id and scope, in order.
    pub fn grants(&self) -> Vec<(String, String, String)> {
        let granted = self.token_requests().into_iter();
        let granted = granted.filter(|recorded| recorded.status == Some(200));
        granted
            .map(|recorded| {
                let form = recorded.request.form_body();
                let text = |key: &str| form.first(key).unwrap_or_default().to_owned();
                let tenant = recorded.path().split('/').nth(1).unwrap_or_default();
                let asked_for = if recorded.path().ends_with("/v2.0/token") {
                    text("scope")
                } else {
                    text("resource")
                };
                (tenant.to_owned(), text("client_id"), asked_for)
            })
            .collect()
    }

    /// The requests to App Service's token endpoint.
    pub fn identity_requests(&self) -> Vec<&RecordedRequest> {
        self.to(IDENTITY_HOST)
    }

    /// The names of the secrets whose reading was answered with a value, in order.
    pub fn secret_reads(&self) -> Vec<String> {
        self.vault_requests()
            .iter()
            .filter(|recorded| {
                recorded.status == Some(200) && !recorded.path().ends_with("/versions")
            })
            .filter_map(|recorded| recorded.path().split('/').nth(2).map(str::to_owned))
            .collect()
    }

    /// The requests that a vault answered with a challenge.
    pub fn secret_challenges(&self) -> Vec<&RecordedRequest> {
        let mut requests = self.vault_requests();
        requests.retain(|recorded| recorded.status == Some(401));
        requests
    }

    /// The requests that went to a driver's machine.
    pub fn driver_requests(&self) -> Vec<&RecordedRequest> {
        self.filter(RecordedRequest::is_driver_proxy)
    }

    /// The most requests to a host that were open at one time.
    pub fn peak_at(&self, host: &str) -> usize {
        self.peak.get(host).copied().unwrap_or(0)
    }

    /// How much has happened.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// What nobody arranged, in words.
    pub fn violations(&self) -> Vec<String> {
        let of_requests = self
            .requests
            .iter()
            .filter(|recorded| recorded.violation.is_some())
            .map(ToString::to_string);
        of_requests
            .chain(self.other_violations.iter().cloned())
            .collect()
    }

    fn vault_requests(&self) -> Vec<&RecordedRequest> {
        self.filter(|recorded| {
            recorded.host().contains(".vault.") && recorded.path().starts_with("/secrets/")
        })
    }

    fn filter(&self, keep: impl Fn(&RecordedRequest) -> bool) -> Vec<&RecordedRequest> {
        self.requests
            .iter()
            .filter(|recorded| keep(recorded))
            .collect()
    }

    pub(crate) fn connect(&mut self, target: &str, was_accepted: bool) {
        self.tally.connects += u64::from(was_accepted);
        if self.counts_only {
            return;
        }
        self.connects.push(RecordedConnect {
            target: target.to_owned(),
            was_accepted,
        });
    }

    pub(crate) fn violation(&mut self, why: String) {
        self.other_violations.push(why);
    }

    /// Keeps requests from now on, or only counts them.
    pub(crate) fn count_only(&mut self, counts_only: bool) {
        self.counts_only = counts_only;
    }

    /// Writes a request down before it is answered; the number is for [`Record::end`].
    pub(crate) fn begin(&mut self, request: &Request, at_ms: i64) -> usize {
        let tally = &mut self.tally;
        tally.requests += 1;
        tally.token_requests += u64::from(is_token_request(request));
        tally.mutating += u64::from(is_mutating(request));
        tally.open += 1;
        tally.most_open = tally.most_open.max(tally.open);
        if self.counts_only {
            return NOT_KEPT;
        }
        let host = request.host.clone();
        let open = self.open.entry(host.clone()).or_default();
        *open += 1;
        let peak = self.peak.entry(host).or_default();
        *peak = (*peak).max(*open);
        self.requests.push(RecordedRequest {
            request: request.clone(),
            at_ms,
            status: None,
            violation: None,
        });
        self.requests.len() - 1
    }

    pub(crate) fn end(&mut self, number: usize, status: Option<u16>, violation: Option<String>) {
        self.tally.open = self.tally.open.saturating_sub(1);
        if number == NOT_KEPT {
            self.other_violations.extend(violation);
        } else if let Some(recorded) = self.requests.get_mut(number) {
            recorded.status = status;
            recorded.violation = violation;
            if let Some(open) = self.open.get_mut(&recorded.request.host) {
                *open = open.saturating_sub(1);
            }
        }
    }

    /// Forgets everything so far, but not which requests are open.
    pub(crate) fn forget(&mut self) {
        self.connects.clear();
        self.other_violations.clear();
        self.requests.clear();
        self.peak = self.open.clone();
        let open = self.tally.open;
        self.tally = Tally {
            open,
            most_open: open,
            ..Tally::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::HeaderMap;

    use super::*;

    fn request(host: &str, method: &str, path: &str) -> Request {
        Request::new(method, host, path, "", HeaderMap::new(), Bytes::new())
    }

    #[test]
    fn what_is_only_counted_is_not_kept_but_its_violation_is() {
        let mut record = Record::default();
        record.count_only(true);
        let read = record.begin(&request("management.azure.com", "GET", "/"), 0);
        let token = request("login.microsoftonline.us", "POST", "/t/oauth2/v2.0/token");
        let token = record.begin(&token, 0);
        record.end(read, Some(200), None);
        record.end(token, Some(501), Some("a strange token".to_owned()));
        let changed = record.begin(&request("management.azure.com", "PUT", "/"), 0);
        record.connect("host:443", true);
        let expected = Tally {
            connects: 1,
            requests: 3,
            token_requests: 1,
            mutating: 1,
            open: 1,
            most_open: 2,
        };
        assert_eq!(record.tally(), expected);
        assert!(record.requests().is_empty() && record.connects().is_empty());
        assert_eq!(record.violations(), ["a strange token"]);
        record.forget();
        record.end(changed, Some(200), None);
        assert_eq!(record.tally().open, 0);
        assert!(record.violations().is_empty());
    }
}
