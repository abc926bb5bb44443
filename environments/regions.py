"""Where the regions of clouds stand."""

from __future__ import annotations

EU_REGIONS = ("eu-central-1", "eu-west-1", "eu-west-3", "eu-south-1", "eu-south-2", "eu-north-1", "eusc-de-east-1")
"""Regions of AWS inside the European Union: London (eu-west-2) and Zurich (eu-central-2) are not."""
