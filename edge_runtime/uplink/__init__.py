"""The way to a station: the payload specification (PAYLOAD.md), its codec, and the link."""
