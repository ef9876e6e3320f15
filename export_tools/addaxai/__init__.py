"""A classifier bundle as a model of AddaxAI, formerly EcoAssist: `adapter` writes the folder, `inference` is in it."""
