"""Who may speak to the station's broker: its own authority, a certificate for each device, and what mosquitto reads."""
