"""What the services of a local environment use of the machine: processor, memory, disk."""
