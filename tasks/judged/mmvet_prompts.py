"""What MM-Vet's judges are asked: the few-shot prompt in the three forms that are in use.

Sources: MM-Vet mm-vet_evaluator.py@acde843e; VLMEvalKit vlmeval/dataset/utils/mmvet.py@e8e78f05 (the same words,
wrapped where the others have blanks); lmms-eval lmms_eval/tasks/mmvet/utils.py@75571cfe (whose table head says,
by a slip, gpt_query_prompt, and whose last cell has no blank).
"""

from __future__ import annotations

from collections.abc import Sequence

_INTRODUCTION = (
    "Compare the ground truth and prediction from AI models, to give a correctness score for the prediction.",
    "<AND> in the ground truth means it is totally right",
    "only when all elements in the ground truth are present in the prediction,",
    "and <OR> means it is totally right when any one element in the ground truth is present in the prediction.",
    "The correctness score is 0.0 (totally wrong), "
    "0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, or 1.0 (totally right).",
    "Just complete the last space of the correctness score.",
)
_HEAD = ("Question | Ground truth | Prediction | Correctness", "--- | --- | --- | ---")
_EQUATION = "What is x in the equation? | -1 <AND> -5 | "
_EQUATIONS = (
    "x = 3 | 0.0",
    "x = -1 | 0.5",
    "x = -5 | 0.5",
    "x = -5 or 5 | 0.5",
    "x = -1 or x = -5 | 1.0",
)
_MEME = (
    "Can you explain this meme? | This meme is poking fun at the fact that the names of the countries",
    "Iceland and Greenland are misleading. Despite its name, Iceland is known for its beautiful green landscapes,",
    "while Greenland is mostly covered in ice and snow. The meme is saying that the person has trust issues",
    "because the names of these countries do not accurately represent their landscapes. |",
)
_MEME_HALF = (
    "The meme talks about Iceland and Greenland. It's pointing out that despite their names,",
    "Iceland is not very icy and Greenland isn't very green. | 0.4",
)
_MEME_RIGHT = (
    "The meme is using humor to point out the misleading nature of Iceland's and Greenland's names.",
    "Iceland, despite its name, has lush green landscapes while Greenland is mostly covered in ice and snow.",
    "The text 'This is why I have trust issues' is a playful way to suggest",
    "that these contradictions can lead to distrust or confusion.",
    "The humor in this meme is derived from the unexpected contrast between the names of the countries",
    "and their actual physical characteristics. | 1.0",
)


def _few_shot(between: str, head: Sequence[str]) -> str:
    """The whole text, with `between` where VLMEvalKit wraps its lines."""
    rows = [
        between.join(_INTRODUCTION),
        *head,
        *(_EQUATION + rest for rest in _EQUATIONS),
        between.join((*_MEME, *_MEME_HALF)),
        between.join((*_MEME, *_MEME_RIGHT)),
    ]
    return "\n".join(rows) + "\n"


OFFICIAL = _few_shot(" ", ("", *_HEAD))
VLMEVALKIT = "\n" + _few_shot("\n", ("", *_HEAD))
LMMS_EVAL = _few_shot(" ", (_HEAD[0].replace("Question", "gpt_query_prompt"), _HEAD[1]))

AGAIN = "\nPredict the correctness of the answer (digit): "
"""What the official script adds once a reply could not be read."""
THINK = "First please perform reasoning, and think step by step to provide best answer to the following question: \n\n"
"""What lmms-eval says to the model under test."""


def row(question: str, target: str, answer: str) -> str:
    """The last row of the table, its last cell to be filled in. Nothing is escaped."""
    marked = target.replace("<AND>", " <AND> ").replace("<OR>", " <OR> ")
    return " | ".join((question, marked, answer, ""))


def official(question: str, target: str, answer: str) -> str:
    """The whole prompt; a blank line stands before the last row."""
    return f"{OFFICIAL}\n{row(question, target, answer)}"


def vlmevalkit(question: str, target: str, answer: str) -> str:
    """As official, wrapped."""
    return f"{VLMEVALKIT}\n{row(question, target, answer)}"


def lmms_eval(question: str, target: str, answer: str) -> str:
    """Ends with the bar."""
    return f"{LMMS_EVAL}\n{row(question, target, answer)}".removesuffix(" ")
