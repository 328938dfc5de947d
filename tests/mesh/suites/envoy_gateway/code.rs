//! Where the module comes from.

use mesh::envoy_gateway::world::accepted;

use super::{changed, tokenless, world};

#[test]
fn a_module_of_an_image_and_one_of_a_web_server_judge_alike() {
    let Some(world) = world() else { return };
    for file in ["policy-http.yaml", "policy.yaml"] {
        world.policies(&changed(file, |_| {}));
        assert_eq!(accepted("envoyextensionpolicy", "tollgate").1, "Policy has been accepted.");
        world.until(&tokenless(), 401, "token_missing");
        world.until(&world.score(file), 200, "");
    }
}
