//! A simulator started by hand: prints the settings with which a client reaches the pretend cloud, then
//! one line for each request, until Ctrl-C.
//!
//! It serves the sample world. Tests use the library instead.
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::time::Duration;

use simulator::Simulator;
use simulator::world::World;

const POLL_INTERVAL: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let simulator = Simulator::start(World::sample())?;
    println!("# Environment for the client");
    for (name, value) in simulator.env() {
        println!("export {name}='{value}'");
    }
    println!("\n# Policy\n[witness.spark]\nprincipal = \"main\"\n");
    println!("{}", simulator.policy_workspaces());
    println!("# Requests (Ctrl-C ends)");
    let log = async {
        let mut printed = 0;
        loop {
            printed = print_from(&simulator, printed);
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    tokio::select! {
        () = log => Ok(()),
        ended = tokio::signal::ctrl_c() => ended,
    }
}

/// Prints the requests from a number on that have been answered, up to the first that has not.
fn print_from(simulator: &Simulator, first: usize) -> usize {
    let answered: Vec<String> = simulator.look_at_record(|record| {
        record.requests()[first..]
            .iter()
            .take_while(|recorded| recorded.status.is_some())
            .map(ToString::to_string)
            .collect()
    });
    for line in &answered {
        println!("{line}");
    }
    first + answered.len()
}
