"""Many replicas of one model, on one machine or many, as one model. Ray does the distribution.

In reading order: scheduler (which worker has which groups; knows nothing of Ray), worker (one replica, and starting
Ray), pool (the replicas as one Model, workers that fail are replaced).
"""
