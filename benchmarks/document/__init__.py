"""The result document: what one measurement says, as a file that stays readable."""
