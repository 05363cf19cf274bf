"""What the pages of review and listen share: how a server that cannot start says so."""

import os
import socket
import subprocess
from pathlib import Path

from tests.review_site import REVIEW

ROOT = Path(__file__).parent.parent
PAGE = """
import sys
from pathlib import Path
from tools.local_page import serve
from voz.pipeline import cache_folders, command
def main():
    with cache_folders.scratch() as copies:
        serve.set_environment(copies)
        import gradio
        with gradio.Blocks(analytics_enabled=False) as blocks:
            pass
        serve.serve(blocks, name="trial", port=int(sys.argv[1]))
command.run(main)
"""


def test_a_port_in_use_is_one_line_in_the_users_language(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        env = os.environ | {"PYTHONPATH": str(ROOT), "VOZ_LANG": "es"}
        done = subprocess.run([str(REVIEW), "-c", PAGE, str(port)], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        f"error: puerto {port}: está en uso; cerrá el otro servidor, o elegí otro puerto: make trial PORT=7999\n",
    )


def test_an_output_that_is_closed_is_not_taken_for_a_port_in_use(tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [str(REVIEW), "-c", PAGE, "0"], cwd=tmp_path, env=env, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1 and "in use" not in done.stderr and "no space left" in done.stderr
