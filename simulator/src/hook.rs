//! Hooks: changes of the world that happen just before or just after a certain request is answered.
//!
//! This is how a test lets the world change between a client's look and its act. A hook runs while the
//! world is locked for the very request, so nothing comes between the two.

use crate::http::Request;
use crate::matching::{Match, Times};
use crate::world::World;

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before the service answers, which then sees the changed world.
    Before,
    /// After the service has answered from the unchanged world.
    After,
}

type Change = Box<dyn FnMut(&mut World) + Send>;

struct Hook {
    matcher: Match,
    times: Times,
    when: When,
    change: Change,
    count: u64,
}

/// All hooks in force.
#[derive(Default)]
pub(crate) struct Hooks(Vec<Hook>);

impl Hooks {
    pub(crate) fn add(&mut self, matcher: Match, times: Times, when: When, change: Change) {
        self.0.push(Hook {
            matcher,
            times,
            when,
            change,
            count: 0,
        });
    }

    /// Runs the hooks for a request. The error names a hook that panicked, as one does that speaks of
    /// something the world does not hold.
    pub(crate) fn run(
        &mut self,
        when: When,
        request: &Request,
        world: &mut World,
    ) -> Result<(), String> {
        for hook in self
            .0
            .iter_mut()
            .filter(|hook| hook.when == when && hook.matcher.matches(request))
        {
            hook.count += 1;
            if !hook.times.include(hook.count) {
                continue;
            }
            let run = std::panic::AssertUnwindSafe(|| (hook.change)(world));
            if std::panic::catch_unwind(run).is_err() {
                return Err(format!("a hook panicked at {request:?}"));
            }
        }
        Ok(())
    }
}
