"""Qdrant's engine behind the part of Qdrant's REST contract that Holdfast uses."""

from __future__ import annotations
