"""The pages of a run that is still going, served on this machine alone (`vlmbench watch`).

Belongs here: the server, what its page shows, and the page of one look. Not here: reading the run (vlmbench/runs/live/)
and the site, which is made of a snapshot as of any finished run.
In reading order: state (what the page shows, as JSON), server (who may see it, and what it answers).
"""
