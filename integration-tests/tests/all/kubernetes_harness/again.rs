//! Starting the test binary again to run one test in another role, in another environment: for what
//! cannot be seen from inside one process, such as its own violent end.

use std::process::Command;

/// The test binary, for running the test `name` (its full path) in the role `role`.
pub(super) fn run(name: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, role);
    command
}

/// The role that this process was started for; `None` for the ordinary one.
pub(super) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

const ROLE: &str = "SLUICE_TEST_ROLE";
