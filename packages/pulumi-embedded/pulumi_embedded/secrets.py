"""Pulumi's passphrase secrets: PBKDF2-HMAC-SHA256 (1,000,000 rounds) to an AES-256-GCM key."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from typing import TYPE_CHECKING, Any

from pulumi_embedded.errors import CorruptCheckpoint, WrongPassphrase
from pulumi_embedded.passphrase import Passphrase
from pulumi_embedded.types import Value
from pulumi_embedded.values import Secret
from pulumi_embedded.wire import SECRET, SIGNATURE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_ROUNDS = 1_000_000
_NONCE = 12
_PROOF = "pulumi"


_keys: dict[tuple[str, bytes], bytes] = {}
_keys_lock = threading.Lock()


def _derive(passphrase: str, salt: bytes) -> bytes:
    """Derive the key, once a process: it takes about half a second."""
    with _keys_lock:
        key = _keys.get((passphrase, salt))
        if key is None:
            key = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, _ROUNDS, 32)
            _keys[passphrase, salt] = key
        return key


class SecretsManager:
    """Encrypts and decrypts the secrets of one stack, deriving its key on first use.

    Args:
        passphrase: None is fine as long as there is no secret.
        state: ``v1:<salt>:<proof>`` of the checkpoint or settings file; None makes a new salt on first use.
        where: names the file in messages.
    """

    def __init__(self, passphrase: Passphrase | None, state: str | None, where: str) -> None:
        self._passphrase, self._state, self._where = passphrase, state, where
        self._cipher: AESGCM | None = None
        self._lock = threading.Lock()

    @property
    def state(self) -> str | None:
        """The salt and its proof, or None while no secret was met."""
        return self._state

    def start(self) -> None:
        """Derive the key in the background: OpenSSL lets other threads run meanwhile."""
        if self._state is not None and self._passphrase is not None:
            threading.Thread(target=self._warm, name="engine-key", daemon=True).start()

    def _warm(self) -> None:
        try:
            self.verify()
        except (WrongPassphrase, CorruptCheckpoint):
            return  # told by the caller that needs it

    def verify(self) -> None:
        """Check the passphrase against the recorded proof; nothing to do for a stack without secrets.

        Raises:
            WrongPassphrase: missing or wrong.
        """
        if self._state is not None:
            self._ready()

    def _ready(self) -> AESGCM:
        with self._lock:
            if self._cipher is None:
                self._cipher = self._open()
            return self._cipher

    def _open(self) -> AESGCM:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if self._passphrase is None:
            message = (
                f"{self._where}: this stack has secrets and no passphrase was given; "
                "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"
            )
            raise WrongPassphrase(message)
        if self._state is None:
            salt = os.urandom(8)
            cipher = AESGCM(_derive(self._passphrase.value, salt))
            self._state = f"v1:{base64.b64encode(salt).decode()}:{_seal(cipher, _PROOF)}"
            return cipher
        version, _, rest = self._state.partition(":")
        encoded, _, proof = rest.partition(":")
        if version != "v1" or not proof:
            message = f"{self._where}: the salt {self._state[:12]!r}… is not of a passphrase stack (v1:…)"
            raise CorruptCheckpoint(message)
        cipher = AESGCM(_derive(self._passphrase.value, base64.b64decode(encoded)))
        try:
            _unseal(cipher, proof)
        except (InvalidTag, ValueError):
            message = f"{self._where}: the passphrase is wrong; give the one this stack was made with"
            raise WrongPassphrase(message) from None
        return cipher

    def encrypt(self, text: str) -> str:
        """Encrypt with a fresh nonce: ``v1:<nonce>:<ciphertext and tag>``."""
        return _seal(self._ready(), text)

    def decrypt(self, sealed: str) -> str:
        """Decrypt what :meth:`encrypt` made.

        Raises:
            CorruptCheckpoint: the ciphertext was damaged or is of another key.
        """
        from cryptography.exceptions import InvalidTag

        try:
            return _unseal(self._ready(), sealed)
        except (InvalidTag, ValueError):
            message = f"{self._where}: a secret cannot be decrypted; it was damaged or made with another key"
            raise CorruptCheckpoint(message) from None


def _seal(cipher: AESGCM, text: str) -> str:
    nonce = os.urandom(_NONCE)
    sealed = cipher.encrypt(nonce, text.encode(), None)
    return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"


def _unseal(cipher: AESGCM, sealed: str) -> str:
    version, nonce, body = sealed.split(":")
    if version != "v1":
        raise ValueError(version)
    plain: bytes = cipher.decrypt(base64.b64decode(nonce), base64.b64decode(body), None)
    return plain.decode()


class SecretBox:
    """Turns values into their checkpoint form and back, giving unchanged secrets the ciphertext they had."""

    def __init__(self, manager: SecretsManager) -> None:
        self.manager = manager
        self._known: dict[tuple[str, str], str] = {}

    def dump(self, value: Value, place: str) -> Value:
        """Give the JSON form of a value; ``place`` names the property, so equal secrets do not share ciphertexts."""
        if isinstance(value, Secret):
            plain = json.dumps(_nested(value.value), separators=(",", ":"), ensure_ascii=False, sort_keys=True)
            sealed = self._known.get((place, plain))
            if sealed is None:
                sealed = self._known[place, plain] = self.manager.encrypt(plain)
            return {SIGNATURE: SECRET, "ciphertext": sealed}
        if isinstance(value, dict):
            return {key: self.dump(value[key], f"{place}.{key}") for key in sorted(value)}
        if isinstance(value, list):
            return [self.dump(item, f"{place}.{index}") for index, item in enumerate(value)]
        return value

    def load(self, value: Value, place: str) -> Value:
        """Read the JSON form of a value, decrypting its secrets."""
        if isinstance(value, dict):
            if value.get(SIGNATURE) == SECRET:
                return Secret(self._decrypt(value, place))
            return {key: self.load(item, f"{place}.{key}") for key, item in value.items()}
        if isinstance(value, list):
            return [self.load(item, f"{place}.{index}") for index, item in enumerate(value)]
        return value

    def _decrypt(self, marked: dict[str, Any], place: str) -> Value:
        sealed = marked.get("ciphertext")
        if sealed is None:
            return _unnested(json.loads(marked["plaintext"]))
        plain = self.manager.decrypt(sealed)
        value = _unnested(json.loads(plain))
        canonical = json.dumps(_nested(value), separators=(",", ":"), ensure_ascii=False, sort_keys=True)
        self._known[place, canonical] = sealed
        return value


def _nested(value: Value) -> Value:
    """Inside a ciphertext, secrets keep their marker around plain text: everything is encrypted once."""
    if isinstance(value, Secret):
        inner = json.dumps(_nested(value.value), separators=(",", ":"), ensure_ascii=False, sort_keys=True)
        return {SIGNATURE: SECRET, "ciphertext": inner}
    if isinstance(value, dict):
        return {key: _nested(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_nested(item) for item in value]
    return value


def _unnested(value: Value) -> Value:
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return Secret(_unnested(json.loads(value["ciphertext"])))
        return {key: _unnested(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unnested(item) for item in value]
    return value
