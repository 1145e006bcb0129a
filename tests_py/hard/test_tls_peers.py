"""What TLS peers do to a channel, as pyasyncore shows it pass by pass.

What is decrypted and not yet read is in the SSL object, where no descriptor tells of it: a channel
that reads less gets the rest when more comes, or when it writes, in 3.11 as here.
"""

import json
import os
import pathlib
import subprocess
import sys

import goasyncore
from support import LIMIT

SCENES = pathlib.Path(__file__).parent / "tls" / "scenes.py"


def traces(backend, certificate, *path):
    arguments = [SCENES, backend, *certificate, "openssl"]
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        timeout=2 * LIMIT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_each_pass_shows_the_channel_what_pyasyncore_shows_it(peer, certificate):
    theirs = traces("reference", certificate, peer)
    ours = traces(goasyncore.backend().name, certificate)
    assert list(ours) == list(theirs)
    assert not {name: (ours[name], theirs[name]) for name in theirs if ours[name] != theirs[name]}
    # Both could be wrong: what was said after a renegotiation and after new keys has arrived.
    for name, trace in ours.items():
        if name.startswith(("renegotiates", "updates")):
            words = " ".join(trace)
            assert all(word in words for word in ("first", "second", "third")), name
