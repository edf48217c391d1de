"""The recipes, one file per system: functions that return a Recipe.

- tinyllava, minigpt4, minigptv2, tinygptv: full size, as the papers and as the official codes have them.
- nano, tinygptv_nano: the small models that ship, trained on drawn scenes. smoke: any recipe at toy size.
- ablations: variants of the papers' tables at nano size.
"""
