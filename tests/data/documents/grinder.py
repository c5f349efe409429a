"""Grinds grain."""

import sys


def grind(grain, turns=90):
    """Turns grain into flour."""
    flour = grain * 0.8

    return flour


class Mill:
    def start(self):
        self.running = True
