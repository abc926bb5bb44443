"""Which keys sign and are accepted, over a rotation."""

import stat
from datetime import UTC, datetime, timedelta

import pytest

from mlstrata.services.gateway.rotation import ROTATION_FILE, Rotation, RotationError

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_a_new_key_is_accepted_before_it_signs_and_the_old_one_after():
    begun = Rotation().begun()
    assert (begun.oldest, begun.signing, begun.newest) == (1, 1, 2)
    assert begun.begun() == begun, "a rotation that died goes on with the key it made"
    switched = begun.switched()
    assert (switched.oldest, switched.signing, switched.newest) == (1, 2, 2)
    retired = switched.retired(NOW)
    assert (retired.oldest, retired.signing, retired.newest) == (2, 2, 2)


def test_the_old_key_stays_until_its_last_token_ends():
    used = Rotation().signed(NOW + timedelta(hours=2)).signed(NOW + timedelta(hours=1))
    switched = used.begun().switched().signed(NOW + timedelta(days=9))
    with pytest.raises(RotationError, match="good until 2026-11-21 02:00 UTC"):
        switched.retired(NOW)
    assert switched.retired(NOW, at_once=True).oldest == 2
    assert set(switched.retired(NOW + timedelta(hours=3)).good_until) == {2}


def test_one_at_a_time():
    with pytest.raises(RotationError, match="key 1 is still accepted"):
        Rotation().begun().switched().begun()
    with pytest.raises(RotationError, match="no key waits"):
        Rotation().retired(NOW)
    with pytest.raises(RotationError, match="no key waits"):
        Rotation().begun().retired(NOW)


def test_it_is_kept_in_a_file_of_the_owner(tmp_path):
    assert Rotation.read(tmp_path) == Rotation()
    wanted = Rotation().signed(NOW).begun()
    wanted.write(tmp_path)
    assert Rotation.read(tmp_path) == wanted
    assert stat.S_IMODE((tmp_path / ROTATION_FILE).stat().st_mode) & 0o077 == 0
    (tmp_path / ROTATION_FILE).write_text('{"oldest": 3, "signing": 1, "newest": 3}')
    with pytest.raises(RotationError, match="in this order"):
        Rotation.read(tmp_path)
