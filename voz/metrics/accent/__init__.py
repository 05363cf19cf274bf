"""How a recording of a known text is spoken: what becomes of ⟨ll, y⟩, of /s/, and the rhythm and the melody.

One module per feature, each with a function of sounds (`alignment.Sound`) and a spectrum or samples. What the figures mean, and how
often they are right: docs/accent.md.
"""
