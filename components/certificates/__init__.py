"""Certificates: who issues them."""
