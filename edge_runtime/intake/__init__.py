"""From a card folder to a decoded photo."""
