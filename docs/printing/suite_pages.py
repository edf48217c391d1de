"""docs/evaluate/suites.md: what suites are, the built-in ones, and suite files."""

from __future__ import annotations

from docs.printing.markdown import joined, table
from vlmbench.base import registry
from vlmbench.scoring.suites import suite_file
from vlmbench.scoring.suites.suite import FORMULAS, Suite

ABOVE = """
A suite is a list of benchmarks that are reported together, with the formula that makes one figure of theirs, where the
source of the list publishes one.

```bash
vlmbench suites
vlmbench suites mobilevlm6
vlmbench run --model echo,text=yes --tasks suite:tinygptv,pope@llava --limit 20 --output runs/five
vlmbench report runs/five --output site
```

`--tasks` takes suites and tasks side by side; a task that two suites have is asked once. Members that vlmbench does not
have yet are named and left out of the run, and then there is no average.

## The average

`scores.json` has an entry `suite:NAME` behind those of the tasks, and so have the printed table, `--json`, the report
and the Python result. Its metric is `average`; `members` has the figures that went into it, in their own unit.

- It has a value only if every member is there and has one: `note` says what is missing otherwise (`no average: MMStar
  is not in vlmbench`, `POPE failed`). Without a published formula there is no average at all.
- `coverage` is the lowest of the members. `--min-coverage` and exit codes are decided by the members.
- The interval is MOVER's (Zou & Donner, Statistics in Medicine 27, 2008): with members' values v, intervals [l, h] and
  shares w of the average, low = v - sqrt(sum (w (v - l))^2), high = v + sqrt(sum (w (h - v))^2). Members count as
  independent; several metrics of one task count as dependent, and their distances are added. Benchmarks that share
  images are taken as independent too. In simulations of 95 % intervals it held the truth in 95.0 % of draws for six
  benchmarks of 400 to 3,000 images, in 94.7 % for four of 150 to 400 that are 90 to 95 % right, and in 93.4 % for three
  of 40 to 100 that are nearly all right (tests/core/stats/test_combined.py).
- A member whose metric has no interval (one image in a subtask of MME, as with a small `--limit`) leaves the average
  without one.
- With `--temperature` and the like all members are asked in that variant, and the key says so:
  `suite:mobilevlm6+temperature=0.7`.

`vlmbench compare` shows the difference of averages from the members' paired differences, whichever of the runs was made
as a suite; a member of which no answer turned counts with the error of one more answer lost and one more gained.
`vlmbench check` tests members and average together (Holm's correction counts each), the average by the members'
combined standard errors. `--max-drop 1.0,suite:mobilevlm6=0.5` sets the average's own allowed drop, `--tasks
suite:mobilevlm6` names the members and the average. Baseline files keep the suite.

## Built-in suites
""".strip()

BELOW = """
## Suite files

`--suite FILE` takes a list of one's own, in YAML:

```yaml
name: nightly
title: objects and relations
source: our wiki
model: {name: "echo,text=yes"}
data: sample
limit: 200
generation: {max_new_tokens: 16}
tasks:
  - pope@llava
  - task: vsr@minigpt_v2
    limit: 0.5
    generation: {max_new_tokens: 8}
average:
  formula: weighted_mean
  source: agreed in March
  members:
    - {task: pope@llava, weight: 2}
    - {task: vsr@minigpt_v2, name: VSR, metric: accuracy}
```

```bash
vlmbench run --suite suite.yaml --output runs/nightly
vlmbench run --suite suite.yaml --model echo,text=no --limit 5 --output runs/smoke
vlmbench baseline runs/nightly --output baseline.json
vlmbench check runs/nightly --baseline baseline.json --tasks suite:nightly --max-drop 30
```

From Python: `vlmbench.evaluate(model, suite="suite.yaml")`, or `tasks="suite:mobilevlm6"`.

{keys}

A task's setting goes before the file's, and the command line before both: `--data sample --limit 5` tries any file out.
`--model` and `--judge` replace the file's whole block. `--tasks` adds tasks to those of the file.

An unknown key, a wrong type or a key that is there twice is an error with file, line and key. Files have at most 256
KiB, one document and 8 levels; tags, anchors and aliases are refused. A file holds settings, not code: plug-ins and
`--trust-remote-code` are for the command line alone.

A plug-in adds a suite by name: `vlmbench.add_suite(vlmbench.Suite(...))`, or an entry point in the group
`vlmbench.suites`.
""".strip()


KEYS = (
    ("`name`", "required: small letters, digits, `-`, `_`, `.`; the key in scores.json is `suite:NAME`"),
    ("`title`, `source`, `note`", "texts for tables and reports"),
    ("`model`", f"what `--model` takes, or a mapping: {joined(suite_file.MODEL)}"),
    ("`judge`", f"what `--judge` takes, or a mapping: {joined(suite_file.JUDGE)}"),
    ("`data`, `limit`", "for all tasks, as `--data` and `--limit` take them"),
    ("`generation`", f"for all tasks, a mapping: {joined(suite_file.GENERATION)}"),
    ("`tasks`", "required: a list of tasks as `--tasks` takes them, or mappings: " + joined(suite_file.TASK)),
    ("`average`", f"`formula` ({joined(FORMULAS)}), `source`, `members`; without it there is no average"),
    ("`members`", f"tasks of the list, or mappings: {joined(suite_file.MEMBER)}; all tasks if left out"),
    ("`metric`", "a metric, or a list of which the mean counts; the headline if left out"),
    ("`divide_by`, `weight`", "numbers above 0, 1 if left out; weights count for `weighted_mean` and `sum`"),
)
"""The keys of a suite file, and what they hold."""


def page(printed: str) -> str:
    """The page; `printed` is the line that says where it comes from."""
    heads = ("suite", "members", "average", "source of the list")
    rows = table(heads, (_row(suite) for suite in registry.suites.builtin.values()))
    below = BELOW.replace("{keys}", "\n".join(table(("key", "what"), KEYS)))
    test = "<!-- tested by tests/house/pages/test_suites_page.py -->"
    return "\n".join(["# Suites", "", printed, test, "", ABOVE, "", *rows, "", below]) + "\n"


def _row(suite: Suite) -> list[str]:
    here = ", ".join(f"`{one.task}`" for one in suite.members if one.task)
    missing = f"; missing: {', '.join(suite.missing)}" if suite.missing else ""
    average = f"{suite.formula_text}: {suite.formula_source}" if suite.formula else "none published"
    return [f"`{suite.name}`: {suite.title}", here + missing, average, suite.source]
