"""Answer files whose rows hold a probability in a column of its own, beside the model's words or in place of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vlmbench.base.errors import PredictionsError
from vlmbench.data.answers.answer_columns import answer_key, find_column, is_predicted, probability, squashed
from vlmbench.data.rows import Row


def probability_column(rows: Sequence[Row], name: str, of_dataset: Sequence[str]) -> str:
    """The model's column of probabilities, by its name in the rows; empty where there is none.

    In rows of the dataset, which a prediction may have been added to, a column of that name is the truth. They are
    known by one of the columns `of_dataset`, or by an `answer` beside a column that is named for a prediction.
    """
    names = {squashed(column) for row in rows for column in row.values}
    if names & set(map(squashed, of_dataset)) or ("answer" in names and any(map(is_predicted, names))):
        return ""
    return find_column(rows, name)


def id_and_probability(rows: Sequence[Row], ids: Sequence[str], column: str) -> Iterator[tuple[str, float, Row]]:
    """(id, probability, row) of the rows of one file. `ids` are the benchmark's id columns, the usual first.

    Raises PredictionsError for a row without id or number, or with a number that is no probability.
    """
    key = find_column(rows, *ids)
    for row in rows:
        if not key or key not in row.values or column not in row.values:
            what = f"the row has no {column if key in row.values else key or ids[0]!r}"
            raise PredictionsError(what, where=row.where, hint=f"needed: {ids[0]!r} with 'answer' or {column!r}")
        yield answer_key(row, key), probability(row, column), row
