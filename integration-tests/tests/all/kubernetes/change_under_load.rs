//! An Ingress added, changed and removed while other hosts are busy.

use std::sync::{Arc, Mutex};

use sluice_integration_tests::client::fetch;
use sluice_integration_tests::load::Load;
use sluice_integration_tests::system::{System, ingress};
use tokio::task::JoinSet;
use tokio::time::{Duration, interval};

use super::shop;

#[test]
fn other_hosts_see_nothing_and_the_new_one_nothing_between() {
    let mut system = System::start().unwrap();
    let (busy, stories) = system
        .run(async |system| {
            let _pods = shop(system, "shop", &["old", "first", "second"], 2).await?;
            system
                .cluster()
                .apply(&ingress("shop", "old", "old.example.com", "old"))?;
            system
                .wait_until_served("old.example.com", "/", "old-")
                .await?;

            let busy = Load::new(System::targets("old.example.com", "old-"))
                .per_second(200)
                .start();
            let watched = Watched::start("new.example.com");
            busy.wait_for_more(100).await?;
            system
                .cluster()
                .apply(&ingress("shop", "new", "new.example.com", "first"))?;
            system
                .wait_until_served("new.example.com", "/", "first-")
                .await?;
            busy.wait_for_more(100).await?;
            system
                .cluster()
                .apply(&ingress("shop", "new", "new.example.com", "second"))?;
            system
                .wait_until_served("new.example.com", "/", "second-")
                .await?;
            busy.wait_for_more(100).await?;
            system
                .cluster()
                .kubectl(&["delete", "ingress", "new", "--namespace=shop"])?;
            system
                .wait_until_refused("new.example.com", "/", 404)
                .await?;
            busy.wait_for_more(100).await?;
            Ok((busy.stop().await, watched.stories()))
        })
        .unwrap();
    println!("on other hosts: {busy}");
    busy.require_no_failure(400).unwrap();
    for (node, story) in stories.iter().enumerate() {
        assert_eq!(
            *story,
            ["404", "first", "second", "404"],
            "through node-{}",
            node + 1
        );
    }
}

/// A host asked through every node, one request after the other, each over a connection of its own.
struct Watched {
    stories: [Arc<Mutex<Vec<String>>>; System::NODES],
    _tasks: JoinSet<()>,
}

impl Watched {
    fn start(host: &'static str) -> Self {
        let stories: [Arc<Mutex<Vec<String>>>; System::NODES] = Default::default();
        let mut tasks = JoinSet::new();
        for (node, story) in stories.iter().enumerate() {
            let story = Arc::clone(story);
            tasks.spawn(async move {
                let mut times = interval(Duration::from_millis(10));
                loop {
                    times.tick().await;
                    let said = said(node, host).await;
                    let mut story = story.lock().unwrap();
                    if story.last() != Some(&said) {
                        story.push(said);
                    }
                }
            });
        }
        Self {
            stories,
            _tasks: tasks,
        }
    }

    /// What each node answered, in order; what it said again and again is there once.
    fn stories(self) -> [Vec<String>; System::NODES] {
        self.stories.map(|story| story.lock().unwrap().clone())
    }
}

/// The Service that answered, or the status, or the error.
async fn said(node: usize, host: &str) -> String {
    match fetch(&System::destination(node, host, "/")).await {
        Ok(answer) => match answer.backend().and_then(|backend| backend.split_once('-')) {
            Some((service, _)) => service.to_owned(),
            None => answer.status.as_str().to_owned(),
        },
        Err(error) => error.chain(),
    }
}
