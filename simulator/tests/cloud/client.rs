//! A client of the simulator for its own tests: reqwest through the proxy with the simulator's authority,
//! as the handler reaches it.
//!
//! It knows how to get tokens and nothing of the endpoints; each test speaks to those itself.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Method, Proxy};
use serde_json::Value;
use simulator::Simulator;
use simulator::world::{DATABRICKS_APP_ID, TENANT_ID, Workspace, World};

pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The application-wide scopes that tests ask for.
pub(crate) const DATABRICKS: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default";
pub(crate) const ARM: &str = "https://management.azure.com/.default";
pub(crate) const MANAGEMENT: &str = "https://management.core.windows.net//.default";

pub(crate) struct Client {
    http: reqwest::Client,
    token: Option<String>,
    headers: Vec<(String, String)>,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// The body as JSON; `null` if it is none, so that an assertion on a field fails.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl Client {
    /// A client without a token.
    pub(crate) fn of(simulator: &Simulator) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(Duration::from_secs(10))
            .proxy(Proxy::https(simulator.proxy_url())?)
            .tls_certs_only([Certificate::from_pem(simulator.ca_pem().as_bytes())?])
            .build()?;
        Ok(Self {
            http,
            token: None,
            headers: Vec::new(),
        })
    }

    /// A client with a token of the main principal.
    pub(crate) async fn with_scope(
        simulator: &Simulator,
        scope: &str,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        Self::as_principal(simulator, "main", scope).await
    }

    /// A client with a token of a principal.
    pub(crate) async fn as_principal(
        simulator: &Simulator,
        principal: &str,
        scope: &str,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let mut client = Self::of(simulator)?;
        let (id, secret) = simulator.world(|world| {
            let principal = world.principal_mut(principal);
            (principal.client_id.clone(), principal.secret().to_owned())
        });
        let reply = client.ask_for_token(TENANT_ID, &id, &secret, scope).await?;
        let token = reply.json()["access_token"]
            .as_str()
            .ok_or("no token")?
            .to_owned();
        client.token = Some(token);
        Ok(client)
    }

    pub(crate) fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn held_token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    pub(crate) async fn ask_for_token(
        &self,
        tenant: &str,
        id: &str,
        secret: &str,
        scope: &str,
    ) -> Result<Reply, reqwest::Error> {
        let proof = [("client_secret", secret)];
        self.ask_with(tenant, id, &proof, scope).await
    }

    /// Asks for a token with an assertion in the place of a secret.
    pub(crate) async fn ask_with_assertion(
        &self,
        tenant: &str,
        id: &str,
        assertion: &str,
        scope: &str,
    ) -> Result<Reply, reqwest::Error> {
        let jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let proof = [
            ("client_assertion_type", jwt),
            ("client_assertion", assertion),
        ];
        self.ask_with(tenant, id, &proof, scope).await
    }

    /// Asks for a token with these fields as proof.
    pub(crate) async fn ask_with(
        &self,
        tenant: &str,
        id: &str,
        proof: &[(&str, &str)],
        scope: &str,
    ) -> Result<Reply, reqwest::Error> {
        let form: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", id)
            .append_pair("scope", scope)
            .extend_pairs(proof)
            .finish();
        let url = format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token");
        let request = self
            .http
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        reply(request).await
    }

    pub(crate) async fn get(&self, url: &str) -> Result<Reply, reqwest::Error> {
        self.send(Method::GET, url, None).await
    }

    pub(crate) async fn post(&self, url: &str, body: &Value) -> Result<Reply, reqwest::Error> {
        self.send(Method::POST, url, Some(body)).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
    ) -> Result<Reply, reqwest::Error> {
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        reply(request).await
    }
}

async fn reply(request: reqwest::RequestBuilder) -> Result<Reply, reqwest::Error> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    Ok(Reply {
        status,
        headers,
        text: response.text().await?,
    })
}

/// A simulator of one workspace.
pub(crate) fn start(workspace: Workspace) -> std::io::Result<Simulator> {
    assert_eq!(DATABRICKS, format!("{DATABRICKS_APP_ID}/.default"));
    Simulator::start(World::new().workspace(workspace))
}

/// The URL of a path in the workspace `analytics`.
pub(crate) fn url(simulator: &Simulator, path: &str) -> String {
    let host = simulator.world(|world| world.workspace_mut("analytics").host.clone());
    format!("https://{host}{path}")
}
