"""What people put in and get out as data: notes, their origins, consent, corrections, the LJSpeech dataset.

The records that flow between stages are in `pipeline`.
"""
