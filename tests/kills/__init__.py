"""Commands killed at their changes to the disk, which the same command then has to finish.

`python -m tests.kills 500` kills every command at its changes to the disk; the suite runs a part of it
(test_kill_points.py), kills a run at random moments (test_random_kills.py) and looks at the log's fsyncs
(test_group_commit.py). The modules in reading order:
kill_points (a command that ends at its Nth change), commands (the rounds and what must hold after each), ray_workers
(the same with Ray workers), joint_decoding (runs that end while answers about several images are decoded together),
slow_run (a run slow enough to be killed from outside). Trainings: tests/training/loop/kills.py.
"""
