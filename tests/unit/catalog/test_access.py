"""Who may read: links, sessions and the token itself."""

from hypothesis import given
from hypothesis import strategies as st

from mlstrata.services.catalog.access import LINK_SECONDS, SESSION_SECONDS, Access, link_ticket, sign

TOKEN = "t" * 32
NOW = 1_800_000_000.0


def test_a_link_opens_one_session_and_only_in_its_time():
    access = Access(TOKEN)
    ticket = link_ticket(TOKEN, NOW)
    assert access.link(ticket, NOW + LINK_SECONDS)
    assert not access.link(ticket, NOW + 1), "it was used"
    assert not access.link(link_ticket(TOKEN, NOW), NOW + LINK_SECONDS + 1)


def test_a_session_lasts_its_time_and_another_token_ends_it():
    access = Access(TOKEN)
    cookie = access.session(NOW)
    assert access.known(cookie, NOW + SESSION_SECONDS)
    assert not access.known(cookie, NOW + SESSION_SECONDS + 1)
    assert not Access("u" * 32).known(cookie, NOW)


def test_a_link_is_no_session_and_a_session_no_link():
    access = Access(TOKEN)
    assert not access.known(link_ticket(TOKEN, NOW), NOW)
    assert not access.link(access.session(NOW), NOW)


def test_a_longer_life_cannot_be_written_into_a_ticket():
    ends, nonce, signature = link_ticket(TOKEN, NOW).split(".")
    assert not Access(TOKEN).link(f"{int(ends) + 999}.{nonce}.{signature}", NOW)


@given(st.text() | st.from_regex(r"[0-9]{1,20}\.[a-z]*\.[a-f0-9]*", fullmatch=True))
def test_nothing_made_up_is_let_in(text):
    access = Access(TOKEN)
    assert not access.link(text, NOW)
    assert not access.known(text, NOW)
    assert not access.token(text)
    assert not access.bearer(f"Basic {TOKEN}{text}")


def test_the_token_is_taken_as_a_bearer():
    assert Access(TOKEN).bearer(f"Bearer {TOKEN}")
    assert Access(TOKEN).bearer(f"bearer  {TOKEN} ")
    assert not Access(TOKEN).bearer(TOKEN)


def test_a_ticket_says_nothing_of_the_token():
    assert TOKEN not in sign(TOKEN, "link", 1, "n")
