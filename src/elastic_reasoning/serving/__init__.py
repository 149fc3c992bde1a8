"""The gateway: models behind the endpoints that clients know, within tokens, seconds and money."""
