"""The names that an environment's file gives to objects of a cluster, and what a cluster makes of them."""
