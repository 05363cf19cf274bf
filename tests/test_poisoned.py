"""An item that ends its process (memory runs out, a library crashes) fails alone: all others are computed. On this machine; the same
on a cluster is in test_cluster.py."""

import functools
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from joblib.externals.loky import get_reusable_executor

from stages import convert, segment
from tests import poisoned_stages, recordings
from tests.parallel_work import fill_or_die, square_or_die, squares_or_die
from tests.recordings import RATE_HZ
from voz.pipeline import cache, cache_folders, ledger, parallel, records
from voz.pipeline.command import UserError

ROOT = Path(__file__).parent.parent
TWO = parallel.Engine(workers=2)
POISON = 5


@pytest.fixture(autouse=True)
def new_processes() -> None:
    """joblib keeps its processes, in the folder of the test before."""
    get_reusable_executor().shutdown(wait=True)


def test_the_poisoned_item_dies_alone_and_the_order_is_kept() -> None:
    work = functools.partial(square_or_die, POISON)
    results = list(parallel.map(work, range(12), label="test", engine=TWO, died=lambda number: -number))
    assert results == [-n if n == POISON else n * n for n in range(12)]


def test_without_another_value_it_is_one_line_after_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    store = cache.Cache("squares", 1, params={})
    with pytest.raises(UserError, match=r"^5: the process that computed it died each time; leave it out"):
        store.map_batches(
            range(12),
            key=lambda number: store.key(str(number)),
            batches=lambda missing: [missing[start : start + 3] for start in range(0, 12, 3)],
            work=functools.partial(squares_or_die, POISON),
            save=lambda entry, value: cache_folders.save_json(entry, "square", {"n": value}),
            load=lambda entry: entry,
            label="test",
            engine=TWO,
        )
    assert [number for number in range(12) if store.get(store.key(str(number))) is None] == [POISON]


def test_the_next_run_tries_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    store = cache.Cache("squares", 1, params={})
    for poison, expected in ((3, [0, 1, 4, -3, 16]), (POISON, [0, 1, 4, 9, 16])):
        values = store.map(
            range(5),
            key=lambda number: store.key(str(number)),
            work=functools.partial(fill_or_die, poison),
            load=lambda entry: int((entry / "square").read_text()),
            label="test",
            engine=TWO,
            died=lambda number: -number,
        )
        assert values == expected


def run_both(monkeypatch: pytest.MonkeyPatch) -> None:
    for stage, arguments in ((convert, ["notes", "wav"]), (segment, ["wav", "clips", "--metrics", "segment.json"])):
        name = stage.__name__.rpartition(".")[2]
        monkeypatch.setattr(sys, "argv", [name, *arguments, "--ledger", f"{name}.csv"])
        stage.main()


def rejected(stage: str) -> list[tuple[str, str]]:
    return [(row.name or row.input, row.reason) for row in ledger.read(Path(f"{stage}.csv")) if row.reason == "process_died"]


@pytest.mark.slow
def test_the_stages_reject_the_note_and_finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    Path("notes").mkdir()
    for n in range(4):
        Path("notes", f"{n}.wav").write_bytes(recordings.wav(recordings.pcm()[n * RATE_HZ :][: 8 * RATE_HZ]))
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["compute"] |= {"device": "cpu", "workers": 2}
    Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with monkeypatch.context() as poisoned:
        poisoned.setattr(convert, "convert_into_cache", poisoned_stages.convert_or_die)
        run_both(monkeypatch)
    assert rejected("convert") == [(poisoned_stages.POISONED, "process_died")]
    assert len(records.read(Path("wav"), records.Note)) == 3
    run_both(monkeypatch)
    assert rejected("convert") == [] and len(records.read(Path("wav"), records.Note)) == 4
    shutil.rmtree(".cache/segment")
    with monkeypatch.context() as poisoned:
        poisoned.setattr(segment, "segment_into_cache", poisoned_stages.segment_or_die)
        run_both(monkeypatch)
    (note,) = [note.id for note in records.read(Path("wav"), records.Note) if note.name == poisoned_stages.POISONED]
    assert rejected("segment") == [(note, "process_died")]
    assert {clip.note for clip in records.read(Path("clips"), records.Clip)} == {
        each.id for each in records.read(Path("wav"), records.Note)
    } - {note}
