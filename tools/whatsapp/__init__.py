"""Voice notes out of a WhatsApp export: the chat's text, the archive, whose note is whose. Run by `make notes`."""
