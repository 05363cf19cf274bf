"""How a Gradio page is served to one person on this machine: `make review`, `make listen`."""
