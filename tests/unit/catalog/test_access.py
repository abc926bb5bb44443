"""Who may read: links, sessions and the token itself."""

from hypothesis import given
from hypothesis import strategies as st

from mlstrata.services.catalog.access import (
    LINK_SECONDS,
    SESSION_SECONDS,
    Access,
    Person,
    Role,
    link_ticket,
    sign,
)

TOKEN, OPERATOR = "t" * 32, "o" * 32
READER = Person(Role.READER)
NOW = 1_800_000_000.0


def test_a_link_opens_one_session_and_only_in_its_time():
    access = Access(TOKEN)
    ticket = link_ticket(TOKEN, NOW)
    assert access.link(ticket, NOW + LINK_SECONDS)
    assert not access.link(ticket, NOW + 1), "it was used"
    assert not access.link(link_ticket(TOKEN, NOW), NOW + LINK_SECONDS + 1)


def test_a_session_lasts_its_time_and_another_token_ends_it():
    access = Access(TOKEN)
    cookie = access.session(NOW, READER)
    assert access.known(cookie, NOW + SESSION_SECONDS)
    assert not access.known(cookie, NOW + SESSION_SECONDS + 1)
    assert not Access("u" * 32).known(cookie, NOW)


def test_a_link_is_no_session_and_a_session_no_link():
    access = Access(TOKEN)
    assert not access.known(link_ticket(TOKEN, NOW), NOW)
    assert not access.link(access.session(NOW, READER), NOW)


def test_a_longer_life_cannot_be_written_into_a_ticket():
    ends, nonce, name, signature = link_ticket(TOKEN, NOW).split(".")
    assert not Access(TOKEN).link(f"{int(ends) + 999}.{nonce}.{name}.{signature}", NOW)


def test_another_name_cannot_be_written_into_a_ticket():
    ends, nonce, name, signature = link_ticket(OPERATOR, NOW, "ada").split(".")
    other = link_ticket(OPERATOR, NOW, "bob").split(".")[2]
    access = Access(TOKEN, OPERATOR)
    assert access.link(f"{ends}.{nonce}.{other}.{signature}", NOW) is None
    assert access.link(f"{ends}.{nonce}.{name}.{signature}", NOW) == Person(Role.OPERATOR, "ada")


@given(st.text(max_size=100))
def test_a_session_keeps_role_and_name(name):
    access = Access(TOKEN, OPERATOR)
    for person in (Person(Role.READER, name), Person(Role.OPERATOR, name)):
        assert access.known(access.session(NOW, person), NOW) == person


def test_a_reader_s_link_gives_no_operator_and_none_without_the_token():
    assert Access(TOKEN, OPERATOR).link(link_ticket(TOKEN, NOW), NOW) == READER
    assert Access(TOKEN).link(link_ticket(OPERATOR, NOW), NOW) is None
    assert (Access(TOKEN, OPERATOR).token(OPERATOR), Access(TOKEN).token(OPERATOR)) == (Role.OPERATOR, None)


def test_a_form_counts_in_its_own_session_only():
    access = Access(TOKEN, OPERATOR)
    mine, theirs = (access.session(NOW, Person(Role.OPERATOR, name)) for name in ("ada", "bob"))
    assert access.is_form_token(mine, access.form_token(mine))
    assert not access.is_form_token(theirs, access.form_token(mine))
    assert not access.is_form_token(mine, "")


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
