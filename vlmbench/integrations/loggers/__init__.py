"""Scores on their way to experiment trackers and model cards: W&B, MLflow, Trackio, TensorBoard, the Hugging Face hub.

Belongs here: one class per service, behind one interface, and what is sent to them. Not here: what a run's folder
holds (runs/storage), reports (reports/).
In reading order: targets (`--log-to` to services and their options), sent_run (what is sent of a run), trackers (one
class per service), hub_card (a model card's metadata), sending (to all of them; a failure is told and ends nothing).
"""

from .sending import Sender, log_run
from .targets import Target, parse

__all__ = ["Sender", "Target", "log_run", "parse"]
