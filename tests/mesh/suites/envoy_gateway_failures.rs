//! What happens under Envoy Gateway when something does not work: each row of the table in docs/failures.md is made to
//! happen, with `failOpen` false and true, and cured.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "envoy_gateway_failures/causes.rs"]
mod causes;
#[path = "envoy_gateway_failures/cluster.rs"]
mod cluster;
#[path = "envoy_gateway_failures/fetches.rs"]
mod fetches;
#[path = "envoy_gateway_failures/page.rs"]
mod page;
#[path = "envoy_gateway_failures/policies.rs"]
mod policies;
#[path = "envoy_gateway_failures/proxies.rs"]
mod proxies;
#[path = "envoy_gateway_failures/rows.rs"]
mod rows;
#[path = "envoy_gateway_failures/scene.rs"]
mod scene;

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use mesh::machine;
use scene::Scene;

/// The scene of this suite, for one test at a time; `None` outside `make mesh`.
fn scene() -> Option<MutexGuard<'static, Scene>> {
    static SCENE: LazyLock<Mutex<Scene>> = LazyLock::new(|| Mutex::new(Scene::start()));
    machine::ready().then(|| SCENE.lock().unwrap_or_else(PoisonError::into_inner))
}

#[test]
fn each_row_of_the_page_happens_as_it_says_and_is_cured() {
    let Some(mut scene) = scene() else { return };
    let page = page::rows();
    let names: Vec<_> = rows::all().map(|row| row.name).collect();
    assert_eq!(page.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), names);
    for (row, expected) in rows::all().zip(&page) {
        let start = Instant::now();
        scene.good();
        for fail_open in [false, true] {
            let before = scene.mark();
            (row.make)(&mut scene, fail_open);
            scene.expect(&before, expected, row, fail_open);
        }
        (row.cure)(&mut scene);
        scene.serves();
        println!("{:5.1} s  {}", start.elapsed().as_secs_f64(), row.name);
    }
}
