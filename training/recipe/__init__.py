"""What a recipe is: typed values, stored in the checkpoint that they make.

- recipe: Recipe, Stage and Pool. limits: allowed values. changes: `--set stages.finetune.steps=100`.
- schedule: learning rates. plan: parameters, tokens, memory and hours, computed without training.
- teacher: settings of distillation.
"""
