"""What a person runs by hand, by `make`; each folder is a room of its own: a chat, pages, remotes, forgetting."""

import voz as voz  # before torch
