"""The parts of the review page as HTML. Names and texts are strangers' words: Markup escapes all that is put into it."""

from collections.abc import Sequence

from markupsafe import Markup

from tools.review.desk import Desk, Left
from tools.review.doubt import Case, Closeness
from voz.data.corrections import Correction

NEAR = 0.8  # of a limit: shown as close to it
BEFORE, AFTER = 3, 8  # clips of the list around the current one: it costs the same with ten and with ten thousand
SHORT = 80  # characters of a text in a list
CLIP_KEYS = (
    ("Space", "play"),
    ("E", "edit"),
    ("Enter", "save text"),
    ("A", "accept"),
    ("R", "reject"),
    ("N", "next"),
    ("P", "previous"),
    ("U", "undo"),
    ("/", "find"),
    ("L", "ledger"),
)
LEDGER_KEYS = (("Space", "play"), ("N", "next"), ("P", "previous"), ("C", "correct this clip"), ("L", "clips"))


def keys(shown: Sequence[tuple[str, str]]) -> Markup:
    """The line of keyboard shortcuts."""
    return Markup('<p class="keys">{}</p>').format(_join(Markup("<span><kbd>{}</kbd> {}</span>").format(*pair) for pair in shown))


def progress(desk: Desk, decided: dict[str, Correction]) -> Markup:
    """How far one is, and where it is written."""
    done = sum(clip in decided for clip in desk.cases)
    line = "<b>{}</b> of {} clips decided, kept in <code>{}</code>. <code>dvc repro</code> then redoes only what depends on it."
    return Markup('<p class="progress">' + line + "</p>").format(done, len(desk.cases), desk.folders.corrections)


def clip_card(desk: Desk, order: list[str], clip: str, decided: dict[str, Correction]) -> Markup:
    """Which clip it is, what was decided, and why one may doubt it."""
    case = desk.cases[clip]
    head = Markup('<div class="head"><b class="place">{} <small>of {}</small></b>{}{}</div>').format(
        order.index(clip) + 1, len(order), _pill(decided.get(clip)), _why(case)
    )
    span = f"{case.clip.start_s:.2f}–{case.clip.end_s:.2f} s"
    where = Markup('<div class="where"><code id="clip">{}</code> · {} · {}</div>').format(clip, desk.names.get(case.clip.note, ""), span)
    return Markup('<div class="card">{}{}{}</div>').format(head, where, chips(case.closeness))


def heard(case: Case, text: str) -> Markup:
    """What whisper wrote, where the text is another."""
    return Markup('<p class="heard">whisper heard: “{}”</p>').format(case.heard) if text != case.heard else Markup("")


def chips(near: list[Closeness]) -> Markup:
    """Each score with its limit (of two, the nearer one), the nearest first."""
    found, seen = [], set()
    for one in near:
        if one.score in seen:
            continue
        seen.add(one.score)
        style = "over" if one.share > 1 else "near" if one.share >= NEAR else ""
        values = (style, one.score.replace("_", " "), f"{one.value:.3g}", "≤" if one.at_most else "≥", f"{one.limit:g}")
        found.append(Markup('<span class="chip {}">{} <b>{}</b> <small>{} {}</small></span>').format(*values))
    return Markup('<div class="chips">{}</div>').format(_join(found))


def around(desk: Desk, order: list[str], clip: str, decided: dict[str, Correction]) -> tuple[list[str], list[list[str]]]:
    """The neighbours of a clip in the list: their ids, and rows of place, doubt, decision, reason, text."""
    at = order.index(clip)
    first = max(0, min(at - BEFORE, len(order) - BEFORE - AFTER - 1))
    ids = order[first : first + BEFORE + AFTER + 1]
    rows = []
    for place, each in enumerate(ids, start=first + 1):
        case, one = desk.cases[each], decided.get(each)
        text = _short(case.text(one))
        rows.append([f"▶ {place}" if each == clip else str(place), f"{case.doubt:.2f}", one.action if one else "–", case.reason, text])
    return ids, rows


def ledger_totals(desk: Desk) -> Markup:
    """Per stage: what came in, what was accepted, what was left out and why."""
    rows = []
    for stage, (given, accepted, rejected) in desk.totals.items():
        reasons: dict[str, int] = {}
        for left in desk.left:
            if left.stage == stage:
                reasons[left.row.reason] = reasons.get(left.row.reason, 0) + 1
        why = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        rows.append(Markup("<tr><td>{}<td>{}<td>{}<td>{}<td>{}</tr>").format(stage, given, accepted, rejected, why))
    head = Markup("<tr><th>stage<th>in<th>accepted<th>left out<th>why</tr>")
    return Markup('<table class="totals">{}{}</table>').format(head, _join(rows))


def left_rows(desk: Desk, shown: list[int]) -> list[list[str]]:
    """The list of what was left out: stage, reason, note, stretch, detail."""
    return [
        [left.stage, left.row.reason, _note_name(desk, left), _span(left), _short(remark(desk, left))]
        for left in (desk.left[i] for i in shown)
    ]


def left_card(desk: Desk, shown: list[int], at: int) -> Markup:
    """One thing that was left out, with all that is known of it."""
    left = desk.left[shown[at]]
    case = desk.cases.get(left.row.input) if left.stage == "curate" else None
    head = Markup('<div class="head"><b class="place">{} <small>of {}</small></b><span class="pill reject">{}: {}</span></div>').format(
        at + 1, len(shown), left.stage, left.row.reason
    )
    names = dict.fromkeys((left.row.item, _note_name(desk, left), _span(left)))  # convert's items are called like their notes
    where = Markup('<div class="where">{}</div>').format(" · ".join(name for name in names if name))
    said = Markup("<p>“{}”</p>").format(case.text(desk.decisions().get(case.clip.id))) if case else Markup("")
    about = Markup("<p>{}</p>").format(remark(desk, left)) if remark(desk, left) else Markup("")
    return Markup('<div class="card">{}{}{}{}{}</div>').format(head, where, said, about, chips(case.closeness) if case else "")


def remark(desk: Desk, left: Left) -> str:
    """The detail of a row; curate's without the scores, which stand elsewhere."""
    case = desk.cases.get(left.row.input) if left.stage == "curate" else None
    return case.remark if case else left.row.detail


def _note_name(desk: Desk, left: Left) -> str:
    return left.row.name or desk.names.get(left.row.input.split("-")[0], left.row.input)


def _span(left: Left) -> str:
    return f"{float(left.row.start_s):.2f}–{float(left.row.end_s):.2f} s" if left.row.start_s and left.row.end_s else ""


def _pill(decision: Correction | None) -> Markup:
    names = {"text": "text written", "accept": "accepted", "reject": "rejected"}
    action = decision.action if decision else "none"
    return Markup('<span class="pill {}" id="decision">{}</span>').format(action, names.get(action, "undecided"))


def _why(case: Case) -> Markup:
    """The doubt in one number, and what raises it."""
    by = f"left out: {case.reason}" if case.reason else f"nearest limit: {case.closeness[0].reason}" if case.closeness else ""
    about = "; ".join(part for part in (by, case.remark) if part)
    return Markup('<span class="doubt" title="score ÷ limit of the nearest filter: 1 = at the limit">doubt <b>{}</b> · {}</span>').format(
        f"{case.doubt:.2f}", about
    )


def _short(text: str) -> str:
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"


def _join(parts: object) -> Markup:
    return Markup("").join(parts)  # type: ignore[arg-type]
