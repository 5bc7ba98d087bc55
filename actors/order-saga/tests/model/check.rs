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
        answers_travel: true,
        refunds: true,
        provider: Provider {
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
        answers_travel: false,
        refunds: false,
        provider: Provider {
            declines: true,
            fails: false,
            keeps_silent: false,
            refuses_refunds: false,
        },
        ..one_order_two_replicas()
    }
}

/// For machines with time and memory.
pub(crate) fn larger() -> Vec<Config> {
    vec![Config {
        name: "1 order × 3 replicas",
        replicas: 3,
        ..one_order_two_replicas()
    }]
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

/// The first promise that a planted bug breaks, with the shortest way there.
pub(crate) fn first_violation(bug: Bug) -> Option<(&'static str, String)> {
    let config = match bug {
        Bug::RefusalLeavesNoRow => two_orders_one_replica(),
        _ => one_order_two_replicas(),
    };
    // Replicas keep their names, so that the story can be followed.
    let config = Config {
        symmetric: false,
        ..config
    };
    let checker = World::new(config, Some(bug))
        .checker()
        .threads(1)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    ALWAYS.into_iter().find_map(|(property, _)| {
        let path = checker.discovery(property)?;
        Some((property, story::tell(checker.model(), path)))
    })
}
