"""The parts of `services/settlement.py`: queue, claims, building, following to finality, and the brake."""
