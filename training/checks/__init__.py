"""Checks of trainings that were made: does a second one give the same digits?

Belongs here: what trains again to compare (`digits`).
Not here: training itself (loop), and tests of it.
"""
