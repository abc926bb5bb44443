"""Markers of Pulumi's protocol and checkpoint: how they write secrets, unknowns, outputs, assets and references.

A marked value is an object whose key :data:`SIGNATURE` holds one of the signatures below.
"""

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker, not a password
"""Under `value` (on the wire), `ciphertext` or `plaintext` (in a checkpoint)."""
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
"""Under `value`, absent while unknown; `secret` says whether it is one."""
REFERENCE = "5cf8f73096256a8f31e491e813e4eb8e"
"""A resource: `urn`, and `id` unless it is a component."""
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
ASSETS = frozenset({ASSET, ARCHIVE})
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWNS = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # a boolean
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # a number
        UNKNOWN_TEXT,
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # a list
        "030794c1-ac77-496b-92df-f27374a8bd58",  # an asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # an archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # an object
    }
)
"""The texts that stand for a value that is not known yet, one for each kind of value."""
PROVIDER_KEY = "__provider"
"""The property of a dynamic resource that holds its pickled provider."""
