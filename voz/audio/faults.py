"""What can be wrong with a recording. The codes are the ledger's reason codes (docs/data-format.md)."""

from collections.abc import Iterable
from typing import NamedTuple

TRUNCATED, DAMAGED = "truncated", "damaged"


class Fault(NamedTuple):
    """Something is missing or wrong, but the rest can be used: reason code, sentence, and the byte of the file if it is known."""

    code: str
    text: str
    byte: int = 0


class Unusable(Exception):
    """No audio can be decoded from the file: reason code and sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail


def worst_first(faults: Iterable[Fault]) -> list[Fault]:
    """Truncation before damage, otherwise in the order found."""
    return sorted(faults, key=lambda fault: fault.code != TRUNCATED)
