"""Options that several verbs share: how they are spelled, and the typed options that they become.

In reading order: model (which model, and how it computes), generation (named variants of the protocols), judge (which
judge grades), gate (what `check` and `run --gate` allow).
Not here: what the options mean, which vlmbench.runs.options checks.
"""

from __future__ import annotations

import argparse

Group = argparse._ActionsContainer
"""What takes options: a parser, or one of its groups."""
