"""The training loop: a recipe in, a finished model with its log and recipe out. Resumption is bit-exact.

- loop: all stages. stage_run: the steps of one. state: folder, lock, devices and model of a training.
- learner: the module and parameter groups of a stage, and what is in train mode. objectives, patches: losses and dense
  targets. init: fresh weights, and weights of other checkpoints.
- checkpoint, mark, data_state, folder_lock: what is stored, whose it is, which data it read, who may write.
- metrics_log, eval_during_training: log lines and trackers, benchmarks during training. devices: accelerate.
- ablation: variants of a recipe over several seeds.

What a recipe may say belongs to recipe/, where rows come from to sources/ and scenes/.
"""
