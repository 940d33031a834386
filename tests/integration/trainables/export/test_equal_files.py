"""Safetensors files of equal content are equal in every process."""

import hashlib
import os
import subprocess
import sys

from tests.helpers.made_tensors import made
from tests.helpers.repository import ROOT
from trainables.export.safetensors_file import serialize


def test_equal_in_every_process():
    """Both Python's hashes and the library's differ between these."""
    code = (
        "import hashlib, sys\n"
        "from tests.helpers.made_tensors import made\n"
        "from trainables.export.safetensors_file import serialize\n"
        "print(*(hashlib.sha256(serialize(*made(reverse))).hexdigest() for reverse in (False, True, False)))"
    )
    root = str(ROOT)
    digests = {hashlib.sha256(serialize(*made())).hexdigest()}
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": root}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=root
        )
        digests |= set(done.stdout.split())
    assert len(digests) == 1
