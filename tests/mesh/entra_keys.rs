//! The key server of Microsoft Entra ID, under its real name.

use support::entra;
use support::idp::{ENTRA_JWKS, Idp};
use support::mint::Signer;

use super::machine;

const HOST: &str = "login.microsoftonline.com";

/// Serves the key of a signer. Programs that start later trust the certificate.
pub fn serve(signer: &Signer) -> Idp {
    let address = machine::address(3);
    machine::name(address, HOST);
    let _runtime = machine::runtime().enter();
    let server = Idp::at((address, 443).into(), &[HOST], ENTRA_JWKS, entra::keys(signer));
    machine::trust(&server.ca_pem());
    server
}
