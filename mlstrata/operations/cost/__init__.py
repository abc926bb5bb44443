"""What an environment would cost a month, from its plan and a table of prices."""
