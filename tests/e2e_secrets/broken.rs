//! Files that Envoy cannot use: the old ones stay in use, and a counter shows it.

use support::poll;
use support::tls::Authority;

use super::world::{DEADLINE, World, pem};

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_changes_nothing_is_counted_and_the_next_good_one_is_used() {
    let Some(mut world) = World::new().await else { return };
    let envoy = world.start().await;
    let whole = pem(world.front.server_pem());
    let half = whole[..whole.len() / 2].to_owned();
    let (certificate, _) = world.front.server_pem();
    let strange = pem((certificate, world.front.server_pem().1));
    let client = pem(world.clients.workload_pem("gateway-2"));
    for (secret, file, content) in [
        ("serving", "serving.pem", half.as_str()),
        ("serving", "serving.pem", &strange),
        ("serving", "serving.pem", ""),
        ("client", "client.pem", &client[..client.len() / 2]),
        ("ca", "ca.pem", "no certificate"),
    ] {
        let failed = format!("sds.{secret}.key_rotation_failed");
        let before = envoy.stat(&failed).await;
        world.secrets.replace(&[(file, content)]);
        let counted = async || (envoy.stat(&failed).await > before).then_some(());
        if poll(DEADLINE, counted).await.is_none() {
            panic!("{file}: {:?}\n{}", envoy.stats("sds.").await, envoy.log());
        }
        assert_eq!(world.status(&envoy).await, 200, "{file}");
    }
    envoy.wait_for_log("Failed to reload certificates").await;

    // The file that names the secret.
    let path = world.folder.path().join("serving.yaml");
    let good = std::fs::read_to_string(&path).unwrap();
    let write = |text: &str| std::fs::rename(world.folder.file("new.yaml", text), &path).unwrap();
    let other = good.replace("name: serving", "name: other");
    for (text, counter) in [("resources: [", "update_failure"), (&other, "update_rejected")] {
        write(text);
        let counter = format!("sds.serving.{counter}");
        let counted = async || (envoy.stat(&counter).await > 0).then_some(());
        if poll(DEADLINE, counted).await.is_none() {
            panic!("{counter}: {:?}\n{}", envoy.stats("sds.").await, envoy.log());
        }
        assert_eq!(world.status(&envoy).await, 200, "{text}");
    }
    write(&good);

    let renewed = Authority::new();
    world.secrets.replace(&[("serving.pem", &pem(renewed.server_pem()))]);
    let here = std::net::Ipv4Addr::LOCALHOST.into();
    let used = async || renewed.connect(here, envoy.address(), None).await.ok();
    assert!(poll(DEADLINE, used).await.is_some(), "{}", envoy.log());
}
