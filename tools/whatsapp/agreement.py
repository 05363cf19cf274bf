"""The consent for the notes of an import: asked for in a terminal, or given by options; and that a folder has one speaker's notes."""

import argparse
import datetime
import sys
from pathlib import Path

from tools.whatsapp import names
from voz.data import consent, origins
from voz.pipeline import command
from voz.pipeline.command import UserError
from voz.pipeline.language import tr


def obtain(folder: Path, sender: str, args: argparse.Namespace) -> consent.Consent:
    """The consent for these notes: the record in the folder, else from the options, else asked for. Writes nothing.

    Raises:
        UserError: the speaker does not agree, or there are neither options nor a terminal to ask in, or the folder holds
            notes of another sender.
    """
    if (folder / consent.NAME).is_file():
        record = consent.read(folder)
        _check_same_speaker(folder, sender, record, args)
        return record
    today = datetime.date.today().isoformat()
    if args.consent_speaker and args.consent_statement:
        return consent.Consent(args.consent_speaker, today, args.consent_statement, args.consent_scope)
    if not sys.stdin.isatty():
        raise UserError(
            "consent: who speaks, and do they agree?", "--consent-speaker NAME --consent-statement TEXT, or run it in a terminal"
        )
    speaker = command.ask(tr("Who speaks in these notes? [{sender}] ", sender=sender)) or sender
    if not speaker or not _confirmed(tr("Does {speaker} agree that a synthetic voice is trained from them?", speaker=speaker)):
        raise UserError("no consent, nothing was imported", "ask the speaker first")
    statement = command.ask(tr("In their words [{statement}] ", statement=tr(consent.STATEMENT))) or tr(consent.STATEMENT)
    scope = command.ask(tr("What may the voice be used for? [{scope}] ", scope=tr(consent.SCOPE))) or tr(consent.SCOPE)
    return consent.Consent(speaker, today, statement, scope)


def _check_same_speaker(folder: Path, sender: str, record: consent.Consent, args: argparse.Namespace) -> None:
    """Make sure that notes of another sender in the folder are the same person's: by option, or by asking.

    Raises:
        UserError: they are not, or there is no terminal to ask in.
    """
    key = names.sender_key(sender)
    others = sorted({origin.sender for origin in origins.read(folder) if origin.sender and names.sender_key(origin.sender) != key})
    if not others or args.same_speaker:
        return
    question = tr(
        'Notes of "{other}" are in {folder}. Is "{sender}" the same person ({speaker})?',
        other=others[0],
        folder=folder,
        sender=sender,
        speaker=record.speaker,
    )
    if not _confirmed(question):
        raise UserError(
            '{folder}: holds notes of "{sender}"',
            "a voice needs one speaker: use another --notes folder, or --same-speaker if it is the same person",
            folder=folder,
            sender=others[0],
        )


def _confirmed(question: str) -> bool:
    """True if the user answers yes; False if there is no terminal to ask in."""
    return sys.stdin.isatty() and command.ask(tr("{question} [yes/no] ", question=question)).lower() in ("y", "yes", "s", "si", "sí")
