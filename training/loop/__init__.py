"""The training loop: a recipe in, a finished model with its log and recipe out. Resumption is bit-exact.

- loop: all stages. stage_run: the steps of one. state: folder, lock, devices and model of a training.
- learner, objectives, patches: optimiser and unfrozen parts, losses, dense targets. init: fresh weights.
- checkpoint, mark, data_state, folder_lock: what is stored, whose it is, which data it read, who may write.
- log, evaluate_live: log lines and trackers, benchmarks during training. devices: accelerate.
- ablation: variants of a recipe over several seeds.
"""
