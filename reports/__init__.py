"""Tables, comparisons and HTML leaderboards of finished runs."""
