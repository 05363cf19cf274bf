"""The consent record: who speaks in the notes, and that they agree to a synthetic voice.

`consent.yaml` lies in the notes folder and is copied along with the data (wav -> clips -> dataset). Its fields, none of
them empty:

    speaker: Ana Pérez
    date: 2026-05-12
    statement: I am the speaker of these notes and agree that a synthetic voice is trained from them.
    scope: private use on my own machine; not to be published, sold or passed on
"""

import datetime
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import yaml

from voz.pipeline import files
from voz.pipeline.command import UserError
from voz.pipeline.language import later

NAME = "consent.yaml"
MAX_BYTES = 2**16  # of the file; reading YAML takes seconds per megabyte
MAKE = later("make notes ZIP=… SENDER=… asks for it; by hand: a consent.yaml with speaker, date (YYYY-MM-DD), statement, scope")
STATEMENT = later("I am the speaker of these notes and agree that a synthetic voice is trained from them.")
SCOPE = later("private use by the speaker; not to be published, sold or passed on")


@dataclass(frozen=True)
class Consent:
    """What a speaker agreed to. `date` is an ISO date.

    Raises:
        ValueError: a field is empty or not text, or the date is not a date.
    """

    speaker: str
    date: str
    statement: str
    scope: str

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str) or not value.strip():
                shown = repr(value) if isinstance(value, str) else f"a {type(value).__name__}"  # a list may be endless
                raise ValueError(f"{field.name}: {shown} is empty or not text")
        try:
            datetime.date.fromisoformat(self.date)
        except ValueError as error:
            raise ValueError(f"date: {self.date!r} is not a date like 2026-05-12") from error


def read(path: Path) -> Consent:
    """Read a consent record; `path` is the file, or the folder that holds `consent.yaml`.

    Raises:
        UserError: the file is missing or not YAML, or a field is missing, empty or invalid.
    """
    path = path / NAME if path.is_dir() else path
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError("{path}: larger than {most_kib} KiB", MAKE, path=path, most_kib=MAX_BYTES // 1024)
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError("{path}: no consent record: who speaks in these notes, and do they agree?", MAKE, path=path) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, or a date such as 2026-05-32
        raise UserError("{path}: not YAML ({reason})", MAKE, path=path, reason=str(error).splitlines()[0]) from error
    if not isinstance(data, dict):
        raise UserError("{path}: has no fields", MAKE, path=path)
    if isinstance(data.get("date"), datetime.date):  # YAML reads an unquoted ISO date as a date, not as text
        data["date"] = data["date"].strftime("%Y-%m-%d")
    names = [field.name for field in fields(Consent)]
    missing = [name for name in names if name not in data]
    if missing:
        raise UserError("{path}: missing {missing}", MAKE, path=path, missing=", ".join(missing))
    try:
        return Consent(**{name: data[name] for name in names})
    except ValueError as error:
        raise UserError("{path}: {error}", MAKE, path=path, error=error) from error


def write(path: Path, consent: Consent) -> None:
    """Write a consent record, atomically; `path` is the file, or the folder that is to hold `consent.yaml`."""
    path = path / NAME if path.is_dir() else path
    files.write_text(path, yaml.safe_dump(asdict(consent), allow_unicode=True, sort_keys=False, width=1000))


def carry(source: Path, target: Path) -> Consent | None:
    """Copy the record from one stage's folder to the next one's, and return it; None if `source` has none.

    Raises:
        UserError: the record is invalid.
    """
    if not (source / NAME).is_file():
        return None
    consent = read(source)
    files.copy(source / NAME, target / NAME)
    return consent
