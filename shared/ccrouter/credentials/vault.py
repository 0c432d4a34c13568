"""Secrets at rest: AES-256-GCM under the operator's master key."""

import base64
import os

from ccrouter.errors import CcrError

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = b"\x01"


class VaultError(CcrError):
    """A sealed value cannot be opened: the master key is another one, or the value was altered or moved."""


class Vault:
    """Seals and opens secrets. The context (what a secret belongs to) is bound in: moved elsewhere it will not open."""

    def __init__(self, master_key: bytes) -> None:
        # Imported here: the proxy's import budget allows cryptography only where a credential is opened.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(master_key)

    def seal(self, secret: bytes, context: str) -> bytes:
        """Encrypts: version byte, nonce, ciphertext with tag."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypts; raises VaultError."""
        from cryptography.exceptions import InvalidTag

        if sealed[:1] != _VERSION:
            raise VaultError(f"the stored secret of {context} has a format this version does not know")
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, ciphertext, context.encode())
        except (InvalidTag, ValueError):
            # ValueError: it was cut off within the nonce.
            raise VaultError(f"CCR_MASTER_KEY does not fit the stored secret of {context}") from None


def read_master_key(text: str) -> bytes:
    """The 32 bytes of `CCR_MASTER_KEY`, given in base64 (either alphabet); raises ValueError."""
    try:
        key = base64.b64decode(
            text.strip().replace("-", "+").replace("_", "/") + "=" * (-len(text.strip()) % 4), validate=True
        )
    except ValueError:
        # binascii.Error is one too; a plain one is raised for what is not ASCII.
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("must be 32 random bytes in base64, such as the output of: openssl rand -base64 32")
    return key


def new_master_key() -> str:
    """A fresh master key as text."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()
