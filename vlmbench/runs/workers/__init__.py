"""Many replicas of one model, on one machine or many, as one model. Ray does the distribution.

In reading order: scheduler (which worker has which groups; knows nothing of Ray), images (which travel by name, and
reading them), worker (one replica, which writes its part of the log), merging (parts as answers), machines (what they
cannot reach), hashing (of all images, before a run),
cluster (starting and leaving Ray), slots and pool (the replicas as one Model, workers that fail are
replaced).
"""
