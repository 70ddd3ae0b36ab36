"""The one place of `detect` that imports Presidio and spaCy, which takes seconds: import it on use only."""
