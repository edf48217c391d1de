"""What the machines of a pool's workers can reach: the data, and the run's folder. Each shortcoming is told of once."""

from __future__ import annotations

import logging
from collections import Counter

LOGGER = logging.getLogger(__name__)
UNREAD = 3
"""Groups in a row whose images a machine cannot read, before it is sent bytes only."""


class Machines:
    """What is known of machines, by their names."""

    def __init__(self) -> None:
        self.without_data: set[str] = set()
        """Machines that are sent the bytes of images."""
        self._without_folder: set[str] = set()
        self._unread: Counter[str] = Counter()
        """Groups in a row whose images could not be read."""

    def note_images(self, machine: str, unread: str) -> None:
        """A worker could read the images of a group, or could not for a reason."""
        self._unread[machine] = self._unread[machine] + 1 if unread else 0
        if self._unread[machine] >= UNREAD and machine not in self.without_data:
            self.without_data.add(machine)
            LOGGER.warning("%s cannot read the data (%s): images are sent there by this process", machine, unread)

    def note_detour(self, machine: str, reason: str) -> None:
        """A worker sends its answers in messages, for a reason."""
        if reason and machine not in self._without_folder:
            self._without_folder.add(machine)
            LOGGER.warning("%s %s: answers come from there by message", machine, reason)
