"""Import voice notes from a WhatsApp export: read the chat, open the archive, choose one sender's notes. Run by `make notes`."""
