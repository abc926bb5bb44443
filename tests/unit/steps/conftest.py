"""Property tests here import pandas or scikit-learn in their first example: no deadline a case."""

from hypothesis import settings

settings.register_profile("steps", deadline=None)
settings.load_profile("steps")
