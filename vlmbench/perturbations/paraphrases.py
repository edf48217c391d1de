"""Other words for the sentences by which protocols ask for a form of answer, keeping what their readers need.

A wording asks for the same form as the sentence that it stands for: a word or phrase, the option's letter alone, yes or
no. Task words of trained templates (`[vqa]`, `Short answer:`) and the rules of box formats are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping

PARAPHRASES: Mapping[str, tuple[str, str, str]] = {
    "Answer the question using a single word or phrase.": (
        "Give your answer as a single word or phrase.",
        "Reply with one word or a short phrase only.",
        "Keep the answer to a word or a short phrase.",
    ),
    "Please answer the question using a single word or phrase.": (
        "Please give your answer as a single word or phrase.",
        "Please reply with one word or a short phrase only.",
        "Please keep the answer to a word or a short phrase.",
    ),
    "answer the question with a single word or phrase.": (
        "give the answer as a single word or phrase.",
        "reply with one word or a short phrase.",
        "keep the answer to a word or a short phrase.",
    ),
    "respond to this question with a short answer:": (
        "give a short answer to this question:",
        "reply briefly to this question:",
        "answer this question in a few words:",
    ),
    "Answer with the option's letter from the given choices directly.": (
        "Give only the letter of the right option.",
        "Reply with the letter of the correct choice and nothing else.",
        "Which of the options is right? Write its letter alone.",
    ),
    "Please answer with the option letter from the given choices directly.": (
        "Please give only the letter of the right option.",
        "Please reply with the letter of the correct choice and nothing else.",
        "Please write the letter of the right option alone.",
    ),
    "Please select the correct answer from the options above.": (
        "Please choose the right answer among the options above.",
        "Which of the options above is the correct answer?",
        "Pick the correct one of the options above.",
    ),
    "Please answer yes or no.": (
        "Please reply with yes or no.",
        "Answer with yes or no.",
        "Say yes or no.",
    ),
    "Answer yes or no.": (
        "Reply with yes or no.",
        "Your answer is yes or no.",
        "Say yes or no.",
    ),
    'Respond with "True" or "False" directly.': (
        'Answer "True" or "False" only.',
        'Reply directly with "True" or "False".',
        'Your answer is "True" or "False".',
    ),
    "Based on the image, is this statement true or false?": (
        "Going by the image, is this statement true or false?",
        "Is the following statement about the image true or false?",
        "True or false, judging by the image?",
    ),
    "请直接回答选项字母。": (
        "请只回答正确选项的字母。",
        "请仅写出正确选项的字母。",
        "直接给出正确选项的字母即可。",
    ),
    "请直接使用所提供的选项字母作为答案回答。": (
        "请只用正确选项的字母回答。",
        "请仅写出所给选项中正确的字母。",
        "答案只需写出正确选项的字母。",
    ),
}
"""The sentence as protocols have it, to its paraphrases in order."""
COUNT = 3
"""How many paraphrases a sentence has."""


def paraphrased(prompt: str, number: int) -> str | None:
    """The prompt with its last known sentence in paraphrase `number`, from 1; None where it has no known sentence.

    Of sentences that end at the same place the longest is taken.
    """
    places = [
        (start + len(sentence), len(sentence), sentence)
        for sentence in PARAPHRASES
        if (start := prompt.rfind(sentence)) >= 0
    ]
    if not places:
        return None
    end, length, sentence = max(places)
    return prompt[: end - length] + PARAPHRASES[sentence][number - 1] + prompt[end:]
