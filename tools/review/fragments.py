"""The parts of the review page as HTML. File names and texts come from strangers: Markup escapes everything put into it."""

from collections import Counter
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from tools.review.backend import Backend, Rejected
from tools.review.doubt import Case, Closeness
from voz.data import details
from voz.data.corrections import Correction
from voz.metrics import filters
from voz.pipeline.language import later, tr
from voz.text.reader import aloud

NEAR = 0.8  # share of a limit from which a score is marked as close to it
BEFORE, AFTER = 3, 8  # rows of the list around the current clip: ten thousand clips take no longer than ten
MAX_CHARS = 80  # of a text in a list
CLIP_KEYS = (
    (later("Space"), later("play")),
    ("E", later("edit")),
    ("Enter", later("save text")),
    ("A", later("accept")),
    ("R", later("reject")),
    ("N", later("next")),
    ("P", later("previous")),
    ("U", later("undo")),
    ("/", later("find")),
    ("L", later("ledger")),
)
LEDGER_KEYS = (
    (later("Space"), later("play")),
    ("N", later("next")),
    ("P", later("previous")),
    ("C", later("correct this clip")),
    ("L", later("clips")),
)

NAMES = {"text": later("text written"), "accept": later("accepted"), "reject": later("rejected"), "none": later("undecided")}
PROGRESS = later("<b>{done}</b> of {count} clips decided, stored in <code>{file}</code>. <code>dvc repro</code> applies the decisions.")


def shortcuts(keys: Sequence[tuple[str, str]]) -> Markup:
    """The line of keyboard shortcuts."""
    return Markup('<p class="keys">{}</p>').format(
        _join(Markup("<span><kbd>{}</kbd> {}</span>").format(tr(key), tr(what)) for key, what in keys)
    )


def progress(backend: Backend, decisions: dict[str, Correction]) -> Markup:
    """How many clips are decided, and where the decisions are stored."""
    done = sum(clip in decisions for clip in backend.cases)
    line = Markup(tr(PROGRESS))
    values = {"done": done, "count": len(backend.cases), "file": backend.folders.corrections}
    return Markup('<p class="progress">{}</p>').format(line.format(**values))


def clip_card(backend: Backend, order: list[str], clip: str, decisions: dict[str, Correction]) -> Markup:
    """Which clip it is, what was decided, and how close its scores are to the limits."""
    case = backend.cases[clip]
    head = Markup('<div class="head"><b class="place">{} <small>{}</small></b>{}{}</div>').format(
        order.index(clip) + 1, tr("of {count}", count=len(order)), _decision(decisions.get(clip)), _doubt(case)
    )
    times = f"{case.clip.start_s:.2f}–{case.clip.end_s:.2f} s"
    name = backend.names.get(case.clip.note, "")
    source = Markup('<div class="source"><code id="clip">{}</code> · {} · {}</div>').format(clip, name, times)
    return Markup('<div class="card">{}{}{}</div>').format(head, source, chips(case.closeness))


def transcript(backend: Backend, case: Case, text: str) -> Markup:
    """How the text is read, what others made of the clip, each if it differs from the text, and what of the text is not read.

    The others: Whisper, and the phone, whose transcript is of the whole note.
    """
    reading = aloud.read(text)
    lines = (
        (later("Whisper transcribed: “{text}”"), case.transcript if case.transcript != text else ""),
        (later("The phone transcribed the whole note: “{text}”"), backend.hints.get(case.clip.note, "")),
        (later("Read as: “{text}”"), reading.text if reading.text != text else ""),
        (later("Not read: {text}"), reading.left_out),
    )
    return _join(Markup('<p class="transcript">{}</p>').format(tr(line, text=value)) for line, value in lines if value)


def chips(near: list[Closeness]) -> Markup:
    """Each score with its limit, the nearest to its limit first; of two limits only the nearer one."""
    found, seen = [], set()
    for each in near:
        name = each.filter.score
        if name in seen:
            continue
        seen.add(name)
        style = "over" if each.share > 1 else "near" if each.share >= NEAR else ""
        passes = "≤" if each.filter.direction == "max" else "≥"
        hint = tr("{code} if {rule}. {why}", code=tr(each.filter.code), rule=each.filter.rule, why=tr(each.filter.why))
        values = (style, hint, name.replace("_", " "), f"{each.value:.3g}", passes, f"{each.limit:g}")
        found.append(Markup('<span class="chip {}" title="{}">{} <b>{}</b> <small>{} {}</small></span>').format(*values))
    return Markup('<div class="chips">{}</div>').format(_join(found))


def neighbours(backend: Backend, order: list[str], clip: str, decisions: dict[str, Correction]) -> tuple[list[str], list[list[str]]]:
    """The clips around one in the list: their ids, and rows of place, doubt, decision, curate's reason, text."""
    at = order.index(clip)
    first = max(0, min(at - BEFORE, len(order) - BEFORE - AFTER - 1))
    ids = order[first : first + BEFORE + AFTER + 1]
    rows = []
    for place, each in enumerate(ids, start=first + 1):
        case, decision = backend.cases[each], decisions.get(each)
        mark = f"▶ {place}" if each == clip else str(place)
        rows.append(
            [mark, f"{case.doubt:.2f}", tr(NAMES[decision.action]) if decision else "–", tr(case.reason), _short(case.text(decision))]
        )
    return ids, rows


def ledger_totals(backend: Backend) -> Markup:
    """Per stage: the number of inputs, of accepted items, and of rejected items by reason."""
    rows = []
    for stage, totals in backend.totals.items():
        reasons = Counter(item.row.reason for item in backend.rejected if item.stage == stage)
        why = ", ".join(f"{count} {tr(reason)}" for reason, count in reasons.items())
        rows.append(Markup("<tr><td>{}<td>{}<td>{}<td>{}<td>{}</tr>").format(stage, *totals, why))
    names = (tr("stage"), tr("in"), tr("items accepted"), tr("items rejected"), tr("reasons"))
    head = Markup("<tr><th>{}<th>{}<th>{}<th>{}<th>{}</tr>").format(*names)
    return Markup('<table class="totals">{}{}</table>').format(head, _join(rows))


def rejected_rows(backend: Backend, rows: list[int]) -> list[list[str]]:
    """The list of rejected items: stage, reason, note, time, detail. `rows` are indices into `backend.rejected`."""
    return [
        [item.stage, tr(item.row.reason), _note_name(backend, item), _times(item), _short(remark(backend, item))]
        for item in (backend.rejected[i] for i in rows)
    ]


def rejected_card(backend: Backend, rows: list[int], at: int) -> Markup:
    """All that the ledger says of one rejected item, and its text and scores if it is a clip."""
    item = backend.rejected[rows[at]]
    case = _case(backend, item)
    head = Markup('<div class="head"><b class="place">{} <small>{}</small></b><span class="pill reject">{}: {}</span></div>').format(
        at + 1, tr("of {count}", count=len(rows)), item.stage, tr(item.row.reason)
    )
    names = dict.fromkeys((item.row.item, _note_name(backend, item), _times(item)))  # an item of convert has the name of its note
    source = Markup('<div class="source">{}</div>').format(" · ".join(name for name in names if name))
    text = Markup("<p>“{}”</p>").format(case.text(backend.decisions().get(case.clip.id))) if case else Markup("")
    lines = (tr(filters.WHY.get(item.row.reason, "")) if case else "", remark(backend, item))
    about = _join(Markup("<p>{}</p>").format(line) for line in lines if line)
    return Markup('<div class="card">{}{}{}{}{}</div>').format(head, source, text, about, chips(case.closeness) if case else "")


def remark(backend: Backend, item: Rejected) -> str:
    """The detail of a row of the ledger in the user's language; for curate without the scores, which the chips show."""
    case = _case(backend, item)
    return details.shown(case.remark if case else item.row.detail)


def _case(backend: Backend, item: Rejected) -> Case | None:
    return backend.cases.get(item.row.input) if item.stage == "curate" else None


def _note_name(backend: Backend, item: Rejected) -> str:
    return item.row.name or backend.names.get(item.row.input.split("-")[0], item.row.input)


def _times(item: Rejected) -> str:
    return f"{float(item.row.start_s):.2f}–{float(item.row.end_s):.2f} s" if item.row.start_s and item.row.end_s else ""


def _decision(decision: Correction | None) -> Markup:
    action = decision.action if decision else "none"
    return Markup('<span class="pill {}" id="decision">{}</span>').format(action, tr(NAMES[action]))


def _doubt(case: Case) -> Markup:
    """The doubt as a number, and the filter that it comes from."""
    if case.reason:
        source, hint = tr("rejected by curate: {reason}", reason=tr(case.reason)), tr(filters.WHY.get(case.reason, ""))
    else:
        source = tr("closest filter: {code}", code=tr(case.closeness[0].filter.code)) if case.closeness else ""
        hint = tr("the closest score as a share of its limit: 1 = at the limit")
    about = "; ".join(part for part in (source, details.shown(case.remark)) if part)
    return Markup('<span class="doubt" title="{}">{} <b>{}</b> · {}</span>').format(hint, tr("doubt"), f"{case.doubt:.2f}", about)


def _short(text: str) -> str:
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}…"


def _join(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)
