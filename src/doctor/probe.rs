//! `doctor --probe-proxy`: whether the driver proxy passes our `Authorization` header on
//! to the machine behind it.
//!
//! The operator starts a small server on a driver (`docs/probe-proxy.md`), which answers
//! with the names of the headers that reached it and never with a value. It is asked
//! with the token of the principal that the policy names for the Spark witness, which is
//! whose token a sweep would send there. The answer comes from a machine that its
//! users control, so it is believed only in its documented form.

use bytes::Bytes;
use http::Response;
use serde::Deserialize;

use super::ways::Ways;
use crate::cluster::ClusterId;
use crate::escape::Shown;
use crate::service::{Accepts, Get, NoAnswer, Stage};

/// What the server calls itself.
const MARK: &str = "terminate-clusters";
/// Names of headers that are shown.
const SHOWN_NAMES: usize = 40;

/// The answer of the server in `docs/probe-proxy.md`.
#[derive(Deserialize)]
struct Echo {
    probe: String,
    headers: Vec<String>,
}

/// What the probe showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// The header arrives, with these others.
    Arrives(Vec<String>),
    /// The header is taken out; these arrive.
    TakenOut(Vec<String>),
    /// Nothing can be said.
    Nothing(String),
}

impl Probed {
    /// Asks the server on the driver.
    pub(super) async fn ask(ways: &Ways, cluster: &ClusterId, port: u16) -> Self {
        let (Some(service), Some(org)) = (&ways.drivers, ways.org_id()) else {
            return Self::Nothing("the policy names no principal for the drivers".to_owned());
        };
        let port = port.to_string();
        let get = Get {
            verb: "probe the driver proxy",
            stage: Stage::Spark,
            path: &["driver-proxy-api", "o", &org, cluster.as_str(), &port, ""],
            query: &[],
            accepts: Accepts::Json,
        };
        let (answer, _) = service.get_raw(get).await;
        Self::of(&answer)
    }

    /// What an answer shows.
    #[must_use]
    pub fn of(answer: &Result<Response<Bytes>, NoAnswer>) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => return Self::Nothing(format!("no answer came ({})", why.as_str())),
        };
        let status = answer.status().as_u16();
        if status != 200 {
            let hint = match status {
                401 | 403 => "; the principal needs CAN_ATTACH_TO on the cluster",
                404 => "; check the cluster and the port",
                502..=504 => "; check that the server runs on the driver, and on this port",
                _ => "",
            };
            return Self::Nothing(format!("the proxy answered HTTP {status}{hint}"));
        }
        match serde_json::from_slice::<Echo>(answer.body()) {
            Ok(Echo { probe, headers }) if probe == MARK => {
                let is_ours = |name: &String| name.eq_ignore_ascii_case("authorization");
                if headers.iter().any(is_ours) {
                    Self::Arrives(headers)
                } else {
                    Self::TakenOut(headers)
                }
            }
            Ok(_) | Err(_) => Self::Nothing(
                "something else than the server of docs/probe-proxy.md answered there".to_owned(),
            ),
        }
    }

    /// The stable spelling.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Arrives(_) => "arrives",
            Self::TakenOut(_) => "taken_out",
            Self::Nothing(_) => "not_shown",
        }
    }

    /// Names of the headers that reached the machine.
    #[must_use]
    pub fn headers(&self) -> Vec<String> {
        let names: &[String] = match self {
            Self::Arrives(names) | Self::TakenOut(names) => names,
            Self::Nothing(_) => &[],
        };
        let names = names.iter().take(SHOWN_NAMES);
        let mut names: Vec<String> = names.map(|name| Shown::name(name).to_string()).collect();
        names.sort_unstable();
        names
    }

    /// What was seen and what follows for `[witness.spark]`.
    #[must_use]
    pub fn sentence(&self, principal: &str) -> String {
        let principal = Shown::name(principal);
        match self {
            Self::Arrives(_) => format!(
                "the `Authorization` header reaches the driver: whoever runs code on this cluster can take the token of \
                 `{principal}` and use it for as long as it lives, so give `[witness.spark]` a principal of its own with \
                 nothing but CAN_ATTACH_TO, or leave the witness off"
            ),
            Self::TakenOut(_) => format!(
                "the `Authorization` header did not reach the driver: this proxy took it out on the way to this cluster; \
                 nothing promises that it always does, so a principal with nothing but CAN_ATTACH_TO stays the safer \
                 `[witness.spark]` than `{principal}` if that has more"
            ),
            Self::Nothing(why) => {
                format!("whether the `Authorization` header reaches the driver is not shown: {why}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probed(status: u16, body: &str) -> Probed {
        let answer = Response::builder().status(status);
        Probed::of(&Ok(answer.body(Bytes::from(body.to_owned())).unwrap()))
    }

    #[test]
    fn the_names_that_the_server_saw_decide() {
        let with = r#"{"probe":"terminate-clusters","headers":["Host","AUTHORIZATION"]}"#;
        assert_eq!(probed(200, with).as_str(), "arrives");
        let without = r#"{"probe":"terminate-clusters","headers":["host","x-real-authorization"]}"#;
        assert_eq!(probed(200, without).as_str(), "taken_out");
        assert!(
            probed(200, with)
                .sentence("main")
                .contains("token of `main`")
        );
    }

    #[test]
    fn nothing_else_that_answers_shows_anything() {
        for (status, body) in [
            (200, "{}"),
            (200, r#"{"probe":"other","headers":["authorization"]}"#),
            (200, r#"{"probe":"terminate-clusters"}"#),
            (200, "<html>"),
            (200, ""),
            (302, ""),
            (403, r#"{"probe":"terminate-clusters","headers":[]}"#),
            (404, ""),
            (503, ""),
        ] {
            let probed = probed(status, body);
            assert_eq!(probed.as_str(), "not_shown", "{status} {body}");
            assert!(probed.headers().is_empty());
        }
        let none = Probed::of(&Err(NoAnswer::NoToken));
        assert!(none.sentence("main").ends_with("no answer came (no_token)"));
    }

    #[test]
    fn names_from_a_machine_of_the_users_forge_no_line() {
        let body = r#"{"probe":"terminate-clusters","headers":["a\nok  settings"]}"#;
        assert_eq!(probed(200, body).headers(), ["a\\nok  settings"]);
    }
}
