//! Seals what must not be read or changed while it rests in the database or in a browser: AES-256-GCM, bound to the
//! place it belongs to.

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead as _, Generate as _, KeyInit as _, Payload},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The key everything secret at rest is sealed with.
#[derive(Clone)]
pub struct SecretKey(pub [u8; 32]);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// Names the key, so that a later key can be told apart.
const KEY_ID: u8 = 1;
const NONCE_BYTES: usize = 12;

/// The text was not sealed with this key for this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed text does not open with this key")]
pub struct SealError;

/// Seals and opens.
#[derive(Clone)]
pub struct Seal(Aes256Gcm);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Seal {
    pub fn new(key: &SecretKey) -> Self {
        Self(Aes256Gcm::new(&key.0.into()))
    }

    /// URL-safe text: key id, nonce, sealed bytes. `place` must be given again to open it.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<String, SealError> {
        let nonce = Nonce::generate();
        let sealed = self
            .0
            .encrypt(
                &nonce,
                Payload {
                    msg: plain,
                    aad: place.as_bytes(),
                },
            )
            .map_err(|_| SealError)?;
        let mut bytes = vec![KEY_ID];
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&sealed);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    pub fn open(&self, place: &str, text: &str) -> Result<Vec<u8>, SealError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError)?;
        let (&key, rest) = bytes.split_first().ok_or(SealError)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES).ok_or(SealError)?;
        let nonce = <[u8; NONCE_BYTES]>::try_from(nonce).map_err(|_| SealError)?;
        if key != KEY_ID {
            return Err(SealError);
        }
        self.0
            .decrypt(
                &nonce.into(),
                Payload {
                    msg: sealed,
                    aad: place.as_bytes(),
                },
            )
            .map_err(|_| SealError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_unchanged_with_the_same_key_in_the_same_place() {
        let seal = Seal::new(&SecretKey([7; 32]));
        let text = seal.seal("here", b"secret").unwrap();
        assert_eq!(seal.open("here", &text).unwrap(), b"secret");
        assert_ne!(seal.seal("here", b"secret").unwrap(), text);
        assert_eq!(seal.open("there", &text), Err(SealError));
        assert_eq!(
            Seal::new(&SecretKey([8; 32])).open("here", &text),
            Err(SealError)
        );
        for bad in [
            "",
            "%",
            "AQ",
            &text[1..],
            &format!("{text}AA"),
            &text[..text.len() - 2],
        ] {
            assert_eq!(seal.open("here", bad), Err(SealError), "{bad}");
        }
    }
}
