"""Records as each product writes them: every value is made up, names and shapes are those of its public schema."""
