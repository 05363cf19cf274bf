"""Any recording as samples, whatever its format: for the tools that take a file from a person."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from voz.audio import decode, faults
from voz.pipeline import cache_folders, files, sandbox
from voz.pipeline.command import UserError


@contextmanager
def opened(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """The mono samples of an audio file, on disk until the block ends, and their rate in Hz. float32 [T]

    Raises:
        UserError: it is missing, or no audio comes out.
    """
    name = files.printable(str(path))
    with cache_folders.scratch() as folder:
        raw = folder / "raw"
        try:
            decoded = sandbox.call(decode.decode, path, raw, limit_s=decode.LIMIT_S)
        except (FileNotFoundError, IsADirectoryError) as error:
            raise UserError("{name}: no such file", "name an audio file", name=name) from error
        except (faults.Unusable, sandbox.Crashed, sandbox.TimedOut, MemoryError) as error:
            reason = error.detail if isinstance(error, faults.Unusable) else str(error) or type(error).__name__
            raise UserError("{name}: no audio can be decoded ({reason})", "name an audio file", name=name, reason=reason) from error
        pcm = np.memmap(raw, np.float32, mode="r+")
        pcm /= np.float32(decoded.scale)
        yield pcm, decoded.rate_hz
