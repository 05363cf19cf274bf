"""What makes a stage a stage: command line and errors, parameters, records, ledger, cache, parallel work, files, sandbox.

Knows nothing of sound, text or models.
"""
