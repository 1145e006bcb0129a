"""What TLS peers do to a channel, as pyasyncore shows it pass by pass.

What is decrypted and not yet read is in the SSL object, where no descriptor tells of it: a channel
that reads less gets the rest when more comes, or when it writes, in 3.11 as here.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import goasyncore
import pytest
from support import LIMIT

SCENES = pathlib.Path(__file__).parent / "tls" / "scenes.py"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl program to make a certificate and be a peer")
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = [program, "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [*command, "-keyout", key, "-out", cert], check=True, capture_output=True, timeout=LIMIT
    )
    return cert, key, program


def traces(backend, certificate, *path):
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", SCENES, backend, *certificate],
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
