"""Which variant, threads and streams are fastest on this very device, and where a photo's time goes."""
