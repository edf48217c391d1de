"""Training: recipes as typed functions, and the loop that runs them."""
