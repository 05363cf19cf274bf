"""For every test: messages are in English, whatever the locale of the one who runs it. Programs that a test starts inherit it."""

import os

os.environ["VOZ_LANG"] = "en"
