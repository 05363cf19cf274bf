"""`make doctor` finds what is wrong and says how to fix it; `tools/system.py` runs before anything is installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools import doctor, system

ROOT = Path(__file__).parent.parent


def test_paths_that_dvc_cannot_handle_are_named(tmp_path: Path) -> None:
    (tmp_path / "good ñandú.opus").touch()
    (tmp_path / "linked.opus").symlink_to("good ñandú.opus")
    (tmp_path / "2024").mkdir()
    os.mkfifo(tmp_path / "2024" / "pipe.opus")
    (tmp_path / "broken.opus").symlink_to("nowhere.opus")
    (tmp_path / "itself.opus").symlink_to("itself.opus")
    (tmp_path / "2024" / "up").symlink_to("..")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/latin1-\xf1.opus")).touch()
    found = {Path(path).name: why for path, why in doctor.dvc_blockers(tmp_path)}
    assert set(found) == {"pipe.opus", "broken.opus", "itself.opus", "up", r"latin1-\xf1.opus"}
    assert "FIFO" in found["pipe.opus"]
    assert "UTF-8" in found[r"latin1-\xf1.opus"]


def test_doctor_names_what_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")) | {"base": "models/xtts_v9"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    (tmp_path / "requirements-nodeps.txt").write_text("torchaudio==1.0.0\n", encoding="utf-8")
    command = [sys.executable, "-m", "tools.doctor", "--params", str(tmp_path / "params.yaml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "models/xtts_v9: missing" in done.stdout and "make base" in done.stdout
    assert "torchaudio 2.11.0 (pinned 1.0.0)" in done.stdout and "make setup" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("version", "supported"), [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False), ((2, 7), False)])
def test_python_versions(version: tuple[int, int], supported: bool) -> None:
    assert (system.wrong_python(version) == "") is supported


def test_missing_package_is_one_line_with_a_command_to_paste(tmp_path: Path) -> None:
    """On a machine whose PATH holds apt-get but neither sox nor git (and which may not install by itself)."""
    (tmp_path / "apt-get").touch(mode=0o755)
    done = subprocess.run(
        [sys.executable, "-m", "tools.system", "git", "sox"],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: git, sox missing; run: ")
    assert "install -y --no-install-recommends git sox" in done.stderr


@pytest.mark.parametrize(("system_id", "package"), [("debian", "chromium-driver"), ("ubuntu", "chromium-chromedriver")])
def test_a_package_is_named_as_the_system_names_it(monkeypatch: pytest.MonkeyPatch, system_id: str, package: str) -> None:
    monkeypatch.setattr(system.platform, "freedesktop_os_release", lambda: {"ID": system_id})
    assert [system.package_of(name) for name in ("chromium-driver", "venv", "sox")] == [package, "python3-venv", "sox"]


def test_a_browser_may_have_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "google-chrome").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert system.missing(("chromium", "chromium-driver")) == ["chromium-driver"]


def test_a_word_list_is_looked_for_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(system.FILES, "wspanish", str(tmp_path / "spanish"))
    assert system.missing(("wspanish",)) == ["wspanish"]
    (tmp_path / "spanish").touch()
    assert system.missing(("wspanish",)) == []


def test_system_check_imports_nothing_but_the_standard_library() -> None:
    done = subprocess.run([sys.executable, "-S", "-m", "tools.system", "git"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_doctor_names_broken_params(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"notes: \xf1")
    (finding,) = doctor.named_inputs(tmp_path / "params.yaml")
    assert "not YAML in UTF-8" in finding.found and finding.fix


@pytest.mark.parametrize(
    ("arch", "hip", "notes", "fixes"),
    [
        ("gfx1030", "7.2.26015-fc0010cf6a", ["MIOPEN_FIND_MODE=2", "fp32 is safe", "no flash attention"], 0),
        ("gfx1030", "6.4.43482-0f2d60242", ["MIOPEN_FIND_MODE=2", "fp32 is safe", "no flash attention", "restarted machines"], 1),
        ("gfx1010:xnack-", "6.4.43482-0f2d60242", ["MIOPEN_FIND_MODE=2", "fp32 is safe", "no flash attention"], 0),
        ("gfx1100", "6.4.43482-0f2d60242", ["MIOPEN_FIND_MODE=2"], 0),
    ],
)
def test_what_concerns_a_card_from_amd(arch: str, hip: str, notes: list[str], fixes: int) -> None:
    found = list(doctor.amd(arch, hip))
    assert len(found) == len(notes) and all(note in each.found for note, each in zip(notes, found, strict=True))
    to_fix = [each.fix for each in found if each.fix]
    assert len(to_fix) == fixes and all("MIOPEN_DEBUG_CONV_GEMM=0 MIOPEN_DEBUG_CONV_WINOGRAD=0" in fix for fix in to_fix)
