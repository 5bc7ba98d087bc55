//! The configurations, and running them.

use std::time::{Duration, Instant};

use order_saga::SagaLimits;
use payment::Policy;
use stateright::{Checker as _, HasDiscoveries, Model, Property};

use crate::bugs::Bug;
use crate::properties::{ALWAYS, properties};
use crate::state::State;
use crate::story;
use crate::world::{Action, Config, Provider, World};

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        self.beginnings()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.steps(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.take(state, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties(self)
    }
}

/// Every counter as small as it can be without taking a branch away.
fn limits() -> SagaLimits {
    SagaLimits {
        reserve_deadlines_max: 1,
        payment_deadlines_max: 1,
        alert_deadlines: 1,
        ..SagaLimits::default()
    }
}

fn policy() -> Policy {
    Policy {
        attempts_per_round: 1,
        // Two: a finding from before the void may count as the first look.
        voided_look_ups: vec![Duration::from_secs(10), Duration::from_secs(60)],
        refund_attempts_max: 2,
        ..Policy::default()
    }
}

/// Everything that can happen to one order.
pub(crate) fn one_order_two_replicas() -> Config {
    Config {
        name: "1 order × 2 replicas",
        orders: 1,
        replicas: 2,
        starts: &[1, 0],
        limits: limits(),
        policy: policy(),
        attempts_max: 2,
        answers_under_way: 1,
        refunds: true,
        operators: false,
        provider: Provider {
            takes_time: true,
            declines: true,
            fails: true,
            keeps_silent: true,
            refuses_refunds: true,
        },
        symmetric: true,
    }
}

/// Two orders want the last piece.
pub(crate) fn two_orders_one_replica() -> Config {
    Config {
        name: "2 orders × 1 replica",
        orders: 2,
        replicas: 1,
        starts: &[1],
        attempts_max: 1,
        answers_under_way: 0,
        provider: Provider {
            takes_time: false,
            declines: true,
            fails: false,
            keeps_silent: false,
            refuses_refunds: false,
        },
        ..one_order_two_replicas()
    }
}

/// People put their hands in, at any time.
pub(crate) fn one_order_with_operators() -> Config {
    Config {
        name: "1 order × 1 replica with operators",
        replicas: 1,
        operators: true,
        ..one_order_two_replicas()
    }
}

/// For machines with time and memory.
pub(crate) fn larger() -> Vec<Config> {
    let one = one_order_two_replicas();
    let two = two_orders_one_replica();
    vec![
        Config {
            name: "1 order × 2 replicas, two answers under way",
            answers_under_way: 2,
            ..one.clone()
        },
        Config {
            name: "1 order × 3 replicas",
            replicas: 3,
            ..one.clone()
        },
        Config {
            name: "1 order × 2 replicas, three attempts and refunds",
            attempts_max: 3,
            policy: Policy {
                attempts_per_round: 2,
                refund_attempts_max: 3,
                ..policy()
            },
            ..one.clone()
        },
        Config {
            name: "1 order × 2 replicas with operators",
            operators: true,
            ..one
        },
        Config {
            name: "2 orders × 2 replicas",
            replicas: 2,
            ..two.clone()
        },
        Config {
            name: "2 orders × 1 replica, a provider that takes time",
            refunds: false,
            provider: Provider {
                takes_time: true,
                ..two.provider
            },
            ..two
        },
    ]
}

/// Searches everything; panics with the shortest way to a broken promise.
pub(crate) fn check(config: Config) {
    let name = config.name;
    let world = World::new(config, None);
    println!(
        "{name}: {} sagas, {} payments, {} books of stock in the tables",
        world.sagas[0].len(),
        world.payments[0].len(),
        world.stocks.len()
    );
    let seen = properties(&world).len() - ALWAYS.len();
    let began = Instant::now();
    let checker = world
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let world = checker.model();
    println!(
        "{name}: {} states, {} transitions, depth {}, {} durable states that can still end, in {:.1} s",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        world.healing.known(),
        began.elapsed().as_secs_f64()
    );
    let discoveries = checker.discoveries();
    for (property, _) in ALWAYS {
        if let Some(path) = checker.discovery(property) {
            panic!(
                "{name} breaks \"{property}\":\n{}",
                story::tell(world, path)
            );
        }
        println!("  always     {property}");
    }
    for property in properties(world).iter().skip(ALWAYS.len()) {
        assert!(
            discoveries.contains_key(property.name),
            "never seen: {}",
            property.name
        );
        println!("  sometimes  {}", property.name);
    }
    assert_eq!(discoveries.len(), seen);
}

/// A broken promise.
pub(crate) struct Violation {
    /// How many steps lead to it.
    pub(crate) steps: usize,
    /// What they are.
    pub(crate) story: String,
}

/// Lets the search find the promise that a planted bug is to break, and looks for ever shorter ways until there is none.
pub(crate) fn shortest_violation(bug: Bug) -> Option<Violation> {
    let config = match bug {
        Bug::RefusalLeavesNoRow => two_orders_one_replica(),
        _ => one_order_two_replicas(),
    };
    // Replicas keep their names, so that the story can be followed.
    let config = Config {
        symmetric: false,
        ..config
    };
    let mut shortest = None;
    let mut depth_max = usize::MAX;
    loop {
        let checker = World::new(config.clone(), Some(bug))
            .checker()
            .threads(1)
            .finish_when(HasDiscoveries::AnyOf([bug.breaks()].into()))
            .target_max_depth(depth_max)
            .spawn_bfs()
            .join();
        let Some(path) = checker.discovery(bug.breaks()) else {
            return shortest;
        };
        // The search skips states as deep as the limit, and a beginning counts as one.
        depth_max = path.clone().into_states().len();
        shortest = Some(Violation {
            steps: depth_max - 1,
            story: story::tell(checker.model(), path),
        });
    }
}
