"""Who is it: a gallery of known individuals, exact search in it, and when to say "nobody that we know"."""
