//! docs/failures.md, Istio: each row is made to happen in a real Istio, in every `failStrategy`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "istio_failures/alerts.rs"]
mod alerts;
#[path = "istio_failures/file.rs"]
mod file;
#[path = "istio_failures/page.rs"]
mod page;
#[path = "istio_failures/rows.rs"]
mod rows;
#[path = "istio_failures/scene.rs"]
mod scene;
#[path = "istio_failures/sources.rs"]
mod sources;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::thread;
use std::time::Instant;

use alerts::Prometheus;
use mesh::istio::Mesh;
use scene::Scene;
use sources::Sources;

/// The mesh of all tests, and the registries that fail.
fn world() -> Option<&'static (Mesh, Sources)> {
    static WORLD: LazyLock<Option<(Mesh, Sources)>> = LazyLock::new(|| {
        let mesh = Mesh::start()?;
        let sources = Sources::start(&mesh);
        Some((mesh, sources))
    });
    WORLD.as_ref()
}

#[test]
fn each_row_of_the_page_is_what_happens() {
    let page = page::rows();
    let names: BTreeSet<_> = page.iter().map(|row| row.name.as_str()).collect();
    let rows = [rows::ALL, &[rows::SLOW], rows::ISTIOD].concat();
    assert_eq!(names, rows.iter().map(|(name, _)| *name).collect());
    let Some((mesh, sources)) = world() else { return };
    let happen = |scene: &Scene, (name, happen): &rows::Happen| {
        let start = Instant::now();
        let row = page.iter().find(|row| row.name == *name).unwrap();
        let good = catch_unwind(AssertUnwindSafe(|| happen(scene, row))).is_ok();
        println!("{:5.1} s: {name}", start.elapsed().as_secs_f64());
        if !good {
            scene.good();
        }
        (!good).then_some(*name)
    };
    let scene = thread::scope(|scope| {
        let slow =
            scope.spawn(|| happen(&Scene::start(mesh, sources, "slow", "slow-"), &rows::SLOW));
        let scene = Scene::start(mesh, sources, "failures", "");
        let prometheus = Prometheus::start(&scene);
        let mut wrong: Vec<_> = rows::ALL.iter().filter_map(|row| happen(&scene, row)).collect();
        wrong.extend(slow.join().unwrap());
        (scene, prometheus, wrong)
    });
    let (scene, prometheus, mut wrong) = scene;
    wrong.extend(rows::ISTIOD.iter().filter_map(|row| happen(&scene, row)));
    assert!(wrong.is_empty(), "{wrong:#?}");
    prometheus.fired(
        &scene,
        &[
            ("TollgateMetricsAbsent", 0),
            ("TollgateMetricsAbsent", 1),
            ("TollgateMetricsAbsent", 2),
            ("TollgateConfigRefused", 0),
            ("TollgateConfigRefused", 1),
            ("TollgateConfigRefused", 2),
            ("TollgateVmReloaded", 1),
        ],
    );
}
