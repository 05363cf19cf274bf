"""For every test: messages are in English, whatever the locale of the one who runs it, and a closed terminal is told also under
`nohup`. Programs that a test starts inherit both."""

import os
import signal

os.environ["VOZ_LANG"] = "en"
signal.signal(signal.SIGHUP, signal.SIG_DFL)
