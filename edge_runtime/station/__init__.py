"""The ranger station: receives summaries, commits them, acknowledges them and shows them on a page."""
