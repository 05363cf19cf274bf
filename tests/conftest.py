"""For every test: messages are in English, whatever the locale of the one who runs it, and a closed terminal is told also under
`nohup`. Programs that a test starts inherit both."""

import os
import signal
from pathlib import Path

import pytest

os.environ["VOZ_LANG"] = "en"
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of random weights, `whisper.pt` beside it. Nobody may write there."""
    from tests import tiny_base, tiny_whisper  # here: torch is imported only for tests that need it

    folder = tmp_path_factory.mktemp("train")
    tiny_whisper.make(folder / "whisper.pt")
    return tiny_base.make(folder / "base")


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See tests/tiny_dataset.py. Nobody may write there."""
    from tests import tiny_dataset

    folder = tmp_path_factory.mktemp("tiny") / "dataset"
    tiny_dataset.make(folder)
    return folder
