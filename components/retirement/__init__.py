"""Retirement: a system that is needed no more goes in an orderly way."""
