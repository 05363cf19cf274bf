"""What stands in a text beside its words: emoticons and stage directions. Nobody says them."""

import re

# Between letters ":D" or ":p" may be a slip; after a digit ":3" is a time and "<3" may compare.
_EYES, _NOSE = r"[:;=]", r"[-'o^]?"
_EMOTICON = re.compile(
    rf"""(?<![\d:;=])(?:
        </?3+(?!\d)
        | {_EYES}{_NOSE}[)(\[\]*|\\]+
        | {_EYES}{_NOSE}/(?!/)
        | (?<!\w){_EYES}{_NOSE}(?:[DPpOoSsxX3Vv]|c)(?!\w)
        | (?<!\w)[xX][dD]+(?!\w)
        | (?<!\w)\^_*\^(?!\w)
        | (?<!\w)(?:-_+-|>_+<|[oO]_+[oO]|[uU]_+[uU]|[tT]_+[tT]|¬_+¬)(?!\w)
    )""",
    re.VERBOSE,
)
_SOUNDS = (
    r"risas?|r[ií]en?|riendo|carcajadas?|m[uú]sica|aplausos?|suspir[oa]s?|suspirando|tose|tos|toses|silencio|inaudible|ininteligible|llant[oa]"
    r"|llora|llorando|ruidos?|gritos?|pausa|bostez[oa]|solloz[oa]s?|sollozando|susurr[oa]|susurrando|murmullos?|jadeos?|jadea|canta|cantando"
    r"|tarare[oa]|audio|beep|pitido|estornud[oa]|cough|laughs?|laughter|music|applause|silbidos?|silba|timbre|bocinas?|ladridos?"
)
_DIRECTION = re.compile(
    rf"[(\[*]\s?(?:se\s|con\s|entre\s|hace\s(?:una?\s)?)?(?:{_SOUNDS})(?:\s[^\W\d_]{{1,12}}){{0,3}}\s?[)\]*]", re.IGNORECASE
)


def drop(text: str) -> tuple[str, list[str]]:
    """The text without emoticons and stage directions, and what was dropped."""
    dropped: list[str] = []

    def note(match: re.Match[str]) -> str:
        dropped.append(match[0])
        return " "

    return _EMOTICON.sub(note, _DIRECTION.sub(note, text)), dropped
