"""The corrections file under the real DVC: one that is not checked out is not replaced, and decisions get into DVC's cache."""

import hashlib
import sys
import time
from pathlib import Path

import pytest
from dvc.repo import Repo

from tests import review_site
from tests.browser import Browser
from tests.checkout import Checkout
from tools.review import dvc_cache
from tools.review.backend import Backend, Folders
from voz.data import corrections
from voz.pipeline import command

FIRST, SECOND = "0123456789ab-0000000-0009000", "0123456789ab-0009000-0018000"
PYTHON = Path(sys.executable)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A repository, as the working directory, with one correction under DVC."""
    here = Checkout(tmp_path)
    here.run("git", "init", "-q")
    here.run("dvc", "init", "-q")
    monkeypatch.chdir(tmp_path)
    decide(FIRST)
    here.run("dvc", "add", "-q", "c.csv")
    here.commit("one correction")
    return here


def decide(clip: str) -> bytes:
    """Accept a clip, and return the bytes of the file."""
    path = Path("c.csv")
    if not path.is_file():
        corrections.write(path, [])
    corrections.decide(path, clip, lambda _: corrections.Correction(clip, True, "Sí, che."))
    return path.read_bytes()


def cached(folder: Path, content: bytes) -> bool:
    """True if DVC's cache has these bytes."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    path = folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    return path.is_file() and path.read_bytes() == content


def test_corrections_that_are_not_checked_out_are_not_replaced(here: Checkout) -> None:
    Path("c.csv").unlink()
    for work in (lambda: Backend(Folders(*[Path()] * 5, Path("c.csv"), Path())), lambda: corrections.read(Path("c.csv"))):
        with pytest.raises(command.UserError) as caught:
            work()
        assert str(caught.value) == (
            "c.csv: DVC tracks it, but it is not checked out; `dvc checkout c.csv.dvc` restores it, `dvc pull c.csv.dvc` fetches it"
        )
    with dvc_cache.filled(Path("c.csv"), PYTHON):
        pass
    assert not Path("c.csv").exists()
    here.run("dvc", "checkout", "-q", "c.csv.dvc")
    assert list(corrections.read(Path("c.csv"))) == [FIRST]


def test_a_corrections_file_that_nobody_has_is_created(tmp_path: Path) -> None:
    with pytest.raises(command.UserError, match="create it with the one line `clip,action,text`, or run `make review`"):
        corrections.read(tmp_path / "c.csv")
    with pytest.raises(command.UserError, match="manifest"):  # there are no clips, but the file was made before
        Backend(Folders(*[tmp_path] * 5, tmp_path / "c.csv", tmp_path))
    assert corrections.read(tmp_path / "c.csv") == {}


def test_decisions_are_in_dvcs_cache_from_the_start_and_at_the_end(here: Checkout) -> None:
    by_hand = decide(SECOND)
    with dvc_cache.filled(Path("c.csv"), PYTHON):
        decided = decide("0123456789ab-0018000-0027000")  # waits for DVC if that is reading the file
        end = time.monotonic() + 60
        while not (cached(here.folder, by_hand) or cached(here.folder, decided)):
            assert time.monotonic() < end
            time.sleep(0.05)
        last = decide("0123456789ab-0027000-0036000")
    assert cached(here.folder, last) and Path("c.csv").read_bytes() == last
    before = Path("c.csv.dvc").stat().st_mtime_ns
    with dvc_cache.filled(Path("c.csv"), PYTHON):
        assert not dvc_cache.differs(Path("c.csv"))
    assert Path("c.csv.dvc").stat().st_mtime_ns == before


def test_a_dvc_that_is_busy_is_one_line_and_loses_nothing(here: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    decided = decide(SECOND)
    with Repo().lock:
        dvc_cache.add(Path("c.csv"), PYTHON)
    printed = capsys.readouterr().err
    assert printed.startswith("warning: dvc add c.csv: ") and "lock" in printed and printed.count("\n") == 1
    assert "`dvc add c.csv` before `dvc exp apply`" in printed
    assert Path("c.csv").read_bytes() == decided


def test_dvc_leaves_a_file_alone_that_it_does_not_track(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no repository: DVC would refuse
    decide(FIRST)
    with dvc_cache.filled(Path("c.csv"), PYTHON):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["c.csv"]


def test_what_was_decided_on_the_page_survives_an_applied_experiment(tmp_path: Path) -> None:
    """`dvc exp apply` checks out with force; it is the page that has put the bytes into DVC's cache before."""
    here = Checkout(tmp_path)
    with review_site.running(tmp_path) as site:
        here.run("git", "init", "-q")
        here.run("dvc", "init", "-q")
        here.run("dvc", "add", "-q", "c.csv")
        here.run("dvc", "stage", "add", "-q", "-n", "copy", "-d", "c.csv", "-p", "train.seed", "-o", "copy.csv", "cp c.csv copy.csv")
        (tmp_path / ".gitignore").write_text("/*\n!/c.csv.dvc\n!/dvc.*\n!/params.yaml\n")
        here.run("dvc", "repro", "-q")
        here.commit("nothing decided")
        here.run("dvc", "exp", "run", "-q", "-n", "other", "-S", "train.seed=7")
        here.run("git", "checkout", "-q", "--", ".")
        browser = Browser()
        try:
            browser.driver.get(site.address)
            browser.wait("#card .place", "1 of 9")
            browser.press("a")
            browser.wait("#message", "accepted")
        finally:
            browser.driver.quit()
        decided = (tmp_path / "c.csv").read_bytes()
        assert len(site.decisions()) == 1
    here.run("dvc", "exp", "apply", "other")
    assert (tmp_path / "c.csv").read_bytes() != decided  # that is what DVC does
    assert cached(tmp_path, decided)
