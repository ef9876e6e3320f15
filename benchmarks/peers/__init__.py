"""Other programs beside this one: the same graph, the same photos, the same machine."""
