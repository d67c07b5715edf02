//! The least that a custom handler in axum can be: it binds the port that the
//! host gives and answers `GET /`. `cold_start` measures the handler against it.
//!
//! It must stay this small: whatever is added here makes the handler look better.

use std::io;
use std::net::Ipv4Addr;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let port = std::env::var_os("FUNCTIONS_CUSTOMHANDLER_PORT")
        .and_then(|port| port.to_str()?.parse().ok())
        .ok_or_else(|| io::Error::other("FUNCTIONS_CUSTOMHANDLER_PORT names no port"))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let router = Router::new().route("/", get(|| async { StatusCode::OK }));
    axum::serve(listener, router).await
}
