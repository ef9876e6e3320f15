"""What people are asked about photos, and what becomes of their answers."""
