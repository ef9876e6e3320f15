"""One file a sub-command of `edge-runtime`: its options, and what it prints."""
