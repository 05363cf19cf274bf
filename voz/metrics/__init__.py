"""What is measured of clips and voices: scores and filters of clips, error rates, similarity, pitch, accent, judges.

Nothing here changes a clip or a model.
"""
