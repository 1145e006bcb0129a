"""An SMTPChannel says byte for byte what CPython 3.11's says: see dialogues.py."""

import pathlib
import smtpd

import dialogues
import pytest

RECORDED = dialogues.load((pathlib.Path(__file__).parent / "recorded.jsonl").read_text())


def test_every_dialogue_is_as_it_was_recorded():
    play = dialogues.without_fqdn()
    played = {name: play(*dialogue) for name, dialogue in dialogues.dialogues().items()}
    assert len(played) > 1000
    assert set(played) == set(RECORDED)
    differing = {name: said for name, said in played.items() if said != RECORDED[name]}
    assert {name: RECORDED[name] for name in differing} == differing


@pytest.fixture
def client():
    made = []

    def make(options=None, **more):
        made.append(dialogues.Client(options or {}, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def talk(client, *pieces):
    for piece in pieces:
        client.send(piece)
    return client.receive()


def to_data(client):
    assert "354 " in talk(client, dialogues.E, dialogues.M, dialogues.R, dialogues.D)


@pytest.mark.ours_only("3.11 decodes each piece alone, and ends the connection")
@pytest.mark.parametrize("at", range(1, 6))
def test_a_character_may_arrive_in_two_pieces(client, at):
    one = client({"decode_data": True})
    to_data(one)
    text = "ä€x".encode()
    assert talk(one, text[:at], text[at:] + dialogues.END) == "250 OK\r\n"
    assert one.server.given == ["(('a@b', ['c@d'], 'ä€x'), {})"]


@pytest.mark.ours_only("3.11 decodes each piece alone")
def test_half_a_character_at_the_end_is_an_error(client):
    one = client({"decode_data": True})
    to_data(one)
    assert talk(one, b"\xc3", dialogues.END) == "END"
    assert one.errors == ["UnicodeDecodeError"]


@pytest.mark.ours_only("3.11's channels share their limits")
def test_a_channel_has_its_own_limits(client):
    one, other = client(), client()
    talk(one, dialogues.E)
    talk(other, dialogues.E)
    assert one.channel.max_command_size_limit == other.channel.max_command_size_limit == 538
    client()  # takes nobody's limits back
    assert one.channel.max_command_size_limit == 538
    assert smtpd.SMTPChannel.command_size_limits == {}


@pytest.mark.ours_only("3.11 keeps what came as it came")
def test_small_pieces_are_not_kept_one_by_one(client):
    one = client()
    to_data(one)
    for at in range(2000):
        one.channel.collect_incoming_data(b"%d " % (at % 10))
    assert len(one.channel.received_lines) < 300
    assert talk(one, dialogues.END) == "250 OK\r\n"
    whole = b"".join(b"%d " % (at % 10) for at in range(2000))
    assert one.server.given == [
        repr((("a@b", ["c@d"], whole), {"mail_options": [], "rcpt_options": []}))
    ]


@pytest.mark.parametrize("state", ["command", "data"])
def test_what_is_over_the_limit_is_not_kept(client, state):
    one = client({"data_size_limit": 1000})
    if state == "data":
        to_data(one)
    for _ in range(100):
        talk(one, b"x" * 1000)
    assert sum(map(len, one.channel.received_lines)) <= 2000
    said = talk(one, dialogues.END if state == "data" else b"\r\n")
    assert said.splitlines()[-1][:4] in ("552 ", "500 ")


def test_attributes_in_each_state(client):
    channel = (one := client()).channel
    assert (channel.smtp_state, channel.COMMAND, channel.DATA) == (0, 0, 1)
    assert (channel.seen_greeting, channel.extended_smtp) == ("", False)
    assert (channel.mailfrom, channel.rcpttos, channel.received_data) == (None, [], "")
    assert (channel.smtp_server, channel.addr, channel.peer) == (one.server, ("192.0.2.7", 25), "")
    talk(one, b"EHLO me and you\r\n")
    assert (channel.seen_greeting, channel.extended_smtp) == ("me and you", True)
    talk(one, b"MAIL FROM:<a@b> size=5\r\n", dialogues.R)
    assert (channel.mailfrom, channel.rcpttos) == ("a@b", ["c@d"])
    assert (channel.mail_options, channel.rcpt_options) == (["SIZE=5"], [])
    talk(one, dialogues.D, b"half")
    assert (channel.smtp_state, channel.num_bytes, channel.received_lines) == (1, 4, [b"half"])
    assert channel.get_terminator() == b"\r\n.\r\n"
    talk(one, dialogues.END)
    assert (channel.smtp_state, channel.num_bytes, channel.received_data) == (0, 0, b"half")
    assert (channel.mailfrom, channel.rcpttos, channel.received_lines) == (None, [], [])
    assert channel.get_terminator() == b"\r\n"


def test_a_state_that_is_neither_is_confusion(client):
    one = client()
    one.receive()
    one.channel.smtp_state = 5
    assert talk(one, b"NOOP\r\n") == "451 Internal confusion\r\n"
