"""The recipes, one file a system: functions that return a Recipe."""
