"""What other harnesses wrote, read into runs of ours: `vlmbench import PATH`.

In reading order: readers/ (a peer's files as a run of its tasks, rows and figures), peers (which reader takes which
files), rules (the peers' own metrics, from rows), peer_task (their benchmarks as tasks), our_tasks (the same answers
under our protocols), writer (a run's folder).
Not here: answer files of one benchmark (families/, `vlmbench score`), how answers are scored (scoring/).
"""
