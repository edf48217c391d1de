"""The models: included, trainable ones and adapters. Names are listed in vlmbench/base/registry.py."""
