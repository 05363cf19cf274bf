"""Atheris on one target: `python -m tests.fuzz.engine TARGET <libFuzzer's options>`. See tests/fuzz/__main__.py."""

import sys

import atheris

NAME = sys.argv.pop(1)


def main() -> None:
    """Call the target with one mutated input after the other, until there is a fault or the number of runs is reached."""
    import tests.fuzz.targets as plain

    target = plain.TARGETS[NAME]
    for module in [name for name in sys.modules if name.split(".")[0] in ("voz", "tools", "tests") or name in target.modules]:
        del sys.modules[module]
    with atheris.instrument_imports(include=list(target.modules)):
        from tests.fuzz import targets
    atheris.Setup(sys.argv, targets.TARGETS[NAME].read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
